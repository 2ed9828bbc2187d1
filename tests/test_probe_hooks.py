"""The probe's hooks do no harm: they are removed again, stay on one loop, and raise nothing in the app."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio._core._eventloop import get_async_backend
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

import loopviz.probe.probe
from loopviz.probe import Probe
from loopviz.probe.state import ProbeState
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer
from tests.probe_support import EAGER, PLAIN, Served, Setup, every_setup, kinds, of_kind, since, story

lazy_and_eager = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, EAGER)]
)


def working_app() -> FastAPI:
    """An app with an endpoint of each sort, all of which answer "ok"."""
    app = FastAPI()

    @app.get("/async")
    async def async_() -> str:
        await asyncio.gather(asyncio.sleep(0.05), asyncio.sleep(0))
        return "ok"

    @app.get("/sync")
    def sync() -> str:
        time.sleep(0.05)
        return "ok"

    @app.get("/executor")
    async def executor() -> str:
        await asyncio.to_thread(time.sleep, 0.01)
        return "ok"

    return app


PATHS = ("/async", "/sync", "/executor")


def snapshot(loop: asyncio.AbstractEventLoop, protocol: type) -> dict[str, Any]:
    """Everything that the probe might have changed: the attributes' names, and the callables."""
    owners = {
        "loop": loop,
        "selector": getattr(loop, "_selector", None),
        "protocol": protocol,
        "limiter": type(anyio.to_thread.current_default_thread_limiter()),
        "backend": get_async_backend(),
    }
    found: dict[str, Any] = {
        f"{name}.{attribute}": value
        if callable(value) or isinstance(value, (classmethod, staticmethod, property))
        else None
        for name, owner in owners.items()
        if owner is not None
        for attribute, value in vars(owner).items()
    }
    for name in ("uvicorn.error", "uvicorn", "uvicorn.access", None):
        logger = logging.getLogger(name)
        found[f"logger {name}"] = (
            logger.level,
            logger.propagate,
            tuple(logger.handlers),
            tuple(logger.filters),
        )
    found["task factory"] = loop.get_task_factory()
    return found


@every_setup
def test_uninstall_puts_everything_back(setup: Setup) -> None:
    """After the probe, loop, selector, limiter, AnyIO's backend, protocol and loggers are as before."""
    with Served(working_app(), setup, around=snapshot) as served:
        served.get_all(PATHS)
    before, after = served.seen
    assert before.pop("loop._task_factory", None) is before["task factory"]
    assert after.pop("loop._task_factory", None) is after["task factory"]
    if setup.eager == "lifespan":  # the app has set it
        assert before["task factory"] is None
        before["task factory"] = after["task factory"]
    assert after == before


@every_setup
def test_uninstall_ends_the_sampler(setup: Setup) -> None:
    """No thread of the probe's is left when it is removed."""
    before = set(threading.enumerate())  # what another test has left behind is not the probe's

    def added() -> set[str]:
        names = {thread.name for thread in set(threading.enumerate()) - before}
        return {name for name in names if name.startswith("loopviz")}

    with Served(working_app(), setup) as served:
        assert "loopviz sampler" in added()
        served.get("/async")
    assert not added()


@every_setup
def test_uninstall_during_requests(setup: Setup) -> None:
    """Requests that await, run in a thread or wait for one are answered after the probe is removed."""
    gate = threading.Event()
    app = FastAPI()

    @app.get("/async")
    async def async_() -> str:
        while not gate.is_set():
            await asyncio.sleep(0.01)
        return await asyncio.to_thread(lambda: "ok")

    @app.get("/sync")
    def sync() -> str:
        gate.wait(5)
        return "ok"

    with Served(app, setup, threads=1) as served, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(served.get, path) for path in ("/async", "/sync", "/sync", "/async")]
        served.wait_for(lambda events: kinds(events)[ev.READ] == 4 and kinds(events)[ev.TOKEN_WAIT])
        served.on_loop(served.probe.uninstall)
        served.on_loop(served.probe.uninstall)  # a second time does nothing
        gate.set()
        assert [answer.result() for answer in answers] == [(200, '"ok"')] * 4
        served.on_loop(lambda: None)  # the step that has sent the last answer is over
        time.sleep(0.02)
        served.gather()
        count = len(served.events)
        assert served.get("/async") == (200, '"ok"')
        assert served.get("/sync") == (200, '"ok"')
        assert len(served.gather()) == count


@every_setup
def test_install_again(setup: Setup) -> None:
    """A probe that was removed can be installed on the same loop again, and sees the same."""
    with Served(working_app(), setup) as served:
        served.get("/executor")
        first = story(served.settle(1))
        served.on_loop(served.probe.uninstall)
        served.on_loop(lambda: served.probe.install(served._config.http_protocol_class))
        count = len(served.gather())
        served.get("/executor")
        served.settle(2)
        assert story(served.events[count:], 2) == first
        with pytest.raises(RuntimeError, match="already"):
            asyncio.run(_install(served.probe))


