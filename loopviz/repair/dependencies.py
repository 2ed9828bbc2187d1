"""What gives a function its parameters: a dependency of FastAPI, or a default that is made once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, TypeAlias

from loopviz.repair.outline import Function, Outline, last_of, own

__all__ = ["annotation_of", "default_of", "dependency", "is_made_once", "once_for_all", "results"]

_DEPENDS: Final = frozenset({"Depends", "Security"})
_CACHES: Final = frozenset({"functools.cache", "functools.lru_cache"})
_CONTAINERS: Final = frozenset({
    "builtins.bytearray", "builtins.dict", "builtins.list", "builtins.set", "collections.Counter",
    "collections.OrderedDict", "collections.defaultdict", "collections.deque",
})  # fmt: skip
_Target: TypeAlias = ast.expr | None


def default_of(function: Function | ast.Lambda, argument: ast.arg) -> ast.expr | None:
    """The default of a parameter; None if it has none."""
    given = [*function.args.posonlyargs, *function.args.args]
    defaults = dict(zip(given[::-1], function.args.defaults[::-1], strict=False))
    found = defaults.get(argument)
    if argument in function.args.kwonlyargs:
        found = function.args.kw_defaults[function.args.kwonlyargs.index(argument)]
    return found


def dependency(outline: Outline, function: Function, argument: ast.arg) -> tuple[bool, _Target]:
    """Whether a dependency gives a parameter, and which one it is."""
    annotation = annotation_of(outline, argument)
    for part in (default_of(function, argument), annotation):
        for node in ast.walk(part) if part is not None else ():
            if isinstance(node, ast.Call) and last_of(node.func) in _DEPENDS:
                target = next(iter(node.args), None) or next((k.value for k in node.keywords), None)
                return True, target or _first_of(annotation)
    return False, None


def annotation_of(outline: Outline, argument: ast.arg) -> ast.expr | None:
    """What a parameter is said to be, also by another name: ``Db = Annotated[Session, Depends(...)]``."""
    annotation = argument.annotation
    found = outline.only(annotation.id, annotation) if isinstance(annotation, ast.Name) else None
    parent = outline.parents.get(found) if found is not None else None
    if type(parent).__name__ in {"Assign", "TypeAlias"}:  # the second one is new in Python 3.12
        value = getattr(parent, "value", None)
        return value if isinstance(value, ast.expr) else annotation
    return annotation


def is_made_once(outline: Outline, function: Function, argument: ast.arg) -> bool:
    """Whether a parameter has a default that all calls share, and may change: ``seen={}``."""
    default = default_of(function, argument)
    if isinstance(default, ast.Call):
        return outline.meaning(default.func) in _CONTAINERS
    return isinstance(default, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)


def once_for_all(outline: Outline, function: Function) -> bool:
    """Whether a function keeps what it has returned, so that all get the same."""
    return any(
        outline.meaning(one.func if isinstance(one, ast.Call) else one) in _CACHES
        for one in function.decorator_list
    )


def results(function: Function) -> Iterator[ast.expr]:
    """What a function returns or yields."""
    for node in own(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            yield node.value


def _first_of(annotation: _Target) -> _Target:
    """The type that ``Annotated[Params, Depends()]`` says, which is called then."""
    if isinstance(annotation, ast.Subscript):
        return annotation.slice.elts[0] if isinstance(annotation.slice, ast.Tuple) else annotation.slice
    return annotation
