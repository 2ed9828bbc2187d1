"""Receiving and sending: the time that a request waits for its client, by real servers and real clients."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

from loopviz.clock import NS, now_ns
from loopviz.model import State, Timeline
from loopviz.model.request import Request as Row
from loopviz.model.states import SUSPENDED
from loopviz.stream import events as ev
from tests.probe_support import DEBUG, PLAIN, UVLOOP, Served, Setup, every_setup, of_kind
from tests.streams import (
    accepted,
    call,
    end,
    feed,
    iteration,
    made,
    ns,
    received,
    responded,
    returns,
    sent,
    shape,
    status,
    step,
    suspend,
    timeline,
    wake,
)  # fmt: skip

BIG = 30_000_000
"""Bytes that no kernel takes at once."""
PAUSE = 0.5
"""How long a slow client does nothing (s)."""

servers = pytest.mark.parametrize(
    "setup", [pytest.param(s, id=s.name, marks=s.marks()) for s in (PLAIN, DEBUG, UVLOOP)]
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")


def row(served: Served, number: int = 1) -> Row:
    """The request as the model has it, once it has ended."""
    deadline = time.monotonic() + 8
    while True:
        line = Timeline()
        line.feed(served.gather())
        request = line.requests.get(number)
        if request is not None and request.ended:
            assert served.probe.failures == []
            assert sum(request.totals.values()) == request.latency(line.last)
            return request
        assert time.monotonic() < deadline, f"it has not ended: {served.events[-40:]}"
        time.sleep(0.01)


def path(request: Row) -> list[State]:
    """Its states up to the end of the response in which it was suspended for 50 ms or longer."""
    return [s.state for s in request.segments if s.state in SUSPENDED and s.end - s.start >= 0.05 * NS]


def seconds(request: Row, state: State) -> float:
    """How long it was in a state."""
    return request.totals[state] / NS


def ask(served: Served, version: str = "1.1", *headers: str) -> socket.socket:
    """A client that has asked for /x, and reads nothing."""
    client = served.connect()
    lines = [f"GET /x HTTP/{version}", "host: a", *headers, "", ""]
    client.sendall("\r\n".join(lines).encode())
    return client


def read(client: socket.socket, size: int) -> int:
    """Read that much of an answer's body; when it was there (ns)."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    while size > 0 and (part := answer.read(min(size, 2_000_000))):
        size -= len(part)
    assert size == 0
    return now_ns()


def writable(at: float, request: int = 1) -> ev.Event:
    """The client could take more."""
    return (ns(at), ev.WRITABLE, request)


def big_app(size: int = BIG) -> FastAPI:
    """GET /x answers with that many bytes."""
    app = FastAPI()

    @app.get("/x")
    async def x() -> Response:
        return Response(b"x" * size)

    return app


def pause(served: Served, kind: str = ev.SENDING, count: int = 1, lasts: float = PAUSE) -> None:
    """Do nothing for some seconds after the server has begun to wait for its client."""
    served.wait_for(lambda events: len(of_kind(events, kind)) >= count)
    time.sleep(lasts)


# -- sending --------------------------------------------------------------------------------------


@servers
@pytest.mark.parametrize(
    ("version", "headers"),
    [("1.1", ()), ("1.1", ("connection: close",)), ("1.0", ())],
    ids=["keep-alive", "close", "HTTP/1.0"],
)
def test_a_response_is_sent_until_its_client_has_taken_it(
    setup: Setup, version: str, headers: tuple[str, ...]
) -> None:
    """30 MB for a client that reads after a pause are sending, and done when it has them."""
    with Served(big_app(), setup) as served:
        client = ask(served, version, *headers)
        pause(served)
        had = read(client, BIG)
        request = row(served)
        client.close()
    assert request.error is None
    assert request.status == 200
    assert path(request)[-1] is State.SENDING
    assert seconds(request, State.SENDING) > 0.6 * PAUSE
    assert request.done is not None
    assert abs(request.done - had) < 0.7 * PAUSE * NS


@servers
def test_a_response_that_a_busy_loop_cannot_write_is_ready(setup: Setup) -> None:
    """A client that takes what comes does not wait for itself while another request blocks the loop."""
    app = big_app()

    @app.get("/block")
    async def block() -> None:
        time.sleep(0.8)

    with Served(app, setup) as served:
        client = ask(served)
        pause(served, lasts=0.1)
        other = served.connect()
        other.sendall(b"GET /block HTTP/1.1\r\nhost: a\r\n\r\n")
        served.wait_for(lambda events: len(of_kind(events, ev.READ)) == 2)
        time.sleep(0.05)
        read(client, BIG)
        request = row(served)
        client.close()
        other.close()
    assert seconds(request, State.READY) > 0.2
    assert seconds(request, State.SENDING) > 0.05