async def _install(probe: Probe) -> None:
    probe.install()


def test_install_without_a_protocol() -> None:
    """Without uvicorn the probe sees the tasks of any loop."""
    buffer = Buffer()

    async def main() -> None:
        probe = Probe(buffer)
        probe.install()
        try:
            await asyncio.create_task(asyncio.sleep(0.01), name="mine")
        finally:
            probe.uninstall()

    asyncio.run(main())
    (task,) = [event for event in of_kind(buffer.drain(), ev.TASK) if event[5] == "sleep"]
    assert task[4] == 0


@every_setup
def test_another_loop(setup: Setup) -> None:
    """Tasks, threads and limiters of another loop in another thread are not seen."""

    async def elsewhere() -> None:
        limiter = anyio.CapacityLimiter(1)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(foreign())
        await asyncio.gather(*(anyio.to_thread.run_sync(time.sleep, 0.01, limiter=limiter) for _ in range(3)))
        await anyio.to_thread.run_sync(time.sleep, 0)

    async def foreign() -> None:
        await asyncio.sleep(0.01)
        await asyncio.to_thread(time.sleep, 0)

    with Served(working_app(), setup) as served:
        assert served.get("/async")[0] == 200
        thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
        thread.start()
        thread.join()
        served.get("/async")
        events = served.settle(2)
        assert served.probe.failures == []
    count = kinds(since(events, ev.READ))
    for kind in (ev.CALL, ev.RETURN, ev.SUBMIT, ev.TOKENS, ev.TOKEN_WAIT):
        assert count[kind] == 0
    assert not [
        event for event in of_kind(events, ev.TASK) if "foreign" in event[5] or "elsewhere" in event[5]
    ]


def test_another_server() -> None:
    """A server in the same process that is not probed is not seen, though it shares uvicorn's classes."""
    with Served(working_app()) as served, Served(working_app(), probed=False) as other:
        served.get("/async")
        for path in PATHS:
            assert other.get(path)[0] == 200
        served.get("/async")
        events = since(served.settle(2), ev.READ)
    assert [event[2] for event in of_kind(events, ev.READ)] == [1, 2]
    assert not of_kind(events, ev.CALL, ev.SUBMIT, ev.TOKENS)


def test_a_limiter_of_the_apps_own() -> None:
    """Waiting for another limiter is seen, and the counts stay those of the default one."""
    app = FastAPI()
    limiters: list[anyio.CapacityLimiter] = []

    @app.get("/x")
    async def x() -> None:
        limiters[:] = [anyio.CapacityLimiter(1)]
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: anyio.to_thread.run_sync(time.sleep, 0.02, limiter=limiters[0]))

    with Served(app) as served:
        served.get("/x")
        count = kinds(since(served.settle(), ev.READ))
    assert (count[ev.TOKEN_WAIT], count[ev.TOKENS], count[ev.CALL]) == (1, 0, 2)


def raises(*_: object, **__: object) -> Any:
    """Stand in for a part of the probe that is broken."""
    raise ZeroDivisionError("a mistake of the probe's")


