"""A `def` endpoint that does nothing that blocks becomes `async def`: it needs no worker thread."""

from __future__ import annotations

import ast

from loopviz.repair.change import Change
from loopviz.repair.endpoints import require_either
from loopviz.repair.light import require_light
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal

__all__ = ["plan"]


def plan(place: Place) -> Change:
    """The change for the function at a line. Raises `Refusal`."""
    function = place.function
    if isinstance(function, ast.AsyncFunctionDef):
        raise Refusal(f"{function.name}() is async def already.")
    require_either(place.outline, function)
    require_light(place.outline, function)
    return Change(
        f"{function.name}() is async def now: it runs on the event loop, and needs no worker thread.",
        lambda rewrite: rewrite.asynchronous(function, wanted=True),
    )
