"""The size of a pool is changed while it works: nothing is lost, repeated or put into another order."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest

from loopviz.errors import InputError
from loopviz.probe.resizing import resize_executor
from loopviz.stream import events as ev
from tests.probe_support import Served, every_setup, of_kind


class Gate:
    """Calls that last until they are let through, and how many of them execute."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()
        self.open = threading.Semaphore(0)

    @property
    def inside(self) -> int:
        """How many execute now."""
        with self._lock:
            return self._inside

    def call(self, number: int) -> int:
        """One call."""
        with self._lock:
            self.order.append(number)
            self._inside += 1
            self.most = max(self.most, self._inside)
        assert self.open.acquire(timeout=20)
        with self._lock:
            self._inside -= 1
        return number

    def let(self, calls: int) -> None:
        """Let so many calls return."""
        for _ in range(calls):
            self.open.release()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.002)


@contextmanager
def working(workers: int, calls: int) -> Iterator[tuple[ThreadPoolExecutor, Gate, list[Future[int]]]]:
    """A pool that executes calls which last."""
    gate, executor = Gate(), ThreadPoolExecutor(workers, "resized")
    try:
        futures = [executor.submit(gate.call, number) for number in range(calls)]
        until(lambda: gate.inside == min(workers, calls))
        yield executor, gate, futures
    finally:
        gate.let(10_000)
        executor.shutdown()


def alive(executor: ThreadPoolExecutor) -> int:
    """How many of its threads have not ended."""
    return sum(thread.name.startswith("resized") for thread in threading.enumerate())


def test_a_larger_pool_takes_what_waits_at_once():
    """Threads begin for what is in the queue, without a further call, and no more of them than that."""
    with working(2, 5) as (executor, gate, futures):
        resize_executor(executor, 8)
        until(lambda: gate.inside == 5)
        assert alive(executor) == 5
        gate.let(5)
        assert [future.result(20) for future in futures] == list(range(5))


def test_a_smaller_pool_ends_threads_that_are_idle():
    """At once; the pool goes on with as many as it may have."""
    with working(6, 6) as (executor, gate, futures):
        gate.let(6)
        wait(futures, 20)
        resize_executor(executor, 2)
        until(lambda: alive(executor) == 2)
        more = [executor.submit(gate.call, number) for number in range(10)]
        until(lambda: gate.inside == 2)
        time.sleep(0.05)
        assert gate.inside == 2
        gate.let(10)
        assert [future.result(20) for future in more] == list(range(10))


def test_a_smaller_pool_keeps_its_order_and_interrupts_nothing():
    """Threads that work end after their call, before they take what waits; what waits keeps its order."""
    with working(4, 12) as (executor, gate, futures):
        resize_executor(executor, 1)
        assert gate.inside == 4
        gate.let(4)
        until(lambda: alive(executor) == 1 and gate.inside == 1)
        gate.let(8)
        assert [future.result(20) for future in futures] == list(range(12))
        assert gate.order[4:] == list(range(4, 12))


def test_there_and_back_in_any_order():
    """Many changes while it works: every call is executed once, and never more at once than were allowed."""
    with working(3, 3) as (executor, gate, futures):
        more = list(futures)
        for number, size in enumerate((8, 1, 5, 2, 20, 1, 1, 4, 3)):
            more += [executor.submit(gate.call, 10 * number + at) for at in range(4)]
            resize_executor(executor, size)
            gate.let(2)
        resize_executor(executor, 2)
        gate.let(len(more))
        assert len({future.result(20) for future in more if future not in futures}) > 20
        assert len(gate.order) == len(more)
        until(lambda: alive(executor) <= 2)
        assert gate.most <= 20


def test_nobody_is_told_that_a_thread_has_left(caplog):
    """Its end is no error: nothing is logged, and no hook for exceptions of threads is called."""
    caplog.set_level(logging.DEBUG)
    with working(4, 4) as (executor, gate, futures):
        gate.let(4)
        wait(futures, 20)
        resize_executor(executor, 1)
        until(lambda: alive(executor) == 1)
    assert caplog.records == []


@pytest.mark.parametrize("cancel", [False, True])
def test_a_pool_that_is_shut_down_meanwhile_ends_as_it_does_alone(cancel):
    """All calls are executed, or cancelled if that was asked for; no thread stays."""
    with working(4, 12) as (executor, gate, futures):
        resize_executor(executor, 2)
        executor.shutdown(wait=False, cancel_futures=cancel)
        gate.let(12)
        executor.shutdown()
        assert sum(future.cancelled() for future in futures) == (8 if cancel else 0)
        assert all(future.done() for future in futures)
        assert not alive(executor)
        with pytest.raises(InputError, match="shut down"):
            resize_executor(executor, 9)


def test_a_pool_of_another_making_is_left_alone():
    """One that makes its threads in its own way, or has another queue, is refused in a sentence."""

    class Own(ThreadPoolExecutor):
        def _adjust_thread_count(self) -> None:
            super()._adjust_thread_count()

    own, queued = Own(2), ThreadPoolExecutor(2)
    queued._work_queue = queue.PriorityQueue()  # type: ignore[assignment]
    for executor in (own, queued, object()):
        with pytest.raises(InputError, match="cannot be changed"):
            resize_executor(executor, 4)
    assert own._max_workers == queued._max_workers == 2
    own.shutdown()


# -- in a server that is watched ---------------------------------------------------------------------------


def pools(served: Served) -> dict[str, tuple[int, int]]:
    """The number and the latest size of each pool, by kind."""
    return {event[3]: (event[2], event[5]) for event in of_kind(served.gather(), ev.POOL)}


@every_setup
def test_pools_of_a_server_are_changed_by_their_numbers(setup):
    """Executors and limiters; the event reports the new size. What is unknown, gone or fixed is said."""
    made: dict[str, Any] = {"pool": ThreadPoolExecutor(2, "own")}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        loop = __import__("asyncio").get_running_loop()
        limiter = made.setdefault("limiter", anyio.CapacityLimiter(1))
        await loop.run_in_executor(made["pool"], time.sleep, 0)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: anyio.to_thread.run_sync(lambda: time.sleep(0.01), limiter=limiter))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with Served(app, setup) as served:
        assert served.get("/")[0] == 204
        served.wait_for(lambda _: {"executor", "limiter"} <= set(pools(served)))
        known = pools(served)
        assert (known["executor"][1], known["limiter"][1]) == (2, 1)
        assert served.probe.resize(known["executor"][0], 7)
        assert served.probe.resize(known["limiter"][0], 3)
        served.wait_for(lambda _: (pools(served)["executor"][1], pools(served)["limiter"][1]) == (7, 3))
        assert made["limiter"].total_tokens == 3
        assert not served.probe.resize(999, 3)
        made.pop("pool").shutdown()
        with pytest.raises(InputError, match=r"gone|shut down"):
            served.probe.resize(known["executor"][0], 3)
        assert served.probe.failures == []
