"""Whether a function may be suspended at a call: what others would do meanwhile must not harm it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from loopviz.repair.between import require_not_between
from loopviz.repair.endpoints import is_called_by_framework
from loopviz.repair.files import shared_file
from loopviz.repair.outline import Function, Outline, inside, name_of, own, start_of
from loopviz.repair.reach import called
from loopviz.repair.result import Refusal

__all__ = ["require_suspendable"]

_COMPREHENSIONS: Final = {
    ast.ListComp: "a list comprehension",
    ast.SetComp: "a set comprehension",
    ast.DictComp: "a dict comprehension",
    ast.GeneratorExp: "a generator expression",
}
_HARMLESS: Final = frozenset({
    "closing", "nullcontext", "open", "suppress", "NamedTemporaryFile", "TemporaryDirectory",
    "TemporaryFile",
})  # fmt: skip
"""Context managers of which nothing is held that others could wait for."""
_DEADLINES: Final = frozenset({
    "anyio.fail_after", "anyio.move_on_after", "async_timeout.timeout", "async_timeout.timeout_at",
    "asyncio.timeout", "asyncio.timeout_at",
})  # fmt: skip
_OF_THE_PROCESS: Final = frozenset({
    "locale.setlocale", "os.chdir", "os.putenv", "os.umask", "os.unsetenv", "socket.setdefaulttimeout",
})  # fmt: skip
"""Functions that change what the whole process has."""


def require_suspendable(outline: Outline, call: ast.AST, function: Function) -> None:
    """Raise `Refusal` unless an `await` may stand where a call is, in an `async def` function."""
    inner: ast.AST = call
    for node in outline.above(call):
        if node is function:
            break
        if isinstance(inner, ast.arguments) and call is not inner:
            inner = node  # the default of a parameter is computed by the function around
            continue
        if isinstance(node, ast.Lambda):
            raise Refusal("The call is in a lambda, which cannot await.")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            raise Refusal(f"The call is in {node.name}, which is not executed with the function around it.")
        if (kind := _COMPREHENSIONS.get(type(node))) is not None:
            raise Refusal(f"The call is in {kind}: a loop with an await has to be written by hand.")
        if isinstance(node, ast.withitem) and inner is node.context_expr and inner is call:
            raise Refusal("The call makes the context of a with block, which blocks again when it is left.")
        inner = node
    _require_nothing_between(outline, call, function, set())


def _require_nothing_between(outline: Outline, call: ast.AST, function: Function, seen: set[ast.AST]) -> None:
    """Raise `Refusal` if others must not run while a function, or one that awaits it, is at a call."""
    seen.add(function)
    inner: ast.AST = call
    for node in outline.above(call):
        if node is function:
            break
        if isinstance(node, ast.With | ast.AsyncWith) and inner not in node.items:
            _require_no_deadline(outline, node)
        if isinstance(node, ast.With) and inner not in node.items:
            _require_harmless(outline, node)
        if isinstance(node, ast.Try | ast.TryStar) and inner in node.finalbody and _goes_on(node, call):
            _require_ended(outline, node, function)
        inner = node
    held = _held(call, function)
    if held is not None:
        raise Refusal(f"{held}.acquire() is called before: it would be held while other requests run.")
    _require_own_changes(outline, function)
    require_not_between(outline, call, function)
    if isinstance(function, ast.AsyncFunctionDef) and not _suspends(outline, function):
        _require_unlimited(outline, function)
        for awaited, around in _awaiting(outline, function):
            if around not in seen:
                _require_nothing_between(outline, awaited, around, seen)


def _require_own_changes(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if a function changes what the whole process has, such as its folder."""
    for node in own(function):
        if isinstance(node, ast.Call) and outline.meaning(node.func) in _OF_THE_PROCESS:
            raise Refusal(
                f"{ast.unparse(node.func)}() changes the process, which others would see meanwhile."
            )


def _goes_on(node: ast.Try | ast.TryStar, call: ast.AST) -> bool:
    """Whether more is called in a `finally` after a call."""
    after = (found for one in node.finalbody for found in ast.walk(one) if start_of(found) > start_of(call))
    return any(isinstance(found, ast.Call) and not inside(found, call) for found in after)


def _require_ended(outline: Outline, node: ast.Try | ast.TryStar, function: Function) -> None:
    """Raise `Refusal` if the rest of a `finally` may not be executed, as where a client does not stay."""
    streams = any(isinstance(inner, ast.Yield) for inner in own(function)) and not function.decorator_list
    if streams and not is_called_by_framework(outline, function):
        raise Refusal(
            f"The call is in the finally of the try at line {node.lineno}: if the client has gone, the stream"
            " is cancelled, and nothing after an await is executed there."
        )


def _require_no_deadline(outline: Outline, node: ast.With | ast.AsyncWith) -> None:
    """Raise `Refusal` if a block has a deadline, which can end it only where it awaits."""
    for item in node.items:
        made = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
        if made is not None and outline.meaning(made) in _DEADLINES:
            raise Refusal(
                f"`{ast.unparse(item.context_expr)}` at line {node.lineno} would end the call in time,"
                " which it cannot do so far."
            )


def _require_unlimited(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if a function that never gave way is awaited with a time limit."""
    for node in outline.nodes:
        if isinstance(node, ast.Call) and called(outline, node) is function:
            around = outline.parents[node]
            if isinstance(around, ast.Call) and outline.meaning(around.func) == "asyncio.wait_for":
                raise Refusal(
                    f"wait_for() at line {around.lineno} would end {function.name}() in time,"
                    " which it cannot do so far."
                )


def _awaiting(outline: Outline, function: Function) -> Iterator[tuple[ast.Call, Function]]:
    """Where a function is awaited, and in which one. So far no request is suspended there."""
    for node in outline.nodes:
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            around = outline.function_of(node)
            if around is not None and called(outline, node.value) is function:
                yield node.value, around


def _suspends(outline: Outline, function: Function) -> bool:
    """Whether a function may be suspended as it is, so that its callers expect it."""
    for node in own(function):
        if isinstance(node, ast.AsyncFor | ast.AsyncWith):
            return True
        if isinstance(node, ast.Await):
            found = called(outline, node.value) if isinstance(node.value, ast.Call) else None
            if found is None:
                return True
    return False


def _held(call: ast.AST, function: Function) -> str | None:
    """A lock that a function has acquired, without awaiting that, and not released before a call."""
    held: dict[str, bool] = {}
    awaited = {node.value for node in own(function) if isinstance(node, ast.Await)}
    for node in sorted(own(function), key=start_of):
        if start_of(node) >= start_of(call):
            break
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node not in awaited:
            if node.func.attr == "acquire":
                held[ast.unparse(node.func.value)] = True
            elif node.func.attr == "release":
                held.pop(ast.unparse(node.func.value), None)
    return next(iter(held), None)


def _require_harmless(outline: Outline, node: ast.With) -> None:
    for item in node.items:
        file = shared_file(outline, item.context_expr) if isinstance(item.context_expr, ast.Call) else None
        if file is not None and file[1]:
            raise Refusal(f"The call is where {file[0]} is written: others would see a half of it meanwhile.")
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
