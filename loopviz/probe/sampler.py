"""The sampler: a thread that looks at the server from outside.

Only what a hook cannot see is sampled: the line that holds the loop, the lines at which tasks
and worker threads are, and the threads' CPU clocks. What is shorter than `LOOK` is not sampled, so a
server that is idle, or has short steps only, costs next to nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from types import FrameType
from typing import Any

from loopviz.clock import NS
from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.awaited import awaited_by, what_is_awaited
from loopviz.probe.chain import inwards
from loopviz.probe.gil import GilWatch, snapshot
from loopviz.probe.handlers import Handlers
from loopviz.probe.holders import Holders
from loopviz.probe.lines import Line, Lines
from loopviz.probe.readings import LoopReadings
from loopviz.probe.rivals import Rivals
from loopviz.probe.state import NEVER, ProbeState, Trace
from loopviz.probe.threads import Thread, Threads
from loopviz.probe.transports import look
from loopviz.stream.events import AWAITED, AWAITS, CALLBACK, CPU, END, EXECUTES, FRAMES, HOLDS, WAKE, WITHIN

__all__ = ["CLOCKS_EVERY", "PERIOD", "Sampler"]

PERIOD = 0.02
"""Seconds between two samples."""
CLOCKS_EVERY = 5
"""Rounds between two readings of the CPU clocks, while the loop is not held."""
_PERIOD = int(PERIOD * NS)
LOOK = 20_000_000
"""How long something lasts before its line is read (ns)."""
_READING = 5_000_000
"""CPU time (ns) for the lines of awaits in one look, with the GIL. What is left is for the next one."""
_UNSEEN = 100_000_000
"""After this time (ns) a request that was at no line for `LOOK` is seen at one that is shorter."""
_FLEETING = 4
"""So many of those are read in one look."""
_MOST_FRAMES = 1_000
"""Of so many steps and calls the frames that were reported last are remembered."""
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
        self._holders = Holders(state)
        self._rivals = Rivals(state)
        self._watch = GilWatch(state, threads, lines, loop_thread)
        state.released = self._watch.released
        # Held while sampling. Waiting for a lock instead of an Event halves the cost of an idle round.
        self._running = threading.Lock()
        self._running.acquire()
        self._rounds = 0
        self._left_off = 0
        """The task whose await was read last, if there was no time for those after it."""
        self._handlers = Handlers(state, lines)
        self._frames: dict[tuple[int, int], tuple[int, str]] = {}
        """The frames that were reported last of tasks that hold the loop, and of calls in threads."""
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
        if not self._thread.is_alive():
            self._rivals.close()
        self._callback = None

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
        if held is None or held[0]:
            self._callback = None
        # The call of each thread is read before the frames and again after them: if it is still the same,
        # so is the call that the frames are of. A thread sets `since` before `call`.
        calls = [(t, t.call) for t in snapshot(self._threads.by_ident)]
        calls = [(t, call) for t, call in calls if call and now - t.since > LOOK]
        starts_thread = False
        if held or calls:
            frames = sys._current_frames()
            if held:
                starts_thread = _starts_thread(frames.get(self._loop.ident))
                self._holds(now, held, frames)
            for thread, call in calls:
                if thread.call == call:
                    self._executes(thread, frames)
            del frames
        every = self._rounds % CLOCKS_EVERY == 0
        if self._readings is not None:
            self._readings.after()
        if held or every:
            self._read_clocks(every=every, since=held[1] if held else 0, starts_thread=starts_thread)
        if self._state.sending:
            look(self._state, ask=True)
        self._suspended(now)

    def _holds(self, now: int, held: tuple[int, int], frames: dict[int, FrameType]) -> None:
        """Report the line that holds the loop, and which callback, if it is one."""
        task, since = held
        line = self._lines.of_thread(self._loop.ident, frames)
        stack = self._lines.stack(self._loop.ident, frames) if line is not None and task else []
        around = self._lines.frames(stack, line) if line is not None and task else ""
        # If the step ended while the stack was read, it is the wrong stack.
        if line is not None and self._loop_held(now) == held:
            seen = clock()
            if not task:
                self._see_callback(seen, since, frames.get(self._loop.ident))
            else:
                self._around(seen, task, 0, since, around)
                if (trace := self._state.live.get(task)) is not None:
                    self._handlers.look(trace.request, stack)
            self._state.emit((seen, HOLDS, task, since, *line))

    def _executes(self, thread: Thread, frames: dict[int, FrameType]) -> None:
        """Report the line of a worker thread's call."""
        call = thread.call
        line = self._lines.of_call(thread.ident, frames, call, self._caller) if call else None
        if line is None or thread.call != call:
            return
        around = self._lines.frames(self._lines.stack(thread.ident, frames), line)
        if thread.call != call:
            return
        self._around(clock(), 0, call, thread.since, around)
        if line.calls:
            self._state.emit((clock(), WITHIN, call, *line))
        else:
            self._state.emit((clock(), EXECUTES, call, line.file, line.line, line.function))

    def _around(self, now: int, task: int, call: int, since: int, frames: str) -> None:
        """Report the frames of what lasts `since` then, if they are not those that were reported last."""
        key = (task, call)
        known, before = self._frames.get(key, (0, ""))
        if frames != (before if known == since else ""):
            self._state.emit((now, FRAMES, task, call, frames))
        if frames:
            self._frames[key] = since, frames
            if len(self._frames) > _MOST_FRAMES:
                del self._frames[next(iter(self._frames))]
        else:
            self._frames.pop(key, None)

    def _caller(self, number: int) -> Line | None:
        """Where a task awaits its call in a worker thread; else the endpoint of its request."""
        trace = self._state.live.get(number)
        task = trace.ref() if trace is not None else None
        if trace is None or task is None:
            return None
        request = trace.request
        for _ in range(5):
            chain = [frame for _, frame in inwards(compat.coroutine_of(task))]
            awaited = what_is_awaited(task, chain, self._lines.is_library)
            line = self._lines.of_chain(chain) if awaited and awaited.what in {"thread", "task"} else None
            if line is not None:
                return line
            task = awaited_by(task)
            if task is None:
                break
        return self._endpoint(request) if request else None

    def _endpoint(self, request: int) -> Line | None:
        for trace in list(self._state.live.values()):
            task = trace.ref() if trace.request == request else None
            if task is not None:
                endpoint = self._lines.endpoint([frame for _, frame in inwards(compat.coroutine_of(task))])
                if endpoint is not None:
                    return endpoint
        return None

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

    def _read_clocks(self, *, every: bool, since: int, starts_thread: bool) -> None:
        processes = self._threads.processes
        threads = [*snapshot(self._threads.by_ident), *list(processes)] if every else [self._loop]
        computing: list[tuple[Thread, int, int]] = []
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
                now = clock()
                self._state.emit((now, CPU, thread.number, used))
                if thread.call and thread is not self._loop and thread not in processes:
                    computing.append((thread, now, used))
        if every:
            self._rivals.look(computing)

    def _suspended(self, now: int) -> None:
        """Report every wake-up, and the line of every await, that has lasted for `LOOK`, once each.

        Of requests whose awaits are all shorter, as where computing is cut into chunks, now and then one.
        """
        traces = list(self._state.live.values())
        if self._left_off:
            traces.sort(key=lambda trace: trace.number <= self._left_off)  # stable: the others come first
            self._left_off = 0
        until = time.thread_time_ns() + _READING
        fleeting = _FLEETING
        for trace in traces:
            self._woken(trace, now)
            since = trace.since
            if self._left_off or (since and trace.sampled == since):
                continue
            if not since or now - since < LOOK:
                fleeting -= fleeting > 0 and self._glance(trace, since, now)
                continue
            task = trace.ref()
            if task is None or compat.is_done(task):  # collected, or ended in a step that was not seen
                self._state.live.pop(trace.number, None)
                self._state.emit((clock(), END, trace.number))
                continue
            try:
                self._awaits(trace, task, since)
            except Exception as error:
                self._state.failed("await", error)
            if trace.since == since:
                trace.sampled = since
            if time.thread_time_ns() > until:
                self._left_off = trace.number
        for number, awaited, holder in self._holders.changed():
            self._state.emit((clock(), AWAITED, number, awaited.what, awaited.name, holder))

    def _woken(self, trace: Trace, now: int) -> None:
        """Report since when a task can go on, if that is long ago."""
        woken = trace.woken
        if woken and trace.wake_reported != woken and now - woken > LOOK:
            trace.wake_reported = woken
            self._state.report_long_step(now)
            self._state.emit((woken, WAKE, trace.number))

    @staticmethod
    def _unseen(trace: Trace, now: int) -> bool:
        """Whether a request's task, whose awaits are short, has been seen at none for long."""
        if trace.sampled >= 0:  # it was seen at an await that lasted until a moment ago, or never
            trace.sampled = -now
        return trace.request > 0 and now + trace.sampled > _UNSEEN

    def _glance(self, trace: Trace, since: int, now: int) -> bool:
        """Report where a task is for a moment: at a short await, or where it gives way to others.

        Only where it was seen nowhere for long; returns whether it was looked at.
        """
        state, task = self._state, trace.ref()
        began = state.began
        if task is None or state.current is trace or not self._unseen(trace, now):
            return False
        trace.sampled = -now  # it is read as any other await if it lasts
        try:
            chain = [frame for _, frame in inwards(compat.coroutine_of(task))]
            line = self._lines.of_chain(chain)
            # If a step began while the chain was read, it may have been this task's.
            if line is not None and state.began == began and trace.since == since:
                self._handlers.look(trace.request, chain)
                state.emit((clock(), AWAITS, trace.number, line.file, line.line, line.function))
        except Exception as error:
            state.failed("await", error)
        return True

    def _awaits(self, trace: Trace, task: asyncio.Task[Any], since: int) -> None:
        """Report where a task is suspended, and at what, unless it has run since."""
        chain = [frame for _, frame in inwards(compat.coroutine_of(task))]
        line = self._lines.of_chain(chain)
        awaited = what_is_awaited(task, chain, self._lines.is_library)
        around = self._lines.frames(chain, line) if line is not None else ""
        if trace.since != since:
            return
        self._handlers.look(trace.request, chain)
        if line is not None:
            if around:
                self._state.emit((clock(), FRAMES, trace.number, 0, around))
            self._state.emit((clock(), AWAITS, trace.number, line.file, line.line, line.function))
        if awaited is not None:
            holder = self._holders.wait(trace, awaited) if awaited.lock is not None else 0
            self._state.emit((clock(), AWAITED, trace.number, awaited.what, awaited.name, holder))


def _starts_thread(frame: FrameType | None) -> bool:
    """Whether a thread waits for another one that it starts: there are two functions in between."""
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code is _START:
            return True
        frame = frame.f_back
    return False
