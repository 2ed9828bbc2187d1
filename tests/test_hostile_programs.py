"""What the hooks do with objects that answer no question, or with more tasks than usual."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import sys
import threading
import time
import weakref
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import pytest

from loopviz.model import State
from loopviz.probe.state import ATTRIBUTE
from loopviz.stream import events as ev
from tests.probe_support import EAGER, PLAIN, UVLOOP, Setup
from tests.test_probe_tasks import after_one, probed, spent

LOOPS = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, EAGER, UVLOOP)]
)


class Lazy:
    """An object whose attributes and class are not known before it is used, as those of a lazy object."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def __getattribute__(self, name: str) -> Any:
        Lazy.asked.append((name, threading.current_thread().name))
        raise RuntimeError(name)

    def __call__(self, *_: object) -> None:
        """As a callback."""


class Secretive(asyncio.Task[Any]):
    """A task that hides what it has."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith(ATTRIBUTE):
            raise RuntimeError(name)
        super().__setattr__(name, value)

    def get_coro(self) -> Any:
        """It hides its coroutine."""
        raise RuntimeError

    def get_name(self) -> str:
        """It hides its name."""
        raise RuntimeError


class Handmade(Coroutine[Any, Any, Any]):
    """A coroutine that is no native one."""

    def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
        self.inner = inner

    def send(self, value: Any) -> Any:
        """As the inner one."""
        return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        """As the inner one."""
        return self.inner.throw(*error)

    def close(self) -> None:
        """As the inner one."""
        self.inner.close()

    def __await__(self) -> Any:
        return self.inner.__await__()

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Childless(asyncio.Future[Any]):
    """A future with an attribute of the same name as that of a `gather`."""

    @property
    def _children(self) -> Any:
        raise RuntimeError


async def _blocks_twice() -> None:
    await asyncio.sleep(0.05)
    time.sleep(0.03)
    await asyncio.sleep(0.05)
    time.sleep(0.03)


@LOOPS
def test_a_task_that_hides_its_attributes_is_served_and_seen(setup: Setup) -> None:
    """The hooks raise nothing in a subclass of Task whose attributes cannot be asked for or set."""

    async def handler() -> None:
        await Secretive(_blocks_twice(), loop=asyncio.get_running_loop())

    request = after_one(handler, setup).requests[1]
    assert spent(request, State.RUNNING) > 0.05
    assert spent(request, State.AWAITING) > 0.08


@LOOPS
def test_a_coroutine_written_by_hand_is_a_task_like_others(setup: Setup) -> None:
    """A task is seen whose coroutine is an object that knows the methods of a coroutine, and nothing else."""

    async def handler() -> None:
        await asyncio.create_task(Handmade(_blocks_twice()))
        await Handmade(_blocks_twice())

    request = after_one(handler, setup).requests[1]
    assert spent(request, State.RUNNING) > 0.1
    assert spent(request, State.AWAITING) > 0.16


@LOOPS
def test_lazy_objects_are_not_used_by_the_probe(setup: Setup) -> None:
    """Objects in callbacks, locals and arguments are not asked for attributes or their class."""
    Lazy.asked.clear()
    lock = asyncio.Lock()

    async def generator() -> Any:
        received = yield
        await asyncio.sleep(0.05)
        yield received

    async def holds(_: object) -> None:
        async with lock:
            await asyncio.sleep(0.05)

    async def handler() -> None:
        lazy = Lazy()
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(holds(lazy)) for _ in range(3)]
        for task in tasks:
            task.add_done_callback(lambda _: lazy(None))
            task.add_done_callback(functools.partial(lambda *_: None, lazy))
        await asyncio.sleep(0.03)
        await asyncio.shield(tasks[0])
        await asyncio.wait(tasks)
        values = generator()
        await values.__anext__()
        await values.asend(lazy)  # codespell:ignore asend
        await values.aclose()
        woken = loop.create_future()

        def wake() -> None:
            time.sleep(0.02)
            loop.call_soon_threadsafe(lambda _: woken.set_result(None), lazy)

        threading.Thread(target=wake).start()
        time.sleep(0.05)
        await woken
        await anyio.to_thread.run_sync(lambda _: None, lazy)

    after_one(handler, setup)
    assert Lazy.asked == []


@LOOPS
def test_a_future_that_raises_is_awaited_alone(setup: Setup) -> None:
    """While a future that hides its children is awaited, a child task that runs on is not awaited."""

    async def child() -> None:
        await asyncio.sleep(0.03)
        time.sleep(0.05)

    async def handler() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(child())
        future = Childless(loop=loop)
        loop.call_later(0.15, future.set_result, None)
        await future
        await task

    request = after_one(handler, setup).requests[1]
    assert spent(request, State.RUNNING) < 0.04
    assert spent(request, State.AWAITING) > 0.1


@LOOPS
def test_a_limiter_accepts_any_borrower(setup: Setup) -> None:
    """A thread's limiter is used on behalf of objects that are not tasks, and they are asked for nothing."""
    Lazy.asked.clear()

    async def handler() -> None:
        limiter = anyio.CapacityLimiter(1)
        first, second = object(), object()
        lazy = Lazy()
        await limiter.acquire_on_behalf_of(lazy)
        with anyio.move_on_after(0.01):
            await limiter.acquire_on_behalf_of(second)
        limiter.release_on_behalf_of(lazy)
        await limiter.acquire_on_behalf_of(first)
        limiter.release_on_behalf_of(first)

    after_one(handler, setup)
    assert Lazy.asked == []


