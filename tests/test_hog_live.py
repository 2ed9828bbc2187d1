"""C code keeps the GIL in a server process: what is seen of it while it lasts, and afterwards."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loopviz.clock import now_ns
from loopviz.draw.story import say
from loopviz.live.session import Session
from loopviz.model import Block, Timeline
from loopviz.model.states import State
from loopviz.target.application import Application

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="what a thread does is asked of Linux"),
]

APPLICATION = """
import asyncio, ctypes, re, threading, time
from fastapi import FastAPI

app = FastAPI()

def hog():
    sum(range(40_000_000))

@app.get("/loop")
async def on_the_loop():
    hog()

@app.get("/thread")
def in_a_thread():
    hog()

@app.get("/asleep")
async def asleep():
    ctypes.PyDLL(None).usleep(700_000)

@app.get("/await")
async def suspended():
    await asyncio.sleep(3)

@app.get("/python")
async def python():
    end = time.thread_time() + 0.4
    while time.thread_time() < end:
        pass

@app.get("/quick")
async def quick():
    pass
"""
LINE = APPLICATION.splitlines().index("    sum(range(40_000_000))") + 1


class Screen:
    """A server process, and a timeline that is fed as a screen does."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.timeline = Timeline()
        self.port = int(session.address.rpartition(":")[2])

    def get(self, path: str) -> threading.Thread:
        """Another client's request, not waited for."""

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", path)
                connection.getresponse().read()
            connection.close()

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return thread

    def until(self, seen: Callable[[Timeline, int], bool], seconds: float = 10) -> int:
        """Feed frames until something is seen; when that was (ns)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.timeline.feed(self.session.drain())
            now = now_ns()
            if seen(self.timeline, now):
                return now
            time.sleep(1 / 60)
        raise AssertionError("it was not seen")

    def done(self, *threads: threading.Thread) -> Timeline:
        """The timeline when these requests are answered and all is reported."""
        for thread in threads:
            thread.join(20)
        self.until(lambda line, _: not line.live)
        time.sleep(0.1)
        self.timeline.feed(self.session.drain_all())
        assert self.session.vitals().failures == ()
        return self.timeline


@contextmanager
def served(folder: Path) -> Iterator[Screen]:
    """The application in a process of its own, warm."""
    (folder / "main.py").write_text(APPLICATION)
    session = Session(
        [], application=Application("main:app", "main", "app", str(folder), str(folder)), isolate=True
    )
    session.start()
    try:
        session.wait()
        screen = Screen(session)
        screen.done(screen.get("/quick"), screen.get("/thread"))
        yield screen
    finally:
        session.stop()


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """One server for all tests."""
    with served(tmp_path_factory.mktemp("hogs")) as found:
        yield found


def of(line: Timeline, path: str) -> int:
    """The newest request with this path; 0 if there is none."""
    return max((number for number, request in line.requests.items() if request.path == path), default=0)


def held(line: Timeline, now: int) -> Block | None:
    """The block of now, if its line is known."""
    block = line.block_at(now)
    return block if block is not None and block.end is None and block.culprit[1] is not None else None


def test_a_hog_on_the_loop_is_seen_while_it_lasts(screen: Screen) -> None:
    """Its line and its request are shown soon, it keeps the GIL as well, and others are what they are."""
    waiting = screen.get("/await")
    screen.until(lambda line, _: any(request.state is State.AWAITING for request in line.requests.values()))
    hog = screen.get("/loop")
    now = screen.until(lambda line, now: held(line, now) is not None)
    block = screen.timeline.block_at(now)
    assert block is not None
    assert block.request == of(screen.timeline, "/loop")
    assert block.where is not None
    assert (block.where.line, block.where.calls, block.where.function) == (LINE, "sum", "hog")
    assert block.keeps_gil
    assert block.lasted(now) < 1_500_000_000, "it took too long, on any machine"
    assert "the loop and the GIL" in say(screen.timeline, now).sentences[0]
    assert screen.timeline.requests[of(screen.timeline, "/await")].state is State.AWAITING
    line = screen.done(hog, waiting)
    (over,) = [block for block in line.blocks if block.request == of(line, "/loop")]
    request = line.requests[over.request]
    assert over.kind == "computing"
    assert 0.9 < over.lasted(line.last) / request.totals[State.RUNNING] < 1.01
    assert sum(request.totals.values()) == request.latency(line.last)


def test_a_hog_in_a_thread_holds_the_loop_by_the_gil(screen: Screen) -> None:
    """The call that keeps the GIL is named while the loop cannot run, and is counted once."""
    hog = screen.get("/thread")
    now = screen.until(lambda line, now: held(line, now) is not None)
    block = screen.timeline.block_at(now)
    assert block is not None
    assert block.kind == "waiting_for_gil"
    number, where = block.culprit
    assert number == of(screen.timeline, "/thread")
    assert where is not None
    assert where.line == LINE
    started = screen.timeline.requests[number].start
    line = screen.done(hog, screen.get("/quick"))
    blocks = [block for block in line.blocks if block.start >= started - 50_000_000]
    assert sum(block.lasted(line.last) for block in blocks) < 1.1 * line.requests[number].latency(line.last)


def test_c_code_that_sleeps_with_the_gil_is_not_disturbed(screen: Screen) -> None:
    """It sleeps on the loop and keeps the GIL, for as long as without a viewer: no signal ends its sleep."""
    asleep = screen.get("/asleep")

    def kept(line: Timeline, now: int) -> Block | None:
        """The block of now, if it keeps the GIL and it is known what it does."""
        block = line.block_at(now)
        return block if block is not None and block.keeps_gil and block.kind is not None else None

    now = screen.until(lambda line, now: kept(line, now) is not None)
    block = kept(screen.timeline, now)
    assert block is not None
    assert block.kind == "sleeping"
    line = screen.done(asleep)
    assert line.requests[of(line, "/asleep")].totals[State.RUNNING] >= 700_000_000


def test_python_code_that_computes_keeps_no_gil(screen: Screen) -> None:
    """It passes the GIL on, so the process reports by itself."""
    line = screen.done(screen.get("/python"))
    block = max(
        (block for block in line.blocks if block.request == of(line, "/python")), key=lambda b: b.start
    )
    assert block.kind == "computing"
    assert not block.keeps_gil


def test_a_process_that_is_stopped_is_no_hog(screen: Screen) -> None:
    """It is drawn as stopped while it is, and no block comes of it."""
    before = now_ns()
    os.kill(screen.session.pid, signal.SIGSTOP)
    try:
        quick = screen.get("/quick")
        now = screen.until(lambda line, now: line.stopped_since(now) is not None)
        assert "is stopped" in say(screen.timeline, now).sentences[0]
    finally:
        os.kill(screen.session.pid, signal.SIGCONT)
    line = screen.done(quick)
    assert [block for block in line.blocks if (block.end or now) > before] == []
    assert line.stopped_since(now_ns() + 1_000_000_000) is None
