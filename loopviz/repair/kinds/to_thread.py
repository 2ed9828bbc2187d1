"""A call that blocks the event loop becomes `await asyncio.to_thread(…)`.

Where it is in a plain function of the module, what moves is the call of that function in an `async def` one.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from loopviz.repair.between import require_steady
from loopviz.repair.callers import caller
from loopviz.repair.change import Change
from loopviz.repair.files import shared_file
from loopviz.repair.imports import imported_as
from loopviz.repair.kinds import plain_def
from loopviz.repair.known import blocks, is_of_a_file, stays_in_its_thread
from loopviz.repair.outline import Function, Outline, own
from loopviz.repair.place import Place
from loopviz.repair.reach import called
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import changes
from loopviz.repair.suspending import require_suspendable
from loopviz.repair.threads import raises_stop_iteration, require_for_threads, require_unshared

if TYPE_CHECKING:
    from loopviz.repair.rewrite import Rewrite

__all__ = ["plan"]

_LAZY: Final = re.compile(r"(?:iter|stream)(?:_|$)|^(?:open|scandir|walk)$")
_OF_A_FILE: Final = frozenset(["read", "readline", "readlines"])


def plan(place: Place) -> Change:
    """The change for the call at a line. Raises `Refusal`."""
    outline = place.outline
    call = _chosen(place) if isinstance(place.function, ast.AsyncFunctionDef) else caller(place)
    if is_of_a_file(outline, call) and _can_be_def(place):
        raise Refusal(
            "The file is opened and closed in a with block, which blocks too: the whole function can move."
        )
    function = outline.function_around(call)
    whole = _reads_a_file(outline, call)
    call = whole or call
    require_suspendable(outline, call, function)
    if (file := shared_file(outline, call)) is not None and file[1]:
        raise Refusal(f"Several threads would write {file[0]} at the same time.")
    _require_movable(outline, call, whole=whole is not None)
    asyncio = imported_as(outline, "asyncio", call)

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair import rewrite as r  # noqa: PLC0415 - it loads LibCST

        helper = r.parsed(f"{asyncio}.to_thread")
        if whole is not None:
            rewrite.awaited(whole, lambda c: r.call_of(helper, [r.lambda_of(c)]))
        else:
            rewrite.awaited(call, lambda c: c.with_changes(func=helper, args=r.arguments(c, [c.func])))

    return Change(
        f"Line {call.lineno} awaits {place.at(call).written(call)}() in a worker thread:"
        " the event loop serves others meanwhile.",
        make,
        ("import asyncio",) if asyncio == "asyncio" else (),
    )


def _can_be_def(place: Place) -> bool:
    """Whether the whole function can move to a thread."""
    try:
        plain_def.plan(place)
    except Refusal:
        return False
    return True


def _chosen(place: Place) -> ast.Call:
    """The call of a line that blocks. Raises `Refusal` if it is not known which one does."""
    outline = place.outline
    calls = [call for call in place.here() if not isinstance(outline.parents[call], ast.Await)]
    if not calls:
        raise Refusal(f"There is no call at line {place.line} that could be moved.")
    if known := place.call(lambda call: call in calls and blocks(outline, call)):
        return known
    seen = [call for call in calls if place.calls and place.written(call) == place.calls]
    if not seen and len(calls) > 1:
        raise Refusal(f"There are several calls at line {place.line}, and it is not known which one blocks.")
    # Of `Session(engine).scalar(query)`, what was called last: the first one has only made something.
    return (seen or calls)[-1]


def _reads_a_file(outline: Outline, call: ast.Call) -> ast.Call | None:
    """The call around an `open` that reads the file at once: ``open(path).read()``."""
    if outline.meaning(call.func) != "builtins.open":
        return None
    attribute = outline.parents[call]
    if not (isinstance(attribute, ast.Attribute) and attribute.attr in _OF_A_FILE):
        return None
    around = outline.parents[attribute]
    return around if isinstance(around, ast.Call) and around.func is attribute else None


def _require_movable(outline: Outline, call: ast.Call, *, whole: bool) -> None:
    """Raise `Refusal` if a call cannot be made in another thread by passing it a function and arguments."""
    line = call.lineno
    why = None if whole else stays_in_its_thread(outline, call)
    if why is not None:
        raise Refusal(why)
    if isinstance(call.func, ast.Name) and (found := outline.module_function(call.func.id, call)) is not None:
        _require_plain(outline, found)
    elif not whole:
        require_unshared(outline, call)
        if (method := called(outline, call)) is not None:
            _require_plain(outline, method)
    _require_no_end(outline, call)
    parent = outline.parents[call]
    if isinstance(parent, ast.AsyncFor) and parent.iter is call:
        raise Refusal(f"What is read at line {line} is asynchronous already.")
    if isinstance(parent, ast.Await):
        raise Refusal(f"The call at line {line} is awaited already.")
    if isinstance(parent, ast.withitem):
        raise Refusal("The call makes the context of a with block, which blocks again when it is left.")
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if isinstance(parent, ast.For) and _LAZY.search(name):
        raise Refusal(f"{name}() reads while the loop runs, not when it is called.")
    if name == "open" and outline.meaning(call.func) == "builtins.open" and not whole:
        raise Refusal(
            "What open() returns is read later, which blocks as well: the whole function has to move."
        )
    _require_values(call, whole=whole)


def _require_no_end(outline: Outline, call: ast.Call) -> None:
    """Raise `Refusal` if a call may say that there is no more, by `StopIteration`."""
    for around in outline.above(call):
        if any(raises_stop_iteration(outline, one) for one in getattr(around, "handlers", ())):
            raise Refusal("StopIteration, which is caught here, cannot leave a thread.")


def _require_plain(outline: Outline, found: Function) -> None:
    """Raise `Refusal` unless a function of the module can be called in another thread."""
    if isinstance(found, ast.AsyncFunctionDef):
        raise Refusal(f"{found.name}() is async def: it is awaited, not moved to a thread.")
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own(found)):
        raise Refusal(f"{found.name}() is a generator: it runs where it is read, not where it is called.")
    require_for_threads(outline, found)
    require_steady(outline, found)
    if shared := [name for name in changes(outline, found) if name not in {"self", "cls"}]:
        raise Refusal(f"{found.name}() changes {shared[0]}, which several threads would do at the same time.")


def _require_values(call: ast.Call, *, whole: bool) -> None:
    """Raise `Refusal` unless the arguments are values; with `whole`, the thread computes them."""
    for node in ast.walk(call):
        if isinstance(node, ast.GeneratorExp):
            raise Refusal("An argument is a generator, which the thread would run.")
        if isinstance(node, ast.Yield | ast.YieldFrom) or (
            whole and isinstance(node, ast.Await | ast.NamedExpr)
        ):
            raise Refusal("An argument does something that a thread cannot do.")
