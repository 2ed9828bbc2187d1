"""An application's routes as plain data, the requests that they are fired with, and remembering them."""

from __future__ import annotations

import json
import marshal
import os
import string
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Cookie, FastAPI, Header, Query
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile
from loopviz.target import Application, asked_for, parse, routes, scenario_files, text_of, with_line
from loopviz.target.remembering import file_in, read, remember
from loopviz.target.request_line import line_of


class Item(BaseModel):
    """A body."""

    name: str = Field(min_length=8)
    price: float = Field(ge=5)
    size: int = Field(gt=2)
    many: list[str]
    when: str = Field(json_schema_extra={"format": "date"})
    note: str = "none"


class Tag(Enum):
    """Tags may be members of an enumeration."""

    SLOW = "slow things"


def shop() -> FastAPI:
    """An application with what routes may have."""
    app = FastAPI()
    router = APIRouter(prefix="/v1", tags=["second"])

    @app.get("/")
    def index() -> int:
        return 1

    @app.get("/slow", tags=[Tag.SLOW], summary="Sleep")
    async def slow(seconds: Annotated[float, Query(examples=[0.5])], note: str = "x") -> None:
        """It sleeps."""

    @router.get("/items/{item}")
    async def item(item: int, key: UUID, x_token: Annotated[str, Header()], seen: Annotated[str, Cookie()]):
        """One item.

        More of it.
        """

    @router.post("/items")
    async def make(item: Item) -> None: ...

    @app.websocket("/ws")
    async def ws(socket: Any) -> None: ...

    app.include_router(router)
    return app


def listed(app: object, remembered: dict[str, str] | None = None) -> dict[str, ScenarioFile]:
    """The routes of an application as scenarios, by their names."""
    own = Application("shop:app", "shop", "app", "/nowhere", "/nowhere")
    return {file.name: file for file in scenario_files(own, routes(app), remembered or {})}


def test_the_routes_of_an_application_are_listed():
    """By group in the order of the application, without WebSockets and the pages of the documentation."""
    files = listed(shop())
    assert list(files) == ["GET /", "GET /slow", "GET /v1/items/{item}", "POST /v1/items"]
    groups = [file.facts.group for file in files.values()]
    assert groups == ["routes", "slow things", "second", "second"]
    titles = [file.facts.title for file in files.values()]
    assert [title.rpartition(".")[2] for title in titles[:2]] == ["index", "Sleep"]
    assert titles[2] == "One item."


def test_the_place_of_a_route_is_its_function():
    """File and line are those of the function, below its decorators."""
    file = listed(shop())["GET /slow"]
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert file.file == Path(__file__)
    assert "async def slow" in lines[file.line - 1]


def test_a_route_is_plain_data():
    """What the process of the application sends can be written by marshal, and by JSON."""
    plain = routes(shop())
    assert marshal.loads(marshal.dumps(plain)) == plain == json.loads(json.dumps(plain))


def test_values_come_from_the_document():
    """An example is taken; what has a default is left to the application."""
    assert listed(shop())["GET /slow"].path == "/slow?seconds=0.5"


def test_a_route_that_lacks_values_suggests_some_of_their_types():
    """It cannot be fired, says why, and has a line that only needs to be confirmed."""
    file = listed(shop())["GET /v1/items/{item}"]
    assert file.lacking is not None
    assert "the path parameter 'item', the query parameter 'key', the header 'x-token'" in file.lacking
    assert text_of(file).startswith("GET /v1/items/1?key=00000000-0000-4000-8000-000000000000 -H ")
    fired = with_line(file, text_of(file))
    assert fired.lacking is None
    assert fired.headers == {"x-token": "string", "cookie": "seen=string"}


def test_a_suggested_body_keeps_to_the_limits():
    """Lengths, smallest values and formats are heeded, so that the application accepts it."""
    file = with_line(it := listed(shop())["POST /v1/items"], text_of(it))
    assert file.body is not None
    assert Item.model_validate_json(file.body).when == "2026-01-31"


def test_a_remembered_line_is_what_is_fired():
    """It comes before the document's values; one that cannot be read is passed over."""
    files = listed(shop(), {"GET /slow": "GET /slow?seconds=2", "GET /": "no line at all"})
    assert files["GET /slow"].path == "/slow?seconds=2"
    assert files["GET /"].path == "/"


def test_routes_within_middleware_and_mounts_are_found():
    """Also those of classes, with the methods that they have handlers for."""

    class Page(HTTPEndpoint):
        async def get(self, request: Any) -> PlainTextResponse:
            """A page."""
            return PlainTextResponse("")

        async def post(self, request: Any) -> PlainTextResponse:
            return PlainTextResponse("")

    inner = Starlette(routes=[Route("/page/{name:path}", Page), WebSocketRoute("/ws", Page)])
    files = listed(CORSMiddleware(Starlette(routes=[Mount("/in", inner)]), allow_origins=["*"]))
    assert list(files) == ["GET /in/page/{name}", "POST /in/page/{name}"]
    assert files["GET /in/page/{name}"].facts.title == "A page."
    assert text_of(files["GET /in/page/{name}"]) == "GET /in/page/name"


class Hostile:
    """An application whose routes raise."""

    @property
    def routes(self) -> Any:
        """Raise."""
        raise RuntimeError


@pytest.mark.parametrize("app", [object(), Hostile(), lambda: 1, None, Starlette(routes=[object()])])  # type: ignore[list-item]
def test_routes_that_cannot_be_read_are_none(app):
    """Never an error."""
    assert routes(app) == []


