"""What the sampler sees from outside: the lines that hold the loop, are awaited, or run in threads."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from loopviz.clock import NS
from loopviz.probe.sampler import PERIOD
from loopviz.stream import events as ev
from tests.probe_support import PLAIN, RawEvent, Served, Setup, every_setup, of_kind

pytestmark = pytest.mark.alone

_SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()
needs_cpu_clocks = pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="threads have no CPU clocks here"
)


def line_of(mark: str) -> int:
    """The number of the line of this file that ends with a comment."""
    (number,) = [n for n, line in enumerate(_SOURCE, 1) if line.endswith(f"# {mark}")]
    return number


def serve(handler: Callable[..., Any], setup: Setup = PLAIN, **options: Any) -> Served:
    """A server whose only endpoint is GET /x."""
    app = FastAPI()
    app.add_api_route("/x", handler, response_model=None)
    return Served(app, setup, **options)


async def blocking() -> None:
    """Hold the loop without computing."""
    time.sleep(0.25)  # it blocks here


async def computing() -> None:
    """Hold the loop, computing."""
    end = time.thread_time() + 0.25
    while time.thread_time() < end:
        hashlib.sha256(b"x" * 1000).digest()


def root_of(events: list[RawEvent], request: int = 1) -> int:
    """The number of the task that serves a request."""
    number: int = next(event[2] for event in of_kind(events, ev.TASK) if event[4] == request)
    return number


def holds(events: list[RawEvent]) -> list[RawEvent]:
    """The samples of what held the loop longest: a busy machine may stop its thread elsewhere for 20 ms."""
    held = of_kind(events, ev.HOLDS)
    ((longest, _),) = Counter((event[2], event[3]) for event in held).most_common(1)
    return [event for event in held if (event[2], event[3]) == longest]


@every_setup
def test_blocking(setup: Setup) -> None:
    """A handler that sleeps on the loop holds it at its own line, since its step began, by `time.sleep`."""
    with serve(blocking, setup) as served:
        served.get("/x")
        events = served.settle()
        assert served.probe.failures == []
    held = holds(events)
    assert len(held) >= 2
    assert held[-1][0] - held[0][0] > 0.5 * PERIOD * NS * (len(held) - 1)  # not sampled all the time
    where = (__file__, line_of("it blocks here"), "blocking", "time.sleep")
    assert sum(event[4:] == where for event in held) > 0.7 * len(held)  # a busy machine may stop it elsewhere
    (task,) = {event[2] for event in held}
    assert task == root_of(events)
    (began,) = [event[0] for event in of_kind(events, ev.STEP) if event[2] == task]
    assert {event[3] for event in held} == {began}


def test_a_lively_loop_is_not_held() -> None:
    """Many short steps are not taken for a long one."""
    times: list[float] = []

    async def handler() -> None:
        times.append(time.monotonic())
        while times[-1] < times[0] + 0.2:
            time.sleep(0.001)
            await asyncio.sleep(0)
            times.append(time.monotonic())

    with serve(handler) as served:
        served.get("/x")
        events = served.settle()
    # A busy machine may stop the thread for 20 ms, in these steps or in one before or after them.
    stopped = sum(after - before for before, after in itertools.pairwise(times) if after - before > 0.01)
    assert len(of_kind(events, ev.HOLDS)) <= 1 + stopped / PERIOD


def test_a_callback_that_blocks() -> None:
    """A callback outside any task holds the loop as no task."""
    with serve(blocking) as served:
        served.on_loop(lambda: time.sleep(0.2))  # a callback blocks here
        events = served.gather()
    held = holds(events)
    where = (0, line_of("a callback blocks here"), "time.sleep")
    assert sum((event[2], event[5], event[7]) == where for event in held) > 0.7 * len(held)


@every_setup
def test_an_idle_loop_is_not_held(setup: Setup) -> None:
    """A loop that sleeps is not taken for one that a callback holds."""

    async def handler() -> None:
        await asyncio.sleep(0.2)

    with serve(handler, setup, tick=0.3) as served:
        served.get("/x")
        assert len(of_kind(served.settle(), ev.HOLDS)) <= 1


@needs_cpu_clocks
@every_setup
def test_cpu_of_the_loop(setup: Setup) -> None:
    """The CPU clock of the loop's thread runs while the thread computes, and stops while it sleeps."""
    with serve(blocking, setup) as sleeping:
        sleeping.get("/x")
        sleeping.settle()
    with serve(computing, setup) as busy:
        busy.get("/x")
        busy.settle()
    assert _cpu_of_the_loop(sleeping.events) < 0.3
    assert _cpu_of_the_loop(busy.events) > 2 * _cpu_of_the_loop(sleeping.events)


def _cpu_of_the_loop(events: list[RawEvent]) -> float:
    """The share of a core that the loop's thread used while it was held."""
    (number,) = [event[2] for event in of_kind(events, ev.THREAD) if event[3] == "loop"]
    held = [event[0] for event in holds(events)]
    used = [
        (event[0], event[3])
        for event in of_kind(events, ev.CPU)
        if event[2] == number and held[0] <= event[0] <= held[-1]
    ]
    assert [cpu for _, cpu in used] == sorted(cpu for _, cpu in used)
    (first, cpu), (last, cpu_then) = used[0], used[-1]
    share: float = (cpu_then - cpu) / (last - first)
    return share


