"""What the hooks on tasks must not change, and which tasks and calls decide the state of a request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fastapi import BackgroundTasks, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopviz.model import Request, State, Timeline
from loopviz.probe import Probe
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer, Reorder
from tests.probe_support import EAGER, PLAIN, UVLOOP, Served, Setup, every_setup, of_kind

MS = 1_000_000
LOOPS = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, EAGER, UVLOOP)]
)


def serve(handler: Callable[..., Any], setup: Setup = PLAIN, **options: Any) -> Served:
    """A server whose only endpoint is GET /x."""
    app = FastAPI()
    app.add_api_route("/x", handler, response_model=None)
    return Served(app, setup, **options)


def timeline_of(served: Served) -> Timeline:
    """The timeline of all that a server that has ended did."""
    line = Timeline()
    line.feed(Reorder().push([tuple(event) for event in served.events], 1 << 62))
    return line


def after_one(handler: Callable[..., Any], setup: Setup, requests: int = 1, **options: Any) -> Timeline:
    """The timeline of requests to `handler` at the same time."""
    with serve(handler, setup, **options) as served:
        assert {status for status, _ in served.get_all(["/x"] * requests)} == {200}
        time.sleep(0.05)
    assert served.probe.failures == []
    return timeline_of(served)


def spent(request: Request, state: State) -> float:
    """Seconds that the request spent in the state."""
    return request.totals[state] / 1e9


@contextlib.contextmanager
def probed(*, notes_failures: bool = False) -> Iterator[Probe]:
    """A probe on the running loop. It has no failure to note, unless the program's arguments are wrong."""
    probe = Probe(Buffer())
    probe.install()
    try:
        yield probe
    finally:
        probe.uninstall()
    assert notes_failures or probe.failures == []


# -- the watched program does not change ------------------------------------------------------------


@LOOPS
def test_a_sleep_without_end_is_no_error(setup: Setup) -> None:
    """`asyncio.sleep(math.inf)` and `anyio.sleep_forever` work as without the probe."""

    async def handler() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            group.start_soon(asyncio.sleep, math.inf)
            await anyio.sleep(0.05)
            group.cancel_scope.cancel()

    line = after_one(handler, setup)
    assert spent(line.requests[1], State.AWAITING) > 0.03


_HOSTILE = st.one_of(
    st.none(), st.text(max_size=3), st.floats(), st.integers(), st.binary(max_size=3),
    st.sampled_from([math.inf, -math.inf, math.nan, 1e300, 10**400, object(), int, print, [], {}]),
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(
        ["call_soon", "call_at", "call_later", "call_soon_threadsafe", "create_task", "run_in_executor"]
    ),
    arguments=st.lists(_HOSTILE, max_size=4),
    timer=st.booleans(),
)
def test_hostile_arguments_have_the_same_outcome(name: str, arguments: list[Any], timer: bool) -> None:
    """Whatever a hooked method of the loop is called with, it raises what it raises without the probe."""

    async def outcome() -> type[BaseException] | None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        given = list(arguments)
        if timer and given:
            given[1:] = [asyncio.futures._set_result_unless_cancelled, *given[1:]]  # type: ignore[attr-defined]
        try:
            made = getattr(loop, name)(*given)
        except BaseException as error:
            return type(error)
        if isinstance(made, asyncio.Handle):
            made.cancel()
        elif isinstance(made, asyncio.Future):
            made.cancel()
            await asyncio.wait([made])
        return None

    async def watched() -> type[BaseException] | None:
        with probed(notes_failures=True):
            return await outcome()

    assert asyncio.run(watched()) is asyncio.run(outcome())


def _old(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop)


