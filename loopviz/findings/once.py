"""Whether what is done inside of a lock is done once, for all who wait for it: they find it done.

So a connection is opened, or an entry of a cache is loaded. Without the lock each would do it, and none
would be faster. The text is parsed and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from loopviz.findings.source import Function, function_of, functions, name_of

__all__ = ["done_once"]

_AWAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_KEEPS = {"add", "append", "put", "set", "setdefault", "update"}
"""Methods by which an object keeps a value."""


def done_once(lines: Sequence[str], line: int) -> tuple[int, int] | None:
    """The first and last line inside of the ``async with`` at this line, if it awaits what is not done yet.

    That is so if it asks for something first that it keeps afterwards: ``if self.connection is None``.
    """
    found = function_of(lines, line)
    if found is None:
        return None
    tree, function = found
    around = next((n for n in ast.walk(function) if isinstance(n, ast.AsyncWith) and _entered(n, line)), None)
    if around is None:
        return None
    body = around.body
    for at, statement in enumerate(body):
        if isinstance(statement, ast.If):
            rest = body[at + 1 :]
            work = rest if isinstance(statement.body[-1], ast.Return) else [statement]
            other = [statement] if work is rest else rest
            once = _read(statement.test, function) & _kept(work, function, tree)
            if once and not _awaits([*body[:at], *other, statement.test]):
                return body[0].lineno, body[-1].end_lineno or body[-1].lineno
    return None


def _entered(node: ast.AsyncWith, line: int) -> bool:
    return node.lineno <= line <= max(node.lineno, node.body[0].lineno - 1)


def _awaits(nodes: Iterable[ast.AST]) -> bool:
    return any(isinstance(node, _AWAITS) for each in nodes for node in ast.walk(each))


def _read(test: ast.expr, function: Function) -> set[str]:
    """What a test reads, and what the values that it reads were read from."""
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    values = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(name_of(target) in names for target in node.targets)
    ]
    nodes = (node for each in (test, *values) for node in ast.walk(each))
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)}


def _kept(body: Sequence[ast.stmt], function: Function, tree: ast.Module) -> set[str]:
    """What these statements, and the functions of the file that they call, change and others have as well."""
    nodes = [node for each in body for node in ast.walk(each)]
    called = {name_of(node.func) for node in nodes if isinstance(node, ast.Call)} - {""}
    kept = _changed(nodes, function)
    for other in functions(tree):
        if other.name in called:
            kept |= _changed(list(ast.walk(other)), other)
    return kept


def _changed(nodes: Sequence[ast.AST], function: Function) -> set[str]:
    shared, own = set[str](), set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            shared.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    own -= shared
    changed = [one for one in map(_target, nodes) if one is not None]
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {ast.unparse(node) for node in changed if _root(node) not in own} | (names & shared)


def _target(node: ast.AST) -> ast.expr | None:
    """What is changed there, if that may be an object that others have."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPS:
        return node.func.value
    return None


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
