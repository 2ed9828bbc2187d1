"""A line of a function, and the call that is meant there."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from loopviz.repair.outline import Function, Outline, own
from loopviz.repair.result import Refusal

__all__ = ["Place", "place"]

_INNER = re.compile(r"(?:\.<locals>)?\.<(?:listcomp|setcomp|dictcomp|genexpr|lambda)>$")
_CALLS = re.compile(r"[A-Za-z_][\w.]*(?=\s*\()")


@dataclass(frozen=True, slots=True)
class Place:
    """A line in a function of a module; `calls` is what is called there, as it is written, if it was seen."""

    outline: Outline
    line: int
    function: Function
    calls: str
    name: str

    def at(self, node: ast.AST) -> Place:
        """The place of another node of the module, which is in a function."""
        function = self.outline.function_around(node)
        return Place(self.outline, getattr(node, "lineno", 0), function, "", self.name)

    def statements(self) -> list[ast.stmt]:
        """The statements of the function that have its line in their heads, outer ones first."""
        return [
            node
            for node in own(self.function)
            if isinstance(node, ast.stmt) and node.lineno <= self.line <= _head_end(node)
        ]

    def statement(self) -> ast.stmt | None:
        """The innermost one of them; None if there is none."""
        return next(iter(self.statements()[::-1]), None)

    def here(self) -> list[ast.Call]:
        """The calls of these statements, those of this very line only if it has any; inner ones first."""
        calls = [
            node for statement in self.statements() for node in _head(statement) if isinstance(node, ast.Call)
        ]
        calls.sort(
            key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0, -call.lineno, -call.col_offset)
        )
        on_line = [call for call in calls if call.lineno <= self.line <= (call.end_lineno or call.lineno)]
        return on_line or calls

    def call(self, wanted: Callable[[ast.Call], bool]) -> ast.Call | None:
        """The wanted call of the line; where there are several, the one that was seen, or the first."""
        found = [call for call in self.here() if wanted(call)]
        seen = [call for call in found if self.calls and self.written(call) == self.calls]
        return next(iter(seen or found), None)

    def written(self, call: ast.Call) -> str:
        """The name that a call begins with, as it is written: ``requests.get``."""
        line = self.outline.lines[call.lineno - 1].encode()[call.col_offset :].decode(errors="replace")
        found = _CALLS.match(line)
        return found.group() if found else ""


def place(outline: Outline, line: int, function: str, calls: str, name: str) -> Place:
    """The place of a line. Raises `Refusal` if the function is not at that line."""
    wanted = function
    while (shorter := _INNER.sub("", wanted)) != wanted:
        wanted = shorter
    around = [f for f in outline.functions if outline.span(f)[0] <= line <= outline.span(f)[1]]
    around.sort(key=lambda f: outline.span(f)[0])
    named = [f for f in around if not wanted or wanted in {outline.qualname(f), f.name}]
    if not named:
        last = wanted.rpartition(".")[2]
        raise Refusal(
            f"{last or 'No function'}{'()' if last and last != '<module>' else ''} is not at line {line}"
            + (
                ": this is code of the module itself."
                if last == "<module>"
                else ": the file may have changed."
            )
        )
    return Place(outline, line, named[-1], calls, name)


def _head_end(node: ast.stmt) -> int:
    """The last line of what a statement executes itself: of a compound one, the line before its body."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.lineno
    parts = [child.end_lineno or 0 for child in _head(node) if isinstance(child, ast.expr)]
    if isinstance(node, ast.Match) or hasattr(node, "body"):
        return max([node.lineno, *parts])
    return node.end_lineno or node.lineno


def _head(node: ast.stmt) -> list[ast.AST]:
    """The nodes of a statement without those of the statements inside of it."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        if isinstance(child, ast.stmt | ast.ExceptHandler):
            continue
        if isinstance(child, ast.match_case):
            waiting += [child.guard] if child.guard is not None else []
            continue
        found.append(child)
        waiting += list(ast.iter_child_nodes(child))
    return found