def _wrapping(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    async def wrapped() -> Any:
        return await coro

    return asyncio.Task(wrapped(), loop=loop, **options)


def _wrapping_eagerly(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return _wrapping(loop, coro, **{**options, "eager_start": True})


FACTORIES = [
    _old,
    _wrapping,
    pytest.param(
        _wrapping_eagerly,
        marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"),
    ),
]


@pytest.mark.parametrize("factory", FACTORIES)
def test_any_task_factory(factory: Any) -> None:
    """With a factory without a context, or one that wraps coroutines, states are right and rows end."""

    async def handler() -> None:
        asyncio.get_running_loop()
        await asyncio.gather(asyncio.sleep(0.05), asyncio.sleep(0.1))
        time.sleep(0.03)

    app = FastAPI()
    app.add_api_route("/x", handler)
    with Served(app, around=lambda loop, _: loop.set_task_factory(factory)) as served:
        assert {status for status, _ in served.get_all(["/x", "/x"])} == {200}
        served.settle(2)
    assert served.probe.failures == []
    line = timeline_of(served)
    assert line.live == 0
    for request in line.requests.values():
        assert spent(request, State.AWAITING) > 0.07
        assert spent(request, State.RUNNING) > 0.02
    assert line.started(line.last) == []


def test_the_result_of_an_await_is_freed() -> None:
    """The hooks keep no result of an await alive while the task is suspended at the next one."""

    class Big:
        pass

    def ask() -> asyncio.Future[Big]:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, lambda: future.set_result(Big()))
        return future

    async def user(refs: list[Any], gate: asyncio.Future[None]) -> None:
        refs.append(weakref.ref(await ask()))
        await gate

    async def main() -> bool:
        with probed():
            refs: list[Any] = []
            gate = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(user(refs, gate))
            await asyncio.sleep(0.05)
            gc.collect()
            alive = refs[0]() is not None
            gate.set_result(None)
            await task
            return alive

    assert not asyncio.run(main())


def test_debug_mode_names_the_task(caplog: pytest.LogCaptureFixture) -> None:
    """The debug mode of asyncio logs the task whose step was slow, and no name of the probe's."""

    async def slow() -> None:
        time.sleep(0.12)

    async def main() -> None:
        with probed():
            await asyncio.create_task(slow(), name="the slow one")

    with caplog.at_level(logging.WARNING, "asyncio"):
        asyncio.run(main(), debug=True)
    texts = [record.getMessage() for record in caplog.records if "took" in record.getMessage()]
    assert any("the slow one" in text for text in texts)
    assert not any("Step" in text for text in texts)  # to install the probe may be slow as well


def test_a_nested_loop_lets_its_task_wait() -> None:
    """A step that runs the loop itself, as nest_asyncio allows, is suspended while the loop sleeps."""

    def nested(loop: Any) -> None:
        # What nest_asyncio does, in short: run the loop inside a step until a task is done.
        task, current = loop.create_task(asyncio.sleep(0.1)), asyncio.current_task()
        assert current is not None
        asyncio.tasks._leave_task(loop, current)
        try:
            while not task.done():
                loop._run_once()
        finally:
            asyncio.tasks._enter_task(loop, current)

    async def handler() -> None:
        nested(asyncio.get_running_loop())

    line = after_one(handler, PLAIN)
    request = line.requests[1]
    assert spent(request, State.AWAITING) > 0.08
    assert spent(request, State.RUNNING) < 0.05
    assert not line.blocks


# -- which tasks and calls count --------------------------------------------------------------------


@LOOPS
def test_a_task_that_is_not_awaited_is_a_row_of_its_own(setup: Setup) -> None:
    """A task that a handler starts and does not await has its own row, with its own blocks."""
    kept = []

    async def ticker() -> None:
        for _ in range(2):
            await asyncio.sleep(0.03)
            time.sleep(0.12)

    async def handler() -> None:
        kept.append(asyncio.create_task(ticker()))
        await asyncio.sleep(0.4)

    with serve(handler, setup) as served:
        assert served.get("/x")[0] == 200
        served.settle()
    line = timeline_of(served)
    [row] = line.started(line.last)
    assert (row.path.rpartition(".")[2], row.started_by) == ("ticker", 1)
    assert spent(line.requests[1], State.RUNNING) < 0.1
    assert spent(row, State.RUNNING) > 0.2
    assert spent(line.requests[1], State.AWAITING) > 0.2
    assert [(block.request, block.started_by) for block in line.blocks] == [(0, 1), (0, 1)]


def _gather() -> Coroutine[Any, Any, Any]:
    return asyncio.gather(_work(), _work())  # type: ignore[return-value]


async def _task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_work())


async def _task_group_with_body() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_work)
        await asyncio.sleep(0.3)


async def _wait() -> None:
    await asyncio.wait([asyncio.create_task(_work()), asyncio.create_task(asyncio.sleep(0.3))])


async def _shield() -> None:
    await asyncio.shield(_work())


async def _wait_for() -> None:
    await asyncio.wait_for(_work(), 5)


