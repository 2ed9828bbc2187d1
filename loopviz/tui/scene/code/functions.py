"""The functions of a source file, found by its indentation: text from outside is neither run nor parsed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Function", "functions", "of_line"]

_MOST_LINES = 50_000
_LONGEST = 2_000
"""So many lines, and characters of each, are looked at."""
_STARTS = re.compile(r"[ \t]*(?:(?P<decorator>@)|(?P<kind>(?:async +)?def|class) +(?P<name>\w+))")
_TOKEN = {
    "": re.compile(r"""#.*|"{3}|'{3}|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[()\[\]{}]"""),
    '"""': re.compile(r'\\.|"""'),
    "'''": re.compile(r"\\.|'''"),
}
"""What matters in a line outside of a text of several lines, and within one between these quotes."""
_AROUND = 3
"""Lines shown on each side of one that is in no function."""


@dataclass(frozen=True, slots=True)
class Function:
    """Consecutive lines of a file: a function, or what is around a line outside of functions."""

    first: int
    """Its first line, decorators included."""
    line: int
    """The line of its ``def``; where it is no function, the first line."""
    last: int
    name: str
    """``Timer.__call__``; empty where it is no function."""


@dataclass(slots=True)
class _Scope:
    indent: int
    name: str
    function: bool
    first: int
    line: int
    last: int


def functions(lines: Sequence[str]) -> list[Function]:
    """The functions of modules and classes, in their order; what is defined inside of one belongs to it."""
    found: list[_Scope] = []
    scopes: list[_Scope] = []
    decorated: tuple[int, int] | None = None  # the indentation and the number of the first decorator
    quotes, depth = "", 0
    for number, whole in enumerate(lines[:_MOST_LINES], 1):
        line = whole[:_LONGEST]
        starts = None if quotes else _STARTS.match(line)
        if not quotes and (not depth or starts is not None):  # brackets that are not closed end there
            text = line.lstrip(" \t")
            if not text or text[0] in "#\n\r":
                continue
            depth, indent = 0, len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
            while scopes and indent <= scopes[-1].indent:
                scopes.pop()
            if starts is None or (scopes and scopes[-1].function):
                decorated = None
            elif starts["decorator"]:
                decorated = decorated if decorated and decorated[0] == indent else (indent, number)
            else:
                first = decorated[1] if decorated and decorated[0] == indent else number
                name = ".".join([*(scope.name for scope in scopes), starts["name"]])
                scope = _Scope(indent, starts["name"], starts["kind"] != "class", first, number, number)
                scopes.append(scope)
                decorated = None
                if scope.function:
                    found.append(_Scope(indent, name, True, first, number, number))
        quotes, depth = _after(line, quotes, depth)
        if found and scopes and scopes[-1].function:
            found[-1].last = number
    return [Function(scope.first, scope.line, scope.last, scope.name) for scope in found]


def of_line(known: Sequence[Function], line: int, count: int) -> Function:
    """The function that has this line; else the lines around it, in a file of `count` lines."""
    for function in known:
        if function.first <= line <= function.last:
            return function
    first = max(1, min(line, count) - _AROUND)
    return Function(first, first, max(first, min(count, line + _AROUND)), "")


def _after(line: str, quotes: str, depth: int) -> tuple[str, int]:
    """The quotes of a text, and how many brackets, that are open after this line."""
    at = 0
    while (found := _TOKEN[quotes].search(line, at)) is not None:
        at, sign = found.end(), found[0]
        if quotes:
            quotes = "" if sign == quotes else quotes
        elif sign in _TOKEN:
            quotes = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth = max(0, depth - 1)
    return quotes, depth
