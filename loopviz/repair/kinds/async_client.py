"""A call of `requests` or of httpx's functions becomes an awaited call of one shared `httpx.AsyncClient`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from loopviz.repair.change import Change
from loopviz.repair.imports import imported_as
from loopviz.repair.outline import Outline, handlers_around, own, root_of
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal
from loopviz.repair.suspending import require_suspendable

if TYPE_CHECKING:
    from loopviz.repair.rewrite import Rewrite

__all__ = ["plan"]

_METHODS: Final = frozenset(["get", "post", "put", "patch", "delete", "head", "options", "request"])
_WITH_BODY: Final = frozenset(["post", "put", "patch", "request"])
_BODY: Final = frozenset(["data", "json", "content", "files"])
_BY_HTTPX: Final = frozenset(["params", "headers", "follow_redirects", "timeout", "auth"]) | _BODY
_BY_REQUESTS: Final = {
    "params": "params", "headers": "headers", "timeout": "timeout", "auth": "auth", "json": "json",
    "data": "data", "allow_redirects": "follow_redirects",
}  # fmt: skip
"""Arguments of requests that httpx knows, and what it calls them."""
_POSITIONAL: Final = {"get": ("params",), "post": ("data", "json"), "put": ("data",), "patch": ("data",)}
"""What requests takes without a name, after the URL."""
_READ: Final = frozenset(["text", "status_code", "content", "headers"])
_CALLED: Final = frozenset(["json", "raise_for_status"])
_LOGS: Final = frozenset(["critical", "debug", "error", "exception", "info", "log", "warning"])
_GIVE_TEXTS: Final = frozenset(["dumps", "encode", "decode", "hex", "model_dump_json"])
_OS_ERRORS: Final = frozenset(["builtins.OSError", "builtins.IOError", "builtins.EnvironmentError"])
_URLS: Final = frozenset(["AnyHttpUrl", "AnyUrl", "HttpUrl", "Url"])
_OK: Final = "ok"
_EXCEPTION: Final = re.compile(r"^exceptions$|Exception$|Error$|Timeout$|Redirects$")


@dataclass(frozen=True, slots=True)
class _Call:
    node: ast.Call
    library: str
    method: str
    names: dict[int, str]
    """New names of its arguments, by their positions; those of keywords come after the others."""
    extra: tuple[str, ...] = ()
    """Arguments that are added, as they are written."""


def plan(place: Place) -> Change:
    """The change for the call at a line. Raises `Refusal`."""
    outline, function = place.outline, place.function
    node = place.call(lambda call: bool(_library(outline, call)))
    if node is None:
        raise Refusal(f"There is no call of requests or httpx at line {place.line}.")
    if not isinstance(function, ast.AsyncFunctionDef):
        raise Refusal(f"{function.name}() is no async def, so it cannot await.")
    require_suspendable(outline, node, function)
    call = _understood(outline, node)
    _require_same_words(outline, node, call.library)
    _require_text_url(outline, node, call.method)
    if call.library == "httpx":
        _require_open(outline, node)
    renamed = list(_read_as_ok(outline, node, function)) if call.library == "requests" else []
    httpx = imported_as(outline, "httpx", node)
    setting = "follow_redirects=True, timeout=None" if call.library == "requests" else ""
    made = f"{httpx}.AsyncClient({setting})"
    existing = _existing(outline, made, node)
    client = existing or outline.fresh("client", "http_client", "async_client")

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair import rewrite as r  # noqa: PLC0415 - it loads LibCST

        def asked(updated: Any) -> Any:
            arguments = [
                r.named(argument, call.names.get(index, "")) for index, argument in enumerate(updated.args)
            ]
            return r.with_more(
                updated.with_changes(func=r.parsed(f"{client}.{call.method}"), args=arguments), call.extra
            )

        rewrite.awaited(node, asked)
        for attribute in renamed:
            rewrite.renamed(attribute, lambda updated: r.negated(updated, "is_error"))

    summary = f"Line {node.lineno} awaits {client}.{call.method}() of one httpx.AsyncClient for all requests."
    if not existing:
        summary += " It is shared: it keeps connections and cookies from one request to the next."
    return Change(
        summary,
        make,
        ("import httpx",) if httpx == "httpx" else (),
        tuple(filter(None, {root_of(node.func)})),
        () if existing else (f"{client} = {made}",),
        node,
    )


def _require_text_url(outline: Outline, node: ast.Call, method: str) -> None:
    """Raise `Refusal` if the URL may be an object of pydantic, of which httpx makes no text."""
    url = _argument(node, "url", 1 if method == "request" else 0)
    if outline.names & _URLS and (url is None or not _is_text(outline, url)):
        raise Refusal("It is not seen whether the URL is a text.")


def _require_open(outline: Outline, node: ast.Call) -> None:
    """Raise `Refusal` if a response is closed or read raw, which an asynchronous client awaits."""
    parent = outline.parents[node]
    names = {target.id for target in getattr(parent, "targets", []) if isinstance(target, ast.Name)}
    for other in outline.nodes:
        if isinstance(other, ast.Attribute) and other.attr in {"close", "iter_raw"}:
            root = root_of(other)
            if root in names or isinstance(outline.only(root, other), ast.arg) or other.value is node:
                raise Refusal(f"Line {other.lineno} needs a response whose .{other.attr}() is not awaited.")


def _require_same_words(outline: Outline, node: ast.Call, library: str) -> None:
    """Raise `Refusal` if an exception of a call is read: another client says it in other words."""
    for handler in handlers_around(outline, node):
        for use in ast.walk(handler):
            if (
                isinstance(use, ast.Name)
                and use.id == handler.name
                and not _is_beside_the_point(outline, use, library)
            ):
                raise Refusal(
                    f"Line {use.lineno} reads the exception: that of another client has other words."
                )


def _is_beside_the_point(outline: Outline, use: ast.Name, library: str) -> bool:
    """Whether an exception is only logged, raised again, or asked for what both clients have."""
    parent = outline.parents[use]
    if isinstance(parent, ast.Raise):
        return True
    if isinstance(parent, ast.Attribute) and library == "httpx":
        return parent.attr in {"request", "response"}
    for around in outline.above(use):
        if isinstance(around, ast.stmt):
            break
        if isinstance(around, ast.Call):
            method = around.func.attr if isinstance(around.func, ast.Attribute) else ""
            meaning = outline.meaning(around.func)
            of_type = meaning in {"builtins.isinstance", "builtins.type"} and library == "httpx"
            if method in _LOGS or meaning == "builtins.print" or of_type:
                return True
    return False


def _library(outline: Outline, call: ast.Call) -> str:
    library, _, method = outline.meaning(call.func).partition(".")
    return library if library in {"requests", "httpx"} and method in _METHODS else ""


def _understood(outline: Outline, node: ast.Call) -> _Call:
    """What a call asks for. Raises `Refusal` if the client cannot be asked for the same."""
    library, _, method = outline.meaning(node.func).partition(".")
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        raise Refusal(f"The arguments of {library}.{method} at line {node.lineno} are not written out.")
    leading = 2 if method == "request" else 1
    names: dict[int, str] = {}
    given: dict[str, ast.expr] = {}
    extra = node.args[leading:]
    known = _POSITIONAL.get(method, ()) if library == "requests" else ()
    if len(extra) > len(known):
        raise Refusal(f"The arguments of {library}.{method} at line {node.lineno} are more than expected.")
    for index, (name, value) in enumerate(zip(known, extra, strict=False), leading):
        given[name], names[index] = value, name
    for index, keyword in enumerate(node.keywords, len(node.args)):
        name = keyword.arg or ""
        allowed = _BY_REQUESTS if library == "requests" else _BY_HTTPX
        if name in {"url", "method"}:
            continue
        if name not in allowed:
            raise Refusal(f"The argument {name} belongs to a client of httpx, or means something else there.")
        given[name] = keyword.value
        if library == "requests" and _BY_REQUESTS[name] != name:
            names[index] = _BY_REQUESTS[name]
    if library == "requests":
        return _of_requests(outline, node, method, names, given)
    _require_bodies(outline, given)
    return _Call(node, library, method, names)


def _require_bodies(outline: Outline, given: dict[str, ast.expr]) -> None:
    """Raise `Refusal` if a body may be something that an asynchronous client of httpx does not read."""
    for name in ("content", "data"):
        if name not in given:
            continue
        if not (isinstance(given[name], ast.Dict) or _is_text(outline, given[name])):
            raise Refusal(
                f"It is not seen whether {name} is a text: an asynchronous client reads no file or generator."
            )


def _of_requests(
    outline: Outline, node: ast.Call, method: str, names: dict[int, str], given: dict[str, ast.expr]
) -> _Call:
    """The same for requests, whose arguments mean something else here and there."""
    if set(given) & _BODY and method not in _WITH_BODY:
        raise Refusal(f"httpx sends no body with {method}.")
    data = given.get("data")
    if data is not None and not isinstance(data, ast.Dict):
        raise Refusal("It is not seen whether data is a form: httpx has content for all else.")
    params, url = given.get("params"), _argument(node, "url", 1 if method == "request" else 0)
    if params is not None and not (
        isinstance(params, ast.Dict) and url is not None and _has_no_query(outline, url)
    ):
        raise Refusal("The URL may have a query of its own, which the params of httpx replace.")
    _require_values(outline, given)
    auth = given.get("auth")
    if auth is not None and not isinstance(auth, ast.Tuple):
        raise Refusal("It is not seen whether httpx knows this kind of auth.")
    _require_exceptions(outline)
    no_redirects = method == "head" and "allow_redirects" not in given
    follows = given.get("allow_redirects", ast.Constant(not no_redirects))
    if not (isinstance(follows, ast.Constant) and follows.value is True) and any(
        isinstance(other, ast.Attribute) and other.attr == "raise_for_status" for other in outline.nodes
    ):
        raise Refusal("raise_for_status() of httpx raises an error for a redirect that is not followed.")
    return _Call(node, "requests", method, names, ("follow_redirects=False",) if no_redirects else ())


def _require_values(outline: Outline, given: dict[str, ast.expr]) -> None:
    """Raise `Refusal` if the two libraries may send a value in different ways."""
    for name in ("params", "data"):
        values = given.get(name)
        if isinstance(values, ast.Dict) and not all(
            _is_sent_alike(outline, value) for value in values.values
        ):
            raise Refusal(
                f"{name} may have None, True or False, which requests and httpx send in other ways."
            )
    if isinstance(headers := given.get("headers"), ast.Dict) and any(_is_none(v) for v in headers.values):
        raise Refusal("requests leaves out a header that is None, httpx does not.")


def _require_exceptions(outline: Outline) -> None:
    """Raise `Refusal` if the file knows what requests raises."""
    if any(_is_exception(outline, other) for other in outline.nodes):
        raise Refusal("The file names exceptions of requests; those of httpx are others.")
    if (line := _catches_os_errors(outline)) is not None:
        raise Refusal(
            f"Line {line} catches OSError: the exceptions of requests are such, those of httpx are not."
        )


def _is_exception(outline: Outline, node: ast.AST) -> bool:
    """Whether an expression is one of the exceptions of requests."""
    if not isinstance(node, ast.Name | ast.Attribute):
        return False
    library, _, name = outline.meaning(node).partition(".")
    return library == "requests" and bool(_EXCEPTION.search(name))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(outline: Outline, node: ast.expr) -> bool:
    """Whether an expression is a text, or bytes, for certain."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str | bytes)
        case ast.JoinedStr():
            return True
        case ast.Await(value=ast.Call(func=ast.Attribute(attr="body"))):
            return True
        case ast.Call(func=func):
            return (isinstance(func, ast.Attribute) and func.attr in _GIVE_TEXTS) or (
                outline.meaning(func) in {"builtins.str", "builtins.bytes"}
            )
    return _is_of_type(outline, node, {"str", "bytes"}, _is_text)


