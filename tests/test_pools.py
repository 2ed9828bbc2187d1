"""Which pool of workers is full: by real servers, and in the sentence and the summary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fastapi import Depends, FastAPI

from loopviz.draw.story import story
from loopviz.model import State, Timeline
from loopviz.model.positions import positions
from loopviz.model.request import Request
from loopviz.model.summary import summarise
from loopviz.stream import events as ev
from loopviz.tui.knobs import knobs_of
from loopviz.tui.scene.machine.stations import plant
from tests.probe_support import PLAIN, UVLOOP, Served, Setup
from tests.streams import (
    accepted,
    call,
    end,
    feed,
    ns,
    responded,
    returns,
    step,
    submit,
    suspend,
    timeline,
    token_wait,
    tokens,
    wake,
)  # fmt: skip

LASTS = 0.25
"""How long a call lasts (s)."""

setups = pytest.mark.parametrize(
    "setup", [pytest.param(s, id=s.name, marks=s.marks()) for s in (PLAIN, UVLOOP)]
)


def work() -> None:
    """A call."""
    time.sleep(LASTS)


def observed(handler: Callable[..., Any], requests: int, setup: Setup, threads: int = 40) -> Timeline:
    """That many requests at once to a handler, as the model has them."""
    app = FastAPI()
    app.add_api_route("/x", handler, response_model=None)
    with Served(app, setup, threads=threads) as served:
        assert [status for status, _ in served.get_all(["/x"] * requests)] == [200] * requests
        served.settle(requests)
        assert served.probe.failures == []
    line = Timeline()
    line.feed(served.events)
    return line


def waiting(line: Timeline) -> list[tuple[Request, int]]:
    """The requests that have waited for a thread for long, and a moment in the middle of it."""
    return [
        (request, (segment.start + segment.end) // 2)
        for request in line.requests.values()
        for segment in request.segments
        if segment.state is State.TOKEN_WAIT and segment.end - segment.start > 0.5 * LASTS * 1e9
    ]


def said(line: Timeline, *, brief: bool = False) -> list[str]:
    """The sentences of a moment at which a request waits."""
    found = waiting(line)
    assert found, "nobody has waited"
    mood, sentences = story(line, found[0][1], brief=brief)
    assert mood == "alarm"
    return sentences


def pools(line: Timeline) -> dict[str, dict[str, Any]]:
    """The pools of the summary, by kind."""
    document = summarise(line, scenario=None, environment={}, limit=40)
    return {pool["kind"]: pool for pool in document["pools"]}


@setups
def test_an_executor_of_the_application_is_named(setup: Setup) -> None:
    """A full executor is named with its size; the thread limit, of which 40 are free, is not."""
    with ThreadPoolExecutor(1, thread_name_prefix="reports") as executor:

        async def handler() -> None:
            await asyncio.get_running_loop().run_in_executor(executor, work)

        line = observed(handler, 3, setup)
    held, free = said(line)
    assert held.startswith("The only thread of reports is in use, and")
    assert "max_workers" in free
    assert "]" not in free
    found = pools(line)
    assert found["executor"]["name"] == "reports"
    assert (found["executor"]["size"], found["executor"]["peak"]) == (1, 1)
    assert found["executor"]["max_waiting_s"] > 1.5 * LASTS
    assert found["default-limiter"]["max_waiting_s"] == 0


@setups
def test_the_limit_of_anyio_is_named_when_it_is_reached(setup: Setup) -> None:
    """Plain `def` endpoints wait for AnyIO's threads: a higher thread limit helps."""

    def handler() -> None:
        work()

    line = observed(handler, 5, setup, threads=2)
    held, free = said(line)
    assert held.startswith("All 2 threads are in use, and")
    assert "thread limit (])" in free
    found = pools(line)
    assert list(found) == ["default-limiter"]
    assert (found["default-limiter"]["size"], found["default-limiter"]["peak"]) == (2, 2)
    assert found["default-limiter"]["max_waiting_s"] > 1.5 * LASTS


