"""The code of an endpoint in the text of its file, which is not trusted: it is neither run nor parsed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice, takewhile
from typing import NamedTuple

__all__ = ["Code", "endpoint_code", "function_code"]

_MOST_LINES = 5_000
_MOST = 200
"""Lines of an endpoint that are kept."""
_DEFINITION = re.compile(r"(?:async +)?def +\w")


class Code(NamedTuple):
    """Consecutive lines of a file."""

    first: int
    """The number of the first one."""
    lines: tuple[str, ...]


def endpoint_code(source: str, path: str) -> Code | None:
    """The function whose decorator names the path, with its decorators; None if there is none."""
    lines = source.split("\n")[:_MOST_LINES]
    route = re.compile(rf"""@\w[\w.]*\(\s*["']{re.escape(path)}["']""")
    for number, line in enumerate(lines):
        if route.match(line):
            return _function(lines, number)
    return None


def function_code(source: str, line: int) -> Code | None:
    """The function at the top level of the file that has this line, with its decorators; None for none."""
    lines = source.split("\n")[:_MOST_LINES]
    for number in range(min(line, len(lines)) - 1, -1, -1):
        if _DEFINITION.match(lines[number]):
            found = _function(lines, number)
            return found if found and found.first <= line < found.first + len(found.lines) else None
    return None


def _function(lines: Sequence[str], at: int) -> Code | None:
    """The function whose definition, or decorator, is in this line."""
    first = at
    while first and lines[first - 1].startswith("@"):
        first -= 1
    body = next((n for n, line in islice(enumerate(lines), at, at + 20) if _DEFINITION.match(line)), None)
    if body is None:
        return None
    inside = list(takewhile(lambda line: not line.strip() or line[0] in " \t)", lines[body + 1 :]))
    while inside and not inside[-1].strip():
        inside.pop()
    return Code(first + 1, tuple([*lines[first : body + 1], *inside][:_MOST]))
