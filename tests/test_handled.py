"""Applications that handle their exceptions, and frameworks that run the application in another task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from fastapi import FastAPI, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from loopviz.model import Timeline
from loopviz.probe.chain import inwards
from loopviz.stream import events as ev
from tests.probe_support import Served, of_kind

_log = logging.getLogger("tests.handled")


async def _answer(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


async def _handles(scope: Any, receive: Any, send: Any) -> None:
    """Let no exception out, in one of the ways of frameworks."""
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    what, status = scope["path"].strip("/").split("-")
    try:
        if what == "thread":
            await asyncio.to_thread(_fails_in_thread)
        elif what != "none":
            _fails()
    except LookupError:
        if what == "inside":
            await _answer(send, int(status))
            return
        if what == "logs":
            _log.exception("it failed")
    await _answer(send, int(status))


def _fails() -> None:
    raise LookupError("gone")


def _fails_in_thread() -> None:
    try:
        _fails()
    except LookupError:
        _log.exception("it failed")


def _raised(app: Any, *paths: str) -> dict[str, list[str]]:
    """The exceptions that are reported for requests at these paths."""
    with Served(app) as served:
        for path in paths:
            served.get(path)
        events = served.settle(len(paths))
        assert served.probe.failures == []
    found: dict[str, list[str]] = {}
    for number, path in {event[2]: event[4] for event in of_kind(events, ev.READ)}.items():
        found[path] = [f"{e[3]}: {e[4]}" for e in of_kind(events, ev.RAISED) if e[2] == number]
    return found


def test_exception_that_is_logged() -> None:
    """An exception that was logged while a request was served is the reason of its status from 500."""
    found = _raised(_handles, "/logs-500", "/logs-200", "/thread-502", "/none-500")
    assert found == {
        "/logs-500": ["LookupError: gone"],
        "/logs-200": [],
        "/thread-502": ["LookupError: gone"],
        "/none-500": [],
    }


def test_exception_that_is_being_handled() -> None:
    """So is one that is being handled while the response is sent."""
    found = _raised(_handles, "/inside-500", "/inside-404", "/silent-500")
    assert found == {"/inside-500": ["LookupError: gone"], "/inside-404": [], "/silent-500": []}


def test_exception_that_is_an_answer() -> None:
    """An HTTPException is an answer, not a failure; an exception that is let out is reported once."""
    app = FastAPI()

    @app.get("/busy")
    async def busy() -> None:
        raise HTTPException(503)

    @app.get("/boom")
    async def boom() -> None:
        raise ValueError("boom")

    assert _raised(app, "/busy", "/boom") == {"/busy": [], "/boom": ["ValueError: boom"]}


def test_loggers_are_as_before() -> None:
    """Without a probe the class of all loggers is as it was, also when there were two probes."""
    before = vars(logging.Logger)["handle"]
    with Served(_handles) as first:
        with Served(_handles) as second:
            second.get("/logs-500")
        assert vars(logging.Logger)["handle"] is not before
        first.get("/logs-500")
        events = first.settle()
    assert vars(logging.Logger)["handle"] is before
    assert len(of_kind(events, ev.RAISED)) == 1
    assert len(of_kind(second.events, ev.RAISED)) == 1


def test_line_behind_a_middleware() -> None:
    """A request whose middleware has started the application in a task awaits where the application does."""
    app = FastAPI()

    @app.middleware("http")
    async def passes_on(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await call_next(request)

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(0.15)

    with Served(app) as served:
        served.get("/slow")
        events = served.settle()
    timeline = Timeline()
    timeline.feed(events)
    (request,) = timeline.requests.values()
    longest = max(request.segments, key=lambda part: part.end - part.start)
    assert longest.where is not None
    assert longest.where.function.endswith("slow")
    assert longest.awaits is not None
    assert longest.awaits.what == "timer"


class _Compiled:
    """An asynchronous generator as Cython makes it: it knows what it awaits, and has no frame."""

    def __init__(self, awaited: object) -> None:
        self._awaited = awaited

    @property
    def ag_await(self) -> object:
        return self._awaited


def test_chain_through_a_generator_without_a_frame() -> None:
    """A chain of awaits goes on behind a compiled asynchronous generator."""

    async def inner() -> AsyncIterator[int]:
        await _Once()
        yield 1

    class _Once:
        def __await__(self) -> Generator[None]:
            yield

    async def outer() -> None:
        async for _ in inner():
            pass

    coro = outer()
    coro.send(None)
    names = [frame.f_code.co_name for _, frame in inwards(_Compiled(coro))]
    assert names == ["outer", "inner", "__await__"]
    coro.close()
