"""`time.sleep(x)` becomes `await asyncio.sleep(x)`.

In a `def` endpoint or dependency, which sleeps in a worker thread, the function becomes `async def` as well.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from loopviz.repair.change import Change
from loopviz.repair.endpoints import require_either
from loopviz.repair.imports import imported_as
from loopviz.repair.known import HELPERS
from loopviz.repair.light import require_light
from loopviz.repair.outline import Function, Outline, handlers_around, own, root_of
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal
from loopviz.repair.suspending import require_suspendable

if TYPE_CHECKING:
    from loopviz.repair.rewrite import Rewrite

__all__ = ["plan"]

_OF_NEGATIVE: Final = frozenset({"builtins.OverflowError", "builtins.ValueError"})


def plan(place: Place) -> Change:
    """The change for the sleep at a line. Raises `Refusal`."""
    outline, function = place.outline, place.function
    is_async = isinstance(function, ast.AsyncFunctionDef)
    sleeps = [node for node in own(function) if isinstance(node, ast.Call) and _sleeps(outline, node)]
    found = place.call(lambda call: _sleeps(outline, call))
    if found is None and (place.statement() is not None or len(sleeps) != 1):
        raise Refusal(f"There is no time.sleep at line {place.line}.")
    if found is not None and found not in sleeps:
        require_suspendable(outline, found, function)  # it says what the call is in
    calls = sleeps
    if is_async:
        # The blocks of one function are one finding: its other sleeps are changed too, if they can be.
        calls = [
            one for one in sleeps if one is found or found is None or _may_change(outline, one, function)
        ]
        for call in calls:
            require_suspendable(outline, call, function)
    else:
        _require_switch(place, calls)
    for call in calls:
        _require_one_duration(call, moved=_is_moved(outline, call))
        _require_no_negative(outline, call)
    asyncio = imported_as(outline, "asyncio", calls[0])

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair.rewrite import renamed  # noqa: PLC0415 - it loads LibCST

        for call in calls:
            if _is_moved(outline, call):
                rewrite.replaced(call, renamed(f"{asyncio}.sleep", skipped=_skipped(call)))
            else:
                rewrite.awaited(call, renamed(f"{asyncio}.sleep"))
        rewrite.asynchronous(function, wanted=True)

    lines = list(dict.fromkeys(str(call.lineno) for call in calls))
    await_it = "Line {} awaits" if len(lines) == 1 else "Lines {} await"
    summary = (
        f"{await_it.format(', '.join(lines))} {asyncio}.sleep(): the loop serves others meanwhile, and no"
        " thread is needed."
    )
    if not is_async:
        summary += f" {function.name}() is async def now."
    used = [call.func for call in calls] + [arg for call in calls for arg in call.args]
    return Change(
        summary,
        make,
        ("import asyncio",) if asyncio == "asyncio" else (),
        tuple(dict.fromkeys(filter(None, map(root_of, used)))),
    )


def _may_change(outline: Outline, call: ast.Call, function: Function) -> bool:
    try:
        require_suspendable(outline, call, function)
        _require_one_duration(call, moved=_is_moved(outline, call))
        _require_no_negative(outline, call)
    except Refusal:
        return False
    return True


def _require_switch(place: Place, calls: list[ast.Call]) -> None:
    name = place.function.name
    if any(_is_moved(place.outline, call) for call in calls):
        raise Refusal(f"{name}() is no async def, so it cannot await.")
    try:
        require_either(place.outline, place.function)
        require_light(place.outline, place.function, calls)
    except Refusal as refusal:
        raise Refusal(f"{name}() would have to be async def: {refusal}") from None
    for call in calls:
        require_suspendable(place.outline, call, place.function)


def _sleeps(outline: Outline, call: ast.Call) -> bool:
    return outline.meaning(call.func) == "time.sleep" or _is_moved(outline, call)


def _is_moved(outline: Outline, call: ast.Call) -> bool:
    """Whether it sleeps in a thread, and that is awaited: ``await asyncio.to_thread(time.sleep, 1)``."""
    skipped = _skipped(call)
    moves = outline.meaning(call.func) in HELPERS or skipped == 2
    return (
        moves
        and len(call.args) >= skipped
        and outline.meaning(call.args[skipped - 1]) == "time.sleep"
        and isinstance(outline.parents[call], ast.Await)
    )


def _skipped(call: ast.Call) -> int:
    """How many arguments come before the duration where a thread sleeps."""
    return 2 if isinstance(call.func, ast.Attribute) and call.func.attr == "run_in_executor" else 1


def _require_one_duration(call: ast.Call, *, moved: bool) -> None:
    durations = call.args[_skipped(call) :] if moved else call.args
    if len(durations) != 1 or isinstance(durations[0], ast.Starred) or call.keywords:
        raise Refusal(f"The duration of the sleep at line {call.lineno} is not given as its one argument.")
    if isinstance(durations[0], ast.UnaryOp) and isinstance(durations[0].op, ast.USub):
        raise Refusal("time.sleep raises an error for a negative duration, asyncio.sleep does not.")


def _require_no_negative(outline: Outline, call: ast.Call) -> None:
    """Raise `Refusal` if a duration may be negative, and what time.sleep raises then is handled."""
    duration = call.args[-1]
    if isinstance(duration, ast.Constant):
        return
    for handler in handlers_around(outline, call):
        names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(name is not None and outline.meaning(name) in _OF_NEGATIVE for name in names):
            raise Refusal(
                f"Line {handler.lineno} handles the error that time.sleep raises for a negative"
                " duration, and asyncio.sleep raises none."
            )