@needs_cpu_clocks
def test_cpu_of_workers() -> None:
    """The CPU clock of a computing worker thread runs, and that of a sleeping one stops."""
    app = FastAPI()

    @app.get("/sleep")
    def sleep() -> None:
        time.sleep(0.6)

    @app.get("/compute")
    def compute() -> None:
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            hashlib.sha256(b"x" * 1000).digest()

    with Served(app) as served:
        served.get_all(["/sleep", "/compute"])
        events = served.settle(2)
    paths = {event[2]: event[4] for event in of_kind(events, ev.READ)}
    threads = {paths[event[4]]: event[5] for event in of_kind(events, ev.CALL)}
    used = {
        path: [event[3] for event in of_kind(events, ev.CPU) if event[2] == number]
        for path, number in threads.items()
    }
    spent = {path: max(cpu) - min(cpu) for path, cpu in used.items() if len(cpu) > 1}
    assert spent.keys() == {"/sleep", "/compute"}
    assert spent["/compute"] > 0.05 * NS
    assert spent["/compute"] > 5 * spent["/sleep"]


async def patient() -> None:
    """Await a coroutine that awaits."""
    await deeper()  # the outer await


async def deeper() -> None:
    """Await a function of the library's."""
    await asyncio.wait_for(asyncio.sleep(0.2), 5)  # the user's innermost await


@every_setup
def test_awaits(setup: Setup) -> None:
    """A task that is suspended awaits at the user's innermost line, which is reported once."""
    with serve(patient, setup) as served:
        served.get("/x")
        events = served.settle()
    root = root_of(events)
    awaits = [event for event in of_kind(events, ev.AWAITS) if event[2] == root]
    assert [event[3:] for event in awaits] == [(__file__, line_of("the user's innermost await"), "deeper")]


@every_setup
def test_frames_of_an_await(setup: Setup) -> None:
    """The frames of an await are the user's, and the library's inside of the innermost of them."""
    with serve(patient, setup) as served:
        served.get("/x")
        events = served.settle()
    root = root_of(events)
    (frames,) = [event[4] for event in of_kind(events, ev.FRAMES) if event[2:4] == (root, 0)]
    shown = [frame.split("\t") for frame in frames.split("\n")]
    own = [(int(line), function) for line, function, file in shown if file == __file__]
    assert own == [(line_of("the outer await"), "patient"), (line_of("the user's innermost await"), "deeper")]
    assert [function for _, function, file in shown[2:] if file != __file__][:1] == ["wait_for"]


def test_handler() -> None:
    """The endpoint of a request that lasts is reported once, where it is defined."""
    app = FastAPI()

    @app.get("/held")  # held
    async def held() -> None:
        time.sleep(0.1)
        await asyncio.sleep(0.1)

    @app.get("/threads")  # threads
    def threads() -> None:
        time.sleep(0.1)

    @app.get("/short")
    async def short() -> None:
        pass

    with Served(app) as served:
        served.get_all(["/held", "/threads", "/short"])
        events = served.settle()
    paths = {event[2]: event[4] for event in of_kind(events, ev.READ)}
    handlers = sorted((paths[event[2]], *event[3:]) for event in of_kind(events, ev.HANDLER))
    where = "test_handler.<locals>."
    found = [handler for handler in handlers if handler[0] != "/short"]  # it may have waited for the others
    assert found == [
        ("/held", __file__, line_of("held"), where + "held"),
        ("/threads", __file__, line_of("threads"), where + "threads"),
    ]


def in_a_thread() -> None:
    """Work for a while, in a call of its own."""
    inner_in_a_thread()


def inner_in_a_thread() -> None:
    """Wait in a function of the library's."""
    threading.Event().wait(0.2)  # the worker's line


@every_setup
def test_executes(setup: Setup) -> None:
    """A call in a worker thread executes at the user's innermost line."""
    with serve(in_a_thread, setup) as served:
        served.get("/x")
        events = served.settle()
    (call,) = of_kind(events, ev.CALL)
    seen = of_kind(events, ev.EXECUTES)
    assert {event[2:] for event in seen} == {
        (call[2], __file__, line_of("the worker's line"), "inner_in_a_thread")
    }
    (back,) = of_kind(events, ev.RETURN)
    assert all(call[0] < event[0] for event in seen)
    assert seen[0][0] < back[0]


def test_a_quiet_server_is_left_alone() -> None:
    """On an idle server the sampler reports only the CPU clocks, ten times a second."""
    with serve(blocking) as served:
        time.sleep(0.1)
        before = len(served.gather())
        time.sleep(0.5)
        events = served.gather()[before:]
    assert of_kind(events, ev.EXECUTES) == []
    assert len(of_kind(events, ev.HOLDS)) <= 1
    assert len(of_kind(events, ev.CPU)) <= 10
