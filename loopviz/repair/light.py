"""Whether a function does nothing that takes long, so that it can run on the event loop."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Final

from loopviz.repair.outline import Function, Outline, own
from loopviz.repair.result import Refusal

__all__ = ["require_light"]

_LIGHT: Final = frozenset({
    "abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "dict", "divmod", "enumerate",
    "filter", "float", "format", "frozenset", "getattr", "hasattr", "hash", "hex", "id", "int",
    "isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "oct", "ord", "range",
    "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "type", "zip",
})  # fmt: skip
_KNOWN: Final = frozenset({
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today", "datetime.timedelta",
    "time.time", "time.monotonic", "time.perf_counter", "uuid.uuid4", "random.random", "random.randint",
    "random.choice", "os.getpid", "os.environ.get", "os.getenv", "fastapi.HTTPException",
    "starlette.exceptions.HTTPException", "fastapi.Response", "fastapi.responses.JSONResponse",
    "fastapi.responses.PlainTextResponse", "fastapi.responses.RedirectResponse",
    "fastapi.responses.HTMLResponse", "starlette.responses.JSONResponse",
    "starlette.responses.PlainTextResponse", "starlette.responses.Response",
})  # fmt: skip
_METHODS: Final = frozenset({
    "append", "capitalize", "copy", "count", "decode", "encode", "endswith", "extend", "format", "get",
    "index", "isdigit", "items", "join", "keys", "lower", "lstrip", "partition", "replace", "rpartition",
    "rsplit", "rstrip", "split", "startswith", "strip", "title", "upper", "values", "isoformat",
})  # fmt: skip
_LITERALS: Final = (
    ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.Tuple,
    ast.ListComp, ast.DictComp, ast.SetComp,
)  # fmt: skip
_SHORT: Final = range(1001)
"""Computing for so many elements takes no time."""
_CONTAINERS: Final = frozenset({
    "str", "int", "float", "bytes", "list", "dict", "set", "tuple", "bool",
})  # fmt: skip


def require_light(
    outline: Outline, function: Function, known: Collection[ast.AST] = (), depth: int = 0
) -> None:
    """Raise `Refusal` if something in a function may block or compute; `known` calls are taken for light."""
    _require_plain_parameters(outline, function)
    for node in own(function):
        if isinstance(node, ast.For | ast.While | ast.With | ast.Try | ast.GeneratorExp):
            word = type(node).__name__.lower()
            if not (
                isinstance(node, ast.For)
                and any(isinstance(inner, ast.Call) and inner in known for inner in ast.walk(node))
            ):
                raise Refusal(f"The {word} at line {node.lineno} in {function.name}() may take long.")
        if isinstance(node, ast.Call) and _is_long_range(outline, node):
            raise Refusal(f"The range at line {node.lineno} in {function.name}() may be a long one.")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            raise Refusal(
                f"It is not seen what the function at line {node.lineno} in {function.name}() does."
            )
        if isinstance(node, ast.Call) and node not in known and not _is_light(outline, node, depth):
            written = ast.unparse(node.func)
            raise Refusal(f"It is not known whether {written}() at line {node.lineno} blocks.")


def _is_long_range(outline: Outline, call: ast.Call) -> bool:
    """Whether a range may have many elements; for that of a loop, what the loop does decides."""
    if outline.meaning(call.func) != "builtins.range" or isinstance(outline.parents[call], ast.For):
        return False
    return not all(isinstance(part, ast.Constant) and part.value in _SHORT for part in call.args)


def _require_plain_parameters(outline: Outline, function: Function) -> None:
    """Raise `Refusal` if a dependency gives an object that may do something when it is only looked at."""
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args]
    defaults = dict(zip(given[::-1], arguments.defaults[::-1], strict=False))
    defaults.update(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))  # type: ignore[arg-type]
    for argument in (*given, *arguments.kwonlyargs):
        kind, default = argument.annotation, defaults.get(argument)
        depends = any(
            _depends(node) for part in (kind, default) if part is not None for node in ast.walk(part)
        )
        if isinstance(kind, ast.Subscript) and depends:  # Annotated[str, Depends(...)]
            kind = kind.slice.elts[0] if isinstance(kind.slice, ast.Tuple) else kind.slice
        if depends and (kind is None or outline.meaning(kind).removeprefix("builtins.") not in _CONTAINERS):
            raise Refusal(f"What {argument.arg} is comes from a dependency: it may block when it is used.")


def _depends(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and getattr(node, "id", getattr(node, "attr", "")) in {
        "Depends",
        "Security",
    }


def _is_light(  # noqa: PLR0911 - one for each kind of call
    outline: Outline, call: ast.Call, depth: int
) -> bool:
    meaning = outline.meaning(call.func)
    if meaning.startswith("builtins."):
        return meaning.removeprefix("builtins.") in _LIGHT
    if meaning:
        return meaning in _KNOWN
    if isinstance(call.func, ast.Name):
        if outline.is_local(call.func.id, call):
            return False
        found = outline.only(call.func.id, call)
        if isinstance(found, ast.ClassDef):
            return _is_plain(outline, found)
        if isinstance(found, ast.FunctionDef) and not found.decorator_list and depth < 3:
            require_light(outline, found, (), depth + 1)
            return True
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        return _is_container(outline, call.func.value)
    return False


def _is_plain(outline: Outline, found: ast.ClassDef) -> bool:
    """Whether a class has fields only, and is a model, an exception or a data class."""
    bases = {outline.meaning(base) for base in found.bases}
    data = any(
        outline.meaning(d.func if isinstance(d, ast.Call) else d) == "dataclasses.dataclass"
        for d in found.decorator_list
    )
    fields = all(
        isinstance(node, ast.AnnAssign | ast.Pass | ast.Assign)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in found.body
    )
    return fields and (
        (bases <= {"pydantic.BaseModel", "builtins.Exception"} and bool(bases)) or (data and not bases)
    )


def _is_container(outline: Outline, node: ast.expr) -> bool:
    """Whether an expression is a text, a number or a container for certain."""
    if isinstance(node, _LITERALS):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _METHODS - {"get"} and _is_container(outline, node.func.value)
    if not isinstance(node, ast.Name):
        return False
    found = outline.only(node.id, node)
    if isinstance(found, ast.arg):
        return (
            found.annotation is not None
            and outline.meaning(found.annotation).removeprefix("builtins.") in _CONTAINERS
        )
    parent = outline.parents.get(found) if found is not None else None
    value = (
        parent.value
        if isinstance(parent, ast.Assign | ast.AnnAssign) and len(getattr(parent, "targets", [0])) == 1
        else None
    )
    return isinstance(value, _LITERALS)
