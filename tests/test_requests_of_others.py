"""Requests as foreign clients and applications make them: pipelined, forwarded, and failing in any way."""

from __future__ import annotations

import asyncio
import io
import logging
import logging.config
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from loopviz.model import State, Timeline
from loopviz.probe.exceptions import described
from loopviz.stream import events as ev
from loopviz.stream.blind import REQUESTS
from tests.probe_support import DEBUG, EAGER, PLAIN, RawEvent, Served, Setup, of_kind

HTTPTOOLS = Setup("httptools", http="httptools")
UVLOOP = Setup("uvloop", loop="uvloop", http="httptools")
UVLOOP_H11 = Setup("uvloop, h11", loop="uvloop")

every_server = pytest.mark.parametrize(
    "setup",
    [pytest.param(s, id=s.name, marks=s.marks()) for s in (PLAIN, HTTPTOOLS, UVLOOP, UVLOOP_H11, EAGER)],
)


def model(events: list[RawEvent]) -> Timeline:
    """The timeline of the events."""
    timeline = Timeline()
    timeline.feed(events)
    return timeline


# -- pipelining ------------------------------------------------------------------------------------


def slow_app() -> FastAPI:
    """An application whose answers take a while."""
    app = FastAPI()

    @app.get("/wait")
    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "ok"

    @app.post("/take")
    async def take(request: Request) -> int:
        await asyncio.sleep(0.3)
        return len(await request.body())

    @app.get("/hold")
    async def hold(seconds: float) -> str:
        time.sleep(seconds)
        return "ok"

    return app


def raw(path: str, body: bytes | None = None) -> bytes:
    """A request as bytes."""
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: x\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answers(connection: socket.socket, number: int) -> None:
    """Read that many answers."""
    read = b""
    while read.count(b"HTTP/1.1 200") < number or not read.endswith((b'"', b"0")):
        part = connection.recv(65_536)
        assert part, read
        read += part


@every_server
def test_pipelined_requests_begin_when_they_are_read(setup: Setup) -> None:
    """Three requests in one packet begin together, each waits for those before it, and awaits meanwhile."""
    with Served(slow_app(), setup) as served:
        with served.connect() as connection:
            connection.sendall(raw("/wait?seconds=0.3") * 3)
            answers(connection, 3)
        events = list(served.settle(3))
    requests = list(model(events).requests.values())
    starts = [request.start for request in requests]
    assert max(starts) - min(starts) < 100_000_000
    for place, request in enumerate(requests, 1):
        assert request.done is not None
        assert request.done - request.start > place * 290_000_000
        waited = request.totals[State.AWAITING] / (request.done - request.start)
        assert waited > 0.8
    assert len(of_kind(events, ev.BEHIND)) == 2
    assert served.probe.failures == []


@every_server
def test_a_pipelined_request_that_comes_later(setup: Setup) -> None:
    """A request that comes while the one before is served waits since it came, not since that one did."""
    with Served(slow_app(), setup) as served:
        with served.connect() as connection:
            connection.sendall(raw("/wait?seconds=0.6"))
            time.sleep(0.3)
            connection.sendall(raw("/wait?seconds=0"))
            answers(connection, 2)
        events = list(served.settle(2))
    first, second = model(events).requests.values()
    assert 0.2e9 < second.start - first.start < 0.55e9
    assert second.done is not None
    assert 0.1e9 < second.done - second.start < 0.45e9


@every_server
def test_pipelined_requests_in_pieces(setup: Setup) -> None:
    """Of requests that arrive in pieces, each is read when its head is complete, whatever the bodies."""
    with Served(slow_app(), setup) as served:
        with served.connect() as connection:
            third = raw("/wait?seconds=0")
            packet = raw("/take", b"a" * 100_000) + raw("/take", b"b" * 10) + third[:20]
            connection.sendall(packet)
            time.sleep(0.15)
            connection.sendall(third[20:])
            answers(connection, 3)
            time.sleep(0.2)
            connection.sendall(raw("/wait?seconds=0"))
            answers(connection, 1)
        events = list(served.settle(4))
    first, second, third_, fourth = model(events).requests.values()
    assert second.start - first.start < 0.12e9
    assert first.start < third_.start
    assert fourth.done is not None
    assert fourth.done - fourth.start < 0.15e9
    behind = {event[2] for event in of_kind(events, ev.BEHIND)}
    assert 2 in behind
    # The protocols read no more while a request waits: the kernel knows when the rest came.
    assert sys.platform != "linux" or 0.1e9 < third_.start - first.start < 0.28e9
    assert served.probe.failures == []


