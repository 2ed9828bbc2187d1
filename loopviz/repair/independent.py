"""Whether calls that are awaited may run at the same time."""

from __future__ import annotations

import ast
import re
import sys
from typing import Final

from loopviz.repair.outline import Function, Outline, name_of, own, root_of
from loopviz.repair.reach import called, local_function
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import changes

__all__ = ["require_independent", "require_simple"]

_READS: Final = frozenset(["get", "head", "options"])
_CLIENTS: Final = frozenset({"httpx.AsyncClient", "aiohttp.ClientSession"})
_WRITES: Final = re.compile(
    r"(?:^|_)(?:add|append|book|buy|cancel|charge|close|commit|create|delete|drop|enqueue|execute|flush|increment|insert"
    r"|lock|log|notify|open|patch|pay|pop|post|publish|push|put|register|remove|reserve|rollback|save|sell|send|set"
    r"|start|stop|store|submit|update|upload|upsert|write)(?:_|$)"
)
_CHANGES_FILES: Final = re.compile(
    r"os\.(?!(?:path|environ)\.|getenv$|getpid$|cpu_count$|fspath$|listdir$|scandir$|stat$|urandom$|getcwd$)|shutil\.|subprocess\."
)
_ONLY_READ: Final = frozenset({
    "build_request", "copy", "count", "critical", "debug", "endswith", "error", "exception", "format", "get",
    "index", "info", "items", "join", "keys", "lower", "split", "startswith", "strip", "upper", "values",
    "warning",
})  # fmt: skip
"""Methods that change nothing, by their names; lines of a log may change places."""
_DEEPEST: Final = 3
_SIMPLE_CALLS: Final = frozenset({
    "bool", "enumerate", "float", "int", "len", "list", "range", "reversed", "sorted", "str", "tuple", "zip",
})  # fmt: skip


def require_independent(outline: Outline, call: ast.Call) -> None:
    """Raise `Refusal` unless it is seen that a coroutine may run beside others like it."""
    meaning = outline.meaning(call.func)
    if meaning == "asyncio.sleep":
        return
    if meaning == "asyncio.to_thread":
        raise Refusal("What runs in threads at the same time may not be made for it.")
    written = ast.unparse(call.func)
    if isinstance(call.func, ast.Name):
        found = outline.module_function(call.func.id, call)
        if not isinstance(found, ast.AsyncFunctionDef):
            raise Refusal(
                f"{written}() is not in this file: whether two may run at the same time is not seen."
            )
        _require_function(outline, found)
        return
    if (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _READS
        and _is_client(outline, call.func.value)
    ):
        return
    raise Refusal(f"It is not seen whether two calls of {written}() may run at the same time.")


def require_simple(outline: Outline, node: ast.expr) -> None:
    """Raise `Refusal` unless it does not matter when an expression is computed."""
    for inner in ast.walk(node):
        if isinstance(
            inner, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Lambda | ast.GeneratorExp
        ):
            raise Refusal(f"An argument at line {node.lineno} does more than to give a value.")
        if (
            isinstance(inner, ast.Call)
            and outline.meaning(inner.func).removeprefix("builtins.") not in _SIMPLE_CALLS
        ):
            raise Refusal(
                f"{ast.unparse(inner.func)}() at line {node.lineno} would be called earlier than now."
            )


def _require_function(  # noqa: C901 - one for each reason
    outline: Outline, function: Function, depth: int = 0, *, given: bool = True
) -> None:
    name = f"{function.name}()"
    if _WRITES.search(function.name):
        raise Refusal(f"{name} seems to change something, and then the order matters.")
    if function.decorator_list:
        raise Refusal(f"{name} is decorated: it is not seen what it does.")
    if shared := changes(outline, function, given=given):
        raise Refusal(f"{name} changes {shared[0]}, which others would do at the same time.")
    for node in own(function):
        if isinstance(node, ast.Raise | ast.Assert):
            raise Refusal(f"{name} raises at line {node.lineno}: a task group would raise a group instead.")
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise Refusal(f"{name} is a generator.")
        if isinstance(node, ast.AsyncWith) and not all(
            _opens_client(outline, item.context_expr) for item in node.items
        ):
            raise Refusal(f"{name} holds something at line {node.lineno} that others may wait for.")
        if isinstance(node, ast.Await):
            _require_awaited(outline, node, name, depth)
        elif isinstance(node, ast.Call) and not isinstance(outline.parents[node], ast.Await):
            _require_no_order(outline, node, name)
            found = called(outline, node) or local_function(outline, node.func)
            if isinstance(found, ast.FunctionDef) and found is not function:
                if depth >= _DEEPEST:
                    raise Refusal(f"{name} calls too many functions to be understood.")
                _require_function(outline, found, depth + 1, given=False)


