"""The call, in an `async def` function, that leads to a line of a plain function."""

from __future__ import annotations

import ast

from loopviz.repair.outline import Function, Outline
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal

__all__ = ["caller", "calls_of", "tried"]


def calls_of(outline: Outline, function: Function) -> list[ast.Call]:
    """The calls of a function of the module, but its own. Raises `Refusal` if it is used otherwise."""
    found = []
    for node in outline.nodes:
        if not (isinstance(node, ast.Name) and node.id == function.name and isinstance(node.ctx, ast.Load)):
            continue
        if outline.module_function(node.id, node) is not function:
            continue
        parent = outline.parents[node]
        if not (isinstance(parent, ast.Call) and parent.func is node):
            raise Refusal(f"{function.name}() is used at line {node.lineno} without being called there.")
        if outline.function_of(parent) is not function:
            found.append(parent)
    return found


def tried(outline: Outline, function: Function) -> int | None:
    """The line of a `try` around a call that leads to a function; None if there is none in the file."""
    waiting, seen = [function.name], {function.name}
    while waiting:
        name = waiting.pop()
        for node in outline.nodes:
            if getattr(node, "id", getattr(node, "attr", None)) != name:
                continue
            for around in outline.above(node):
                if isinstance(around, ast.Try | ast.TryStar):
                    return around.lineno
            outer = outline.function_of(node)
            if outer is not None and outer.name not in seen:
                seen.add(outer.name)
                waiting.append(outer.name)
    return None


def caller(place: Place) -> ast.Call:
    """The one call in an `async def` function that leads to a place. Raises `Refusal` without one."""
    outline, function = place.outline, place.function
    for _ in range(5):
        name = f"{function.name}()"
        if function not in outline.tree.body or function.decorator_list:
            raise Refusal(f"{name} is no async def, so nothing in it can await.")
        calls = calls_of(outline, function)
        if len(calls) != 1:
            raise Refusal(
                f"{name} is no async def, and {len(calls) or 'no'} places in this file call it, not one."
            )
        around = outline.function_of(calls[0])
        if isinstance(around, ast.AsyncFunctionDef):
            return calls[0]
        if around is None:
            break
        function = around
    raise Refusal(f"{place.function.name}() is no async def, and not called by one in this file.")
