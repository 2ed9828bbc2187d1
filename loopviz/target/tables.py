"""The route tables of frameworks, read as they are in memory. None of the frameworks is imported.

Seen in Litestar 2.25, Quart 0.23, BlackSheep 2.6, Falcon 4.4, Django 6.1 and Sanic 25.12; Starlette and
FastAPI are read by `loopviz.scenario.endpoints`. What cannot be read is left out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from loopviz.scenario.endpoints import Endpoint, attribute, endpoints
from loopviz.scenario.openapi import document_of

__all__ = ["described", "table"]

_DEPTH: Final = 20
"""How many middlewares around an application, and resolvers within each other, are looked through."""
_WITHIN: Final = ("app", "asgi_app", "other_asgi_app", "_app", "application")
"""The attributes by which middleware has the application within it."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_ANGLES: Final = re.compile(r"<(?:(\w+)(?:\([^>]*\))?:)?(\w+)(?::(\w+)[^>]*)?>")
"""A parameter of Werkzeug and Django, ``<int:id>``, or of Sanic, ``<id:int>``."""
_GROUP: Final = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_BRACES: Final = re.compile(r"{(?:(\w+):)?(\w+)(?::(\w+))?[^}]*}")
_CONVERTERS: Final = frozenset({"int", "str", "string", "float", "path", "uuid", "slug", "any", "date", "dt"})


def table(app: object) -> list[Endpoint]:
    """What an application answers by its routes, in their order; what is around it is looked through."""
    for _ in range(_DEPTH):
        read = _reader(app)
        if read is not None:
            return _read(read, app)
        within = next((a for name in _WITHIN if (a := attribute(app, name)) is not None), None)
        if within is None or within is app:
            break
        app = within
    return []


def described(owner: object) -> Any:
    """The OpenAPI document of an application that has routes. Raises whatever it raises."""
    make = attribute(attribute(owner, "openapi_schema"), "to_schema")
    return make() if callable(make) else document_of(owner)


def _reader(app: object) -> Callable[[Any], Iterable[Endpoint]] | None:
    for kind in type(app).__mro__:
        read = _READERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if read is not None:
            return read
    return endpoints if isinstance(attribute(app, "routes"), list | tuple) else None


def _read(read: Callable[[Any], Iterable[Endpoint]], app: object) -> list[Endpoint]:
    """As many as can be read."""
    found: list[Endpoint] = []
    with suppress(Exception):  # a version whose table is another one
        found.extend(read(app))
    return found


def _made(
    owner: object,
    methods: Iterable[str],
    path: str,
    function: Any,
    pattern: re.Pattern[str] = _ANGLES,
    title: str = "",
    group: str = "",
) -> Endpoint:
    kinds: dict[str, str] = {}

    def parameter(match: re.Match[str]) -> str:
        before, name, after = match.groups()
        if before and before not in _CONVERTERS and after is None:
            before, name, after = None, before, name  # Sanic's order
        kinds[name] = before or after or ""
        return f"{{{name}}}"

    plain = pattern.sub(parameter, path)
    usual = sorted({str(method).upper() for method in methods} & set(_METHODS), key=_METHODS.index)
    slashes = frozenset(name for name, kind in kinds.items() if kind == "path")
    return Endpoint(
        tuple(usual) or ("GET",), plain, True, owner, plain, slashes, kinds, function, title, group
    )


def _of_its_methods(handler: Any) -> tuple[list[int], str]:
    """GET before POST and so on, and one order for those of one method."""
    usual = (str(method).upper() for method in attribute(handler, "http_methods") or ())
    return sorted(_METHODS.index(m) for m in usual if m in _METHODS), str(attribute(handler, "handler_name"))


def _of_litestar(app: Any) -> Iterator[Endpoint]:
    for route in app.routes:
        # Litestar keeps the handlers of a path in a set: in another order each time it starts
        for handler in sorted(attribute(route, "route_handlers") or (), key=_of_its_methods):
            function = attribute(handler, "fn")
            if str(attribute(function, "__module__")).partition(".")[0] == "litestar":
                continue  # its own pages, and its answers to OPTIONS
            tags, title = attribute(handler, "tags"), attribute(handler, "summary")
            yield _made(
                app,
                attribute(handler, "http_methods") or (),
                route.path,
                function,
                _BRACES,
                title if isinstance(title, str) else "",
                str(tags[0]) if isinstance(tags, list | tuple) and tags else "",
            )


def _of_quart(app: Any) -> Iterator[Endpoint]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static" and not attribute(rule, "websocket"):
            group = rule.endpoint.rpartition(".")[0]  # its blueprint
            yield _made(
                app, rule.methods or (), rule.rule, app.view_functions.get(rule.endpoint), group=group
            )


def _of_blacksheep(app: Any) -> Iterator[Endpoint]:
    router = app.router
    listed = [(method, route) for method, routes in router.routes.items() for route in routes]
    for method, route in [*listed, *(attribute(router, "registered_routes") or ())]:
        name = method.decode() if isinstance(method, bytes) else str(method)
        pattern = route.pattern.decode() if isinstance(route.pattern, bytes) else str(route.pattern)
        if name.upper() in _METHODS:
            path = re.sub(r"/:(\w+)", r"/{\1}", f"/{pattern.lstrip('/')}")
            yield _made(app, [name], path, route.handler, _BRACES)


def _of_falcon(app: Any) -> Iterator[Endpoint]:
    open_nodes = list(app._router._roots)
    while open_nodes:
        node = open_nodes.pop(0)
        open_nodes.extend(node.children)
        for method, responder in (node.method_map or {}).items() if node.resource is not None else ():
            own = not str(attribute(responder, "__module__")).startswith("falcon.")
            if own and method in _METHODS:
                yield _made(app, [method], node.uri_template, responder, _BRACES)


def _of_sanic(app: Any) -> Iterator[Endpoint]:
    for route in app.router.routes:
        if not attribute(attribute(route, "extra"), "websocket"):
            yield _made(app, route.methods, f"/{route.path.lstrip('/')}", route.handler)


def _of_django(_: Any) -> Iterator[Endpoint]:
    urls = sys.modules.get("django.urls")
    return iter(()) if urls is None else _of_patterns(urls.get_resolver().url_patterns, "/", _DEPTH)


def _of_patterns(patterns: Iterable[Any], prefix: str, depth: int) -> Iterator[Endpoint]:
    for pattern in patterns:
        text = (
            _GROUP.sub(r"<\1>", str(pattern.pattern)).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
        )
        path = prefix + text.replace("\\", "")
        inner = attribute(pattern, "url_patterns")
        if inner is not None:
            if depth:
                yield from _of_patterns(inner, path, depth - 1)
            continue
        view = attribute(pattern.callback, "view_class") or attribute(pattern.callback, "cls")
        own = [method for method in _METHODS if attribute(view, method.lower()) is not None]
        if not re.search(r"[()\[\]^$*+?|]", path):  # of a regular expression only the simple ones are known
            yield _made(None, own[:-1] if own[-1:] == ["OPTIONS"] else own, path, view or pattern.callback)


_READERS: Final[Mapping[tuple[str, str], Callable[[Any], Iterable[Endpoint]]]] = {
    ("blacksheep", "Application"): _of_blacksheep,
    ("django", "ASGIHandler"): _of_django,
    ("falcon", "App"): _of_falcon,
    ("litestar", "Litestar"): _of_litestar,
    ("quart", "Quart"): _of_quart,
    ("sanic", "Sanic"): _of_sanic,
}
"""How the routes of an application are read, by the package and the name of its class."""
