"""The watch over a process that falls silent: which of its threads keeps the GIL, and at which line.

A process reports at least 20 times a second, see `loopviz.wire.messages`. If it does not, it may be stopped,
short of a core, or C code in it keeps the GIL. Then what it could not report any more is read from its black
box, and the thread that computes is asked for its stack. What follows from that are events as the process
itself would report them, and `keeps`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from loopviz.agent import blackbox
from loopviz.live.hog import ask, machine
from loopviz.live.hog.channel import Channel
from loopviz.live.hog.dump import Frame, parse
from loopviz.live.hog.heard import Heard
from loopviz.live.hog.verdict import Verdict, verdict
from loopviz.stream.events import CPU, HOLDS, IDLE, ITERATION, KEEPS, STOPPED, WAITED, WITHIN, Event

if TYPE_CHECKING:  # it loads the probe, which the program needs only when a process falls silent
    from loopviz.live.hog.place import Places

__all__ = ["EVERY", "Watch"]

EVERY: Final = 0.025
"""How often `look` is to be called (s)."""
_SILENT = 150_000_000
"""A process that has said nothing for so long (ns) is looked at."""
_BASELINE = 100_000_000
"""After so much silence (ns) its counters are read for the first time."""
_SPAN = 45_000_000
"""So long (ns) a thread must have kept the GIL to be named: others that take turns do not have it so long."""
_LATE = 1_000_000_000
"""If `look` is called later than this (ns) after the last time, the silence may be our own.

