"""What others would do while a function is at a call: what is shared must be the same before and after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from loopviz.repair.elsewhere import changed_elsewhere
from loopviz.repair.endpoints import is_called_by_framework
from loopviz.repair.outline import Function, Outline, inside, root_of, start_of
from loopviz.repair.reach import reached
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import Access, Given, accesses

__all__ = ["require_not_between", "require_steady"]

_VIEWS: Final = frozenset({"items", "keys", "values"})
_LAZY: Final = frozenset(
    f"builtins.{name}" for name in ("enumerate", "filter", "iter", "map", "reversed", "zip")
)


def require_not_between(outline: Outline, call: ast.AST, function: Function) -> None:
    """Raise `Refusal` if something shared is used before a call and after it, so that others come between."""
    uses = _Uses(outline, call, function)
    if (why := uses.changed_after()) is not None:
        raise Refusal(f"{why}: others would change it meanwhile.")
    if (name := uses.read_after_change()) is not None:
        raise Refusal(
            f"{name} is changed before the call and read after it: others would change it meanwhile."
        )
    if (found := uses.changed_by_others()) is not None:
        raise Refusal(
            f"{found[0]} is read before the call and after it: {found[1]}() would change it meanwhile."
        )
    if (where := changed_elsewhere(outline, call, function)) is not None:
        raise Refusal(where)


class _Uses:
    """What a function uses before a call, and after it."""

    def __init__(self, outline: Outline, call: ast.AST, function: Function) -> None:
        self._outline, self._call, self._function = outline, call, function
        self._loops = [
            node
            for node in outline.above(call)
            if isinstance(node, ast.For | ast.While | ast.AsyncFor) and inside(node, function)
        ]
        self._statement = next((node for node in outline.above(call) if isinstance(node, ast.stmt)), function)
        self._targets = getattr(self._statement, "targets", [getattr(self._statement, "target", None)])
        self._every = [
            access for access in accesses(outline, function, Given.UNSEEN) if not self._is_duration(access[2])
        ]

    def changed_after(self) -> str | None:
        """What is used before the call, or by it, and changed after it, or by it; None if nothing is."""
        before: list[tuple[str, bool]] = []
        read: list[tuple[str, bool]] = []
        written = {_whole(self._outline, node) for _, changed, node in self._every if changed}
        for name, changed, node in self._every:
            whole = _whole(self._outline, node)
            if not changed and whole in written:
                continue  # the object of which an item is set
            place = place_of(whole, name)
            if self._is_before(node, changed=changed):
                before.append((place, changed))
            elif inside(node, self._call) and not changed:
                read.append((place, False))
        for name, changed, node in self._every:
            within = inside(node, self._call)
            if not changed or not (within or self._is_after(node, changed=True)):
                continue
            place = place_of(_whole(self._outline, node), name)
            used = [was for other, was in (before if within else [*before, *read]) if _overlap(place, other)]
            if used:
                both = "changed before the call and after it"
                return f"{name} is {both if all(used) else 'read before the call and changed after it'}"
        return None

    def read_after_change(self) -> str | None:
        """The name of something that is changed before the call, and then used."""
        changed_before = [
            place_of(node, name)
            for name, changed, node in self._every
            if changed and self._is_before(node, changed=True)
        ]
        for name, changed, node in self._every:
            if (
                not changed
                and not inside(node, self._call)
                and self._is_after(node, changed=False)
                and not _is_part(self._outline, node)
                and any(_overlap(place_of(node, name), other) for other in changed_before)
            ):
                return name
        return None

    def changed_by_others(self) -> tuple[str, str] | None:
        """The name of something that is read on both sides, and a function that changes it."""
        others = changed_by_others(self._outline, self._function)
        if not others:
            return None
        before: list[tuple[object, str]] = []
        after: list[tuple[object, str, str]] = []
        for name, changed, node in self._every:
            scope = self._outline.scope(name, node)
            if changed or scope is self._function or _is_part(self._outline, node):
                continue
            place = place_of(node, name)
            if inside(node, self._call) or self._is_before(node, changed=False):
                before.append((scope, place))
            if not inside(node, self._call) and self._is_after(node, changed=False):
                after.append((scope, place, name))
        for where, place, name in after:
            if not any(where is one and _overlap(place, other) for one, other in before):
                continue
            for one, other, function in others:
                if one is where and _overlap(place, other):
                    return name, function.name
        return None

    def _is_before(self, node: ast.AST, *, changed: bool) -> bool:
        if node is self._function:
            return True
        if inside(node, self._call) or self._is_target(node):
            return self._in_loop(node) and not inside(node, self._call)
        in_statement = inside(node, self._statement)
        if in_statement and changed:
            return self._in_loop(node) or isinstance(self._statement, ast.AugAssign)
        return self._in_loop(node) or start_of(node) < start_of(self._call)

    def _is_after(self, node: ast.AST, *, changed: bool) -> bool:
        if node is self._function or self._in_loop(node) or self._is_target(node):
            return True
        return (changed and inside(node, self._statement)) or start_of(node) > start_of(self._call)

    def _in_loop(self, node: ast.AST) -> bool:
        """Whether a node is executed again after the call."""
        for loop in self._loops:
            once = (
                isinstance(loop, ast.For)
                and inside(node, loop.iter)
                and not is_live(self._outline, loop.iter)
            )
            if inside(node, loop) and not once:
                return True
        return False

    def _is_target(self, node: ast.AST) -> bool:
        """Whether a node is in what the result of the call is stored in, which is looked at afterwards."""
        if isinstance(self._statement, ast.AugAssign):
            return False
        return any(target is not None and inside(node, target) for target in self._targets)

    def _is_duration(self, node: ast.AST) -> bool:
        """Whether a node says for how long the call sleeps, which nothing depends on later."""
        call = self._call
        sleeps = isinstance(call, ast.Call) and self._outline.meaning(call.func) == "time.sleep"
        return sleeps and inside(node, call)


def changed_by_others(outline: Outline, function: Function) -> list[tuple[object, str, Function]]:
    """What the functions of other requests change: the scope of its name, its place, and the function."""
    return [found for found in _changed_by_requests(outline) if found[2] is not function]


def _changed_by_requests(outline: Outline) -> list[tuple[object, str, Function]]:
    key = __name__, "changed"
    if key not in outline.known:
        outline.known[key] = [
            (outline.scope(name, node), place_of(node, name), function)
            for function in outline.functions
            # A def function is in a thread: it may change things at any time as it is.
            if isinstance(function, ast.AsyncFunctionDef) and is_called_by_framework(outline, function)
            for name, changed, node in _own_accesses(outline, function)
            if changed
        ]
    found: list[tuple[object, str, Function]] = outline.known[key]
    return found


def require_steady(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if others may change what a function in a thread looks at more than once."""
    others = changed_by_others(outline, function)
    for one in reached(outline, function) if others else ():
        seen: list[tuple[object, str]] = []
        for name, changed, node in _own_accesses(outline, one):
            scope, place = outline.scope(name, node), place_of(node, name)
            found = [other[2].name for other in others if other[0] is scope and _overlap(place, other[1])]
            if changed or not found or _is_part(outline, node):
                continue
            again = any(other is scope and _overlap(place, at) for other, at in seen)
            if again or _is_looped_over(outline, node):
                raise Refusal(
                    f"{name} is read several times in {one.name}(): {found[0]}() would change it meanwhile."
                )
            seen.append((scope, place))


