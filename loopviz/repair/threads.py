"""What must not move to a worker thread: what needs the event loop, and what is for one thread at a time."""

from __future__ import annotations

import ast
import re
from typing import Final

from loopviz.repair.known import CURSORS, is_about_the_loop
from loopviz.repair.outline import Function, Outline, name_of, own, root_of
from loopviz.repair.reach import argument, called, reached
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import changes

__all__ = ["raises_stop_iteration", "require_for_threads", "require_unshared"]

_TELLS_THE_LOOP: Final = frozenset({
    "call_at", "call_later", "call_soon", "create_task", "put_nowait", "set_exception", "set_result",
    "start_soon",
})  # fmt: skip
"""Methods that wake tasks, which works in the loop's thread only."""
_FOR_ONE: Final = re.compile(
    r"(?:connect|cursor|[Cc]onnection|Session(?:Local)?|scoped_session|SMTP|FTP|Serial|socket|create_connection)$"
)
"""What makes an object that one thread can use at a time, or that is another one in each thread."""
_FOR_MANY: Final = frozenset({"requests.Session", "requests.session"})


def require_for_threads(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if a function, or one of the module that it calls, needs the event loop's thread."""
    for one in reached(outline, function):
        name = f"{one.name}()"
        for node in own(one) if isinstance(one, ast.FunctionDef) or one is function else ():
            if isinstance(node, ast.Raise) and raises_stop_iteration(outline, node):
                raise Refusal(f"{name} raises StopIteration, which cannot leave a thread.")
            if not isinstance(node, ast.Call):
                continue
            if is_about_the_loop(outline, node):
                raise Refusal(
                    f"{ast.unparse(node.func)}() at line {node.lineno} needs the event loop's thread."
                )
            if isinstance(called(outline, node), ast.AsyncFunctionDef):
                raise Refusal(f"{name} makes a coroutine at line {node.lineno}, which is for the event loop.")
            if isinstance(node.func, ast.Attribute):
                if node.func.attr in _TELLS_THE_LOOP and not _is_of_threads(outline, node.func):
                    raise Refusal(
                        f"{node.func.attr}() at line {node.lineno} may need the event loop's thread."
                    )
                if node.func.attr in {"set", "reset"} and _is_context(outline, node.func):
                    raise Refusal(f"{name} sets a context variable, which would be set in the thread only.")
            require_unshared(outline, node)


def raises_stop_iteration(outline: Outline, node: ast.AST) -> bool:
    """Whether a statement raises, or catches, `StopIteration`: a future cannot have it as its exception."""
    kind = getattr(node, "exc", getattr(node, "type", None))
    kind = kind.func if isinstance(kind, ast.Call) else kind
    return isinstance(kind, ast.expr) and outline.meaning(kind) == "builtins.StopIteration"


def require_unshared(outline: Outline, call: ast.Call) -> None:
    """Raise `Refusal` if a call uses, or changes, an object that other requests use as well."""
    if not isinstance(call.func, ast.Attribute):
        return
    root = root_of(call.func.value)
    found = called(outline, call)
    given = root and isinstance(outline.only(root, call.func), ast.arg)  # it may be the same for all
    if not root or not (_is_shared(outline, root, call.func) or (given and found is not None)):
        return
    if found is not None:
        if isinstance(call.func.value, ast.Call):
            return  # the object was made here
        first = next((one.arg for one in (*found.args.posonlyargs, *found.args.args)), "")
        if first in changes(outline, found, given=True) and argument(found, call, first) is not None:
            raise Refusal(f"{found.name}() changes {root}, which several threads would do at the same time.")
        return
    of_a_connection = call.func.attr in CURSORS and "redis" not in ast.unparse(call.func).lower()
    if (root in {"self", "cls"} and of_a_connection) or _is_for_one(outline, root, call.func):
        raise Refusal(
            f"{ast.unparse(call.func.value)} is shared: several threads would use it at the same time."
        )


def _is_shared(outline: Outline, root: str, at: ast.AST) -> bool:
    """Whether an object is there before the function begins that uses it."""
    return root in {"self", "cls"} or outline.scope(root, at) is not outline.function_of(at)


def _value(outline: Outline, name: str, at: ast.AST) -> ast.expr | None:
    """What a name is given, if that is done at one place."""
    found = outline.only(name, at)
    parent = outline.parents.get(found) if found is not None else None
    return parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None


def _is_for_one(outline: Outline, root: str, at: ast.AST) -> bool:
    value = _value(outline, root, at)
    if not isinstance(value, ast.Call) or outline.meaning(value.func) in _FOR_MANY:
        return False
    last = value.func.attr if isinstance(value.func, ast.Attribute) else name_of(value.func)
    return bool(_FOR_ONE.search(last))


def _is_of_threads(outline: Outline, node: ast.Attribute) -> bool:
    """Whether a method is one of a queue for threads, or of an executor."""
    value = _value(outline, root_of(node), node) if root_of(node) else None
    made = outline.meaning(value.func) if isinstance(value, ast.Call) else ""
    return made.startswith(("queue.", "concurrent.futures.", "multiprocessing."))


def _is_context(outline: Outline, node: ast.Attribute) -> bool:
    found = outline.only(root_of(node), node) if root_of(node) else None
    parent = outline.parents.get(found) if found is not None else None
    value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
    return not (
        isinstance(value, ast.Call) and outline.meaning(value.func) not in {"", "contextvars.ContextVar"}
    )
