"""Which kind of repair fits a call that blocks."""

from __future__ import annotations

import ast
from contextlib import suppress

from loopviz.repair.known import blocks
from loopviz.repair.making import PLANS
from loopviz.repair.outline import read
from loopviz.repair.place import Place, place
from loopviz.repair.result import Refusal

__all__ = ["choose", "why_none"]

_ORDER = ("async-sleep", "async-client", "to-thread", "plain-def")
"""What helps most comes first: no thread, then one for the call alone, then one for the whole function."""


def _computes(found: Place, call: ast.Call) -> bool:
    """Whether a call is one of Python's own functions that do not block."""
    outline = found.outline
    return outline.meaning(call.func).startswith("builtins.") and not blocks(outline, call)


def choose(source: str, *, line: int, function: str, calls: str) -> str | None:
    """The first kind that can be planned; None if none can."""
    try:
        found = place(read(source.removeprefix("\ufeff")), line, function, calls, "")
    except (Refusal, RecursionError):
        return None
    if all(_computes(found, call) for call in found.here()):
        return None
    for kind in _ORDER:
        with suppress(Refusal, RecursionError):  # it may be nested too deeply
            PLANS[kind](found)
            return kind
    return None


def why_none(source: str, *, line: int, function: str, calls: str) -> str | None:
    """Why there is no repair of a call that blocks; None if there is one, or if it calls nothing."""
    try:
        found = place(read(source.removeprefix("\ufeff")), line, function, calls, "")
        if all(_computes(found, call) for call in found.here()):
            return None
    except (Refusal, RecursionError):
        return None
    sleeps = any(found.outline.meaning(call.func) == "time.sleep" for call in found.here())
    why: dict[str, str] = {}
    for kind in _ORDER:
        try:
            PLANS[kind](found)
        except Refusal as refusal:
            why[kind] = str(refusal)
        except RecursionError:
            return None
        else:
            return None
    return why["async-sleep" if sleeps else "to-thread"]
