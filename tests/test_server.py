"""The server thread, the applications behind its port, and the session of both with a client."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from loopviz.errors import InputError
from loopviz.live.server.apps import Apps
from loopviz.live.server.thread import ServerThread
from loopviz.live.session import Session
from loopviz.live.sockets import bind
from loopviz.scenario import Scenario, ScenarioFile, find, read
from loopviz.stream import events as ev
from tests.served import serving


@contextmanager
def running(app: Any, *, threads: int = 40) -> Iterator[tuple[ServerThread, int, list[Any]]]:
    """A server thread that serves `app`, its port, and what its hooks were called with."""
    sock = bind("127.0.0.1", 0)
    port: int = sock.getsockname()[1]
    seen: list[Any] = []
    server = ServerThread(
        app, sock, threads=threads, loop="asyncio", watch=seen.append, unwatch=lambda: seen.append("end")
    )
    server.start()
    try:
        server.wait()
        yield server, port, seen
    finally:
        assert server.stop(5)


def get(port: int, path: str) -> tuple[int, str, dict[str, str]]:
    """One request: status, body and headers."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())


def scenario_file(app: Any, name: str) -> ScenarioFile:
    """A scenario around an application whose path is its name."""
    return ScenarioFile(name, Path(f"{name}.py"), Scenario(title=name, expect="e"), app, "GET", f"/{name}")


def app_with(name: str, **options: Any) -> FastAPI:
    """An application that answers its name on its path, and says so in a header of its middleware."""
    app = FastAPI(**options)

    @app.middleware("http")
    async def mark(request: Request, call_next: Callable[..., Any]) -> Response:
        response: Response = await call_next(request)
        response.headers["x-from"] = name
        return response

    @app.get(f"/{name}")
    @app.get(f"/{name}/deeper")
    async def handler() -> str:
        return name

    return app


def test_port_in_use() -> None:
    """A port in use is refused with a message, before anything is drawn."""
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"(?s)Port {port} of 127.0.0.1 is in use.*--port"):
            bind("127.0.0.1", port)


def test_port_that_cannot_be_had() -> None:
    """An address that this machine does not have is refused with a message."""
    with pytest.raises(InputError, match=r"--host 192\.0\.2\.1 is no address"):
        bind("192.0.2.1", 0)