@linux
@servers
@pytest.mark.parametrize("closes", [False, True], ids=["keep-alive", "close"])
def test_what_only_the_kernel_has_is_not_sent_yet(setup: Setup, closes: bool) -> None:
    """A response that fits into the kernel's buffer, and not into the client's, is sending."""
    size = 1_500_000
    with Served(big_app(size), setup) as served:
        client = ask(served, "1.1", *(["connection: close"] if closes else []))
        pause(served)
        had = read(client, size)
        request = row(served)
        client.close()
    assert seconds(request, State.SENDING) > 0.6 * PAUSE
    assert request.error is None
    assert request.done is not None
    assert request.done < had + 0.7 * PAUSE * NS


@every_setup
def test_an_answer_that_is_taken_at_once_is_never_sending(setup: Setup) -> None:
    """Small answers, one after the other on a connection, are done when they are passed on."""
    with Served(big_app(2_000), setup) as served:
        client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        with contextlib.closing(client):
            for _ in range(20):
                client.request("GET", "/x")
                assert len(client.getresponse().read()) == 2_000
        served.settle(20)
        assert served.probe.failures == []
        assert len(of_kind(served.events, ev.RESPONDED)) == 20
        assert of_kind(served.events, ev.SENDING, ev.ABANDONED, ev.CLIENT_WAIT) == []


@servers
def test_the_next_request_of_a_connection_comes_after_the_end_of_the_one_before(setup: Setup) -> None:
    """Large answers on one connection end in their order, each before the next one is read."""
    size = 3_000_000
    with Served(big_app(size), setup) as served:
        client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        with contextlib.closing(client):
            for _ in range(10):
                client.request("GET", "/x")
                assert len(client.getresponse().read()) == size
        row(served, 10)
        line = Timeline()
        line.feed(served.events)
    requests = [line.requests[number] for number in range(1, 11)]
    assert all(r.done is not None and r.error is None for r in requests)
    # The end is looked for before the next request is read; when that arrived is known to some milliseconds.
    assert all((a.done or 0) <= b.start + 0.2 * NS for a, b in itertools.pairwise(requests))


@servers
def test_a_stream_that_its_client_does_not_read_is_sending(setup: Setup) -> None:
    """The application awaits room for the next part: that is sending, and not awaiting."""
    app = FastAPI()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b"x" * 500_000

    @app.get("/x")
    async def x() -> StreamingResponse:
        return StreamingResponse(parts())

    with Served(app, setup) as served:
        client = ask(served)
        pause(served, ev.CLIENT_WAIT)
        read(client, BIG)
        request = row(served)
        client.close()
    assert seconds(request, State.SENDING) > 0.6 * PAUSE
    assert seconds(request, State.AWAITING) < 0.2 * PAUSE
    assert seconds(request, State.RECEIVING) < 0.2 * PAUSE


@servers
def test_a_background_task_runs_while_the_response_is_sent(setup: Setup) -> None:
    """What a background task awaits counts after the end; until then the client takes its time."""
    app = FastAPI()

    async def later() -> None:
        await asyncio.sleep(2 * PAUSE)

    @app.get("/x")
    async def x(tasks: BackgroundTasks) -> Response:
        tasks.add_task(later)
        return Response(b"x" * BIG)

    with Served(app, setup) as served:
        client = ask(served)
        pause(served)
        read(client, BIG)
        request = row(served)
        client.close()
    assert path(request)[-1] is State.SENDING
    assert seconds(request, State.AWAITING) < 0.2 * PAUSE
    awaited = sum(s.end - s.start for s in request.after if s.state is State.AWAITING)
    assert awaited > 0.3 * PAUSE * NS


@servers
@pytest.mark.parametrize("closes", [False, True], ids=["keep-alive", "close"])
def test_a_client_that_goes_away_ends_the_response(setup: Setup, closes: bool) -> None:
    """A client that resets the connection while the response is sent ends it, and the row says so."""
    with Served(big_app(), setup) as served:
        client = ask(served, "1.1", *(["connection: close"] if closes else []))
        pause(served)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        gone = now_ns()
        request = row(served)
        assert of_kind(served.events, ev.RESPONDED) == []
    assert request.error is not None
    assert "client has gone" in request.error
    assert request.done is not None
    assert abs(request.done - gone) < 0.7 * PAUSE * NS
    assert seconds(request, State.SENDING) > 0.6 * PAUSE


