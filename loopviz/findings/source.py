"""What the source says of a function: whether it is an endpoint, and what depends on it.

The text is parsed and never run. Where it cannot be parsed, nothing is known.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

__all__ = [
    "Function",
    "depends_on",
    "function_of",
    "functions",
    "is_endpoint",
    "is_library",
    "name_of",
    "tree_of",
]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_MOST = 1_000_000
"""Characters of a file that is parsed."""
_ROUTES = {
    "api_route", "delete", "get", "head", "options", "patch", "post", "put", "route", "trace", "websocket",
}  # fmt: skip
"""The decorators that make a function an endpoint."""
_DEPENDS = {"Depends", "Provide", "Security"}
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python", "/lib64/python")
_SCENARIOS = "/loopviz/_scenarios/"
"""Where the built-in scenarios are, once installed: they are examples of a user's code."""


def tree_of(lines: Sequence[str]) -> ast.Module | None:
    """The tree of a file; None if it cannot be parsed."""
    return _parsed(tuple(lines)) if lines else None


@lru_cache(maxsize=32)
def _parsed(lines: tuple[str, ...]) -> ast.Module | None:
    text = "\n".join(lines)
    if len(text) > _MOST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's texts: Python has said so before
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions in it, methods and inner ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def function_of(lines: Sequence[str], line: int) -> tuple[ast.Module, Function] | None:
    """The innermost function that has this line, decorators included, and the tree that it is in."""
    tree = tree_of(lines)
    if tree is None:
        return None
    best: Function | None = None
    for node in functions(tree):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if first <= line <= (node.end_lineno or node.lineno) and (best is None or node.lineno > best.lineno):
            best = node
    return None if best is None else (tree, best)


def is_endpoint(function: Function) -> bool:
    """Whether a decorator makes it the endpoint of a route: ``@app.get("/x")``."""
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in _ROUTES
        for decorator in function.decorator_list
    )


def depends_on(tree: ast.AST, name: str) -> bool:
    """Whether something in it depends on the function with this name: ``Depends(name)``."""
    return any(
        name_of(given) == name
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node.func) in _DEPENDS
        for given in (*node.args, *(word.value for word in node.keywords))
    )


def name_of(node: ast.AST) -> str:
    """The last part of a name: ``sleep`` of ``time.sleep``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_library(file: str) -> bool:
    """Whether a file is a library's, or none at all, by its path."""
    path = file.replace("\\", "/")
    if _SCENARIOS in path:
        return False
    return not path or path.startswith("<") or any(part in path for part in _LIBRARIES)
