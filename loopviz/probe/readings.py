"""Readings of the clocks and counters of the loop's thread, by that thread and by the sampler."""

from __future__ import annotations

import time
from typing import NamedTuple

from loopviz.clock import NS
from loopviz.clock import now_ns as clock
from loopviz.probe.counters import ThreadWaits, own_sleeps
from loopviz.probe.state import ProbeState
from loopviz.stream.events import CPU, SWITCHED, WAITED

__all__ = ["LONG_STEP", "LoopReadings"]

LONG_STEP = 20_000_000
"""A step of at least this length (ns) has readings at its begin and at its end."""
_EVERY = 10_000_000
"""The loop's thread reads its own clocks no more often than this (ns); a reading costs some microseconds."""


class _Reading(NamedTuple):
    """What the clocks and counters of the loop's thread showed (ns)."""

    t: int
    used: int = 0
    """CPU time."""
    sleeps: int = -1
    """How often it has gone to sleep; -1 where that is not known."""
    core: int = 0
    """How long it had waited for a core."""
    late: int = 0
    """How long the sampler had waited for the GIL."""
    asleep: bool = False
    """Whether the thread is known to have slept at `t`."""


class LoopReadings:
    """Readings of the loop's thread.

    The thread itself reads at the end of a step, so that a step that keeps the GIL, in which the sampler
    cannot run, has a reading at both ends as well.
    """

    def __init__(self, state: ProbeState, number: int, waits: ThreadWaits) -> None:
        self._state = state
        self._number = number
        self._waits = waits
        self._before = _Reading(0)  # the thread's latest
        self._reported = _Reading(0)
        self._long_ended = False  # whether a long step has ended since the sampler last looked
        self._switched = 0  # the most that it has waited for the GIL since the first reading
        self._core = 0  # how long it has waited for a core
        self._starting = 0  # since when the step began in which the thread starts another one
        self._started = 0  # how long it has waited for threads to start

    def step_ended(self, now: int, began: int) -> None:
        """In the loop's thread, at `now`: a step that began at `began`, or callbacks since then, ended."""
        state = self._state
        try:
            before = self._before
            used, core, late = time.thread_time_ns(), self._waits.core(), state.late
            reading = self._before = _Reading(now, used, own_sleeps(), core, late)
            state.read_due = now + _EVERY
            if now - began > LONG_STEP:
                if before.t > self._reported.t:
                    self._report(before)
                if self._starting != began:
                    self._starting = 0
                self._report(reading)
                self._starting, self._long_ended = 0, True
        except Exception as error:
            state.read_due = now + NS
            state.failed("clock", error)

    def sample(self, used: int, since: int, *, starts_thread: bool) -> None:
        """From outside, during a step that began at `since`: the thread's CPU clock shows `used` now.

        A thread that starts another one waits until that one has run, and so has had the GIL.
        """
        before = self._before
        if before.t > self._reported.t:
            self._report(before)
        self._starting = since if starts_thread else 0
        sleeps, asleep = self._waits.state()
        self._report(_Reading(clock(), used, sleeps, self._waits.core(), self._state.late, asleep))

    def after(self) -> None:
        """From outside, in each round: after a long step the sampler knows how long it could not run."""
        if self._long_ended:
            self._long_ended = False
            self._state.emit((clock(), WAITED, self._number, self._core, self._state.late))

    def _report(self, reading: _Reading) -> None:
        t, used, sleeps, core, late, _ = reading
        # Both threads may be here. No other thread runs between the parts of this statement, so that what
        # lies between two readings is added once, whichever of them is reported first.
        last, self._reported = self._reported, reading
        waited = core - last.core
        if last.asleep and t > last.t:
            waited = min(waited, t - last.t)  # who sleeps waits for no core: the rest was counted sleep
        switched = (sleeps - last.sleeps) * self._state.gil_sleep if min(sleeps, last.sleeps) >= 0 else 0
        self._core += waited
        self._switched += switched
        if self._starting:
            idle = t - max(last.t, self._starting) - (used - last.used) - waited
            self._started += max(0, idle)
        emit = self._state.emit
        emit((t, CPU, self._number, used))
        emit((t, WAITED, self._number, self._core, late))
        if sleeps >= 0:
            emit((t, SWITCHED, self._number, self._switched + self._started))