def _is_sent_alike(outline: Outline, node: ast.expr) -> bool:
    """Whether an expression is a text or a number for certain, or a list of such: not None, and no bool."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str | int | float) and not isinstance(value, bool)
        case ast.JoinedStr():
            return True
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return all(_is_sent_alike(outline, part) for part in parts)
        case ast.BinOp(left=left, right=right):
            return _is_sent_alike(outline, left) and _is_sent_alike(outline, right)
        case ast.Call(func=func):
            return outline.meaning(func) in {f"builtins.{name}" for name in ("str", "int", "float", "len")}
    return _is_of_type(outline, node, {"str", "int", "float"}, _is_sent_alike)


def _is_of_type(
    outline: Outline, node: ast.expr, types: set[str], same: Callable[[Outline, ast.expr], bool]
) -> bool:
    """Whether a name is a parameter of one of these types, or is given one such value."""
    found = outline.only(node.id, node) if isinstance(node, ast.Name) else None
    if isinstance(found, ast.arg):
        function = outline.function_of(found)
        every = [] if function is None else [*function.args.defaults, *function.args.kw_defaults]
        own = {f"builtins.{name}" for name in types}
        no_none = not any(_is_none(n) for default in every if default is not None for n in ast.walk(default))
        return found.annotation is not None and outline.meaning(found.annotation) in own and no_none
    parent = outline.parents.get(found) if found is not None else None
    return (
        isinstance(parent, ast.Assign)
        and parent.targets == [found]
        and not any(
            isinstance(n, ast.Name) and n.id == getattr(node, "id", "") for n in ast.walk(parent.value)
        )
        and same(outline, parent.value)
    )


def _catches_os_errors(outline: Outline) -> int | None:
    """The line that catches `OSError`, if there is one in the file."""
    for node in outline.nodes:
        kind = node.type if isinstance(node, ast.ExceptHandler) else None
        names: list[ast.expr | None] = [*kind.elts] if isinstance(kind, ast.Tuple) else [kind]
        for name in names:
            if name is not None and outline.meaning(name) in _OS_ERRORS:
                return name.lineno
    return None


def _argument(node: ast.Call, name: str, position: int) -> ast.expr | None:
    if len(node.args) > position:
        return node.args[position]
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _has_no_query(outline: Outline, url: ast.expr) -> bool:
    """Whether a URL has no question mark, as far as it is written out, and something of it is."""
    if isinstance(url, ast.Name) and not outline.is_local(url.id, url):
        found = outline.only(url.id, url)
        parent = outline.parents.get(found) if found is not None else None
        return isinstance(parent, ast.Assign) and _has_no_query(outline, parent.value)
    texts = [n.value for n in ast.walk(url) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return (
        isinstance(url, ast.JoinedStr | ast.Constant)
        and bool(texts)
        and not any("?" in text for text in texts)
    )


def _read_as_ok(outline: Outline, node: ast.Call, function: ast.AsyncFunctionDef) -> Iterator[ast.Attribute]:
    """Where `ok` of requests' response is read. Raises `Refusal` if httpx's lacks something that is read."""
    uses: list[ast.expr] = [node]
    parent = outline.parents[node]
    if isinstance(parent, ast.Expr):
        return
    if isinstance(parent, ast.Assign | ast.NamedExpr):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        names = {target.id if isinstance(target, ast.Name) else "" for target in targets}
        bound = sum(
            isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Store)
            for n in ast.walk(function)
        )
        if "" in names or bound > 1 or isinstance(parent, ast.NamedExpr):
            raise Refusal("It is not seen what is done with the response.")
        uses = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Load)
        ]
        if any(n not in list(own(function)) for n in uses):
            raise Refusal("The response is used in a function inside of this one.")
    for use in uses:
        attribute = outline.parents[use]
        around = outline.parents.get(attribute)
        if not (isinstance(attribute, ast.Attribute) and attribute.value is use):
            raise Refusal(f"The response is passed on at line {use.lineno}, and those of httpx are others.")
        called = isinstance(around, ast.Call) and around.func is attribute
        if attribute.attr == _OK and not called:
            yield attribute
        elif not ((attribute.attr in _CALLED and called) or (attribute.attr in _READ and not called)):
            raise Refusal(f"httpx's response has no .{attribute.attr} that is the same as that of requests.")


def _existing(outline: Outline, made: str, at: ast.AST) -> str:
    """The module's own client of this kind, if it has one."""
    for node in outline.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if ast.unparse(value) == made:
                if node.lineno < outline.top(at).lineno and len(outline.bindings(name, at)) == 1:
                    return name
    return ""
