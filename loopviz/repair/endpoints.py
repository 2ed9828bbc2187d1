"""Who calls a function: whether it may be `def` as well as `async def`.

FastAPI awaits what is `async def`, and calls what is `def` in a worker thread: endpoints, dependencies and
background tasks. All others who call a function have to know which of the two it is.
"""

from __future__ import annotations

import ast
from typing import Final

from loopviz.repair.outline import Function, Outline, last_of, name_of, own, root_of
from loopviz.repair.result import Refusal

__all__ = ["is_called_by_framework", "is_route", "require_either"]

_ROUTES: Final = frozenset({
    "api_route", "delete", "get", "head", "options", "patch", "post", "put", "route", "trace",
})  # fmt: skip
_TAKES_EITHER: Final = frozenset({
    "Depends", "Security", "add_task", "BackgroundTask", "add_api_route", "add_route", "Route", "APIRoute",
})  # fmt: skip
_FOR_REQUESTS: Final = _ROUTES | {"exception_handler", "middleware", "websocket", "websocket_route"}
_APPLICATIONS: Final = ("FastAPI", "APIRouter", "Starlette", "Router")
_OTHER_FRAMEWORKS: Final = frozenset({
    "aiohttp", "bottle", "falcon", "flask", "litestar", "pyramid", "quart", "sanic", "tornado",
})  # fmt: skip


def is_route(outline: Outline, decorator: ast.expr) -> bool:
    """Whether a decorator makes a function an endpoint of FastAPI or Starlette."""
    call = decorator.func if isinstance(decorator, ast.Call) else None
    if not isinstance(call, ast.Attribute) or call.attr not in _ROUTES:
        return False
    root = name_of(call.value).partition(".")[0]
    for binding in outline.bindings(root, decorator):
        if isinstance(binding.node, ast.Import | ast.ImportFrom):
            return not _has_other_framework(outline)
        parent = outline.parents.get(binding.node)
        value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
        made = name_of(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
        return made in _APPLICATIONS or (made == "" and not _has_other_framework(outline))
    return False


def is_called_by_framework(outline: Outline, function: Function) -> bool:
    """Whether a function is called for requests: as an endpoint, a middleware, a dependency, or later."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and last_of(decorator.func) in _FOR_REQUESTS:
            return True
    if _is_method(outline, function):
        return function.name in {"__call__", "dispatch"}
    return function.name in _given_to_framework(outline)


def _given_to_framework(outline: Outline) -> set[str]:
    """The names that are passed to what calls functions for requests."""
    key = __name__, "given"
    if key not in outline.known:
        outline.known[key] = {
            one.id
            for node in outline.nodes
            if isinstance(node, ast.Call) and last_of(node.func) in _TAKES_EITHER
            for one in (*node.args, *(keyword.value for keyword in node.keywords))
            if isinstance(one, ast.Name)
        }
    found: set[str] = outline.known[key]
    return found


def require_either(outline: Outline, function: Function) -> None:
    """Raise `Refusal` unless a function may be `def` as well as `async def`, as far as the module shows."""
    name = f"{function.name}()"
    for decorator in function.decorator_list:
        if not is_route(outline, decorator):
            raise Refusal(
                f"{name} is decorated with @{ast.unparse(decorator)}, which may need "
                + ("async def." if isinstance(function, ast.AsyncFunctionDef) else "def.")
            )
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own(function)):
        raise Refusal(f"{name} is a generator: who reads it has to change as well.")
    uses = [
        node
        for node in outline.nodes
        if (isinstance(node, ast.Name) and node.id == function.name and isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Attribute) and node.attr == function.name and _is_method(outline, function))
    ]
    if uses and sum(f.name == function.name for f in outline.functions) > 1:
        raise Refusal(f"There are several functions {name}, and it is not seen which one is used where.")
    taken = False
    for node in uses:
        parent = outline.parents[node]
        if isinstance(parent, ast.keyword):
            parent = outline.parents[parent]
        if not (
            isinstance(parent, ast.Call)
            and parent.func is not node
            and last_of(parent.func) in _TAKES_EITHER
            and not _is_of_another(outline, parent.func)
        ):
            raise Refusal(f"{name} is used at line {node.lineno} as well, which may need it as it is.")
        taken = True
    if not taken and not function.decorator_list:
        raise Refusal(f"Nothing in this file shows who calls {name}, so it has to stay what it is.")


def _is_of_another(outline: Outline, function: ast.expr) -> bool:
    """Whether `add_task` is that of something imported, which is no `BackgroundTasks`."""
    if not isinstance(function, ast.Attribute) or function.attr != "add_task":
        return False
    found = outline.bindings(root_of(function), function)
    return any(isinstance(binding.node, ast.Import | ast.ImportFrom) for binding in found)


def _is_method(outline: Outline, function: Function) -> bool:
    return isinstance(outline.parents[function], ast.ClassDef)


def _has_other_framework(outline: Outline) -> bool:
    for node in outline.nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        if any(name.partition(".")[0] in _OTHER_FRAMEWORKS for name in names):
            return True
    return False
