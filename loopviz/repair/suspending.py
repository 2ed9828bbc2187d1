"""Whether a function may be suspended at a call: what others would do meanwhile must not harm it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from loopviz.repair.outline import Function, Outline, inside, name_of, own, root_of
from loopviz.repair.result import Refusal

__all__ = ["accesses", "changes", "require_suspendable"]

_COMPREHENSIONS: Final = {
    ast.ListComp: "a list comprehension",
    ast.SetComp: "a set comprehension",
    ast.DictComp: "a dict comprehension",
    ast.GeneratorExp: "a generator expression",
}
_MUTATORS: Final = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft",
    "put", "put_nowait", "remove", "reverse", "setdefault", "sort", "update",
})  # fmt: skip
_HARMLESS: Final = frozenset({
    "closing", "nullcontext", "open", "suppress", "NamedTemporaryFile", "TemporaryDirectory",
    "TemporaryFile",
})  # fmt: skip
"""Context managers of which nothing is held that others could wait for."""


def require_suspendable(outline: Outline, call: ast.AST, function: Function) -> None:
    """Raise `Refusal` unless an `await` may stand where a call is, in an `async def` function."""
    inner: ast.AST = call
    for node in outline.above(call):
        if node is function:
            break
        if isinstance(node, ast.Lambda):
            raise Refusal("The call is in a lambda, which cannot await.")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            raise Refusal(f"The call is in {node.name}, which is not executed with the function around it.")
        if (kind := _COMPREHENSIONS.get(type(node))) is not None:
            raise Refusal(f"The call is in {kind}: a loop with an await has to be written by hand.")
        if isinstance(node, ast.With) and inner not in node.items:
            _require_harmless(node)
        if isinstance(node, ast.withitem) and inner is node.context_expr and inner is call:
            raise Refusal("The call makes the context of a with block, which blocks again when it is left.")
        inner = node
    shared = _straddled(outline, call, function)
    if shared is not None:
        raise Refusal(
            f"{shared} is read before the call and changed after it: others would change it meanwhile."
        )


def changes(outline: Outline, function: Function, *, given: bool = False) -> list[str]:
    """What a function changes that outlives it, in that order: what is the module's, or its object's.

    With `given`, also the objects that it is given.
    """
    found = accesses(outline, function, given=given)
    return list(dict.fromkeys(name for name, changed, _ in found if changed))


def accesses(
    outline: Outline, function: Function, *, given: bool = False
) -> Iterator[tuple[str, bool, ast.AST]]:
    """Uses of what is not the function's own: its name, whether it is changed, and the node that uses it."""
    for node in own(function):
        match node:
            case ast.Name(id=name, ctx=ctx):
                if not outline.is_local(name, node) and not _is_import(outline, name, node):
                    yield name, not isinstance(ctx, ast.Load), node
            case ast.Attribute(ctx=ctx) | ast.Subscript(ctx=ctx):
                name = _shared_root(outline, node, given=given)
                if name and (not isinstance(ctx, ast.Load) or not outline.is_local(name, node)):
                    yield name, not isinstance(ctx, ast.Load), node
                elif name:
                    yield name, False, node
            case ast.Call(func=ast.Attribute(attr=method, value=value)) if method in _MUTATORS:
                if name := _shared_root(outline, value, given=given):
                    yield name, True, node


def _shared_root(outline: Outline, node: ast.expr, *, given: bool) -> str:
    """The name that an object is reached by, if it is shared, and not the function's or the request's own."""
    name = root_of(node)
    if not name or _is_import(outline, name, node):
        return ""
    if not outline.is_local(name, node):
        return name
    is_parameter = any(isinstance(binding.node, ast.arg) for binding in outline.bindings(name, node))
    if not is_parameter:
        return ""
    reached = {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
    return name if given or name in {"self", "cls"} or "app" in reached else ""


def _is_import(outline: Outline, name: str, at: ast.AST) -> bool:
    bindings = outline.bindings(name, at)
    return bool(bindings) and all(
        isinstance(b.node, ast.Import | ast.ImportFrom) and "." not in b.target for b in bindings
    )


def _straddled(outline: Outline, call: ast.AST, function: Function) -> str | None:
    """The name of something shared that is used before a call, and changed after it."""
    loops = [
        node
        for node in outline.above(call)
        if isinstance(node, ast.For | ast.While | ast.AsyncFor) and inside(node, function)
    ]
    statement = next((node for node in outline.above(call) if isinstance(node, ast.stmt)), function)
    before: set[str] = set()
    after: list[str] = []
    for name, changed, node in accesses(outline, function):
        in_loop = any(inside(node, loop) for loop in loops)
        in_statement = inside(node, statement)
        if inside(node, call):
            continue
        if in_loop or (_start(node) < _start(call) and not (in_statement and changed)):
            before.add(name)
        if changed and (in_loop or in_statement or _start(node) > _start(call)):
            after.append(name)
        if in_statement and changed and isinstance(statement, ast.AugAssign):
            before.add(name)
    return next((name for name in after if name in before), None)


def _start(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _require_harmless(node: ast.With) -> None:
    for item in node.items:
        made = name_of(item.context_expr.func) if isinstance(item.context_expr, ast.Call) else ""
        last = made.rpartition(".")[2]
        method = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
        if isinstance(method, ast.Attribute):
            last = method.attr
        if last not in _HARMLESS and not last.endswith("Client"):
            text = ast.unparse(item.context_expr)
            raise Refusal(
                f"The call is inside of `with {text}`, which would be held while other requests run."
            )