@every_server
def test_a_pipelined_request_is_no_victim(setup: Setup) -> None:
    """A request that could not have run on a free loop is not named among those that a block delays."""
    with Served(slow_app(), setup) as served:
        with served.connect() as connection:
            connection.sendall(raw("/wait?seconds=0.8") + raw("/wait?seconds=0"))
            time.sleep(0.2)
            served.get("/hold?seconds=0.3")
            answers(connection, 2)
        events = list(served.settle(3))
    (block,) = model(events).blocks
    assert model(events).requests[block.request].path == "/hold"
    assert block.victims == []


@every_server
def test_requests_after_each_other_on_a_connection(setup: Setup) -> None:
    """On a connection that is kept open, a request begins when it is sent, and waits for nothing."""
    with Served(slow_app(), setup) as served:
        with served.connect() as connection:
            for _ in range(3):
                connection.sendall(raw("/wait?seconds=0.1"))
                answers(connection, 1)
                time.sleep(0.1)
        events = list(served.settle(3))
    assert not of_kind(events, ev.BEHIND)
    assert all(request.latency(1 << 62) < 0.18e9 for request in model(events).requests.values())


# -- forwarded headers -----------------------------------------------------------------------------


@every_server
def test_a_gateway_that_forwards_all_headers(setup: Setup) -> None:
    """A number is one request's: what an application forwards with it is a request of its own."""
    app = FastAPI()

    @app.get("/outer")
    async def outer(request: Request) -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            address = f"http://{request.url.netloc}/inner"
            return (await client.get(address, headers=dict(request.headers))).json()

    @app.get("/inner")
    async def inner() -> int:
        await asyncio.sleep(0.1)
        return 1

    with Served(app, setup) as served:
        served.probe._numbers = iter(range(100, 200))  # before the first request
        assert served.get("/outer", number=5) == (200, "1")
        assert served.get("/outer", number=1_000_000) == (200, "1")
        events = list(served.settle(4))
    reads = [event[2:5] for event in of_kind(events, ev.READ)]
    numbers = [number for number, _, _ in reads]
    assert [path for _, _, path in reads] == ["/outer", "/inner"] * 2
    assert len(set(numbers)) == 4
    assert numbers[::2] == [5, 1_000_000]
    timeline = model(events)
    assert all(request.done and request.status == 200 for request in timeline.requests.values())
    outer_, inner_ = (timeline.requests[number] for number in numbers[:2])
    assert outer_.start < inner_.start
    assert inner_.done is not None
    assert outer_.done is not None
    assert inner_.done < outer_.done


# -- exceptions ------------------------------------------------------------------------------------


def errors(app: FastAPI, path: str, setup: Setup = PLAIN) -> list[str]:
    """What is reported of the exceptions of one request."""
    with Served(app, setup) as served:
        assert served.get(path)[0] == 500
        events = served.settle()
    assert served.probe.failures == []
    return [f"{name}: {message}" for _, _, _, name, message in of_kind(events, ev.RAISED)]


def raising(error: BaseException) -> FastAPI:
    """An application that raises it."""
    app = FastAPI()

    @app.get("/")
    async def root() -> None:
        raise error

    return app


@contextmanager
def as_it_was(name: str) -> Iterator[logging.Logger]:
    """A logger, whose configuration is put back, and whether the others are disabled."""
    logger = logging.getLogger(name)
    level, propagate, handlers = logger.level, logger.propagate, list(logger.handlers)
    every = [known for known in logging.root.manager.loggerDict.values() if isinstance(known, logging.Logger)]
    disabled = [known.disabled for known in every]  # a `dictConfig` disables all of them
    try:
        yield logger
    finally:
        logger.setLevel(level)
        logger.propagate, logger.handlers[:] = propagate, handlers
        for known, was in zip(every, disabled, strict=True):
            known.disabled = was


