"""WebSockets under a real server: one row for a connection, with its steps, messages and end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from loopviz.model import State, Timeline
from loopviz.model.summary import summarise
from loopviz.probe import compat
from loopviz.stream import events as ev
from loopviz.stream.blind import REQUESTS, WEBSOCKETS
from tests.probe_support import PLAIN, RawEvent, Served, Setup, of_kind

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # one of them is deprecated, and says so when it is imported
    importlib.import_module("uvicorn.protocols.websockets.websockets_impl")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

IMPLEMENTATIONS = ["websockets-sansio", "wsproto", "websockets"]
HTTPTOOLS = Setup("httptools", http="httptools")
UVLOOP = Setup("uvloop", loop="uvloop", http="httptools")
UVLOOP_H11 = Setup("uvloop, h11", loop="uvloop")
EAGER = Setup("eager", eager="before")

every_kind = pytest.mark.parametrize("ws", IMPLEMENTATIONS)
every_loop = pytest.mark.parametrize(
    "setup",
    [
        pytest.param(setup, id=setup.name, marks=setup.marks())
        for setup in (PLAIN, HTTPTOOLS, UVLOOP, UVLOOP_H11, EAGER)
    ],
)


def chat() -> FastAPI:
    """An application with WebSockets of several kinds."""
    app = FastAPI()

    @app.get("/plain")
    async def plain() -> str:
        return "ok"

    @app.websocket("/chat")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                said = await socket.receive_text()
                if said == "block":
                    time.sleep(0.2)
                elif said == "think":
                    await asyncio.sleep(0.2)
                await socket.send_text(said)
                await socket.send_bytes(b"seen")

    failing(app)
    return app


def failing(app: FastAPI) -> None:
    """Add WebSockets that end in other ways."""

    @app.websocket("/full")
    async def full(socket: WebSocket) -> None:
        await socket.close()

    @app.websocket("/ends")
    async def ends(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(4001)

    @app.websocket("/crashes")
    async def crashes(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("boom")

    @app.websocket("/crashes-at-once")
    async def crashes_at_once(socket: WebSocket) -> None:
        raise ValueError("boom")

    @app.websocket("/lingers")
    async def lingers(socket: WebSocket) -> None:
        await socket.accept()
        await asyncio.sleep(0.6)


def served(ws: str, setup: Setup = PLAIN) -> Served:
    """The application, served with one of uvicorn's implementations of WebSockets."""
    server = Served(chat(), setup)
    config: Any = server._config
    config.ws = ws
    return server


@contextlib.contextmanager
def client(server: Served, path: str) -> Iterator[ClientConnection]:
    """A connection to the server."""
    with connect(f"ws://127.0.0.1:{server.port}{path}", compression=None, proxy=None) as connection:
        yield connection


def model(events: list[RawEvent]) -> Timeline:
    """The timeline of the events."""
    timeline = Timeline()
    timeline.feed(events)
    return timeline


def reported(events: list[RawEvent], number: int = 1) -> list[str]:
    """What happened to a connection, in words."""
    said = []
    for _, kind, *fields in events:
        if fields and fields[0] == number and kind in {
            ev.READ, ev.STATUS, ev.MESSAGE, ev.CLOSED, ev.RESPONDED, ev.RAISED,
        }:  # fmt: skip
            said.append(" ".join(map(str, [kind, *fields[1:]])))
    return said


@every_kind
@every_loop
def test_a_connection_is_one_row(ws: str, setup: Setup) -> None:
    """A conversation is one request: handshake, messages with their sizes, close code, end."""
    with served(ws, setup) as server:
        with client(server, "/chat") as connection:
            for text in ("hello", "grüße"):
                connection.send(text)
                assert connection.recv() == text
                assert connection.recv() == b"seen"
        events = list(server.settle())
    handshake, *said = [line for line in reported(events) if line != ev.RESPONDED]
    assert handshake.startswith("read WS /chat ")
    assert said == [
        "status 101",
        "message received 5",
        "message sent 5",
        "message sent 4",
        "message received 7",
        "message sent 7",
        "message sent 4",
        "closed 1000",
    ]
    timeline = model(events)
    (request,) = timeline.requests.values()
    assert (request.method, request.path, request.status, request.error) == ("WS", "/chat", 101, None)
    assert request.done is not None
    assert request.ended
    document = summarise(timeline, scenario=None, environment={}, limit=40)["requests"][0]
    assert document["messages"] == {"received": 2, "sent": 4}
    assert document["close_code"] == 1000
    assert server.probe.failures == []
    assert WEBSOCKETS not in dict(server.probe.blind)
    assert REQUESTS not in dict(server.probe.blind)


