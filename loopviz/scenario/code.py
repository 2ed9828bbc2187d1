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
_NEXT = {
    "": re.compile(r"""#.*|"{3}|'{3}|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?"""),
    '"""': re.compile(r'\\.|"""'),
    "'''": re.compile(r"\\.|'''"),
}
"""What comes next in a line outside of a text of several lines, and within one between these quotes."""


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
    inside = _inside(lines[body:])
    while inside and not inside[-1].strip():
        inside.pop()
    return Code(first + 1, tuple([*lines[first : body + 1], *inside][:_MOST]))


def _inside(lines: Sequence[str]) -> list[str]:
    """The lines after the first, up to one at the left margin that is in no text of several lines."""
    found: list[str] = []
    quotes = _left_open(lines[0], "")
    for line in lines[1:]:
        if not quotes and _is_outside(line):
            return found
        found.append(line)
        quotes = _left_open(line, quotes)
    return found if not quotes else list(takewhile(lambda line: not _is_outside(line), lines[1:]))


def _is_outside(line: str) -> bool:
    return bool(line.strip()) and line[0] not in " \t)"


def _left_open(line: str, quotes: str) -> str:
    """The quotes of the text that goes on after this line, which begins within `quotes`; empty for none."""
    at = 0
    while (found := _NEXT[quotes].search(line, at)) is not None:
        at = found.end()
        if quotes:
            quotes = "" if found[0] == quotes else quotes
        elif found[0] in _NEXT:
            quotes = found[0]
    return quotes
