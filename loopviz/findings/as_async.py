"""A ``def`` function that sleeps in a thread, as ``async def`` that awaits: a few lines, before and after."""

from __future__ import annotations

import ast
import re

from loopviz.findings.finding import Change
from loopviz.findings.seen import Seen
from loopviz.findings.source import function_of
from loopviz.model import Where

__all__ = ["as_async"]

_SLEEP = re.compile(r"\btime\.sleep\(")


def as_async(seen: Seen, where: Where | None) -> Change | None:
    """The definition and the line that sleeps; None if the line is another one, or is not there."""
    lines = seen.lines(where.file) if where is not None else ()
    found = function_of(lines, where.line) if where is not None else None
    if where is None or found is None or not isinstance(found[1], ast.FunctionDef):
        return None
    head, sleeps = lines[found[1].lineno - 1], lines[where.line - 1]
    if where.line == found[1].lineno or not _SLEEP.search(sleeps):
        return None
    awaits = _SLEEP.sub("await asyncio.sleep(", sleeps)
    return (head, sleeps), (head.replace("def ", "async def ", 1), awaits)