@LOOPS
def test_an_executor_may_look_at_the_function(setup: Setup) -> None:
    """An executor's own `submit` sees the name of the function, and any callable may run in a thread."""
    names: list[str] = []

    class Named(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **options: Any) -> Any:
            names.append(fn.__name__)
            return super().submit(fn, *args, **options)

    class Mute:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __call__(self) -> None:
            time.sleep(0.05)

    def work() -> None:
        time.sleep(0.05)

    async def handler() -> None:
        loop = asyncio.get_running_loop()
        with Named(1) as executor:
            await loop.run_in_executor(executor, work)
        await loop.run_in_executor(None, Mute())
        await anyio.to_thread.run_sync(Mute())

    request = after_one(handler, setup).requests[1]
    assert names == ["work"]
    assert spent(request, State.IN_THREAD) > 0.12


def test_a_gather_may_be_as_deep_as_asyncio_allows() -> None:
    """Gathers within gathers are followed without recursion."""

    async def watched() -> None:
        with probed():
            future: asyncio.Future[Any] = asyncio.create_task(asyncio.sleep(0.01))
            for _ in range(2000):
                future = asyncio.gather(future)
            await asyncio.create_task(_awaits(future))

    async def _awaits(future: asyncio.Future[Any]) -> None:
        await future

    asyncio.run(watched())


def test_what_a_task_has_started_is_forgotten_though_it_only_yields() -> None:
    """A task that starts tasks and is never suspended, except to yield, does not keep the traces of all."""

    async def nothing() -> None:
        pass

    async def spawns() -> int:
        for _ in range(3000):
            asyncio.create_task(nothing())  # noqa: RUF006
            await asyncio.sleep(0)
        trace = getattr(asyncio.current_task(), ATTRIBUTE)
        return len(trace.joins.new)

    async def watched() -> int:
        with probed():
            return await asyncio.create_task(spawns())

    assert 0 < asyncio.run(watched()) < 500


def test_the_lines_of_thousands_of_awaits_are_read_in_turn() -> None:
    """With 5,000 tasks suspended no look of the sampler takes them all, and none is left out for ever."""

    async def waits() -> None:
        await asyncio.sleep(2.5)

    async def watched() -> list[int]:
        with probed() as probe:
            tasks = [asyncio.create_task(waits()) for _ in range(5000)]
            await asyncio.wait(tasks)
            return [event[0] for event in probe.buffer.drain() if event[1] == ev.AWAITS]

    times = asyncio.run(watched())
    assert len(times) >= 5000
    looks = 1 + sum(later - earlier > 5_000_000 for earlier, later in itertools.pairwise(times))
    assert looks > 5


@pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, EAGER)]
)
def test_debug_mode_does_not_name_the_hooks(setup: Setup) -> None:
    """Where asyncio's debug mode says that a task or handle was made, the probe is not named."""

    async def places() -> list[str]:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        if setup.eager and sys.version_info >= (3, 12):
            loop.set_task_factory(asyncio.eager_task_factory)
        task = loop.create_task(asyncio.sleep(0.01))
        made: list[Any] = [task, loop.call_soon(int), loop.call_later(5, int), loop.call_soon_threadsafe(int)]
        await task
        made[2].cancel()
        return [entry.filename for one in made for entry in one._source_traceback or ()]

    async def watched() -> list[str]:
        with probed():
            return await asyncio.create_task(places())

    found = asyncio.run(watched())
    assert found
    assert not [name for name in found if "/probe/" in name]


def test_the_result_of_a_sleep_is_not_kept() -> None:
    """What `asyncio.sleep` returns is alive for no longer than without the probe."""

    class Result:
        """Something that can be referred to weakly."""

    async def sleeps() -> object:
        result = Result()
        known = weakref.ref(result)
        await asyncio.sleep(0.001, result)
        del result
        await asyncio.sleep(0)  # the step after the sleep has the future of it
        gc.collect()
        return known()

    async def watched() -> object:
        with probed():
            return await asyncio.create_task(sleeps())

    assert asyncio.run(watched()) is None


@LOOPS
def test_a_loop_of_callbacks_wakes_when_it_does(setup: Setup) -> None:
    """A callback from a thread that schedules itself over and over wakes when it does, not when it began."""

    async def handler() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        end = time.monotonic() + 0.2

        def polls() -> None:
            if time.monotonic() > end:
                future.set_result(None)
            else:
                time.sleep(0.001)
                loop.call_soon(polls)

        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(polls,))
        thread.start()
        await future
        thread.join()

    line = after_one(handler, setup)
    assert spent(line.requests[1], State.AWAITING) > 0.1
    assert spent(line.requests[1], State.READY) < 0.05