On a busy machine, it often is some 100 ms late. That does no harm: the process was silent all the same, and
what its threads did meanwhile is in their counters.
"""
_ASK_EVERY = 100_000_000
_MOST = 1 << 21
"""The most bytes of an answer."""
_FOREIGN = 1 << 30
"""What a thread that the probe does not know has for a number: this, and its number for Linux."""
_WORKER = 1 << 40
"""The numbers of each of several servers and workers begin at a multiple of this."""
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
    """When it was asked for a stack last; 0 once it has answered."""
    due: int = 0
    """When it is to be asked again."""
    seen: int = 0
    """When the keeper was seen last."""


class _Keeper(NamedTuple):
    """A thread that keeps the GIL."""

    native: int
    """Its number in the operating system; 0 if it is not known."""
    number: int
    """Its number in events."""
    frames: Sequence[Frame]
    loop_runs: bool
    """Whether the loop was seen not to sleep."""


class Watch:
    """Looks at one process. All methods are called in one thread."""

    def __init__(self, pid: int, take: Callable[[list[Event]], None], channel: Channel | None = None) -> None:
        """`take` is given events as if the process had sent them. The channel is closed by `close`."""
        self._pid = pid
        self._take = take
        self._channel = channel
        self._box, self._pipe = (channel.box, channel.pipe) if channel is not None else (-1, -1)
        if channel is not None:
            os.set_blocking(self._pipe, False)
        self._signal = self._loop_native = self._reporter = 0
        self._own: Sequence[str] = ()
        self._libraries: Sequence[str] = ()
        self._places: Places | None = None
        self._known = Heard()
        self._heard = self._looked = 0
        self._looks: deque[machine.Reading] = deque()
        self._episode: _Episode | None = None
        self._offset = 0  # what the process takes from its own count of the wait for a core
        self._stopped = 0  # up to when it was reported to be stopped

    # -- what the process says -----------------------------------------------------------------

    def hello(self, hello: Mapping[str, Any]) -> None:
        """The process has said what it is; see `loopviz.wire.messages.Hello`."""
        self._signal = int(hello.get("signal") or 0)
        self._loop_native = int(hello.get("loop_thread") or 0)
        self._reporter = int(hello.get("reporter") or 0)
        self._own, self._libraries = hello.get("own") or (), hello.get("libraries") or ()
        self._places = None

    def heard(self, now: int, events: list[Event]) -> list[Event]:
        """The process has sent these events, perhaps none. Returns those that are new."""
        waited = self._known.waited
        events = self._known.take(now, events)
        if self._known.waited is not waited and self._known.waited is not None:
            self._offset = machine.core(self._pid, self._loop_native) - self._known.waited[0]
        episode, self._episode = self._episode, None
        self._looks.clear()
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
            self._looks.clear()
            self._heard = max(self._heard, now - _BASELINE) if self._heard else 0
            return
        silent = now - self._heard
        if not self._heard or silent < _BASELINE:
            return
        if self._episode is not None and self._episode.asked:
            self._read_answer(self._episode)
        readings = self._looks
        if readings and silent < _SILENT:
            return
        reading = machine.read(self._pid, now)
        if reading is None:
            return
        ran = readings[-1].t if readings else 0
        readings.append(reading)
        while len(readings) > 1 and readings[1].t <= now - _SPAN:
            readings.popleft()
        before = readings[0]
        if reading.stopped:
            self._take([(now, STOPPED, self._stopped or max(self._heard, ran))])
            self._stopped = now
            if self._episode is not None:
                self._episode.since = now  # what it does afterwards is counted from then on
            return
        found = verdict(before, reading, self._reporter) if before.t <= now - _SPAN else None
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
            sleeps = noted.step is None and found.keeper != self._loop_native
            if sleeps and known.iterates and not known.idle:
                known.idle = True  # unless the stacks say that a callback waits for the GIL
                new.append((known.until, IDLE))
            self._take(new)
            since = max(self._heard, noted.step.began if noted.step is not None else 0)
            episode = self._episode = _Episode(since, noted, found, reading)
        elif 0 not in {found.keeper, episode.verdict.keeper} and found.keeper != episode.verdict.keeper:
            episode.since = max(episode.since, episode.seen)  # the one before has had it until then
        episode.verdict, episode.reading = found, reading
        if now < episode.due:
            return
        if episode.asked or not self._ask(found.keeper):
            self._report(episode, [])  # it does not answer
            episode.asked = 0
        else:
            episode.asked = now
        episode.due = now + _ASK_EVERY

    def _ask(self, thread: int) -> bool:
        if (
            not thread
            or not self._signal
            or self._pipe < 0
            or not machine.takes(self._pid, thread, self._signal)
        ):
            return False
        self._pour()  # an answer that has come too late
        return ask.send(self._pid, thread, self._signal)

    def _pour(self) -> str:
        data = bytearray()
        with suppress(OSError):  # there is no more
            while len(data) < _MOST and (more := os.read(self._pipe, 1 << 16)):
                data += more
        return data.decode("ascii", errors="replace")

    def _read_answer(self, episode: _Episode) -> None:
        if frames := parse(self._pour()):
            episode.asked = 0
            self._report(episode, frames)

    # -- what follows --------------------------------------------------------------------------

    def _finds(self) -> Places:
        """What finds the user's line in its stacks."""
        if self._places is None:
            from loopviz.live.hog.place import places  # noqa: PLC0415 - see above

            self._places = places(self._own, self._libraries)
        return self._places

    def _report(self, episode: _Episode, frames: Sequence[Frame]) -> None:
        """Report what keeps the GIL, by the stack of the thread that computes, or none."""
        keeper = self._keeper(episode, frames)
        known, at = self._known, episode.reading.t
        places = self._finds()
        if keeper.native not in episode.noted.threads and places.is_ours(keeper.frames):
            return
        events: list[Event] = self._readings(episode, keeper)
        began = episode.since
        if keeper.number == known.loop:
            if known.idle:
                known.idle = False
                events.append((episode.since, ITERATION))
            line = places.of_loop(keeper.frames)
            if line is not None:
                step = episode.noted.step
                events.append((at, HOLDS, *((step.task, step.began) if step else (0, began)), *line))
        else:
            if known.idle and keeper.loop_runs:
                known.idle = False
                events.append((known.until, ITERATION))
            call = known.calls.get(keeper.number)
            if call is None:
                line = places.of_loop(keeper.frames)
            else:
                began, _, called, _, _, _, file, first, function = call
                line = places.of_call(keeper.frames, (file, first, function) if file else None)
                if line is not None:
                    events.append((at, WITHIN, called, *line))
        episode.seen = at
        began = min(max(episode.since, began), at)
        events.append((at, KEEPS, began, keeper.number, *(line or ("", 0, "", ""))))
        self._take(sorted(events, key=lambda event: event[0]))

    def _keeper(self, episode: _Episode, frames: Sequence[Frame]) -> _Keeper:
        """The thread that keeps the GIL: one that computes, or one that sleeps in C code."""
        noted, known = episode.noted, self._known
        native, still, waits = episode.verdict
        runs = noted.step is not None or self._loop_native in waits
        base = known.loop // _WORKER * _WORKER + _FOREIGN
        if native:
            number = known.loop if native == self._loop_native else noted.threads.get(native, base + native)
            return _Keeper(native, number, frames, runs)
        # A step or a call may also sleep without the GIL, so one is named only where there is no other.
        asleep = [one for one, number in noted.threads.items() if one in still and number in known.calls]
        if noted.step is not None and self._loop_native in still:
            asleep.append(self._loop_native)
        native = asleep[0] if len(asleep) == 1 else 0
        number = known.loop if native == self._loop_native else noted.threads.get(native, base)
        return _Keeper(native, number, (), runs)

    def _readings(self, episode: _Episode, keeper: _Keeper) -> list[Event]:
        """Readings of the counters of the loop's thread and of the keeper."""
        reading, known, threads, loop = episode.reading, self._known, episode.noted.threads, self._loop_native
        events: list[Event] = [
            (reading.t, CPU, threads[thread], reading.threads[thread].used)
            for thread in {loop, keeper.native}
            if thread in threads and thread in reading.threads
        ]
        if loop in reading.threads:
            late = known.waited[1] if known.waited is not None else 0
            core = max(0, reading.threads[loop].core - self._offset)
            events.append((reading.t, WAITED, known.loop, core, late))
        return events

    def close(self) -> None:
        """Close the files."""
        if self._channel is not None:
            self._channel.close()
        self._box = self._pipe = -1