@every_kind
@every_loop
def test_what_a_connection_does_is_drawn_as_of_any_request(ws: str, setup: Setup) -> None:
    """Waiting for a message is awaiting, a blocking answer is running and a block of that connection."""
    with served(ws, setup) as server:
        with client(server, "/chat") as connection:
            time.sleep(0.3)
            connection.send("block")
            assert connection.recv() == "block"
        events = list(server.settle())
    timeline = model(events)
    (request,) = timeline.requests.values()
    assert request.totals[State.AWAITING] > 200_000_000
    assert request.totals[State.RUNNING] > 190_000_000
    longest = max(timeline.blocks, key=lambda block: block.lasted(timeline.last))
    assert longest.request == request.id
    assert longest.lasted(timeline.last) > 190_000_000
    assert longest.where is not None
    assert longest.where.function.endswith("talk")


@every_kind
def test_the_line_of_an_await_is_the_users(ws: str) -> None:
    """Where a connection waits for a message, the line is the application's, and no line of loopviz's."""
    with served(ws) as server:
        with client(server, "/chat") as connection:
            time.sleep(0.3)
            connection.send("x")
            connection.recv()
        events = list(server.settle())
    lines = {event[5].rpartition(".")[2] for event in of_kind(events, ev.AWAITS) if event[3] == __file__}
    assert lines == {"talk"}
    assert not [
        event for event in of_kind(events, ev.AWAITS) if "loopviz" in event[3] and "tests" not in event[3]
    ]


@every_kind
@pytest.mark.parametrize(
    ("path", "status", "code", "error"),
    [
        ("/full", 403, None, None),
        ("/crashes-at-once", 500, None, "ValueError: boom"),
        ("/nowhere", 403, None, None),
    ],
)
def test_a_refused_handshake(ws: str, path: str, status: int, code: int | None, error: str | None) -> None:
    """A handshake that is refused has the status that the client gets, and no messages."""
    with served(ws) as server:
        with pytest.raises(InvalidStatus) as refused, client(server, path):
            pass
        assert refused.value.response.status_code == status
        events = list(server.settle())
    (request,) = model(events).requests.values()
    assert request.websocket is not None
    assert (request.status, request.error, request.websocket.code) == (status, error, code)
    assert request.done is not None


@every_kind
def test_an_application_that_closes(ws: str) -> None:
    """The close code that the application gives is kept."""
    with served(ws) as server:
        with client(server, "/ends") as connection, pytest.raises(ConnectionClosed):
            connection.recv()
        events = list(server.settle())
    (request,) = model(events).requests.values()
    assert request.websocket is not None
    assert (request.status, request.error, request.websocket.code) == (101, None, 4001)


@every_kind
def test_an_exception_of_a_connection(ws: str) -> None:
    """An exception after the handshake is reported, with the status 101 that the client has got."""
    with served(ws) as server:
        with client(server, "/crashes") as connection, pytest.raises(ConnectionClosed):
            connection.recv()
        events = list(server.settle())
    (request,) = model(events).requests.values()
    assert (request.status, request.error) == (101, "ValueError: boom")
    assert request.failed


@every_kind
def test_a_client_that_vanishes_ends_the_connection(ws: str) -> None:
    """A connection ends when its client has gone; what its task does later is after the end."""
    with served(ws) as server:
        with client(server, "/lingers"):
            pass
        events = list(server.settle())
    (request,) = model(events).requests.values()
    assert request.done is not None
    assert (request.done - request.start) < 400_000_000
    assert sum(segment.end - segment.start for segment in request.after) > 100_000_000
    assert request.error is None