def _is_looped_over(outline: Outline, node: ast.AST) -> bool:
    """Whether a node is in what a loop runs over, or in its body."""
    inner = node
    for around in outline.above(node):
        if isinstance(around, ast.For) and (inner is not around.iter or is_live(outline, around.iter)):
            return True
        if isinstance(around, ast.comprehension) and is_live(outline, around.iter):
            return True
        if isinstance(around, ast.While):
            return True
        if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        inner = around
    return False


def _is_part(outline: Outline, node: ast.AST) -> bool:
    """Whether a node is a part of another use of the same thing: ``STATE`` in ``STATE.n``."""
    parent = outline.parents.get(node)
    return isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node


def _whole(outline: Outline, node: ast.AST) -> ast.AST:
    """The whole use of something: ``STATE.rows.append(1)`` of ``STATE``."""
    parent = outline.parents.get(node)
    while (isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node) or (
        isinstance(parent, ast.Call) and parent.func is node
    ):
        node, parent = parent, outline.parents.get(parent)
    return node


def _own_accesses(outline: Outline, function: Function) -> Iterator[Access]:
    """Accesses of what is the module's, or of a function around."""
    for name, changed, node in accesses(outline, function):
        if outline.scope(name, node) is not function:
            yield name, changed, node


def is_live(outline: Outline, elements: ast.expr) -> bool:
    """Whether a loop over some elements looks at the container again and again."""
    if isinstance(elements, ast.Call):
        method = elements.func.attr if isinstance(elements.func, ast.Attribute) else ""
        return method in _VIEWS or outline.meaning(elements.func) in _LAZY
    return isinstance(elements, ast.Name | ast.Attribute | ast.Subscript)


def place_of(node: ast.AST, name: str) -> str:
    """What a use looks at or changes, as a dotted name: the object's if no more is known."""
    parts: list[str] = []
    if not isinstance(node, ast.expr) or root_of(node) != name:
        return name
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            parts.clear()
            node = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        elif isinstance(node, ast.Subscript | ast.Starred | ast.Await):
            parts.clear()
            node = node.value
        else:
            return name
    return ".".join([name, *reversed(parts)])


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