@every_server
@pytest.mark.parametrize("configured", ["dictConfig", "disabled", "level", "logging.disable"])
def test_an_exception_is_seen_however_logging_is_configured(setup: Setup, configured: str) -> None:
    """Neither a `dictConfig` that disables uvicorn's logger nor any other setting hides an exception."""
    app = raising(ValueError("boom"))
    root = logging.getLogger()
    handlers = list(root.handlers)

    def configure() -> None:
        if configured == "dictConfig":
            logging.config.dictConfig({"version": 1, "root": {"handlers": []}})
        elif configured == "disabled":
            logger.disabled = True
        elif configured == "level":
            logger.setLevel(logging.CRITICAL + 1)
        else:
            logging.disable()

    with as_it_was("uvicorn.error") as logger:
        try:
            with Served(app, setup) as served:
                served.on_loop(configure)
                assert served.get("/")[0] == 500
                events = list(served.settle())
        finally:
            logging.disable(logging.NOTSET)
            root.handlers[:] = handlers
    assert [event[2:] for event in of_kind(events, ev.RAISED)] == [(1, "ValueError", "boom")]


def logged(probed: bool, setup: Setup) -> list[tuple[str, str, str, int]]:
    """What uvicorn logs of an exception: level, text, function, and whether there is a traceback."""
    records: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keeping()
    with as_it_was("uvicorn.error") as logger:
        logger.addHandler(handler)
        with Served(raising(ValueError("boom")), setup, probed=probed) as served:
            served.get("/")
    return [
        (record.levelname, record.getMessage(), f"{record.pathname} {record.funcName}", record.lineno)
        for record in records
        if record.exc_info
    ]


@pytest.mark.parametrize("setup", [PLAIN, HTTPTOOLS], ids=["h11", "httptools"])
def test_what_is_logged_is_as_without_the_probe(setup: Setup) -> None:
    """The exception is logged once, with the same text, and as from the same line of uvicorn's."""
    assert logged(probed=True, setup=setup) == logged(probed=False, setup=setup)
    assert len(logged(probed=True, setup=setup)) == 1


def test_what_is_printed_is_as_without_the_probe(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no logger has a handler, an exception is printed by Python's last resort, as it is elsewhere."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    printed = []
    for probed in (False, True):
        stream = io.StringIO()
        monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(stream))
        with Served(raising(ValueError("boom")), probed=probed) as served:
            served.get("/")
        printed.append([line for line in stream.getvalue().splitlines() if "loopviz" not in line])
    assert any("ValueError: boom" in line for line in printed[0])
    assert sum("ValueError: boom" in line for line in printed[0]) == sum(
        "ValueError: boom" in line for line in printed[1]
    )


GROUPS: list[tuple[BaseException, str]] = [
    (ExceptionGroup("g", [ValueError("boom")]), "ValueError: boom"),
    (ExceptionGroup("g", [ExceptionGroup("h", [KeyError("k")])]), "KeyError: 'k'"),
    (
        ExceptionGroup("g", [ValueError("boom"), ExceptionGroup("h", [TypeError()])]),
        "ExceptionGroup: ValueError: boom, TypeError",
    ),
    (
        ExceptionGroup("g", [ValueError("a"), TypeError("b"), KeyError("c"), OSError("d")]),
        "ExceptionGroup: ValueError: a, TypeError: b and 2 more",
    ),
]


@pytest.mark.parametrize(("error", "said"), GROUPS, ids=["one", "nested", "two", "four"])
def test_a_group_is_named_by_its_exceptions(error: BaseException, said: str) -> None:
    """An exception group is reported as the exception in it, or as the first ones and how many."""
    assert errors(raising(error), "/") == [said]


def test_a_task_group_is_named_by_what_its_task_raised() -> None:
    """What a task of a task group raises is reported, not that there were errors in a group."""
    app = FastAPI()

    @app.get("/")
    async def root() -> None:
        async def fails() -> None:
            raise ValueError("boom")

        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(asyncio.sleep(1))

    assert errors(app, "/") == ["ValueError: boom"]


def test_a_hostile_exception() -> None:
    """An exception that cannot be turned into text, or is long, is reported by what can be."""

    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert errors(raising(HostileError()), "/") == ["HostileError: "]
    name, message = described(ExceptionGroup("g", [ValueError("x" * 1_000), HostileError(), HostileError()]))
    assert name == "ExceptionGroup"
    assert len(message) <= 200
    assert message.endswith("HostileError and 1 more")
    assert len(described(ValueError("x" * 1_000))[1]) == 200


def test_a_debug_logger_and_a_probe() -> None:
    """With uvicorn's most detailed log level, which asks the logger for its level, all is answered."""
    with as_it_was("uvicorn.error") as logger:
        logger.setLevel(5)
        with Served(slow_app(), DEBUG) as served:
            assert served.get("/wait?seconds=0")[0] == 200
            events = list(served.settle())
    assert not of_kind(events, ev.RAISED)
    assert REQUESTS not in dict(served.probe.blind)