async def _as_completed() -> None:
    for first in asyncio.as_completed([_work(), _work()]):
        await first


async def _awaited_later() -> None:
    task = asyncio.create_task(_work())
    await asyncio.sleep(0.02)
    await task


async def _indirectly() -> None:
    await asyncio.gather(asyncio.create_task(_task_group()), asyncio.shield(asyncio.create_task(_wait())))


async def _work() -> None:
    await asyncio.sleep(0.05)
    await anyio.to_thread.run_sync(time.sleep, 0.1)


@pytest.mark.parametrize(
    "fan_out",
    [
        _gather, _task_group, _task_group_with_body, _wait, _shield, _wait_for, _as_completed, _awaited_later,
        _indirectly,
    ],
)  # fmt: skip
@LOOPS
def test_awaited_tasks_count(fan_out: Callable[[], Any], setup: Setup) -> None:
    """While a handler awaits tasks in whatever way, what they do is the request's state."""

    async def handler() -> None:
        await fan_out()

    line = after_one(handler, setup)
    assert spent(line.requests[1], State.IN_THREAD) > 0.06
    assert spent(line.requests[1], State.AWAITING) > 0.03


@LOOPS
def test_a_thread_that_outlives_a_timeout_does_not_count(setup: Setup) -> None:
    """After a timeout the handler is in its next await, although the thread that it gave up still runs."""
    ended = threading.Event()

    def slow() -> None:
        time.sleep(0.4)
        ended.set()

    async def handler() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.to_thread(slow)
        with anyio.move_on_after(0.05):
            await anyio.to_thread.run_sync(slow, abandon_on_cancel=True)
        await asyncio.sleep(0.1)

    line = after_one(handler, setup)
    ended.wait(2)
    request = line.requests[1]
    assert 0.07 < spent(request, State.IN_THREAD) < 0.2
    assert spent(request, State.AWAITING) > 0.07
    assert [s.state for s in request.segments if s.end - s.start > 30 * MS][-1] is State.AWAITING


@LOOPS
def test_a_cancelled_call_is_waited_for_no_longer(setup: Setup) -> None:
    """A call that is cancelled while it waits for a busy executor ends the wait for a thread."""
    pool = ThreadPoolExecutor(1)
    gate = threading.Event()
    pool.submit(gate.wait, 5)

    async def handler() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.get_running_loop().run_in_executor(pool, print)
        await asyncio.sleep(0.2)

    line = after_one(handler, setup)
    gate.set()
    pool.shutdown()
    request = line.requests[1]
    assert 0.06 < spent(request, State.TOKEN_WAIT) < 0.18
    assert spent(request, State.AWAITING) > 0.15


def test_a_call_that_an_executor_refuses_is_not_waited_for() -> None:
    """`run_in_executor` on an executor that was shut down raises, and nobody waits for a thread."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()

    async def handler() -> None:
        with contextlib.suppress(RuntimeError):
            await asyncio.get_running_loop().run_in_executor(pool, print)
        await asyncio.sleep(0.1)

    request = after_one(handler, PLAIN).requests[1]
    assert spent(request, State.TOKEN_WAIT) == 0
    assert spent(request, State.AWAITING) > 0.08


def test_a_waiter_that_is_cancelled_leaves_the_queue_of_the_limiter() -> None:
    """The counts of the limiter are right after a task that waited for a thread was cancelled."""
    gate = threading.Event()

    async def handler() -> None:
        if gate.is_set():
            return
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, gate.wait, 5)
            await asyncio.sleep(0.05)
            with anyio.move_on_after(0.05):
                await anyio.to_thread.run_sync(print)
            await asyncio.sleep(0.1)
            tokens.append(of_kind(served.gather(), ev.TOKENS)[-1][2:])
            gate.set()

    tokens: list[Any] = []
    with serve(handler, threads=1) as served:
        assert served.get("/x")[0] == 200
    assert tokens == [(1, 1, 0)]


@every_setup
def test_running_before_the_response_is_running(setup: Setup) -> None:
    """What a step computes before the response is running, although the step goes on after the response."""

    async def mail() -> None:
        time.sleep(0.1)

    async def handler(background: BackgroundTasks) -> None:
        time.sleep(0.03)
        background.add_task(mail)

    request = after_one(handler, setup).requests[1]
    assert spent(request, State.RUNNING) > 0.025
    assert spent(request, State.READY) < 0.02
