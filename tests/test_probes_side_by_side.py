"""Several probes in one process, each on its own event loop: none sees or disturbs another."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio.to_thread
import pytest
from anyio._core._eventloop import get_async_backend
from fastapi import FastAPI

from loopviz.probe import Probe, classes
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer
from tests.probe_support import Served, Setup, of_kind

LOOPS = [
    "asyncio",
    pytest.param(
        "uvloop",
        marks=pytest.mark.skipif(not importlib.util.find_spec("uvloop"), reason="uvloop is not installed"),
    ),
]
every_loop = pytest.mark.parametrize("kind", LOOPS)


class Watched:
    """An event loop in a thread, with a probe that can be installed and removed."""

    def __init__(self, kind: str) -> None:
        self.buffer = Buffer()
        self.probe = Probe(self.buffer)
        if kind == "uvloop":
            import uvloop

            self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        else:
            self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def install(self) -> None:
        """Install the probe."""

        async def install() -> None:
            self.probe.install()

        self.do(install())

    def uninstall(self) -> None:
        """Remove the probe."""

        async def uninstall() -> None:
            self.probe.uninstall()

        self.do(uninstall())

    def seen(self) -> Counter[str]:
        """How many events of each kind there were since the last time."""
        return Counter(event[1] for event in self.buffer.drain())

    def close(self) -> None:
        """End the loop."""

        async def shutdown() -> None:
            self.probe.uninstall()
            await self.loop.shutdown_default_executor()

        self.do(shutdown())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@contextmanager
def watched(kind: str, number: int) -> Iterator[list[Watched]]:
    """Some loops."""
    with ExitStack() as stack:
        loops = []
        for _ in range(number):
            loop = Watched(kind)
            stack.callback(loop.close)
            loops.append(loop)
        yield loops


async def crowd() -> None:
    """Three calls in worker threads, one after the other, because the thread limit is one."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    await asyncio.gather(*(anyio.to_thread.run_sync(time.sleep, 0.01) for _ in range(3)))


def attributes(loop: Watched) -> list[Any]:
    """What the classes of AnyIO's have that a probe hooks."""

    async def look() -> list[Any]:
        kind = type(anyio.to_thread.current_default_thread_limiter())
        names = ("acquire_on_behalf_of_nowait", "release_on_behalf_of", "total_tokens")
        return [vars(get_async_backend())["run_sync_in_worker_thread"], *(vars(kind)[name] for name in names)]

    found: list[Any] = loop.do(look())
    return found


THREADS = (ev.CALL, ev.RETURN, ev.TOKEN_WAIT, ev.TOKENS)


@every_loop
@pytest.mark.parametrize("order", ["as installed", "reversed"])
def test_probes_are_removed_in_any_order(kind: str, order: str) -> None:
    """Each probe sees its own loop's worker threads and no other's, whichever is removed first."""
    with watched(kind, 3) as loops:
        before = attributes(loops[0])
        for loop in loops:
            loop.install()
            loop.seen()
        hooked = attributes(loops[0])
        assert all(ours is not theirs for ours, theirs in zip(hooked, before, strict=True))
        left = loops if order == "as installed" else loops[::-1]
        while left:
            for busy in loops:
                busy.do(crowd())
                for loop in loops:
                    seen = loop.seen()
                    if loop is busy and loop in left:
                        assert (seen[ev.CALL], seen[ev.RETURN]) == (3, 3)
                        assert seen[ev.TOKEN_WAIT] >= 1
                        assert seen[ev.TOKENS] >= 6
                    else:
                        assert [seen[name] for name in THREADS] == [0, 0, 0, 0]
            assert attributes(loops[0]) == hooked  # the same objects, however many probes there are
            gone, *left = left
            gone.uninstall()
        assert all(now is then for now, then in zip(attributes(loops[0]), before, strict=True))


