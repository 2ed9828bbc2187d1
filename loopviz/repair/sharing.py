"""What a function uses that is not its own: variables of the module, objects that requests share, files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, TypeAlias

from loopviz.repair.dependencies import dependency, is_made_once, once_for_all, results
from loopviz.repair.endpoints import is_route
from loopviz.repair.files import shared_file
from loopviz.repair.outline import Binding, Function, Outline, last_of, name_of, own, root_of
from loopviz.repair.reach import argument, called, local_function

__all__ = ["Access", "Given", "accesses", "changes", "is_import", "shared_root"]


_MUTATORS: Final = frozenset({
    "__delitem__", "__setitem__", "add", "append", "appendleft", "clear", "difference_update", "discard",
    "extend", "extendleft", "insert", "intersection_update", "move_to_end", "pop", "popitem", "popleft",
    "put", "put_nowait", "remove", "reverse", "rotate", "setdefault", "sort", "subtract",
    "symmetric_difference_update", "update",
})  # fmt: skip
_CHANGES_GIVEN: Final = re.compile(
    r"builtins\.(?:setattr|delattr)|heapq\.(?:heap\w+|_heap\w+)|bisect\.insort\w*|random\.shuffle"
)
"""Functions that change their first argument."""
_DEEPEST: Final = 4
"""So many names for one thing are followed."""
_GIVES_ITS_OWN: Final = frozenset({"get", "setdefault"})
"""Methods that give what the object has."""
Access: TypeAlias = tuple[str, bool, ast.AST]
"""A name, whether what it means is changed, and the node; a function itself if it may be at any time."""


class Given(Enum):
    """Which of the objects that a function is given count as shared."""

    SEEN = "those that are seen to be the same for all requests"
    UNSEEN = "also those of dependencies that are not in the file"
    ALL = "all of them"


def changes(outline: Outline, function: Function, *, given: bool = False) -> list[str]:
    """What a function changes that outlives it, in that order: what is the module's, or its object's.

    With `given`, also the objects that it is given.
    """
    found = accesses(outline, function, Given.ALL if given else Given.SEEN)
    return list(dict.fromkeys(name for name, changed, _ in found if changed))


def accesses(outline: Outline, function: Function | ast.Lambda, given: Given = Given.SEEN) -> list[Access]:
    """Uses of what is not the function's own.

    What functions of the module do that it calls is done by the call.
    """
    key = __name__, function, given
    if key not in outline.known:
        outline.known[key] = []  # a function may call itself
        outline.known[key] = list(_accesses(outline, function, given))
    found: list[Access] = outline.known[key]
    return found


def _accesses(  # noqa: C901 - a case for each kind of node
    outline: Outline, function: Function | ast.Lambda, given: Given
) -> Iterator[Access]:
    for node in own(function):
        match node:
            case ast.Name(id=name, ctx=ctx):
                if outline.scope(name, node) is not function and not is_import(outline, name, node):
                    yield name, not isinstance(ctx, ast.Load), node
                elif isinstance(ctx, ast.Load) and shared_root(outline, node, function, given) == name:
                    yield name, False, node
            case ast.Attribute(ctx=ctx) | ast.Subscript(ctx=ctx):
                name = shared_root(outline, node, function, given) or _of_import(outline, node)
                if name:
                    yield name, not isinstance(ctx, ast.Load), node
                    if _is_passed_on(outline, node):
                        yield name, True, function
            case ast.Call(func=ast.Attribute(attr=method, value=value)) if method in _MUTATORS:
                name = shared_root(outline, value, function, given) or _of_import(outline, value)
                if name:
                    yield name, True, node
        if isinstance(node, ast.Call):
            yield from _of_call(outline, node, function, given)
        inner = _inner(outline, node)
        if inner is not None and inner is not function:
            yield from _of_inner(outline, inner, node, function, given)


def _is_passed_on(outline: Outline, node: ast.Attribute | ast.Subscript) -> bool:
    """Whether a method that changes its object is not called where it stands: ``put = state.update``."""
    parent = outline.parents[node]
    called_here = isinstance(parent, ast.Call) and parent.func is node
    return isinstance(node, ast.Attribute) and node.attr in _MUTATORS and not called_here


def _inner(outline: Outline, node: ast.AST) -> Function | ast.Lambda | None:
    """The function inside of this one that is used at a node, or stands there."""
    if isinstance(node, ast.Lambda):
        parent = outline.parents[node]
        return None if isinstance(parent, ast.Assign | ast.AnnAssign) else node
    return local_function(outline, node)


def _of_inner(
    outline: Outline,
    inner: Function | ast.Lambda,
    node: ast.AST,
    function: Function | ast.Lambda,
    given: Given,
) -> Iterator[Access]:
    """What a function inside of this one does, where it is used: variables of this one are its own."""
    parent = outline.parents[node]
    call = parent if isinstance(parent, ast.Call) and parent.func is node else None
    for name, changed, at in accesses(outline, inner, Given.ALL):
        scope = outline.scope(name, at)
        if scope is inner and call is not None:
            value = argument(inner, call, name)
            root = "" if value is None else shared_root(outline, value, function, given)
        elif scope is inner:
            root = ""
        elif scope is function:
            root = _of_bindings(outline, outline.bindings(name, at), name, function, given, of_app=False)
        else:
            root = name
        if root:
            yield root, changed, node


def _of_call(
    outline: Outline, call: ast.Call, function: Function | ast.Lambda, given: Given
) -> Iterator[Access]:
    """What a call does: to a file, to its first argument, or in a function of the module."""
    if (file := shared_file(outline, call)) is not None:
        yield *file, call
    if call.args and _CHANGES_GIVEN.fullmatch(outline.meaning(call.func)):
        name = shared_root(outline, call.args[0], function, given)
        yield from [(name, True, call)] if name else ()
    found = called(outline, call)
    if found is not None and found is not function:
        for name, changed in sorted(_within(outline, call, found, function, given)):
            yield name, changed, call


def _within(
    outline: Outline, call: ast.Call, found: Function, function: Function | ast.Lambda, given: Given
) -> set[tuple[str, bool]]:
    """What a function of the module uses and changes, by the names that its caller has for it."""
    own_names = {one.arg for one in (*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs)}
    result = set()
    for name, changed in dict.fromkeys(access[:2] for access in accesses(outline, found, Given.ALL)):
        root = name
        if name in own_names:
            value = argument(found, call, name)
            if value is None:
                root = name if _is_made_once(outline, found, name) else ""
            elif isinstance(value, ast.Call):
                continue  # something new
            else:
                root = shared_root(outline, value, function, given)
        if root:
            result.add((root, changed))
    return result


def _is_made_once(outline: Outline, function: Function, name: str) -> bool:
    every = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return any(one.arg == name and is_made_once(outline, function, one) for one in every)


def shared_root(
    outline: Outline,
    node: ast.expr,
    function: Function | ast.Lambda,
    given: Given = Given.SEEN,
    depth: int = 0,
) -> str:
    """The name that an object is reached by, if it is shared, and not the function's or the request's own."""
    name = root_of(node)
    if not name or is_import(outline, name, node):
        return ""
    if outline.scope(name, node) is not function:
        return name
    reached = {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
    return _of_bindings(
        outline, outline.bindings(name, node), name, function, given, of_app="app" in reached, depth=depth
    )


def _of_bindings(
    outline: Outline,
    bindings: list[Binding],
    name: str,
    function: Function | ast.Lambda,
    given: Given,
    *,
    of_app: bool,
    depth: int = 0,
) -> str:
    """The name of something shared that a function's own variable means; "" if it is its own."""
    arguments = [binding.node for binding in bindings if isinstance(binding.node, ast.arg)]
    if arguments:
        shared = given is Given.ALL or name in {"self", "cls", "app"} or of_app
        return name if shared or _is_same_for_all(outline, function, arguments[0], given) else ""
    for binding in bindings if depth < _DEEPEST else ():
        value = _aliased(outline, binding.node)
        found = "" if value is None else shared_root(outline, value, function, given, depth + 1)
        if found:
            return found
    return ""


