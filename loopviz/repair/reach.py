"""Functions of the module that a call leads to."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from loopviz.repair.outline import Function, Outline, own

__all__ = ["argument", "called", "local_function", "methods", "reached"]

_DEEPEST = 4


def called(outline: Outline, call: ast.Call) -> Function | None:
    """The function or the method of the module that is called, as far as that is seen."""
    if isinstance(call.func, ast.Name):
        return outline.module_function(call.func.id, call)
    if not isinstance(call.func, ast.Attribute):
        return None
    owner = _class_of(outline, call.func.value)
    return methods(owner).get(call.func.attr) if owner is not None else None


def methods(owner: ast.ClassDef) -> dict[str, Function]:
    """The methods of a class, by name."""
    return {
        node.name: node for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def local_function(outline: Outline, node: ast.AST) -> Function | ast.Lambda | None:
    """The function inside of another one whose name is used at a node: to call it, or to pass it on."""
    if not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
        return None
    found = outline.only(node.id, node)
    if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        return found if outline.function_of(found) is not None else None
    parent = outline.parents.get(found) if isinstance(found, ast.Name) else None
    value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
    return value if isinstance(value, ast.Lambda) else None


def reached(outline: Outline, function: Function) -> Iterator[Function]:
    """A function, and those of the module that it calls, or has inside of it and uses."""
    seen, waiting = {function}, [(function, 0)]
    while waiting:
        one, depth = waiting.pop()
        yield one
        for node in own(one) if depth < _DEEPEST else ():
            found = called(outline, node) if isinstance(node, ast.Call) else local_function(outline, node)
            if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and found not in seen:
                seen.add(found)
                waiting.append((found, depth + 1))


def argument(function: Function | ast.Lambda, call: ast.Call, name: str) -> ast.expr | None:
    """What a call gives for a parameter: for the first one of a method, its object."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    given: list[ast.expr] = list(call.args)
    if isinstance(call.func, ast.Attribute):
        given.insert(0, call.func.value)
    if name in names and names.index(name) < len(given):
        return given[names.index(name)]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _class_of(outline: Outline, node: ast.expr) -> ast.ClassDef | None:
    """The class of the module that an object is of: `self`, what was made of it, or is said to be one."""
    if isinstance(node, ast.Call):
        return _named(outline, node.func)
    if not isinstance(node, ast.Name):
        return None
    found = outline.only(node.id, node)
    parent = outline.parents.get(found) if found is not None else None
    if isinstance(found, ast.arg) and node.id in {"self", "cls"}:
        return next((one for one in outline.above(node) if isinstance(one, ast.ClassDef)), None)
    if isinstance(found, ast.arg):
        return _named(outline, found.annotation)
    value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
    return _named(outline, value.func) if isinstance(value, ast.Call) else None


def _named(outline: Outline, node: ast.expr | None) -> ast.ClassDef | None:
    found = outline.only(node.id, node) if isinstance(node, ast.Name) else None
    return found if isinstance(found, ast.ClassDef) else None
