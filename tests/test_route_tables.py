"""The route tables of frameworks that are not installed here, read from stand-ins of their shape."""

from __future__ import annotations

import itertools
import re
import sys
from types import SimpleNamespace as Thing
from typing import Any

import pytest

from loopviz.target import routes


def a(module: str, name: str, **attributes: Any) -> Any:
    """An instance of a class of this name in this module."""
    kind = type(name, (), {"__module__": module, "__call__": lambda *_: None})
    made = kind()
    vars(made).update(attributes)
    return made


def read_item() -> None:
    """One item."""


def foreign(module: str) -> Any:
    """A function of the framework's own."""

    def own() -> None: ...

    own.__module__ = module
    return own


class View:
    """A view with two methods."""

    def get(self) -> None:
        """One item."""

    def post(self) -> None:
        """Another."""

    def options(self) -> None:
        """Made by the framework."""


def litestar() -> Any:
    """What has one route, and what is not listed."""

    def handler(function: Any, **more: Any) -> Any:
        return Thing(fn=function, http_methods={"GET"}, summary=None, tags=None, **more)

    own = foreign("litestar._openapi.plugin")
    listed = [Thing(path="/items/{id:int}", route_handlers=[handler(read_item), handler(own)])]
    listed += [Thing(path="/schema", route_handlers=[handler(own)]), Thing(path="/ws", route_handler=1)]
    paths = {"/items/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "example": 7}]}}}
    described = Thing(to_schema=lambda: {"paths": paths})
    return a("litestar.app", "Litestar", routes=listed, openapi_schema=described)


def quart() -> Any:
    """What has one route, and what is not listed."""

    def rule(path: str, endpoint: str, *, websocket: bool = False) -> Any:
        return Thing(rule=path, endpoint=endpoint, websocket=websocket, methods={"GET", "HEAD", "OPTIONS"})

    rules = [rule("/static/<path:filename>", "static"), rule("/items/<int:id>", "shop.read")]
    rules.append(rule("/ws", "ws", websocket=True))
    table = Thing(iter_rules=lambda: iter(rules))
    return a("quart.app", "Quart", url_map=table, view_functions={"shop.read": read_item})


def blacksheep() -> Any:
    """What has one route, and what is not listed."""
    found = Thing(pattern=b"/items/{int:id}", handler=read_item)
    sockets = Thing(pattern=b"/ws", handler=read_item)
    router = Thing(routes={b"GET": [found], b"GET_WS": [sockets]}, registered_routes=[("GET", found)])
    return a("blacksheep.server.application", "Application", router=router)


def falcon() -> Any:
    """What has one route, and what is not listed."""
    methods = {"GET": read_item, "POST": foreign("falcon.responders")}
    leaf = Thing(children=[], resource=1, method_map=methods, uri_template="/items/{id:int}")
    root = Thing(children=[leaf], resource=None, method_map=None, uri_template=None)
    return a("falcon.asgi.app", "App", _router=Thing(_roots=[root]))


def sanic() -> Any:
    """What has one route, and what is not listed."""
    found = Thing(path="items/<id:int>", methods={"GET"}, handler=read_item, extra=Thing(websocket=False))
    sockets = Thing(path="ws", methods={"GET"}, handler=read_item, extra=Thing(websocket=True))
    return a("sanic.app", "Sanic", router=Thing(routes=[found, sockets]))


@pytest.mark.parametrize("made", [litestar, quart, blacksheep, falcon, sanic], ids=lambda made: made.__name__)
def test_a_framework_s_routes_are_read(made):
    """Path, converter, function and docstring; no WebSockets, and no pages of the framework's own."""
    for app in (made(), a("own.middleware", "Timing", app=made())):
        (route,) = routes(app)
        assert (route["method"], route["path"], route["title"]) == ("GET", "/items/{id}", "One item.")
        assert (route["file"], route["function"]) == (__file__, "read_item")
        expected = {"litestar": ("GET /items/7", None)}.get(made.__name__, (None, "GET /items/1"))
        assert (route["line"], route["suggested"]) == expected


def test_the_routes_of_a_litestar_application_have_one_order():
    """Litestar keeps the handlers of a path in a set: GET comes first all the same."""

    def handler(method: str, name: str) -> Any:
        return Thing(fn=read_item, http_methods={method}, summary=None, tags=None, handler_name=name)

    handlers = [handler("POST", "add"), handler("GET", "read"), handler("DELETE", "forget")]
    for listed in itertools.permutations(handlers):
        found = routes(a("litestar.app", "Litestar", routes=[Thing(path="/items", route_handlers=listed)]))
        assert [route["method"] for route in found] == ["GET", "POST", "DELETE"]


def test_django_s_routes_are_read(monkeypatch):
    """Those of included lists too; of regular expressions the simple ones, and methods of classes."""

    def view() -> None: ...

    view.view_class = View  # type: ignore[attr-defined]
    inner = [
        Thing(pattern="items/<int:id>/", callback=view),
        Thing(pattern=r"^year/(?P<year>[0-9]{4})/$", callback=read_item),
        Thing(pattern=r"^(a|b)$", callback=read_item),
    ]
    patterns = [Thing(pattern="", callback=read_item), Thing(pattern="in/", url_patterns=inner)]
    urls = Thing(get_resolver=lambda: Thing(url_patterns=patterns))
    monkeypatch.setitem(sys.modules, "django.urls", urls)
    found = routes(a("django.core.handlers.asgi", "ASGIHandler"))
    assert [(route["method"], route["path"]) for route in found] == [
        ("GET", "/"),
        ("GET", "/in/items/{id}/"),
        ("POST", "/in/items/{id}/"),
        ("GET", "/in/year/{year}/"),
    ]
    assert found[1]["function"] == "View.get"
    assert re.search("path parameter 'id'", found[1]["wanting"][0])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("quart.app", "Quart"),
        ("falcon.asgi.app", "App"),
        ("blacksheep", "Application"),
        ("litestar.app", "Litestar"),
        ("sanic.app", "Sanic"),
        ("django.core.handlers.asgi", "ASGIHandler"),
    ],
)
def test_a_table_of_another_shape_is_empty(module, name):
    """A version of a framework that has its routes elsewhere lists none, and is no error."""
    assert routes(a(module, name)) == []
