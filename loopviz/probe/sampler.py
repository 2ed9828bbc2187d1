"""The sampler: a thread that looks at the server from outside.

Only what a hook cannot see is sampled: the line that holds the loop, the lines at which tasks
and worker threads are, and the threads' CPU clocks. What is shorter than `LOOK` is not sampled, so a
server that is idle, or has short steps only, costs next to nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType

from loopviz.clock import NS
from loopviz.clock import now_ns as clock
from loopviz.probe.gil import GilWatch, snapshot
from loopviz.probe.lines import Lines
from loopviz.probe.readings import LoopReadings
from loopviz.probe.state import NEVER, ProbeState
from loopviz.probe.threads import Thread, Threads
from loopviz.stream.events import AWAITS, CPU, END, EXECUTES, HOLDS, WAKE

__all__ = ["CLOCKS_EVERY", "PERIOD", "Sampler"]

PERIOD = 0.02
"""Seconds between two samples."""
CLOCKS_EVERY = 5
"""Rounds between two readings of the CPU clocks, while the loop is not held."""
_PERIOD = int(PERIOD * NS)
LOOK = 20_000_000
"""How long something lasts before its line is read (ns)."""
_START = threading.Thread.start.__code__


class Sampler:
    """Samples until `stop`, in a daemon thread."""

    def __init__(
        self,
        state: ProbeState,
        threads: Threads,
        lines: Lines,
        loop_thread: Thread,
        readings: LoopReadings | None = None,
    ) -> None:
        """`readings` reads the clocks of the loop's thread; without it they are not read."""
        self._state = state
        self._readings = readings
        self._threads = threads
        self._lines = lines
        self._loop = loop_thread
        self._watch = GilWatch(state, threads, lines, loop_thread)
        state.released = self._watch.released
        # Held while sampling. Waiting for a lock instead of an Event halves the cost of an idle round.
        self._running = threading.Lock()
        self._running.acquire()
        self._rounds = 0
        self.cpu_ns = 0
        """CPU time that the sampler has used so far."""
        self._thread = threading.Thread(target=self._run, name="loopviz sampler", daemon=True)

    def start(self) -> None:
        """Start sampling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the thread to end, a second at most."""
        self._running.release()
        self._thread.join(1.0)

    def _run(self) -> None:
        state, watch = self._state, self._watch
        while True:
            try:
                watch.sleeps()
            except Exception as error:
                state.failed("sampler", error)
            state.sampler_due = due = clock() + _PERIOD
            stopped = self._running.acquire(timeout=PERIOD)
            now = clock()
            state.sampler_due = NEVER
            if stopped:
                break
            try:
                watch.woken(due, now)
                self._look()
            except Exception as error:
                state.failed("sampler", error)
            self.cpu_ns = time.thread_time_ns()

    def _look(self) -> None:
        now = clock()
        self._rounds += 1
        held = self._loop_held(now)
        # The call of each thread is read before the frames and again after them: if it is still the same,
        # so is the call that the frames are of. A thread sets `since` before `call`.
        calls = [(t, t.call) for t in snapshot(self._threads.by_ident)]
        calls = [(t, call) for t, call in calls if call and now - t.since > LOOK]
        starts_thread = False
        if held or calls:
            frames = sys._current_frames()
            if held:
                task, since = held
                line = self._lines.of_thread(self._loop.ident, frames)
                starts_thread = _starts_thread(frames.get(self._loop.ident))
                # If the step ended while the stack was read, it is the wrong stack.
                if line is not None and self._loop_held(now) == held:
                    self._state.emit((clock(), HOLDS, task, since, *line))
            for thread, call in calls:
                line = self._lines.of_thread(thread.ident, frames)
                if line is not None and thread.call == call:
                    self._state.emit((clock(), EXECUTES, call, line.file, line.line, line.function))
            del frames
        every = self._rounds % CLOCKS_EVERY == 0
        if self._readings is not None:
            self._readings.after()
        if held or every:
            self._read_clocks(every=every, since=held[1] if held else 0, starts_thread=starts_thread)
        self._suspended(now)

    def _loop_held(self, now: int) -> tuple[int, int] | None:
        """What has held the loop for long, and since when: a task's number, or 0 for a callback."""
        state = self._state
        trace = state.current
        if trace is not None:
            # A step sets `began` before `current`: where the step is the same after `began` was read as
            # before, both are of the same step, or `began` is of a later one, which is not long yet.
            since = state.began
            return (trace.number, since) if now - since > LOOK and state.current is trace else None
        # Without a selector to hook, a loop that sleeps looks like one that runs a callback.
        if state.sleeping or not state.looked:
            return None
        since = state.touched
        if now - since < LOOK or state.sleeping or state.current is not None:
            return None
        return 0, since

    def _read_clocks(self, *, every: bool, since: int, starts_thread: bool) -> None:
        processes = self._threads.processes
        threads = [*snapshot(self._threads.by_ident), *list(processes)] if every else [self._loop]
        for thread in threads:
            if thread.clock is None:
                continue
            try:
                used = time.clock_gettime_ns(thread.clock)
            except OSError:  # it has ended
                thread.clock = None
                if thread in processes:
                    processes.remove(thread)
                continue
            if since and thread is self._loop and self._readings is not None:
                self._readings.sample(used, since, starts_thread=starts_thread)
            else:
                self._state.emit((clock(), CPU, thread.number, used))

    def _suspended(self, now: int) -> None:
        """Report every wake-up, and the line of every await, that has lasted for `LOOK`, once each."""
        for trace in list(self._state.live.values()):
            woken = trace.woken
            if woken and trace.wake_reported != woken and now - woken > LOOK:
                trace.wake_reported = woken
                self._state.emit((woken, WAKE, trace.number))
            since = trace.since
            if not since or trace.sampled == since or now - since < LOOK:
                continue
            task = trace.ref()
            if task is None or task.done():  # collected, or ended in a step that was not seen
                self._state.live.pop(trace.number, None)
                self._state.emit((clock(), END, trace.number))
                continue
            line = self._lines.of_task(task.get_coro())
            if trace.since == since:
                trace.sampled = since
                if line is not None:
                    self._state.emit((clock(), AWAITS, trace.number, line.file, line.line, line.function))


def _starts_thread(frame: FrameType | None) -> bool:
    """Whether a thread waits for another one that it starts: there are two functions in between."""
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code is _START:
            return True
        frame = frame.f_back
    return False
