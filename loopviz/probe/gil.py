"""Who keeps the GIL: what the sampler learns from its own waiting.

The sampler asks to be woken at a certain time. If it runs much later, it may have waited for the
GIL. On Linux its own counters prove that (see `loopviz.probe.counters`), so that a busy or suspended
machine raises no alarm; elsewhere the CPU time that the process has used meanwhile does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from loopviz.probe.counters import own_sleeps, switch_interval
from loopviz.probe.lines import Line, Lines
from loopviz.probe.state import OVERDUE, ProbeState
from loopviz.probe.threads import Thread, Threads
from loopviz.stream.events import GIL

__all__ = ["GilWatch", "snapshot"]

LATE = 3_000_000
"""Coming later than this (ns) means that others run Python code; a timer alone is a millisecond late."""
_ALMOST_ALL = 0.7
"""The thread with this part of the CPU time that the process has used is the one that had the GIL."""
_ENOUGH = 0.25
"""The part of the waiting in which that thread must have used the CPU, up to `OVERDUE` in all: the machine
may be so busy that it gets a core seldom."""
_SEVERAL = 3
"""So many sleeps in a row are a wait for the GIL, however long each of them has lasted."""

Value = TypeVar("Value")


def snapshot(table: dict[Any, Value]) -> list[Value]:
    """The values of a dictionary that other threads change; none if they never stop changing it."""
    for _ in range(20):
        try:
            return list(table.values())
        except RuntimeError:  # it changed during the iteration
            continue
    return []


class _Seen(NamedTuple):
    """Readings before the sampler went to sleep."""

    process: int
    """CPU time that the process had used (ns)."""
    own: int
    """CPU time that the sampler had used (ns)."""
    sleeps: int
    """How often the sampler had gone to sleep, or -1."""
    loop: int
    """The same of the loop's thread; -1 where it was not read."""


class GilWatch:
    """Compares what threads have used before and after the sampler's sleep, in the sampler's thread."""

    def __init__(self, state: ProbeState, threads: Threads, lines: Lines, loop: Thread) -> None:
        self._state = state
        self._threads = threads
        self._lines = lines
        self._loop = loop
        self._used: dict[int, int] = {}
        """CPU time that each thread had used when it was last read (ns), by its number."""
        self._seen: _Seen | None = None
        self._at_release: tuple[dict[int, Line], int] = ({}, 0)
        self._round = 0

    def sleeps(self) -> None:
        """The sampler is about to sleep. Threads that have no call use no CPU time, and are read seldom."""
        self._round += 1
        seldom = self._round % 5 == 0
        threads = snapshot(self._threads.by_ident)
        busy = any(thread.call for thread in threads)
        if self._seen is not None and self._state.sleeping and not busy and not seldom:
            self._seen = self._seen._replace(sleeps=own_sleeps())
            return
        for thread in threads:
            if thread.call or seldom or thread is self._loop:
                used = _used(thread)
                if used is not None:
                    self._used[thread.number] = used
        waits = self._state.loop_waits
        self._seen = _Seen(
            time.process_time_ns(),
            time.thread_time_ns(),
            own_sleeps(),
            waits.sleeps() if waits is not None else -1,
        )

    def woken(self, due: int, now: int) -> None:
        """The sampler wanted to be woken at `due`, and runs at `now`."""
        seen, state = self._seen, self._state
        if now - due < LATE or seen is None:
            return
        used = time.process_time_ns() - seen.process - (time.thread_time_ns() - seen.own)
        sleeps = own_sleeps()
        late = now - due
        if sleeps >= 0:
            # What it waits for the GIL it sleeps in pieces. Who has no core, or was stopped, has slept once.
            pieces = sleeps - seen.sleeps - 1
            state.gil_sleep = switch_interval()
            if pieces >= _SEVERAL and used > LATE:
                # A machine that is stopped again and again wakes everybody up late, as it woke the sampler.
                state.gil_sleep = max(state.gil_sleep, late // pieces)
            late = min(late, pieces * state.gil_sleep)
        else:
            late = min(late, used)
        if late < LATE:
            return
        state.late += late
        state.late_at = now
        if late > OVERDUE:
            self._report(due, now, late, used, seen)

    def _report(self, due: int, now: int, late: int, used: int, seen: _Seen) -> None:
        state = self._state
        # The loop may have run before the sampler did.
        looked = max(state.looked, state.touched)
        ran = looked > due
        end = max(due, min(now, looked)) if ran and not state.sleeping else now
        keeper = self._keeper(late, used)
        if keeper is not None:
            line = self._line(keeper, due, ran=ran)
            where = (line.file, line.line, line.function) if line is not None else ("", 0, "")
            state.emit((end, GIL, due, keeper.number, *where))
            return
        sleeps = state.loop_waits.sleeps() if state.loop_waits is not None else -1
        waited = end - due
        if sleeps >= 0:
            # Several threads pass the GIL on. What the loop's thread itself has waited is known.
            if seen.loop < 0:
                return
            waited = min(waited, (sleeps - seen.loop) * state.gil_sleep)
        if waited > OVERDUE:
            state.emit((end, GIL, end - waited, 0, "", 0, ""))

    def _keeper(self, late: int, used: int) -> Thread | None:
        """The thread that has used the CPU while nobody else did."""
        most, keeper = 0, None
        for thread in snapshot(self._threads.by_ident):
            now = _used(thread)
            if now is not None:
                rise = now - self._used.get(thread.number, 0)
                if rise > most:
                    most, keeper = rise, thread
        return keeper if most > max(_ALMOST_ALL * used, min(_ENOUGH * late, OVERDUE)) else None

    def _line(self, keeper: Thread, due: int, *, ran: bool) -> Line | None:
        """Where it kept the GIL: it is still there, unless the loop ran first. Then the loop has looked."""
        if ran:
            found, at = self._at_release
            return found.get(keeper.number) if at > due else None
        return self._lines_of([keeper]).get(keeper.number)

    def _lines_of(self, threads: Iterable[Thread]) -> dict[int, Line]:
        calls = [(thread, thread.call) for thread in threads]
        calls = [(thread, call) for thread, call in calls if call]
        frames = sys._current_frames() if calls else {}
        found = {}
        for thread, call in calls:
            line = self._lines.of_thread(thread.ident, frames)
            if line is not None and thread.call == call:
                found[thread.number] = line
        return found

    def released(self, now: int) -> None:
        """The loop's thread has got the GIL, at `now`, before the sampler, whose time is long over."""
        try:
            self._at_release = (self._lines_of(snapshot(self._threads.by_ident)), now)
        except Exception as error:
            self._state.failed("gil", error)


def _used(thread: Thread) -> int | None:
    """CPU time that a thread has used (ns)."""
    if thread.clock is None:
        return None
    try:
        return time.clock_gettime_ns(thread.clock)
    except OSError:  # it has ended
        return None
