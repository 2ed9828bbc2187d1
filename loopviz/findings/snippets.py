"""The few lines of a finding's `change`: the source line as it is, and as it would be."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loopviz.findings.finding import Change
from loopviz.model import Where

__all__ = ["definition", "line_at", "rewritten"]

_LONGEST = 200
_DEF = re.compile(r"\s*(?:async\s+)?def\s+(\w+)")


def line_at(lines: Sequence[str], number: int) -> str:
    """The line with this number, without what surrounds its text; empty if it is not there."""
    return lines[number - 1].strip()[:_LONGEST] if 0 < number <= len(lines) else ""


def definition(lines: Sequence[str], where: Where) -> int:
    """The number of the line at which the function of `where` is defined; 0 if it is not found."""
    name = where.function.rpartition(".")[2]
    for number in range(min(where.line, len(lines)), 0, -1):
        found = _DEF.match(lines[number - 1])
        if found is not None and found[1] == name:
            return number
    return 0


def rewritten(lines: Sequence[str], where: Where, becomes: str) -> Change | None:
    """The line of `where`, before and after its call is replaced.

    In `becomes`, ``{call}`` stands for what is called, ``{rest}`` for its arguments with a comma before them,
    and ``{args}`` for them without it. None if the line is not there, or does not have the call whole.
    """
    line = line_at(lines, where.line)
    start = line.find(f"{where.calls}(") if where.calls else -1
    if start < 0:
        return None
    end = _closing(line, start + len(where.calls))
    if not end:
        return None
    args = line[start + len(where.calls) + 1 : end]
    new = becomes.format(call=where.calls, args=args, rest=f", {args}" if args.strip() else "")
    if line[end + 1 : end + 2] in (".", "[", "("):  # what follows is for the result, not for what is awaited
        new = f"({new})"
    return (line,), (line[:start] + new + line[end + 1 :],)


def _closing(line: str, opening: int) -> int:
    """Where the parenthesis that opens here is closed; 0 if it is not, in this line."""
    depth, quote = 0, ""
    for index in range(opening, len(line)):
        character = line[index]
        if quote:
            quote = "" if character == quote and line[index - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if not depth:
                return index
    return 0
