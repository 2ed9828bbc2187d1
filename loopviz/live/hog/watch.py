"""The watch over a process that falls silent: which of its threads keeps the GIL, and at which line.

A process reports at least 20 times a second, see `loopviz.wire.messages`. If it does not, it may be stopped,
short of a core, or C code in it keeps the GIL. Then what it could not report any more is read from its black
box, and it is asked for its stacks. What follows from that are events as the process itself would report
them, and `keeps`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from loopviz.agent import blackbox
from loopviz.live.hog import ask, machine
from loopviz.live.hog.dump import Stack, parse
from loopviz.live.hog.heard import Heard
from loopviz.live.hog.place import Places
from loopviz.live.hog.verdict import Verdict, verdict
from loopviz.probe.lines import Line, Lines
from loopviz.stream.events import CPU, HOLDS, IDLE, ITERATION, KEEPS, STOPPED, WITHIN, Event

__all__ = ["EVERY", "Watch"]

EVERY: Final = 0.025
"""How often `look` is to be called (s)."""
_SILENT = 150_000_000
"""A process that has said nothing for so long (ns) is looked at."""
_BASELINE = 100_000_000
"""After so much silence (ns) its counters are read for the first time."""
_LATE = 80_000_000
"""If `look` is called later than this (ns) after the last time, the silence may be our own."""
_ASK_EVERY = 100_000_000
_MOST = 1 << 21
"""The most bytes of an answer."""
_FOREIGN = 1 << 30
"""What a thread that the probe does not know has for a number: this, and its number for Linux."""
_WORKER = 1 << 48
"""The numbers of each of several workers begin at a multiple of this."""
_NOTHING: Final = blackbox.Noted(None, [], {})


@dataclass(slots=True)
class _Episode:
    """A time in which a process is silent."""

    since: int
    """Since when the GIL is kept, at the latest (ns)."""
    noted: blackbox.Noted
    verdict: Verdict
    reading: machine.Reading
    asked: int = 0
    """When it was asked for its stacks last; 0 once it has answered."""
    due: int = 0
    """When it is to be asked again."""
    seen: int = 0
    """When the keeper was seen last."""


class Watch:
    """Looks at one process. All methods are called in one thread."""

    def __init__(
        self, pid: int, take: Callable[[list[Event]], None], *, box: int = -1, pipe: int = -1
    ) -> None:
        """`take` is given events as if the process had sent them; `box` is the black box's file.

        `pipe` is the end of a pipe from which the stacks are read. -1 where there is none. Both are closed by
        `close`.
        """
        self._pid = pid
        self._take = take
        self._box = box
        self._pipe = pipe
        if pipe >= 0:
            os.set_blocking(pipe, False)
        self._signal = self._loop_native = self._reporter = 0
        self._places = Places(Lines())
        self._known = Heard()
        self._heard = self._looked = 0
        self._before: machine.Reading | None = None
        self._episode: _Episode | None = None
        self._stopped = 0  # up to when it was reported to be stopped

    # -- what the process says -----------------------------------------------------------------

    def hello(self, hello: Mapping[str, Any]) -> None:
        """The process has said what it is; see `loopviz.wire.messages.Hello`."""
        self._signal = int(hello.get("signal") or 0)
        self._loop_native = int(hello.get("loop_thread") or 0)
        self._reporter = int(hello.get("reporter") or 0)
        self._places = Places(Lines(hello.get("own") or (), hello.get("libraries") or ()))

    def heard(self, now: int, events: list[Event]) -> list[Event]:
        """The process has sent these events, perhaps none. Returns those that are new."""
        events = self._known.take(now, events)
        episode, self._episode, self._before = self._episode, None, None
        self._heard, self._stopped = now, 0
        if episode is not None and episode.seen:
            over = min((event[0] for event in events if event[0] > episode.seen), default=now)
            return [*events, (over, KEEPS, min(episode.since, over), 0, "", 0, "", "")]
        return events

    # -- what it does not say ------------------------------------------------------------------

    def look(self, now: int) -> None:
        """To be called every `EVERY` seconds, after everything that the process has sent was read."""
        late, self._looked = now - self._looked > _LATE, now
        if late:  # this program itself may have been stopped
            self._before = None
            self._heard = max(self._heard, now - _BASELINE) if self._heard else 0
            return
        silent = now - self._heard
        if not self._heard or silent < _BASELINE:
            return
        if self._episode is not None and self._episode.asked:
            self._read_answer(now, self._episode)
        before = self._before
        if before is not None and silent < _SILENT:
            return
        reading = self._before = machine.read(self._pid, now)
        if reading is None or before is None:
            return
        if reading.stopped:
            self._take([(now, STOPPED, self._stopped or self._heard)])
            self._stopped = now
            return
        found = verdict(before, reading, self._reporter)
        if found is not None:
            self._kept(now, found, reading)

    def _kept(self, now: int, found: Verdict, reading: machine.Reading) -> None:
        """A thread keeps the GIL."""
        episode = self._episode
        if episode is None:
            noted = blackbox.read(self._box) if self._box >= 0 else _NOTHING
            if noted is None:
                return  # it is running again
            known = self._known
            new = known.replace(self._heard, noted)
            if noted.step is None and found.keeper != self._loop_native and not known.idle:
                known.idle = True  # unless the stacks say that a callback waits for the GIL
                new.append((known.until, IDLE))
            self._take(new)
            since = max(self._heard, noted.step.began if noted.step is not None else 0)
            episode = self._episode = _Episode(since, noted, found, reading)
        episode.verdict, episode.reading = found, reading
        if now < episode.due:
            return
        if episode.asked or not self._ask(found.asks):
            self._report(now, episode, [])  # it does not answer
            episode.asked = 0
        else:
            episode.asked = now
        episode.due = now + _ASK_EVERY

    def _ask(self, thread: int) -> bool:
        if not self._signal or self._pipe < 0 or not machine.takes(self._pid, self._signal):
            return False
        self._pour()  # an answer that has come too late
        return ask.send(self._pid, thread, self._signal)

    def _pour(self) -> str:
        data = bytearray()
        with suppress(OSError):  # there is no more
            while len(data) < _MOST and (more := os.read(self._pipe, 1 << 16)):
                data += more
        return data.decode("ascii", errors="replace")

    def _read_answer(self, now: int, episode: _Episode) -> None:
        if stacks := parse(self._pour()):
            episode.asked = 0
            self._report(now, episode, stacks)

    # -- what follows --------------------------------------------------------------------------

    def _report(self, now: int, episode: _Episode, stacks: Sequence[Stack]) -> None:
        """Report what keeps the GIL, by the stacks of all threads, or none."""
        noted, known, places = episode.noted, self._known, self._places
        native, at = episode.verdict.keeper, episode.reading.t
        current = next((stack for stack in stacks if stack.current), None)
        if episode.verdict.asks == self._loop_native:
            loop = current
        else:
            loop = next((stack for stack in stacks if places.runs_loop(stack.frames)), None)
        sleeps = noted.step is None and loop is not None and places.sleeps(loop.frames)
        base = known.loop // _WORKER * _WORKER
        if native:
            number = noted.threads.get(native, base + _FOREIGN + native)
            stack = current
        else:
            native, number, stack = self._asleep_with_it(episode, stacks, loop, sleeps=sleeps)
        events: list[Event] = [
            (at, CPU, noted.threads[thread], episode.reading.threads[thread].used)
            for thread in {self._loop_native, native}
            if thread in noted.threads and thread in episode.reading.threads
        ]
        frames = stack.frames if stack is not None else ()
        call = known.calls.get(number)
        if number == known.loop:
            if known.idle:
                known.idle = False
                events.append((episode.since, ITERATION))
            line = places.of_loop(frames)
            if line is not None:
                step = noted.step
                events.append((at, HOLDS, *((step.task, step.began) if step else (0, episode.since)), *line))
        else:
            if known.idle and loop is not None and not sleeps:
                known.idle = False
                events.append((known.until, ITERATION))
            if call is not None:
                _, _, called, _, _, _, file, first, function = call
                line = places.of_call(frames, Line(file, first, function, "") if file else None)
                if line is not None:
                    events.append((at, WITHIN, called, *line))
            else:
                line = places.of_loop(frames)
        episode.seen = at
        began = max(episode.since, call[0] if call is not None else 0)
        events.append((at, KEEPS, min(began, at), number, *(line or Line("", 0, "", ""))))
        self._take(sorted(events, key=lambda event: event[0]))

    def _asleep_with_it(
        self, episode: _Episode, stacks: Sequence[Stack], loop: Stack | None, *, sleeps: bool
    ) -> tuple[int, int, Stack | None]:
        """The thread that sleeps in C code and keeps the GIL: its two numbers, and its stack."""
        noted, known, still = episode.noted, self._known, episode.verdict.still
        if self._loop_native in still and not sleeps:
            return self._loop_native, known.loop, loop
        calling = [
            (native, number)
            for native, number in noted.threads.items()
            if native in still and number in known.calls
        ]
        stack = [stack for stack in stacks if self._places.is_call(stack.frames)]
        native, number = calling[0] if len(calling) == 1 else (0, known.loop // _WORKER * _WORKER + _FOREIGN)
        return native, number, stack[0] if len(stack) == 1 else None

    def close(self) -> None:
        """Close the files."""
        for file in (self._box, self._pipe):
            if file >= 0:
                os.close(file)
        self._box = self._pipe = -1