def _is_same_for_all(
    outline: Outline, function: Function | ast.Lambda, given_as: ast.arg, given: Given
) -> bool:
    """Whether a parameter is the same object for all requests, or may be, with `Given.UNSEEN`."""
    if isinstance(function, ast.Lambda):
        return False
    depends, target = dependency(outline, function, given_as)
    if not depends:
        routed = any(is_route(outline, one) for one in function.decorator_list)
        return not routed and is_made_once(outline, function, given_as)
    found = outline.only(target.id, target) if isinstance(target, ast.Name) else None
    if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        return once_for_all(outline, found) or any(
            _path(value) is not None and shared_root(outline, value, found) for value in results(found)
        )
    if isinstance(target, ast.Lambda):
        return _path(target.body) is not None and bool(shared_root(outline, target.body, target))
    is_class = isinstance(found, ast.ClassDef) or (target is not None and last_of(target)[:1].isupper())
    return given is Given.UNSEEN and not is_class


def _aliased(outline: Outline, bound: ast.AST) -> ast.expr | None:
    """What a name is another name for: ``state = request.app.state``; None if it is something new."""
    parent = outline.parents.get(bound)
    if isinstance(parent, ast.For) and parent.target is bound:
        value: ast.expr | None = parent.iter
    elif isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        value = parent.value
    else:
        return None
    return None if value is None or _path(value) is None else value


def _path(node: ast.expr) -> ast.Name | None:
    """The name by which an expression reaches something that is there; None if it makes something."""
    part = node
    while not isinstance(part, ast.Name):
        match part:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                part = inner
            case ast.Call(func=ast.Attribute(attr=method, value=inner)) if method in _GIVES_ITS_OWN:
                part = inner
            case _:
                return None
    return part


def _of_import(outline: Outline, node: ast.expr) -> str:
    """The name of something that an imported module has: ``os.environ``; "" if it is something else."""
    while isinstance(node, ast.Subscript):
        node = node.value
    parts = name_of(node).split(".")
    return ".".join(parts[:2]) if len(parts) > 1 and is_import(outline, parts[0], node) else ""


def is_import(outline: Outline, name: str, at: ast.AST) -> bool:
    """Whether a name is that of a module."""
    bindings = outline.bindings(name, at)
    return bool(bindings) and all(
        isinstance(b.node, ast.Import | ast.ImportFrom) and "." not in b.target for b in bindings
    )
