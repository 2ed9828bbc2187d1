"""Who has the GIL, seen by the real probe: C code that keeps it, and threads that pass it on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI

from loopviz.clock import now_ns
from loopviz.model import Block, Timeline
from loopviz.probe import gil
from loopviz.probe.counters import ThreadWaits
from loopviz.probe.lines import Lines
from loopviz.probe.readings import LoopReadings
from loopviz.probe.state import ProbeState
from loopviz.probe.threads import Thread, Threads
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer
from tests.probe_support import PLAIN, UVLOOP, Served, Setup, of_kind

MS = 1_000_000
_SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="a thread's counters are those of Linux"),
    pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL"),
]
both_loops = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, UVLOOP)]
)


def line_of(mark: str) -> int:
    """The number of the line of this file that ends with a comment."""
    (number,) = [n for n, line in enumerate(_SOURCE, 1) if line.endswith(f"# {mark}")]
    return number


@contextlib.contextmanager
def _threads_that_compute(number: int) -> Iterator[None]:
    """Meanwhile, so many threads want the GIL all the time."""
    release = threading.Event()

    def run() -> None:
        while not release.is_set():
            compute(0.01)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        release.set()
        for thread in threads:
            thread.join()


def _numbers() -> range:
    """So many that it takes about half a second to add them up, in one call of C code that keeps the GIL."""

    def once() -> float:
        began = time.thread_time()
        sum(range(1_000_000))
        return time.thread_time() - began

    return range(int(1_000_000 * 0.5 / min(once() for _ in range(10))))


NUMBERS = _numbers()


def keep_gil() -> None:
    """Keep the GIL."""
    sum(NUMBERS)  # it is kept here


def compute(seconds: float) -> None:
    """Compute in Python, which gives up the GIL on request."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def application(**endpoints: Callable[..., Any]) -> FastAPI:
    """An endpoint for each function."""
    app = FastAPI()
    for name, function in endpoints.items():
        app.add_api_route(f"/{name}", function, response_model=None)
    return app


async def quick() -> None:
    """Do nothing."""


CLIENT = """
import http.client, json, sys, threading, time
port, took = int(sys.argv[1]), {}
def get(name, delay):
    time.sleep(delay)
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/{name}")
    connection.getresponse().read()
    took[name] = time.monotonic() - began
threads = [threading.Thread(target=get, args=(name, float(delay)))
           for name, delay in (part.split("@") for part in sys.argv[2:])]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(took))
"""


def fire(served: Served, *requests: str) -> dict[str, float]:
    """Requests `name@delay` of a client in a process of its own, and so without our GIL; their latencies."""
    client = [sys.executable, "-c", CLIENT, str(served.port), *requests]
    done = subprocess.run(client, capture_output=True, text=True, timeout=60, check=True)
    took: dict[str, float] = json.loads(done.stdout)
    return took


def seen(served: Served, requests: int) -> Timeline:
    """What the events tell, once the requests are over and the sampler has looked at the threads' clocks."""
    served.settle(requests)
    time.sleep(0.15)
    timeline = Timeline()
    timeline.feed(sorted(served.gather(), key=itemgetter(0)))
    assert served.probe.failures == []
    return timeline


def long_blocks(timeline: Timeline) -> list[Block]:
    """The blocks that are longer than what a busy machine does to any thread."""
    return [block for block in timeline.blocks if block.lasted(timeline.last) > 200_000_000]


@both_loops
def test_c_code_in_a_thread_keeps_the_gil(setup: Setup) -> None:
    """The call that keeps the GIL holds the loop, and a request that waits for it has its true latency."""
    for _ in range(3):  # on a busy machine it may come too late, or wait for a core instead
        with Served(application(keeps=keep_gil, quick=quick), setup) as served:
            took = fire(served, "keeps@0", "quick@0.2")
            line = seen(served, 2)
        if took["quick"] > 0.1 and len(long_blocks(line)) == 1:
            break
    requests = {request.path: request for request in line.requests.values()}
    keeps, waits = requests["/keeps"], requests["/quick"]
    assert took["quick"] > 0.1, "it came too late to wait"
    assert waits.latency(line.last) > 0.7e9 * took["quick"] - 30e6
    (block,) = long_blocks(line)
    assert block.kind == "waiting_for_gil"
    assert block.victims == [waits.id]
    assert block.lasted(line.last) > 0.6 * keeps.latency(line.last)
    number, where = block.culprit
    if took["quick"] > 1:
        return  # the machine is so busy that the thread has used no more of a core than others
    assert number == keeps.id
    if setup is PLAIN:  # uvloop runs on before anybody can look
        assert where is not None
        # It is read when the GIL is free again, and so may be that of a line beside it.
        assert where.file == __file__
        assert abs(where.line - line_of("it is kept here")) <= 3