def _require_no_order(outline: Outline, call: ast.Call, name: str) -> None:
    """Raise `Refusal` if something that is called, and not awaited, may have to be done in its order."""
    last = call.func.attr if isinstance(call.func, ast.Attribute) else name_of(call.func)
    meaning = outline.meaning(call.func)
    where = f"{name} calls {last}() at line {call.lineno}"
    if meaning == "builtins.open":
        if not _only_reads(call):
            raise Refusal(f"{where}, and a file that two write at the same time would be mixed.")
        return
    if meaning.startswith("builtins."):
        return
    if _WRITES.search(last) or _CHANGES_FILES.match(meaning):
        raise Refusal(f"{where}, and then the order may matter.")
    package, _, _ = meaning.partition(".")
    from_import = any(
        isinstance(binding.node, ast.ImportFrom) for binding in outline.bindings(root_of(call.func), call)
    )
    if (
        from_import
        and package not in sys.stdlib_module_names
        and not last[:1].isupper()
        and not (package and isinstance(call.func, ast.Attribute) and last in _ONLY_READ)
    ):
        raise Refusal(f"{where}, which is not in this file: the order may matter.")
    shared = (
        "" if meaning or not isinstance(call.func, ast.Attribute) else _root_of_module(outline, call.func)
    )
    if shared and called(outline, call) is None and last not in _ONLY_READ:
        raise Refusal(f"{where}: it is not seen what that does with {shared}, and the order may matter.")


def _root_of_module(outline: Outline, node: ast.Attribute) -> str:
    """The variable of the module that a method is called of; "" if it is the function's own."""
    root = root_of(node)
    return root if root and not outline.is_local(root, node) else ""


def _only_reads(call: ast.Call) -> bool:
    """Whether a file is opened to be read."""
    mode = call.args[1] if len(call.args) > 1 else None
    mode = next((keyword.value for keyword in call.keywords if keyword.arg == "mode"), mode)
    return mode is None or (isinstance(mode, ast.Constant) and not set(str(mode.value)) & set("wax+"))


def _require_awaited(outline: Outline, node: ast.Await, name: str, depth: int) -> None:
    call = node.value
    if isinstance(call, ast.Call):
        found = outline.module_function(call.func.id, call) if isinstance(call.func, ast.Name) else None
        if isinstance(found, ast.AsyncFunctionDef) and depth < 3:
            _require_function(outline, found, depth + 1)
            return
        if outline.meaning(call.func) in {"asyncio.sleep", "anyio.sleep"}:
            return
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in _READS
            and _is_client(outline, call.func.value)
        ):
            return
    raise Refusal(
        f"It is not seen whether what {name} awaits at line {node.lineno} may run twice at the same time."
    )


def _is_client(outline: Outline, node: ast.expr) -> bool:
    """Whether an expression is an HTTP client, which many may use at the same time."""
    written = name_of(node)
    wanted = written.rpartition(".")[2]
    for other in outline.nodes:
        made: ast.expr | None = None
        targets: list[ast.expr] = []
        if isinstance(other, ast.Assign):
            made, targets = other.value, other.targets
        elif isinstance(other, ast.AnnAssign):
            made, targets = other.value, [other.target]
        elif isinstance(other, ast.withitem) and other.optional_vars is not None:
            made, targets = other.context_expr, [other.optional_vars]
        for target in targets:
            same = name_of(target) == written or (
                "." in written and isinstance(target, ast.Attribute) and target.attr == wanted
            )
            if same and written and made is not None and _opens_client(outline, made):
                return not _made_otherwise(outline, written, other)
    if isinstance(node, ast.Name) and isinstance(found := outline.only(node.id, node), ast.arg):
        return found.annotation is not None and outline.meaning(found.annotation) in _CLIENTS
    return False


def _made_otherwise(outline: Outline, written: str, but: ast.AST) -> bool:
    """Whether a name is also given something that is no client."""
    for node in outline.nodes:
        if (
            isinstance(node, ast.Assign)
            and node is not but
            and any(name_of(t) == written for t in node.targets)
        ):
            return not _opens_client(outline, node.value)
    return False


def _opens_client(outline: Outline, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and outline.meaning(node.func) in _CLIENTS
