"""An `async def` function that never awaits becomes `def`: FastAPI calls it in a worker thread."""

from __future__ import annotations

import ast

from loopviz.repair.between import require_steady
from loopviz.repair.change import Change
from loopviz.repair.elsewhere import require_kept_elsewhere
from loopviz.repair.endpoints import require_either
from loopviz.repair.known import stays_in_its_thread
from loopviz.repair.outline import Function, Outline, own, root_of
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import changes
from loopviz.repair.threads import require_for_threads

__all__ = ["plan"]


def plan(place: Place) -> Change:
    """The change for the function at a line. Raises `Refusal`."""
    outline, function = place.outline, place.function
    name = f"{function.name}()"
    if isinstance(function, ast.FunctionDef):
        raise Refusal(f"{name} is def already.")
    for node in ast.walk(function):
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) or (
            isinstance(node, ast.comprehension) and node.is_async
        ):
            line = getattr(node, "lineno", getattr(outline.parents[node], "lineno", 0))
            raise Refusal(f"{name} awaits at line {line}, so it has to be async def.")
        if isinstance(node, ast.AsyncFunctionDef) and node is not function:
            raise Refusal(f"{name} has an async def function in it, which is for the event loop.")
    require_either(outline, function)
    _require_thread(outline, function)
    return Change(
        f"{name} is def now: FastAPI calls it in a worker thread, and the loop serves others meanwhile.",
        lambda rewrite: rewrite.asynchronous(function, wanted=False),
    )


def _require_thread(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if something in a function needs the event loop's thread, or only one thread."""
    require_for_threads(outline, function)
    name = f"{function.name}()"
    for node in own(function):
        why = stays_in_its_thread(outline, node) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or why is None or not why.startswith("A connection"):
            continue
        if outline.is_local(root_of(node.func), node):
            continue  # made and used in the same thread
        if not outline.meaning(node.func):
            raise Refusal(why)
    shared = changes(outline, function)
    if shared:
        raise Refusal(f"{name} changes {shared[0]}, which several threads would do at the same time.")
    require_steady(outline, function)
    require_kept_elsewhere(outline, function)
