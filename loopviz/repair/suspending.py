"""Whether a function may be suspended at a call: what others would do meanwhile must not harm it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from loopviz.repair.files import shared_file
from loopviz.repair.outline import Function, Outline, inside, name_of, own, root_of
from loopviz.repair.reach import argument, called
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
    "difference_update", "extendleft", "intersection_update", "move_to_end", "put", "put_nowait", "remove",
    "reverse", "rotate", "setdefault", "sort", "subtract", "symmetric_difference_update", "update",
})  # fmt: skip
_CHANGES_GIVEN: Final = re.compile(
    r"builtins\.(?:setattr|delattr)|heapq\.(?:heap\w+|_heap\w+)|bisect\.insort\w*|random\.shuffle"
)
"""Functions that change their first argument."""
_HARMLESS: Final = frozenset({
    "closing", "nullcontext", "open", "suppress", "NamedTemporaryFile", "TemporaryDirectory",
    "TemporaryFile",
})  # fmt: skip
"""Context managers of which nothing is held that others could wait for."""
_DEEPEST: Final = 4
"""So many names for one thing are followed."""


_OF_THE_PROCESS: Final = frozenset({
    "locale.setlocale", "os.chdir", "os.putenv", "os.umask", "os.unsetenv", "socket.setdefaulttimeout",
})  # fmt: skip
"""Functions that change what the whole process has."""
_GIVES_ITS_OWN: Final = frozenset({"get", "setdefault"})
"""Methods that give what the object has."""
_Access: TypeAlias = tuple[str, bool, ast.AST]


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
        if isinstance(node, ast.With) and inner not in node.items:
            _require_harmless(outline, node)
        inner = node
    held = _held(call, function)
    if held is not None:
        raise Refusal(f"{held}.acquire() is called before: it would be held while other requests run.")
    _require_own_changes(outline, function)
    shared = _straddled(outline, call, function)
    if shared is not None:
        raise Refusal(
            f"{shared} is read before the call and changed after it: others would change it meanwhile."
        )
    if isinstance(function, ast.AsyncFunctionDef) and not _suspends(outline, function):
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
    for node in sorted(own(function), key=_start):
        if _start(node) >= _start(call):
            break
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node not in awaited:
            if node.func.attr == "acquire":
                held[ast.unparse(node.func.value)] = True
            elif node.func.attr == "release":
                held.pop(ast.unparse(node.func.value), None)
    return next(iter(held), None)


def changes(outline: Outline, function: Function, *, given: bool = False) -> list[str]:
    """What a function changes that outlives it, in that order: what is the module's, or its object's.

    With `given`, also the objects that it is given.
    """
    found = accesses(outline, function, given=given)
    return list(dict.fromkeys(name for name, changed, _ in found if changed))


def accesses(outline: Outline, function: Function, *, given: bool = False) -> list[_Access]:
    """Uses of what is not the function's own: its name, whether it is changed, and the node that uses it.

    What functions of the module do that it calls is done by the call.
    """
    key = __name__, function, given
    if key not in outline.known:
        outline.known[key] = []  # a function may call itself
        outline.known[key] = list(_accesses(outline, function, given=given))
    found: list[_Access] = outline.known[key]
    return found


def _accesses(outline: Outline, function: Function, *, given: bool) -> Iterator[_Access]:
    for node in own(function):
        match node:
            case ast.Name(id=name, ctx=ctx):
                if outline.scope(name, node) is not function and not _is_import(outline, name, node):
                    yield name, not isinstance(ctx, ast.Load), node
            case ast.Attribute(ctx=ctx) | ast.Subscript(ctx=ctx):
                name = _shared_root(outline, node, function, given=given) or _of_import(outline, node)
                if name:
                    yield name, not isinstance(ctx, ast.Load), node
            case ast.Call(func=ast.Attribute(attr=method, value=value)) if method in _MUTATORS:
                name = _shared_root(outline, value, function, given=given) or _of_import(outline, value)
                if name:
                    yield name, True, node
        if isinstance(node, ast.Call):
            yield from _of_call(outline, node, function, given=given)


def _of_call(outline: Outline, call: ast.Call, function: Function, *, given: bool) -> Iterator[_Access]:
    """What a call does: to a file, to its first argument, or in a function of the module."""
    if (file := shared_file(outline, call)) is not None:
        yield *file, call
    if call.args and _CHANGES_GIVEN.fullmatch(outline.meaning(call.func)):
        name = _shared_root(outline, call.args[0], function, given=given)
        yield from [(name, True, call)] if name else ()
    found = called(outline, call)
    if found is not None and found is not function:
        for name, changed in sorted(_within(outline, call, found, function, given=given)):
            yield name, changed, call


def _within(
    outline: Outline, call: ast.Call, found: Function, function: Function, *, given: bool
) -> set[tuple[str, bool]]:
    """What a function of the module uses and changes, by the names that its caller has for it."""
    own_names = {one.arg for one in (*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs)}
    result = set()
    for name, changed in dict.fromkeys(access[:2] for access in accesses(outline, found, given=True)):
        root = name
        if name in own_names:
            value = argument(found, call, name)
            if value is None or isinstance(value, ast.Call):
                continue  # something new
            root = _shared_root(outline, value, function, given=given)
        if root:
            result.add((root, changed))
    return result


def _shared_root(outline: Outline, node: ast.expr, function: Function, *, given: bool, depth: int = 0) -> str:
    """The name that an object is reached by, if it is shared, and not the function's or the request's own."""
    name = root_of(node)
    if not name or _is_import(outline, name, node):
        return ""
    if outline.scope(name, node) is not function:
        return name
    bindings = outline.bindings(name, node)
    if any(isinstance(binding.node, ast.arg) for binding in bindings):
        reached = {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
        return name if given or name in {"self", "cls", "app"} or "app" in reached else ""
    for binding in bindings if depth < _DEEPEST else ():
        value = _aliased(outline, binding.node)
        found = "" if value is None else _shared_root(outline, value, function, given=given, depth=depth + 1)
        if found:
            return found
    return ""


def _aliased(outline: Outline, bound: ast.AST) -> ast.expr | None:
    """What a name is another name for: ``state = request.app.state``; None if it is something new."""
    parent = outline.parents.get(bound)
    if isinstance(parent, ast.For) and parent.target is bound:
        value: ast.expr | None = parent.iter
    elif isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        value = parent.value
    else:
        return None
    part = value
    while part is not None and not isinstance(part, ast.Name):
        match part:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                part = inner
            case ast.Call(func=ast.Attribute(attr=method, value=inner)) if method in _GIVES_ITS_OWN:
                part = inner
            case _:
                return None
    return value


def _of_import(outline: Outline, node: ast.expr) -> str:
    """The name of something that an imported module has: ``os.environ``; "" if it is something else."""
    while isinstance(node, ast.Subscript):
        node = node.value
    parts = name_of(node).split(".")
    return ".".join(parts[:2]) if len(parts) > 1 and _is_import(outline, parts[0], node) else ""


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