@lazy_and_eager
@pytest.mark.parametrize("broken", ["adopt", "announce", "arrival"])
def test_a_broken_probe(setup: Setup, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside the probe never reaches the app, and is reported in `failures`."""
    if broken == "adopt":
        monkeypatch.setattr(loopviz.probe.probe, "make_adopt", lambda *_: raises)
    elif broken == "arrival":
        monkeypatch.setattr("loopviz.probe.requests._arrival", raises)
    with Served(working_app(), setup) as served:
        if broken == "announce":  # not before: the self-test would find it
            monkeypatch.setattr(ProbeState, "announce", raises)
        for path in PATHS:
            assert served.get(path) == (200, '"ok"')
        assert "ZeroDivisionError: a mistake of the probe's" in served.probe.failures[0]
        assert len(served.probe.failures) <= 20


def test_a_strange_callable() -> None:
    """A callable that claims to have every attribute can be called in a thread."""

    class Anything:
        def __getattr__(self, name: str) -> Any:
            return Anything()

        def __call__(self) -> str:
            return "ok"

    app = FastAPI()

    @app.get("/x")
    async def x() -> list[str]:
        return [await asyncio.to_thread(Anything()), await anyio.to_thread.run_sync(Anything())]

    with Served(app) as served:
        assert served.get("/x") == (200, '["ok","ok"]')
        calls = of_kind(served.settle(), ev.CALL)
        assert served.probe.failures == []
    assert [call[8] for call in calls][1] == "Anything"


@pytest.mark.parametrize("capacity", [0, 7, 40])
def test_a_full_buffer(capacity: int) -> None:
    """Events that do not fit are dropped and counted, and requests are answered as before."""
    with Served(working_app(), capacity=capacity) as served:
        for path in PATHS:
            assert served.get(path) == (200, '"ok"')
        assert served.buffer.dropped > 10
        assert len(served.buffer.drain()) == capacity
        served.events.clear()


@every_setup
def test_the_apps_own_coroutines(setup: Setup) -> None:
    """Tasks show the app's own coroutines, in `get_coro`, in stacks and in their names."""
    app = FastAPI()
    seen: dict[str, Any] = {}

    async def child() -> None:
        await asyncio.sleep(0.05)

    @app.get("/x")
    async def handler() -> None:
        coro = child()
        task = asyncio.create_task(coro, name="mine")
        await asyncio.sleep(0)
        seen["same"] = task.get_coro() is coro
        seen["name"] = task.get_name()
        stack = io.StringIO()
        task.print_stack(file=stack)
        seen["stack"] = stack.getvalue()
        root, frame = asyncio.current_task(), inspect.currentframe()
        assert root is not None
        assert frame is not None
        seen["root"] = root.get_coro()
        seen["handler"] = frame.f_code.co_name
        await task

    with Served(app, setup) as served:
        assert served.get("/x")[0] == 200
    assert seen["same"]
    assert seen["name"] == "mine"
    assert "in child" in seen["stack"]
    assert "loopviz/probe" not in seen["stack"].replace("\\", "/").partition("\n")[2]
    assert inspect.iscoroutine(seen["root"])
    assert seen["root"].cr_code.co_qualname == "RequestResponseCycle.run_asgi"


@every_setup
def test_exceptions_are_unchanged(setup: Setup) -> None:
    """An exception out of an endpoint reaches the app's handlers as the object that was raised."""
    app = FastAPI()
    mistake = LookupError("mine")
    caught: list[BaseException] = []

    @app.exception_handler(LookupError)
    async def handle(_: Request, error: LookupError) -> PlainTextResponse:
        caught.append(error)
        return PlainTextResponse("handled", 409)

    @app.get("/async")
    async def async_() -> None:
        raise mistake

    @app.get("/sync")
    def sync() -> None:
        raise mistake

    @app.get("/child")
    async def child() -> None:
        await asyncio.create_task(async_())

    with Served(app, setup) as served:
        for path in ("/async", "/sync", "/child"):
            mistake.__traceback__ = None
            assert served.get(path) == (409, "handled")
            frames = traceback.extract_tb(mistake.__traceback__)
            if path != "/sync":
                assert not [frame for frame in frames if "loopviz/probe" in frame.filename.replace("\\", "/")]
    assert [error is mistake for error in caught] == [True] * 3


@every_setup
def test_cancelling(setup: Setup) -> None:
    """A task that is cancelled ends as without the probe, and its end is reported."""
    app = FastAPI()

    @app.get("/x")
    async def handler() -> str:
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0.01)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError as error:
            return f"cancelled: {error.args}"
        return "not cancelled"

    with Served(app, setup) as served:
        assert served.get("/x") == (200, "\"cancelled: ('enough',)\"")
        loop, _ = story(served.settle())
    assert [words for words in loop if words.startswith("end")] == ["end B", "end A"]


@every_setup
def test_shapes(setup: Setup) -> None:
    """Every event is a plain tuple of its kind's length, of ints, strings and None only."""
    with Served(working_app(), setup) as served:
        served.get_all(PATHS * 3)
        time.sleep(0.15)
    lengths = {
        ev.READ: 6, ev.STATUS: 4, ev.RESPONDED: 3, ev.TASK: 6, ev.WAKE: 3, ev.STEP: 3, ev.YIELD: 5, ev.END: 3,
        ev.TOKENS: 5, ev.SUBMIT: 5, ev.CALL: 9, ev.RETURN: 3, ev.THREAD: 4, ev.CPU: 4, ev.IDLE: 2,
        ev.ITERATION: 2, ev.HOLDS: 8, ev.EXECUTES: 6, ev.AWAITS: 6, ev.AWAITS_TASK: 5, ev.AWAITS_CALL: 5,
        ev.POOL: 6, ev.POOL_CALL: 5, ev.CLIENT_WAIT: 4, ev.SENDING: 3, ev.WRITABLE: 3, ev.ABANDONED: 3,
        ev.HANDLER: 6, ev.FRAMES: 5,
        ev.WITHIN: 7, ev.AWAITED: 6, ev.LATE_WAKE: 4, ev.CALLBACK: 5, ev.GIL: 7, ev.SWITCHED: 4, ev.WAITED: 5,
    }  # fmt: skip
    seen = {event[1] for event in served.events}
    assert {ev.READ, ev.TASK, ev.CALL, ev.SUBMIT, ev.THREAD, ev.TOKENS} <= seen
    for event in served.events:
        assert type(event) is tuple
        assert len(event) == lengths[event[1]], event
        assert {type(value) for value in event} <= {int, str, type(None)}


def test_the_probes_own_cost() -> None:
    """The probe's own cost is more than nothing, and for a few requests far less than a second."""
    with Served(working_app()) as served:
        for _ in range(5):
            served.get("/async")
        time.sleep(0.05)
        assert 0 < served.probe.cost_ns < 1_000_000_000