def test_a_request_before_the_server_is_up() -> None:
    """A client may connect as soon as the port is bound; it is served when the server is up."""
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    server = ServerThread(
        app_with("one"), sock, threads=1, loop="asyncio", watch=lambda _: None, unwatch=lambda: None
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as early:
        early.sendall(b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        server.start()
        server.wait()
        assert early.recv(10_000).startswith(b"HTTP/1.1 200")
    assert server.stop(5)


@pytest.mark.parametrize("through", ["alone", "apps"])
def test_lifespan_failure(through: str) -> None:
    """A lifespan that fails is reported with its error, and nothing is left running."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise LookupError("no database here")
        yield

    app: Any = FastAPI(lifespan=lifespan)
    if through == "apps":
        app = Apps([scenario_file(app, "one")])
    before = threading.enumerate()
    with pytest.raises(InputError) as caught, running(app):
        pass
    assert "did not start" in str(caught.value)
    assert "no database here" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2
    assert set(threading.enumerate()) <= set(before)


def test_hooks_are_called() -> None:
    """The protocol's class is watched on the loop before it serves, and unwatched at the end."""
    with running(app_with("one")) as (_, port, seen):
        (protocol,) = seen
        assert callable(protocol.data_received)
        assert get(port, "/one")[:2] == (200, '"one"')
    assert seen == [protocol, "end"]


def test_the_log_is_left_as_it_was() -> None:
    """Uvicorn's logger is quiet while the server runs, and afterwards as before."""
    logger = logging.getLogger("uvicorn.error")
    before = (logger.propagate, list(logger.handlers), logger.level)
    with running(app_with("one")):
        assert not logger.propagate
    assert (logger.propagate, list(logger.handlers), logger.level) == before


def test_a_server_that_is_never_started() -> None:
    """Stopping a server that was never started closes its socket."""
    sock = bind("127.0.0.1", 0)
    server = ServerThread(
        app_with("one"), sock, threads=1, loop="asyncio", watch=lambda _: None, unwatch=lambda: None
    )
    server.set_threads(3)
    assert server.stop()
    assert sock.fileno() == -1


def test_thread_limit() -> None:
    """The thread limit is what was asked for, and can be changed while the server runs."""
    app = FastAPI()
    most = running_now = 0
    lock = threading.Lock()

    @app.get("/x")
    def handler() -> None:
        nonlocal most, running_now
        with lock:
            running_now += 1
            most = max(most, running_now)
        time.sleep(0.1)
        with lock:
            running_now -= 1

    def fire(port: int) -> int:
        nonlocal most
        most = 0
        threads = [threading.Thread(target=get, args=(port, "/x")) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return most

    with running(app, threads=2) as (server, port, _):
        assert fire(port) == 2
        server.set_threads(4)
        assert 3 <= fire(port) <= 4


def test_stopping_a_blocked_server() -> None:
    """If the loop is blocked, stopping returns False in time instead of hanging."""
    app = FastAPI()
    held, gate = threading.Event(), threading.Event()

    @app.get("/x")
    async def handler() -> None:
        held.set()
        gate.wait(5)

    with running(app) as (server, port, _):
        client = threading.Thread(target=get, args=(port, "/x"))
        client.start()
        assert held.wait(10)
        began = time.monotonic()
        assert server.stop(0.2) is False
        assert time.monotonic() - began < 2
        gate.set()
        client.join()


def test_two_apps() -> None:
    """Each application answers under its own path, through its own middleware only."""
    apps = Apps([scenario_file(app_with(name), name) for name in ("one", "two")])
    with running(apps) as (_, port, _):
        for name in ("one", "two"):
            for path in (f"/{name}", f"/{name}/deeper"):
                status, body, headers = get(port, path)
                assert (status, body, headers["x-from"]) == (200, f'"{name}"', name)


def test_unknown_path() -> None:
    """A path that no application knows is 404 without any middleware; an app's own 404 has its middleware."""
    apps = Apps([scenario_file(app_with(name), name) for name in ("one", "two")])
    with running(apps) as (_, port, _):
        for path in ("/", "/nothing"):
            status, _, headers = get(port, path)
            assert status == 404
            assert "x-from" not in headers
        for name in ("one", "two"):
            status, _, headers = get(port, f"/{name}/nothing")
            assert (status, headers["x-from"]) == (404, name)


def test_lifespans() -> None:
    """Each application's lifespan runs once, though it may have several paths."""
    lines: list[str] = []

    def lifespan_of(name: str) -> Any:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            lines.append(f"{name} begins")
            yield
            lines.append(f"{name} ends")

        return lifespan

    apps = Apps([scenario_file(app_with(name, lifespan=lifespan_of(name)), name) for name in ("one", "two")])
    with running(apps):
        assert lines == ["one begins", "two begins"]
    assert lines[2:] == ["two ends", "one ends"]


def test_a_session() -> None:
    """A session serves the scenarios, fires at them, and hands out the events of both sides in order."""
    files = read(find())
    by_name = {file.name: file for file in files}
    session = Session(files, threads=7)
    session.start()
    try:
        session.wait()
        session.fire(by_name["async"], 3).result(10)
        session.set_threads(9)
        time.sleep(0.1)
        events = session.drain_all()
        assert session.vitals().failures == ()
        assert session.vitals().dropped == 0
        assert session.vitals().events > 0
        assert session.vitals().cost_ns > 0
    finally:
        session.stop()
        serving(session).server._thread.join(10)  # the lifespans of all scenarios may take more than a second
        assert serving(session).server.ended
    assert session.blind == []
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    for kind in (ev.SENT, ev.READ, ev.STATUS, ev.RESPONDED, ev.RECEIVED):
        assert sorted(event[2] for event in events if event[1] == kind) == [1, 2, 3], kind
    assert {event[3] for event in events if event[1] == ev.RECEIVED} == {200}
    fired = [event[2:] for event in events if event[1] == ev.FIRED]
    assert fired == [(1, "async", 1, 3, 7)]
    assert [e[1] for e in events].index(ev.FIRED) < [e[1] for e in events].index(ev.SENT)
    totals = [event[2] for event in events if event[1] == ev.TOKENS]
    assert (totals[0], totals[-1]) == (7, 9)
    assert session.environment.event_loop == "asyncio"


def test_a_session_that_is_never_started() -> None:
    """Stopping a session that was never started leaves nothing open."""
    session = Session(read(find("async")))
    assert session.stop()


def test_a_session_whose_port_is_taken() -> None:
    """A session on a port in use is refused with a message, and leaves nothing open."""
    with bind("127.0.0.1", 0) as taken, pytest.raises(InputError, match="in use"):
        Session(read(find("async")), port=taken.getsockname()[1])


def test_a_session_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that is not installed is refused, with how to install it."""
    monkeypatch.setattr("loopviz.live.session.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"(?s)uvloop is not installed.*pip install uvloop"):
        Session(read(find("async")), loop="uvloop")