def test_a_document_that_raises_is_said_to():
    """The route is listed, and what it lacks is said with the reason that its values are not known."""
    app = shop()
    app.openapi = lambda: 1 / 0  # type: ignore[assignment,return-value]
    assert "ZeroDivisionError" in (listed(app)["GET /v1/items/{item}"].lacking or "")
    assert listed(app)["GET /"].lacking is None


def test_a_request_line_is_for_the_route_that_takes_it():
    """The one with the fewest parameters; any other path is a request of its own."""
    own = Application("shop:app", "shop", "app", "/nowhere", "/nowhere")
    files = list(listed(shop()).values())
    new = replace(files[0], name="GET /v1/items/new")
    assert asked_for(own, files, "GET /v1/items/7?key=1").name == "GET /v1/items/{item}"
    assert asked_for(own, [*files, new], "/v1/items/new").name == "GET /v1/items/new"
    other = asked_for(own, files, "DELETE /elsewhere?a=1")
    assert (other.name, other.path, other.lacking) == ("DELETE /elsewhere", "/elsewhere?a=1", None)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("/", ("GET", "/", {}, None)),
        ("post /a?b=1  ", ("POST", "/a?b=1", {}, None)),
        ('POST /a {"b": 1}', ("POST", "/a", {"content-type": "application/json"}, b'{"b": 1}')),
        ("PUT /a 5", ("PUT", "/a", {"content-type": "application/json"}, b"5")),
        ("PUT /a b=1&c=2", ("PUT", "/a", {"content-type": "application/x-www-form-urlencoded"}, b"b=1&c=2")),
        ("PUT /a some words", ("PUT", "/a", {}, b"some words")),
        ("GET /a -H 'X-Token: a b' -H b:c", ("GET", "/a", {"x-token": "a b", "b": "c"}, None)),
        ("PUT /a -H content-type:x {", ("PUT", "/a", {"content-type": "x"}, b"{")),
        ('GET /a -H "x: \\"y\\""', ("GET", "/a", {"x": '"y"'}, None)),
        ("GET /ä#part", ("GET", "/%C3%A4", {}, None)),
    ],
)
def test_a_request_line_is_read(line, request_):
    """Method, path, headers and body; GET without a method, and a content type by the body."""
    assert parse(line) == request_


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "is no request"),
        ("GET", "is no request"),
        ("http://127.0.0.1/", "is no request"),
        ("GET /" + "a" * 200_000, "is no request"),
        ("GET /\udcff", "is no request"),
        ("GET /items/{id}/{part:path}", "No value for id and part"),
        ("POST / {'a': 1}", "The body is no JSON"),
        ("GET / -H novalue", "is no header"),
        ("GET / -H 'a: \x1b'", "is no header"),
        ("GET / -H content-length:5", "Leave it out"),
    ],
)
def test_a_line_that_is_no_request_is_refused(line, says):
    """In two lines."""
    with pytest.raises(InputError) as refused:
        parse(line)
    assert says in str(refused.value)
    assert str(refused.value).count("\n") == 1


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.text(string.ascii_letters + string.digits + "/?=&%._-", max_size=20).map(lambda text: f"/{text}"),
    headers=st.dictionaries(
        st.text(string.ascii_lowercase + "-", min_size=1, max_size=8).filter(
            lambda name: name != "content-type"
        ),
        st.text(string.ascii_letters + " :\"'\\{}", max_size=12).map(str.strip),
        max_size=3,
    ),
    body=st.none() | st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)
def test_a_line_that_is_written_is_read_as_it_was(method, path, headers, body):
    """What `line_of` writes, `parse` reads."""
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["content-type"] = "application/json"
    assert parse(line_of(method, path, headers, data)) == (method, path, headers, data)


def test_a_line_is_remembered_in_the_project(tmp_path):
    """It is there for the next time, beside those of other routes, and can be forgotten."""
    assert read(tmp_path) == {}
    remember(tmp_path, "GET /b", "GET /b?c=1")
    remember(tmp_path, "GET /a/{x}", "GET /a/ä")
    assert read(tmp_path) == {"GET /a/{x}": "GET /a/ä", "GET /b": "GET /b?c=1"}
    remember(tmp_path, "GET /b", None)
    assert read(tmp_path) == {"GET /a/{x}": "GET /a/ä"}
    assert [file.name for file in (tmp_path / ".loopviz").iterdir()] == ["requests.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": "x"}', '{"format": "loopviz-requests", "version": 2}', "\udcff", "[" * 9_999],
)
def test_a_broken_file_is_reported_and_kept(tmp_path, text):
    """Reading and remembering say in one line what is wrong, and leave the file as it is."""
    file = file_in(tmp_path)
    file.parent.mkdir()
    file.write_bytes(before := text.encode("utf-8", "surrogateescape"))
    for attempt in (lambda: read(tmp_path), lambda: remember(tmp_path, "GET /", "GET /")):
        with pytest.raises(InputError) as refused:
            attempt()
        assert "requests.json" in str(refused.value)
        assert "\n" not in str(refused.value)
    assert file.read_bytes() == before


def test_a_pipe_in_place_of_the_file_is_not_waited_for(tmp_path):
    """What is remembered is in a file, or nowhere."""
    file_in(tmp_path).parent.mkdir()
    os.mkfifo(file_in(tmp_path))
    with pytest.raises(InputError, match="it is no file"):
        read(tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    """A file in the place of the folder is an error of one line."""
    (tmp_path / ".loopviz").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="requests"):
        remember(tmp_path, "GET /", "GET /")
