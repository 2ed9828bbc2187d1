"""The endpoints of an ASGI application, from its routes.

The routes are Starlette's and FastAPI's, but neither is imported: an application without readable routes has
no endpoint that is known. Seen in Starlette 0.50 to 1.10.0 and FastAPI 0.120 to 0.165, which puts an object
without a path into `routes` for every included router; `iter_route_contexts` opens it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "Endpoint",
    "attribute",
    "endpoints",
    "find_endpoint",
    "first_endpoint",
    "is_mount",
    "parameter_names",
    "routes_of",
]

_DEPTH: Final = 20
"""How many middlewares around an application, and mounts within it, are looked through."""

_PARAMETER: Final = re.compile(r"{(\w+)(?::(\w+))?}")
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_OWN_PAGES: Final = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")
"""FastAPI's attributes for the paths of the pages that it adds itself."""


@dataclass(frozen=True)
class Endpoint:
    """A method and a path that an application answers."""

    methods: tuple[str, ...]
    """The usual one first: GET if it is among them."""
    path: str
    """With its parameters in braces, as in ``/items/{item}``."""
    listed: bool
    """Whether its author wants it in the OpenAPI document."""
    owner: Any
    """The application that has it, and that may describe it: a mounted one for what is mounted."""
    within: str
    """The path in that application."""
    slashes: frozenset[str]
    """The parameters whose values may contain slashes."""
    kinds: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What the parameters of the path must be, where it says so: ``int``, ``uuid``, ``path``."""
    function: Any = field(default=None, compare=False)
    """What answers: a function, or a class."""
    title: str = ""
    """What its author calls it."""
    group: str = ""
    """What its author lists it under: its first tag."""

    def takes(self, path: str) -> bool:
        """Whether a path, without its query, is one of this endpoint's."""
        if path == self.path:
            return True
        parts = re.split(r"{(\w+)}", self.path)
        for index, part in enumerate(parts):
            parts[index] = re.escape(part) if index % 2 == 0 else (".*" if part in self.slashes else "[^/]+")
        return re.fullmatch("".join(parts), path) is not None


def attribute(thing: object, name: str) -> Any:
    """An attribute; None if there is none, or if a property raises whatever it likes."""
    try:
        return getattr(thing, name, None)
    except Exception:
        return None


def parameter_names(path: str) -> list[str]:
    """The names of the parameters in a path, as in ``/items/{item}`` or ``/files/{name:path}``."""
    return [name for name, _ in _PARAMETER.findall(path)]


def routes_of(app: object) -> list[Any] | None:
    """An application's routes, also through middleware around it; None if they cannot be read.

    What was included from other routers is in the list itself, in the order in which it is tried.
    """
    for _ in range(_DEPTH):
        routes = attribute(app, "routes")
        if isinstance(routes, list | tuple):
            return _opened(routes)
        app = attribute(app, "app")
        if app is None:
            return None
    return None


def endpoints(app: object, prefix: str = "", depth: int = _DEPTH) -> Iterator[Endpoint]:
    """What an application answers by its routes, in their order; mounted applications included."""
    owner = _described(app)
    own_pages = {attribute(owner, name) for name in _OWN_PAGES}
    for route in routes_of(app) or ():
        path = attribute(route, "path")
        if not isinstance(path, str):
            continue
        # What FastAPI makes of a route in an included router has methods, even if it is for WebSockets.
        if _has(attribute(route, "original_route") or route, "methods"):
            within = _PARAMETER.sub(r"{\1}", path)
            listed = bool(attribute(route, "include_in_schema"))
            if listed or path not in own_pages:
                kinds = {name: kind for name, kind in _PARAMETER.findall(path) if kind}
                slashes = frozenset(name for name, kind in kinds.items() if kind == "path")
                methods, (title, group) = _methods(route), _named(route)
                function = attribute(route, "endpoint")
                yield Endpoint(
                    methods, prefix + within, listed, owner, within, slashes, kinds, function, title, group
                )
        elif depth and is_mount(route):
            yield from endpoints(attribute(route, "app"), prefix + _PARAMETER.sub(r"{\1}", path), depth - 1)


def first_endpoint(app: object) -> Endpoint | None:
    """The first endpoint that the OpenAPI document may list, or else the first one."""
    known = list(endpoints(app))
    return next((endpoint for endpoint in known if endpoint.listed), known[0] if known else None)


def find_endpoint(app: object, method: str | None, path: str | None) -> Endpoint | None:
    """The first endpoint that answers this method, and this path without its query; None stands for any."""
    for endpoint in endpoints(app):
        if (path is None or endpoint.takes(path)) and (method is None or method in endpoint.methods):
            return endpoint
    return None


def is_mount(route: object) -> bool:
    """Whether what is below the route's path belongs to another application."""
    kind = type(attribute(route, "original_route") or route)
    return hasattr(kind, "routes") and not hasattr(kind, "methods")


def _methods(route: object) -> tuple[str, ...]:
    """The methods of a route; for a class, those that it has a handler for."""
    methods = attribute(route, "methods")
    if isinstance(methods, Iterable):
        found = sorted(methods, key=lambda method: (method != "GET", method))
    else:
        handler = attribute(route, "endpoint")
        found = [method for method in _METHODS if attribute(handler, method.lower()) is not None]
    return tuple(found) or ("GET",)


def _named(route: object) -> tuple[str, str]:
    """What the author calls a route, and its first tag; empty where there is none."""
    title = attribute(route, "summary")
    tags = attribute(route, "tags")
    first = tags[0] if isinstance(tags, list | tuple) and tags else ""
    first = attribute(first, "value") or first  # of an enumeration
    return title if isinstance(title, str) else "", first if isinstance(first, str) else ""


def _described(app: object) -> object:
    """The application within its middleware: the one that has routes, and perhaps a description of them."""
    for _ in range(_DEPTH):
        if isinstance(attribute(app, "routes"), list | tuple):
            return app
        app = attribute(app, "app")
    return None


def _opened(routes: Iterable[Any]) -> list[Any]:
    """The routes, with FastAPI's included routers replaced by their routes."""
    contexts = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    opened: list[Any] = []
    for route in routes:
        found: list[Any] = [route]
        if contexts is not None and not _has(route, "path"):
            try:
                found = list(contexts([route]))
            except Exception:  # a class of the user's own: what it answers is not known
                found = [route]
        opened += found
    return opened


def _has(thing: object, name: str) -> bool:
    try:
        return hasattr(thing, name)
    except Exception:  # a property that raises is there
        return True