@setups
def test_a_limiter_of_the_application_is_named(setup: Setup) -> None:
    """A full CapacityLimiter of the application's own is distinguished from AnyIO's default one."""
    limiter: list[anyio.CapacityLimiter] = []

    async def handler() -> None:
        if not limiter:
            limiter.append(anyio.CapacityLimiter(2))
        await anyio.to_thread.run_sync(work, limiter=limiter[0])

    line = observed(handler, 5, setup)
    held, free = said(line)
    assert held.startswith("All 2 threads of a CapacityLimiter are in use, and")
    assert "total_tokens" in free
    found = pools(line)
    assert (found["limiter"]["size"], found["limiter"]["peak"]) == (2, 2)
    assert found["default-limiter"]["max_waiting_s"] == 0


@setups
def test_the_default_executor_of_asyncio_is_named(setup: Setup) -> None:
    """`asyncio.to_thread` waits for the loop's default executor, from its first call on."""

    async def handler() -> None:
        loop = asyncio.get_running_loop()
        if not made:
            made.append(ThreadPoolExecutor(1, thread_name_prefix="mine"))
            loop.set_default_executor(made[0])
        await asyncio.to_thread(work)

    made: list[ThreadPoolExecutor] = []
    line = observed(handler, 3, setup)
    held, free = said(line)
    assert held.startswith("The only thread of asyncio's default executor is in use, and")
    assert "set_default_executor" in free


@setups
def test_the_executor_that_the_first_call_makes_is_known(setup: Setup) -> None:
    """The first call to the loop's default executor counts as a call of it."""

    async def handler() -> None:
        await asyncio.to_thread(time.sleep, 0.05)

    found = pools(observed(handler, 1, setup))
    assert found["default-executor"]["peak"] == 1
    assert found["default-executor"]["size"] != 1  # unknown on uvloop


def test_a_pool_of_processes_is_named() -> None:
    """Calls that wait for a worker process name the pool and its size, and no threads."""
    # Python warns of a fork beside any thread, also one that another test has left.
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        executor.submit(int).result()

        async def handler() -> None:
            await asyncio.get_running_loop().run_in_executor(executor, time.sleep, LASTS)

        line = observed(handler, 3, PLAIN)
    held, free = said(line)
    assert held.startswith("The only worker process of ProcessPoolExecutor is in use, and")
    assert "cores" in free
    assert pools(line)["processes"]["size"] == 1


@setups
def test_limiters_for_one_call_each_are_no_pools(setup: Setup) -> None:
    """FastAPI makes a limiter when a dependency with `yield` ends: the next one has the number of that."""

    def connection() -> Iterator[int]:
        yield 1

    async def handler(_: int = Depends(connection)) -> None:
        pass

    app = FastAPI()
    app.add_api_route("/x", handler, response_model=None)
    with Served(app, setup) as served:
        for _ in range(10):
            served.get("/x")
        served.settle(10)
    line = Timeline()
    line.feed(served.events)
    limiters = [pool for pool in line.pools.by_number.values() if pool.kind == "limiter"]
    assert 1 <= len(limiters) < 5
    assert list(pools(line)) == ["default-limiter"]
    assert knobs_of(line) == ()
    (machine,) = plant(line, positions(line, line.last), line.last).machines
    assert [place.pool.kind for place in machine.pools if place.pool] == ["default-limiter"]


def test_a_limiter_of_one_thread_that_was_waited_for_is_a_pool() -> None:
    """It is also one if it has been made smaller."""
    limiter = anyio.CapacityLimiter(1)

    async def handler() -> None:
        await anyio.to_thread.run_sync(time.sleep, 0.05, limiter=limiter)

    line = observed(handler, 2, PLAIN)
    assert pools(line)["limiter"]["size"] == 1
    assert [knob.size for knob in knobs_of(line)] == [1]
    waits = timeline(pool(1, "limiter"), accepted(1), handed(2, 1, 1), token_wait(2, 1), suspend(3, 1))
    assert [knob.size for knob in knobs_of(waits)] == [1]
    smaller = timeline(pool(1, "limiter", size=2), pool(1, "limiter", size=1))
    assert [knob.size for knob in knobs_of(smaller)] == [1]


def test_after_its_own_limiter_a_task_does_not_wait_for_a_thread() -> None:
    """A limiter that limits no threads makes nobody wait for a thread."""
    limiters: list[anyio.CapacityLimiter] = []

    async def handler() -> None:
        if not limiters:
            limiters.extend([anyio.CapacityLimiter(5), anyio.CapacityLimiter(1)])
        await anyio.to_thread.run_sync(time.sleep, 0.01, limiter=limiters[0])
        async with limiters[1]:
            await asyncio.sleep(LASTS)

    assert waiting(observed(handler, 2, PLAIN)) == []