@linux
@servers
def test_a_client_that_sends_no_more_still_gets_its_response(setup: Setup) -> None:
    """A client that has shut down its side of the connection is not taken for one that has gone."""
    size = 1_500_000
    with Served(big_app(size), setup) as served:
        client = ask(served, "1.1", "connection: close")
        time.sleep(0.1)
        client.shutdown(socket.SHUT_WR)
        pause(served)
        read(client, size)
        client.close()
        request = row(served)
    assert request.error is None
    assert seconds(request, State.SENDING) > 0.6 * PAUSE


# -- receiving ------------------------------------------------------------------------------------


def slow_upload(served: Served, size: int = 200_000, pauses: int = 1) -> int:
    """A client that sends half of a body, and after a pause the rest: the status of the answer."""
    client = served.connect()
    with contextlib.closing(client):
        client.sendall(f"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n".encode())
        for number in range(pauses):
            client.sendall(b"x" * (size // (pauses + 1)))
            pause(served, ev.CLIENT_WAIT, number + 1, PAUSE / pauses)
        client.sendall(b"x" * (size - pauses * (size // (pauses + 1))))
        answer = http.client.HTTPResponse(client)
        answer.begin()
        answer.read()
        return answer.status


class Passing(BaseHTTPMiddleware):
    """A middleware that runs the application in a task of its own."""

    async def dispatch(self, request: Request, call_next: Callable[[Request], Any]) -> Any:
        """Do nothing else."""
        return await call_next(request)


def upload_app(*, middleware: bool = False) -> FastAPI:
    """POST /x reads the whole body."""
    app = FastAPI()
    if middleware:
        app.add_middleware(Passing)

    @app.post("/x")
    async def x(request: Request) -> int:
        return len(await request.body())

    return app


@every_setup
@pytest.mark.parametrize("middleware", [False, True], ids=["plain", "middleware"])
def test_a_slow_upload_is_receiving(setup: Setup, middleware: bool) -> None:
    """A handler that reads a body which its client has not sent yet is receiving, and not awaiting."""
    with Served(upload_app(middleware=middleware), setup) as served:
        assert slow_upload(served) == 200
        request = row(served)
    assert path(request) == [State.RECEIVING]
    assert seconds(request, State.RECEIVING) > 0.6 * PAUSE
    assert seconds(request, State.AWAITING) < 0.1 * PAUSE


@servers
def test_every_pause_of_an_upload_is_receiving(setup: Setup) -> None:
    """Between the parts of a body the request is receiving again."""
    with Served(upload_app(), setup) as served:
        assert slow_upload(served, pauses=4) == 200
        request = row(served)
    assert path(request) == [State.RECEIVING] * 4


@servers
def test_a_body_that_is_there_is_not_received(setup: Setup) -> None:
    """A body that arrives with its request is read without a wait; the handler awaits something else."""
    app = FastAPI()

    @app.post("/x")
    async def x(request: Request) -> int:
        size = len(await request.body())
        await asyncio.sleep(0.2)
        return size

    with Served(app, setup) as served:
        with served.connect() as client:
            client.sendall(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nxxxxx")
            client.recv(1_000)
        request = row(served)
    assert path(request) == [State.AWAITING]
    assert seconds(request, State.RECEIVING) == 0


@servers
def test_to_look_for_a_disconnect_is_not_to_receive(setup: Setup) -> None:
    """Starlette's streams wait for the end of the connection beside the stream, even while a body is open."""
    app = FastAPI()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.1)
            yield b"x"

    @app.post("/x")
    async def x() -> StreamingResponse:
        return StreamingResponse(parts())

    with Served(app, setup) as served:
        with served.connect() as client:
            client.sendall(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nxxxxx")
            got = b""
            while not got.endswith(b"0\r\n\r\n"):
                got += client.recv(1_000)
            client.sendall(b"xxxxx")
        request = row(served)
    assert set(path(request)) == {State.AWAITING}
    assert seconds(request, State.RECEIVING) < 0.05


@servers
def test_a_client_that_gives_up_its_upload_ends_the_wait(setup: Setup) -> None:
    """When the client closes the connection in the middle of a body, receiving ends."""
    app = FastAPI()

    @app.post("/x")
    async def x(request: Request) -> None:
        with contextlib.suppress(Exception):
            await request.body()
        await asyncio.sleep(0.3)

    with Served(app, setup) as served:
        client = served.connect()
        client.sendall(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nxx")
        pause(served, ev.CLIENT_WAIT)
        client.close()
        request = row(served)
    assert path(request) == [State.RECEIVING, State.AWAITING]


# -- the model, by events written by hand ------------------------------------------------------------


def waits_for(direction: ev.Direction, at: float, task: int = 1) -> ev.Event:
    """CLIENT_WAIT."""
    return (ns(at), ev.CLIENT_WAIT, task, direction)


def sending(at: float) -> ev.Event:
    """SENDING."""
    return (ns(at), ev.SENDING, 1)


def abandoned(at: float) -> ev.Event:
    """ABANDONED."""
    return (ns(at), ev.ABANDONED, 1)


@pytest.mark.parametrize("direction", ["receiving", "sending"])
def test_a_task_that_waits_for_its_client_waits_until_it_is_woken(direction: ev.Direction) -> None:
    """The suspension that follows is receiving or sending; the next one of the task is awaiting again."""
    line = timeline(
        accepted(1, 1, 0), waits_for(direction, 3), suspend(4), wake(30), step(31), suspend(32),
        wake(50), step(51), status(51, 200), responded(52), end(53),
    )  # fmt: skip
    assert shape(line.requests[1].segments)[-7:] == [
        ("running", 2, 4), (direction, 4, 30), ("ready", 30, 31), ("running", 31, 32), ("awaiting", 32, 50),
        ("ready", 50, 51), ("running", 51, 52),
    ]  # fmt: skip


def test_a_child_task_that_waits_for_the_client_counts_before_one_that_awaits() -> None:
    """The request receives, even if its root only awaits the task that does."""
    line = timeline(
        accepted(1, 1, 0), made(3, 2, 1, 1), suspend(4, 1),
        step(5, 2), waits_for("receiving", 6, 2), suspend(7, 2),
    )  # fmt: skip
    feed(line, iteration(40))
    assert line.requests[1].state is State.RECEIVING


def test_who_receives_while_another_task_answers_looks_for_a_disconnect() -> None:
    """Once the head of the response is sent by another task, the wait for the client is awaiting."""
    line = timeline(
        accepted(1, 1, 0), made(3, 2, 1, 1), waits_for("receiving", 3.5), suspend(4, 1),
        step(5, 2), status(6, 200), suspend(7, 2),
    )  # fmt: skip
    assert line.requests[1].state is State.AWAITING


def test_a_request_ends_when_its_response_has_left() -> None:
    """The task may have ended before: the request is sending until the response has left."""
    line = timeline(accepted(1, 1, 0), status(3, 200), sending(4), end(5))
    assert line.live == 1
    assert line.requests[1].state is State.SENDING
    feed(line, responded(60))
    request = line.requests[1]
    assert (line.live, request.error, request.ended) == (0, None, True)
    assert shape(request.segments)[-1] == ("sending", 5, 60)
    assert sum(request.totals.values()) == request.latency(line.last)


def test_a_response_that_the_loop_has_no_time_to_write_is_delayed() -> None:
    """While the client could take more and a step blocks the loop, the request is ready, and a victim."""
    line = timeline(accepted(1, 1, 0), status(3, 200), sending(4), end(5), accepted(2, 2, at=10))
    feed(line, writable(40), suspend(212, task=2), sending(213), responded(300))
    assert shape(line.requests[1].segments)[-3:] == [
        ("sending", 5, 40), ("ready", 40, 213), ("sending", 213, 300),
    ]  # fmt: skip
    assert [block.victims for block in line.blocks] == [[1]]


def test_what_a_task_does_beside_the_sending_counts_only_when_it_holds_the_loop() -> None:
    """A background task's thread and awaits are not what the client waits for; its steps are."""
    line = timeline(
        accepted(1, 1, 0), status(3, 200), sending(4), suspend(5), call(6, 1), returns(20, 1),
        step(21), suspend(30), responded(60),
    )  # fmt: skip
    request = line.requests[1]
    assert shape(request.segments)[-3:] == [("sending", 5, 21), ("running", 21, 30), ("sending", 30, 60)]
    assert request.state is State.AWAITING


def test_a_response_that_is_not_taken_has_an_error() -> None:
    """A client that goes away ends the request, and the request says so."""
    line = timeline(accepted(1, 1, 0), status(3, 200), sending(4), end(5), abandoned(60))
    request = line.requests[1]
    assert request.ended
    assert request.done == ns(60)
    assert request.error is not None
    assert "client has gone" in request.error


def test_the_own_client_ends_the_sending() -> None:
    """Loopviz's own client ends a response as soon as it has everything."""
    line = timeline(
        sent(-1), accepted(1, 1, 0), status(3, 200), sending(4), end(5), received(50), responded(60)
    )
    request = line.requests[1]
    assert request.done == request.received == ns(50)
    assert request.ended
