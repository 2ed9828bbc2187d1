"""What threads that compute wait for: read of each of them, and only while two or more compute."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from loopviz.model.lane import Lane
from loopviz.probe import rivals
from loopviz.probe.counters import ThreadWaits
from loopviz.probe.rivals import Rivals
from loopviz.probe.state import ProbeState
from loopviz.probe.threads import Thread
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer
from tests.streams import MS, ns


class Counters:
    """A thread's counters, which the test sets."""

    opened: dict[int, Counters]

    def __init__(self, native: int) -> None:
        self.slept, self.waited = 0, 0
        self.opened[native] = self

    def sleeps(self) -> int:
        """How often it has gone to sleep."""
        return self.slept

    def core(self) -> int:
        """How long it had no core."""
        return self.waited

    def close(self) -> None:
        """It is read no more."""
        del self.opened[next(native for native, one in self.opened.items() if one is self)]


@pytest.fixture
def looked(monkeypatch):
    """The rivals, their state and the counters that they have open."""
    monkeypatch.setattr(Counters, "opened", {}, raising=False)
    monkeypatch.setattr(rivals, "ThreadWaits", Counters)
    state = ProbeState(Buffer(), cast(Any, None))
    return Rivals(state), state, Counters.opened


def readings(at: float, **used: float) -> list[tuple[Thread, int, int]]:
    """Readings of CPU clocks (ms) at a time (ms), of threads called `t` and their number."""
    numbers = {int(name[1:]): ms for name, ms in used.items()}
    return [(Thread(n, n, None, native=n), ns(at), round(ms * MS)) for n, ms in numbers.items()]


def of(events: list[Any], kind: str) -> dict[int, int]:
    """What events of a kind say, by thread."""
    return {event[2]: event[3] for event in events if event[1] == kind}


def open_files(native: int) -> list[str]:
    """The names of the files about a thread that this process has open."""
    folder = Path(f"/proc/{os.getpid()}/task/{native}")
    found = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sorted(file.name for file in found if file.parent == folder)


def test_the_sleeps_of_threads_that_compute_limit_their_wait_for_the_gil(looked):
    """From the first look on, each sleep counts as one switch interval; what was before does not count."""
    found, state, counters = looked
    state.gil_sleep = 5 * MS
    found.look(readings(0, t2=0, t3=0))
    assert counters == {}
    found.look(readings(100, t2=50, t3=50))
    assert of(state.buffer.drain(), ev.SWITCHED) == {2: 0, 3: 0}
    counters[2].slept, counters[3].slept, counters[3].waited = 10, 4, 30 * MS
    found.look(readings(200, t2=100, t3=100))
    events = state.buffer.drain()
    assert of(events, ev.SWITCHED) == {2: 50 * MS, 3: 20 * MS}
    assert of(events, ev.WAITED) == {2: 0, 3: 30 * MS}


def test_a_thread_that_computes_alone_or_not_at_all_is_not_read(looked):
    """Nothing is read of a thread that has no rival, and its files are closed when the last one stops."""
    found, state, counters = looked
    for at in (0, 100, 200):
        found.look(readings(at, t2=at / 2, t3=0))
    assert (counters, state.buffer.drain()) == ({}, [])
    found.look(readings(300, t2=150, t3=50))
    assert counters.keys() == {2, 3}
    found.look(readings(400, t2=200, t3=50))
    assert counters == {}
    found.look(readings(500, t2=250, t3=100))
    found.close()
    assert counters == {}


def test_no_more_than_eight_threads_are_read(looked):
    """However many threads compute, as many files are open as for eight of them."""
    found, _, counters = looked
    for at in (0, 100):
        found.look(readings(at, **{f"t{n}": at / 50 for n in range(2, 40)}))
    assert len(counters) == 8


def test_files_of_a_thread_are_open_only_until_they_are_closed():
    """Counters of a real thread can be read, and closing them leaves no file open."""
    native = threading.get_native_id()
    waits = ThreadWaits(native)
    assert waits.sleeps() >= 0
    assert waits.core() >= 0
    assert open_files(native) == ["schedstat", "status"]
    waits.close()
    assert open_files(native) == []
    assert waits.sleeps() == -1


def test_a_share_of_waiting_is_known_only_where_it_was_read():
    """Without readings, and with readings that do not cover half of a time, nothing is known of it."""
    lane = Lane(2, "worker 1")
    assert lane.waited_for_gil(ns(0), ns(500)) is None
    for at in (100, 200, 300, 400):
        lane.gil.append((ns(at), round(at * 0.6 * MS)))
    assert lane.waited_for_gil(ns(0), ns(500)) == pytest.approx(0.6)
    assert lane.waited_for_gil(ns(150), ns(350)) == pytest.approx(0.6)
    assert lane.waited_for_gil(ns(0), ns(1_000)) is None
    assert lane.waited_for_gil(ns(2_000), ns(2_100)) is None
    assert lane.waited_for_core(ns(0), ns(500)) is None
