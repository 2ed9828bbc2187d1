"""What another file keeps: others must not come between asking for it and changing it."""

from __future__ import annotations

import ast
import re
import sys
from typing import Final

from loopviz.repair.dependencies import annotation_of, dependency
from loopviz.repair.outline import Function, Outline, inside, name_of, own, start_of
from loopviz.repair.reach import called
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import Given, shared_root

__all__ = ["changed_elsewhere", "require_kept_elsewhere"]

_SEEMS_TO_CHANGE: Final = re.compile(
    r"(?:^|_)(?:add|book|buy|cancel|commit|create|decrement|delete|increment|insert|pay|record|register|remove"
    r"|reserve|save|sell|set|store|take|update|upsert|write)(?:_|$)"
)
_SESSION: Final = re.compile(r"Session|Connection")
_OF_OTHERS: Final = frozenset({
    "PIL", "aiohttp", "anyio", "fastapi", "httpx", "numpy", "pandas", "prometheus_client", "pydantic",
    "requests", "scipy", "sklearn", "sqlalchemy", "sqlmodel", "starlette", "statsd", "torch",
}) | sys.stdlib_module_names  # fmt: skip
"""Modules that keep nothing for the application."""


def require_kept_elsewhere(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if several threads would ask another file for something, and change it.

    What two sessions do to the same rows, the database decides, as it does with several workers.
    """
    calls = [(node, _keeper(outline, node, function)) for node in own(function) if isinstance(node, ast.Call)]
    asked = {keeper: node for node, keeper in calls[::-1] if keeper and not _seems_to_change(outline, node)}
    for node, keeper in calls:
        if keeper in asked and _seems_to_change(outline, node) and not _is_session(outline, function, keeper):
            raise Refusal(
                f"{ast.unparse(asked[keeper].func)}() is called, and {ast.unparse(node.func)}() at line"
                f" {node.lineno} seems to change the same: several threads would do it at the same time."
            )


def _is_session(outline: Outline, function: Function, name: str) -> bool:
    """Whether a parameter is a session or a connection that a dependency gives, one for each request."""
    every = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    for one in every:
        if one.arg == name and one.annotation is not None and dependency(outline, function, one)[0]:
            return bool(_SESSION.search(ast.unparse(annotation_of(outline, one) or one.annotation)))
    return False


def changed_elsewhere(outline: Outline, call: ast.AST, function: Function) -> str | None:
    """Why others must not come between the calls of another file's functions; None if nothing is seen."""
    loops = [n for n in outline.above(call) if isinstance(n, ast.For | ast.While) and inside(n, function)]
    asked: dict[str, str] = {}
    changed: list[tuple[str, ast.Call]] = []
    for node in own(function):
        if not isinstance(node, ast.Call) or isinstance(outline.parents[node], ast.Await):
            continue
        keeper = _keeper(outline, node, function)
        if not keeper:
            continue
        writes = _seems_to_change(outline, node)
        in_loop = any(inside(node, loop) for loop in loops)
        if not writes and (in_loop or inside(node, call) or start_of(node) < start_of(call)):
            asked.setdefault(keeper, ast.unparse(node.func))
        if writes and (in_loop or inside(node, call) or start_of(node) > start_of(call)):
            changed.append((keeper, node))
    for keeper, node in changed:
        if keeper in asked:
            return (
                f"{asked[keeper]}() is called before, and {ast.unparse(node.func)}() at line {node.lineno}"
                " seems to change the same: others would do it meanwhile."
            )
    return None


def _seems_to_change(outline: Outline, call: ast.Call) -> bool:
    """Whether a function changes something, by its name."""
    if isinstance(call.func, ast.Attribute):
        return bool(_SEEMS_TO_CHANGE.search(call.func.attr))
    module, _, name = outline.meaning(call.func).rpartition(".")
    # A word alone may make something: ``update(Product)``.
    relative = module.startswith(".")
    return (relative or "_" in name) and bool(_SEEMS_TO_CHANGE.search(name))


def _keeper(outline: Outline, call: ast.Call, function: Function) -> str:
    """The object or the module whose function is called, if it is not the request's own, nor in this file."""
    if called(outline, call) is not None:
        return ""
    meaning = outline.meaning(call.func)
    if meaning:
        module = meaning.rpartition(".")[0]
        package = module.partition(".")[0]
        known = package in _OF_OTHERS and not meaning.startswith(".")
        makes = meaning.rpartition(".")[2][:1].isupper()
        return "" if known or makes or package == "builtins" else module
    if not isinstance(call.func, ast.Attribute):
        return ""
    return shared_root(outline, call.func.value, function, Given.UNSEEN) if name_of(call.func.value) else ""