def test_figures_of_requests_are_without_connections() -> None:
    """A connection that lasts does not count in the makespan, nor in what is said of the last burst."""
    with served("auto") as server:
        with client(server, "/chat") as connection:
            assert server.get("/plain")[0] == 200
            events = list(server.wait_for(lambda events: of_kind(events, ev.RESPONDED)))
            connection.send("think")
            connection.recv()
        events = list(server.settle(2))
    timeline = model(events)
    http, socket = sorted(timeline.requests.values(), key=lambda request: request.method)
    assert (http.method, socket.method) == ("GET", "WS")
    assert socket.done is not None
    assert http.done is not None
    assert socket.done > http.done
    assert timeline.last_burst(timeline.last + 1) == [http]
    document = summarise(timeline, scenario=None, environment={}, limit=40)
    assert document["makespan_s"] == pytest.approx((http.done - socket.start) / 1e9, abs=1e-5)
    assert "messages" not in next(entry for entry in document["requests"] if entry["method"] == "GET")


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_no_library_for_websockets(http: str) -> None:
    """Where uvicorn has no library for WebSockets, that is said; requests are visible."""
    server = served("none", Setup(http, http=http))
    with server:
        with pytest.raises(InvalidStatus), client(server, "/chat"):
            pass
        server.settle()
        assert server.get("/plain")[0] == 200
    blind = dict(server.probe.blind)
    assert blind[WEBSOCKETS] == (
        f"uvicorn {uvicorn.__version__} has found no WebSocket library: install websockets or wsproto"
    )
    assert REQUESTS not in blind


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])
@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_renamed_protocol(ws: str, http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If uvicorn renames what serves a WebSocket, that is said of WebSockets, and not of requests."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

    for kind in (WebSocketsSansIOProtocol, WSProtocol):
        original = kind.run_asgi

        async def run(self: Any, original: Any = original) -> None:
            await original(self)

        run.__qualname__ = "Renamed.run"
        monkeypatch.setattr(kind, "run_asgi", run)
    with served(ws, Setup(http, http=http)) as server:
        with client(server, "/chat") as connection:
            connection.send("x")
            assert connection.recv() == "x"
        assert REQUESTS not in dict(server.probe.blind)
        server.get("/plain")
    blind = dict(server.probe.blind)
    assert "was not recognised" in blind[WEBSOCKETS]
    assert REQUESTS not in blind


@pytest.mark.parametrize("name", ["send", "receive", "REFUSE", "LOGGER"])
def test_a_renamed_part_of_a_protocol(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one name of a WebSocket's protocol, only what it is for is reported as not visible."""
    serves, (send, receive) = "WebSocketsSansIOProtocol.run_asgi", ("send", "receive")
    if name in {"send", "receive"}:
        renamed = ("renamed", receive) if name == "send" else (send, "renamed")
        monkeypatch.setitem(compat.WEBSOCKETS, serves, renamed)
    else:
        monkeypatch.setattr(compat, name, "renamed")
    with served("websockets-sansio") as server:
        with client(server, "/chat") as connection:
            connection.send("x")
            assert connection.recv() == "x"
        server.settle()
    blind = {what: why for what, why in server.probe.blind if "renamed" in why}
    assert len(blind) == 1
    assert server.probe.failures == []


def test_after_the_probe_protocols_are_as_before() -> None:
    """The probe leaves nothing on the classes of WebSockets' protocols."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    before = dict(vars(WebSocketsSansIOProtocol))
    with served("websockets-sansio") as server, client(server, "/chat") as connection:
        connection.send("x")
        connection.recv()
        assert vars(WebSocketsSansIOProtocol)["send"] is not before["send"]
    assert dict(vars(WebSocketsSansIOProtocol)) == before


def test_the_libraries_are_there() -> None:
    """The tests above need both libraries that uvicorn can use."""
    assert all(importlib.util.find_spec(name) for name in ("websockets", "wsproto"))


@every_kind
@pytest.mark.parametrize(
    "message", [{}, None, {"type": 5}, {"type": "websocket.close"}, {"type": "websocket.http.response.start"}]
)
def test_a_malformed_message(ws: str, message: Any) -> None:
    """An application that sends nonsense gets the same error as without the probe, or none, as without it."""
    raised: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        try:
            await send(message)
        except Exception as error:
            raised.append(type(error).__name__)
            raise
        raised.append("")

    for probed in (False, True):
        server = Served(app, probed=probed)
        config: Any = server._config
        config.ws = ws
        with server, pytest.raises(InvalidStatus), client(server, "/"):
            pass
    assert raised[0] == raised[1]