def test_the_loop_itself_keeps_the_gil() -> None:
    """Blocks of C code on the loop that follow each other compute, each of them; nobody else is to blame."""

    async def keeps() -> None:
        keep_gil()

    with Served(application(keeps=keeps)) as served:
        served.get_all(["/keeps"] * 3)
        line = seen(served, 3)
    blocks = long_blocks(line)
    assert [block.kind for block in blocks] == ["computing"] * 3
    assert {block.request for block in blocks} == {1, 2, 3}


def test_a_loop_that_nobody_disturbs_waits_for_no_gil() -> None:
    """Awaiting, sleeping in threads, and short steps never look like a kept GIL, on a busy machine either."""

    def sleeps() -> None:
        time.sleep(0.4)

    with Served(application(sleeps=sleeps, quick=quick)) as served:
        fire(served, *["sleeps@0"] * 5, *[f"quick@{n / 20}" for n in range(10)])
        line = seen(served, 15)
    assert of_kind(served.events, ev.GIL) == []
    assert [block.kind for block in line.blocks if block.kind == "waiting_for_gil"] == []


@both_loops
def test_steps_that_wait_for_the_gil_do_not_sleep(setup: Setup) -> None:
    """Beside many threads that compute, what holds the loop is mostly its wait for the GIL."""

    async def computes() -> None:
        compute(0.05)

    for _ in range(3):  # a machine that is stopped again and again lets nobody see what its threads wait for
        with Served(application(computes=computes), setup) as served:
            with _threads_that_compute(12):
                fire(served, "computes@0")
            line = seen(served, 1)
        longest = max(line.blocks, key=lambda block: block.lasted(line.last))
        if longest.kind == "waiting_for_gil":
            break
    assert longest.kind == "waiting_for_gil"
    assert longest.shares is not None
    assert longest.shares.cpu < 0.5


@both_loops
def test_sleep_beside_threads_that_compute_is_sleep(setup: Setup) -> None:
    """`time.sleep` on the loop is reported as sleeping, although other threads want the GIL all the time."""

    async def sleeps() -> None:
        time.sleep(0.8)

    with Served(application(sleeps=sleeps), setup) as served:
        with _threads_that_compute(3):
            fire(served, "sleeps@0")
        line = seen(served, 1)
    assert max(line.blocks, key=lambda block: block.lasted(line.last)).kind == "sleeping"


@both_loops
def test_sleep_and_a_little_computing_is_sleep(setup: Setup) -> None:
    """A block's kind is the larger part of it, and its shares are those of what it did."""

    async def mixed() -> None:
        time.sleep(0.5)
        compute(0.1)

    for _ in range(5):
        with Served(application(mixed=mixed), setup) as served:
            served.get("/mixed")
            line = seen(served, 1)
        (block,) = long_blocks(line)
        if block.lasted(line.last) < 750_000_000:
            break
    else:
        pytest.skip("the machine is too busy: computing takes longer than sleeping")
    assert block.kind == "sleeping"
    assert block.shares is not None
    assert 0.05 < block.shares.cpu < 0.3
    assert len(block.line_shares) > 1


@pytest.mark.parametrize(
    ("sleeps", "late"),
    [
        pytest.param(21, 100 * MS, id="a wait for the GIL"),
        pytest.param(6, 100 * MS, id="the same on a machine that wakes everybody up late"),
        pytest.param(2, 5 * MS, id="one long sleep"),
    ],
)
def test_several_sleeps_in_a_row_are_a_wait_for_the_gil(
    sleeps: int, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late sampler has waited for the GIL if it slept several times, however long each time."""
    state = ProbeState(Buffer(), cast(Any, None))
    loop = Thread(1, threading.get_ident(), None)
    watch = gil.GilWatch(state, Threads(state), Lines(()), loop)
    slept = iter([10, 10 + sleeps])
    monkeypatch.setattr(gil, "own_sleeps", lambda: next(slept))
    watch.sleeps()
    compute(0.02)  # the threads that have the GIL
    monkeypatch.setattr(time, "thread_time_ns", lambda: 0)
    watch.woken(0, 100 * MS)
    assert state.late == late


class _Waits(ThreadWaits):
    """Counters of a thread that sleeps."""

    def __init__(self) -> None:
        self.waited = 3 * MS

    def core(self) -> int:
        return self.waited

    def state(self) -> tuple[int, bool]:
        return 7, True


def test_a_sleep_that_is_counted_as_a_wait_for_a_core_is_sleep() -> None:
    """Where Linux counts a sleep as a wait for a core, as it does on a busy machine, it is not reported."""
    state = ProbeState(Buffer(), cast(Any, None))
    state.emit = state.buffer.emit
    waits = _Waits()
    readings = LoopReadings(state, 1, waits)
    readings.sample(0, now_ns(), starts_thread=False)
    waits.waited += 800 * MS
    readings.sample(0, now_ns(), starts_thread=False)
    before, after = (event[3] for event in of_kind(state.buffer.drain(), ev.WAITED))
    assert before == 3 * MS
    assert after - before < 400 * MS