# -- by events written by hand --------------------------------------------------------------------


def pool(number: int, kind: ev.PoolKind, name: str = "", size: int = 1) -> ev.Event:
    """POOL."""
    return (ns(0), ev.POOL, number, kind, name, size)


def handed(at: float, number: int, task: int, call_: int = 0) -> ev.Event:
    """POOL_CALL."""
    return (ns(at), ev.POOL_CALL, call_, task, number)


def busy(*, brief: bool = False, name: str = "reports") -> tuple[Timeline, list[str]]:
    """Two requests wait for a full executor, one for a full limiter."""
    line = timeline(pool(1, "executor", name), pool(2, "default-limiter", size=40), tokens(0, 40, 40, 1))
    for n in (1, 2, 3):
        feed(line, accepted(n, n), [submit(3, n, n, n), handed(3, 1, n, n)], suspend(4, n))
    feed(line, accepted(4, 4), handed(3, 2, 4), token_wait(3, 4), suspend(4, 4), call(5, 1))
    return line, story(line, ns(50), brief=brief)[1]


def test_the_sentence_names_the_pool_for_which_most_wait() -> None:
    """Of two full pools the one with more requests is named, with how many wait for it."""
    _, sentences = busy()
    assert sentences == [
        "The only thread of reports is in use, and 2 requests are waiting for one: #2 for 46 ms.",
        "The event loop is free. A higher max_workers of it would let them start.",
    ]


def test_brief_sentences_of_pools_fit() -> None:
    """In brief they are no longer than 77 columns, whatever the pool is called."""
    for name in ("reports", "x" * 200):
        assert all(len(sentence) <= 77 for sentence in busy(brief=True, name=name)[1])


def test_a_pool_that_was_not_seen_to_be_full_is_not_called_full() -> None:
    """Calls that others have submitted are not seen: then only the wait is reported."""
    line = timeline(
        pool(1, "executor", "reports", 2), accepted(), submit(3), handed(3, 1, 1, 1), suspend(4),
    )  # fmt: skip
    assert story(line, ns(50))[1] == [
        "1 request is waiting for a thread of reports: #1 for 46 ms.", "The event loop is free.",
    ]  # fmt: skip


def test_an_unknown_pool_is_not_named() -> None:
    """A call to an executor of which nothing is known waits for a thread."""
    line = timeline(tokens(0, 40, 0, 0), accepted(), submit(3), suspend(4))
    assert story(line, ns(50))[1] == [
        "1 request is waiting for a thread: #1 for 46 ms.",
        "The event loop is free.",
    ]


def test_the_past_is_shown_as_it_was() -> None:
    """A frozen picture of a moment names the pool of that moment."""
    line, now = busy()
    feed(
        line,
        returns(60, 1),
        wake(60, 1),
        call(60, 2, 2, 2),
        returns(70, 2),
        call(70, 3, 3, 3),
        returns(80, 3),
    )
    assert story(line, ns(50))[1] == now
    assert story(line, ns(65))[1][0] != now[0]


def test_a_task_of_two_pools_waits_for_each_in_turn() -> None:
    """When the call of the first pool begins, a task that has called a second pool waits for that one."""
    line = timeline(
        pool(1, "executor", "a"), pool(2, "executor", "b"), accepted(),
        submit(3, 1), handed(3, 1, 1, 1), submit(3.1, 2), handed(3.1, 2, 1, 2), suspend(4), call(20, 2),
    )  # fmt: skip
    assert line.pools.waiting_at(ns(10)) == {2: {1}}
    assert line.pools.waiting_at(ns(30)) == {1: {1}}
    feed(
        line,
        call(40, 1, thread=3),
        returns(50, 1),
        returns(50, 2),
        wake(50),
        step(51),
        responded(52),
        end(53),
    )
    assert line.pools.waiting_at(ns(60)) == {}
    assert [p.busy for p in line.pools.by_number.values()] == [0, 0]
    assert [p.peak for p in line.pools.by_number.values()] == [1, 1]
