"""The sampler: a thread that looks at the server from outside.

Only what a hook cannot see is sampled: the line that holds the loop, the lines at which tasks
and worker threads are, and the threads' CPU clocks. What is shorter than `LOOK` is not sampled, so a
server that is idle, or has short steps only, costs next to nothing.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from types import FrameType

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.lines import Lines
from loopviz.probe.state import ProbeState
from loopviz.probe.threads import Thread, Threads
from loopviz.stream.events import AWAITS, CALLBACK, CPU, END, EXECUTES, HOLDS, WAKE

__all__ = ["CLOCKS_EVERY", "PERIOD", "Sampler"]

PERIOD = 0.02
"""Seconds between two samples."""
CLOCKS_EVERY = 5
"""Rounds between two readings of the CPU clocks, while the loop is not held."""
LOOK = 20_000_000
"""How long something lasts before its line is read (ns)."""


class Sampler:
    """Samples until `stop`, in a daemon thread."""

    def __init__(self, state: ProbeState, threads: Threads, lines: Lines, loop_thread: Thread) -> None:
        self._state = state
        self._threads = threads
        self._lines = lines
        self._loop = loop_thread
        # Held while sampling. Waiting for a lock instead of an Event halves the cost of an idle round.
        self._running = threading.Lock()
        self._running.acquire()
        self._rounds = 0
        self._callbacks = itertools.count(1)
        self._callback: tuple[object, int] | None = None  # the handle that was seen last, and its number
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
        self._callback = None

    def _run(self) -> None:
        while not self._running.acquire(timeout=PERIOD):
            try:
                self._look()
            except Exception as error:
                self._state.failed("sampler", error)
            self.cpu_ns = time.thread_time_ns()

    def _look(self) -> None:
        now = clock()
        self._rounds += 1
        held = self._loop_held(now)
        if held is None or held[0]:
            self._callback = None
        calls = [t for t in self._threads.by_ident.values() if t.call and now - t.since > LOOK]
        if held or calls:
            frames = sys._current_frames()
            if held:
                task, since = held
                line = self._lines.of_thread(self._loop.ident, frames)
                # If the step ended while the stack was read, it is the wrong stack.
                if line is not None and self._loop_held(now) == held:
                    seen = clock()
                    if not task:
                        self._see_callback(seen, since, frames.get(self._loop.ident))
                    self._state.emit((seen, HOLDS, task, since, *line))
            for thread in calls:
                call = thread.call
                line = self._lines.of_thread(thread.ident, frames)
                if call and line is not None and thread.call == call:
                    self._state.emit((clock(), EXECUTES, call, line.file, line.line, line.function))
            del frames
        every = self._rounds % CLOCKS_EVERY == 0
        if held or every:
            self._read_clocks(every=every)
        self._suspended(now)

    def _loop_held(self, now: int) -> tuple[int, int] | None:
        """What has held the loop for long, and since when: a task's number, or 0 for a callback."""
        state = self._state
        trace = state.current
        if trace is not None:
            since = state.began
            return (trace.number, since) if now - since > LOOK else None
        # Without a selector to hook, a loop that sleeps looks like one that runs a callback.
        if state.sleeping or not state.looked or now - state.touched < LOOK:
            return None
        return 0, state.touched

    def _see_callback(self, now: int, since: int, frame: FrameType | None) -> None:
        """Report which callback holds the loop, so that many short ones are not taken for a long one."""
        found = compat.handle_of(frame)
        if found is None:
            self._callback = None
            return
        handle, context = found
        # The handle is kept until the next look, so that its identity is not used again.
        if self._callback is None or self._callback[0] is not handle:
            self._callback = handle, next(self._callbacks)
        request = 0 if context is None else context.get(self._state.request, 0)
        self._state.emit((now, CALLBACK, self._callback[1], request, since))

    def _read_clocks(self, *, every: bool) -> None:
        processes = self._threads.processes
        threads = [*self._threads.by_ident.values(), *processes] if every else [self._loop]
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