def test_a_loop_has_one_probe() -> None:
    """A second probe on a loop is refused, and the first one goes on."""
    with watched("asyncio", 1) as (loop,):
        loop.install()

        async def again() -> None:
            Probe(Buffer()).install()

        with pytest.raises(RuntimeError, match="another probe watches this loop"):
            loop.do(again())
        loop.seen()
        loop.do(crowd())
        assert loop.seen()[ev.CALL] == 3
        loop.uninstall()
        loop.install()
        loop.do(crowd())
        assert loop.seen()[ev.CALL] == 3


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_servers_at_the_same_time(kind: str) -> None:
    """Two servers in one process: every request, status and answer is seen by its own server's probe."""
    setup = Setup(kind, loop=kind, http="httptools")
    for mark in setup.marks():
        pytest.skip(mark.kwargs["reason"])

    def app(code: int) -> FastAPI:
        app = FastAPI()

        @app.get("/", status_code=code)
        async def root() -> str:
            return "ok"

        return app

    first, second = Served(app(201), setup), Served(app(202), setup)
    with second:
        with first:
            for server in (first, second, first, second):
                server.get("/")
        # The first one's probe has gone, in the order in which neither was installed nor is nested.
        second.get("/")
        second.settle(3)
    for server, status, count in ((first, 201, 2), (second, 202, 3)):
        assert [event[3] for event in of_kind(server.events, ev.STATUS)] == [status] * count
        assert len(of_kind(server.events, ev.RESPONDED)) == count
        assert server.probe.failures == []


class Owner:
    """A class whose methods are hooked."""

    def method(self, value: int) -> int:
        """The original."""
        return value


class Child(Owner):
    """A class that inherits what is hooked."""


def add(amount: int) -> Callable[[Any], Any]:
    """A hook that adds to the result."""

    def make(original: Any) -> Any:
        return lambda self, value: original(self, value) + amount

    return make


@pytest.fixture
def here() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop on which the test's calls run."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def called(loop: asyncio.AbstractEventLoop, owner: type[Owner] = Owner) -> int:
    """The method's result for 0, on a loop."""

    async def call() -> int:
        return owner().method(0)

    return loop.run_until_complete(call())


def test_a_loop_without_a_probe_has_the_original(here: asyncio.AbstractEventLoop) -> None:
    """A hook is called on its own loop; elsewhere, and without a running loop, the original is."""
    original = vars(Owner)["method"]
    other = asyncio.new_event_loop()
    remove = classes.hook(Owner, "method", here, add(1))
    assert (called(here), called(other), Owner().method(0)) == (1, 0, 0)
    with pytest.raises(RuntimeError, match="another probe"):
        classes.hook(Owner, "method", here, add(1))
    remove()
    remove()
    assert vars(Owner)["method"] is original
    assert called(here) == 0
    other.close()


def test_what_somebody_else_has_put_there_stays(here: asyncio.AbstractEventLoop) -> None:
    """If another tool has wrapped a hooked method, its wrapper stays, and our hook passes through."""
    original: Any = vars(Owner)["method"]
    remove = classes.hook(Owner, "method", here, add(1))
    ours: Any = vars(Owner)["method"]

    def wrapper(self: Owner, value: int) -> int:
        result: int = ours(self, value)
        return result + 10

    Owner.method = wrapper  # type: ignore[method-assign]
    try:
        assert called(here) == 11
        remove()
        assert vars(Owner)["method"] is wrapper
        assert called(here) == 10
        again = classes.hook(Owner, "method", here, add(1))
        other = asyncio.new_event_loop()
        also = classes.hook(Owner, "method", other, add(2))
        assert (called(here), called(other)) == (11, 12)
        again()
        assert (called(here), called(other)) == (10, 12)
        also()
        assert vars(Owner)["method"] is wrapper
        other.close()
    finally:
        Owner.method = original  # type: ignore[method-assign]


def test_what_somebody_else_has_put_back_is_hooked_again(here: asyncio.AbstractEventLoop) -> None:
    """If another tool has put the original back, a new hook is called, and the old one is not in the way."""
    original: Any = vars(Owner)["method"]
    lost = classes.hook(Owner, "method", here, add(1))
    Owner.method = original  # type: ignore[method-assign]
    other = asyncio.new_event_loop()
    remove = classes.hook(Owner, "method", other, add(2))
    assert (called(here), called(other)) == (0, 2)
    lost()
    assert called(other) == 2
    remove()
    assert vars(Owner)["method"] is original
    other.close()


def test_an_inherited_method(here: asyncio.AbstractEventLoop) -> None:
    """A hook on a class that inherits the method leaves its base alone, and leaves nothing behind."""
    base = classes.hook(Owner, "method", here, add(1))
    other = asyncio.new_event_loop()
    child = classes.hook(Child, "method", other, add(2))
    assert (called(here), called(other)) == (1, 0)
    assert (called(here, Child), called(other, Child)) == (1, 2)
    base()
    assert (called(here, Child), called(other, Child)) == (0, 2)
    child()
    assert "method" not in vars(Child)
    other.close()
