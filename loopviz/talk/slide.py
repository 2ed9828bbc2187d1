"""The code of a scenario for the stage: its endpoints, and the functions that they call."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["endpoint"]


def endpoint(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Their lines, each with its number; an empty line between two functions has the number 0.

    All lines where there is no endpoint, or where the text is no Python.
    """
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        tree = ast.Module([], [])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    routes = [node for node in functions if node.decorator_list and _is_route(node.decorator_list[0])]
    shown: list[tuple[int, str]] = []
    called = {name.id for node in routes for name in ast.walk(node) if isinstance(name, ast.Name)}
    for node in functions:
        if node in routes or node.name in called:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            last = node.end_lineno or node.lineno
            if shown:
                shown.append((0, ""))
            shown += [(at, lines[at - 1].rstrip().expandtabs(4)) for at in range(first, last + 1)]
    return shown or [(at, line.rstrip().expandtabs(4)) for at, line in enumerate(lines, 1)]


def _is_route(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)
