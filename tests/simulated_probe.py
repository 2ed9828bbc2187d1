"""What the real probe reports of a simulated server, and in which order its threads append it.

A real probe does not report what happens when it happens. A step is one event, RAN, appended when it
ends; a wake-up is a part of it. A sampler reports what has lasted for 20 ms. Worker threads append for
themselves, a little later than they read the clock.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias, cast

from loopviz.probe.sampler import LOOK, PERIOD
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.streams import MS

__all__ = ["LATE", "REPORTS", "SETTLED", "Entry", "SimulatedProbe"]

Entry: TypeAlias = tuple[int, Event]
"""When an event is appended to the buffer (ns), and the event."""

REPORTS: Final = frozenset({"loop", "thread", "sampler"})
"""Before whose events the step that lasts is reported, by a WAKE and a STEP with the times at which its task
was woken and it began: those that the step itself brings about (RESPONDED, SUBMIT, TASK, TOKEN_WAIT),
those of other threads, and samples.

Without "loop", RESPONDED ends a request in the state that it was in before the step that answers: its
running time is reported as *ready* or *awaiting*. With SUBMIT it is the same, since the call may begin before
the step has ended. Without "thread", so it is with a call of the request that begins or returns during a
long step of another of its tasks. Without "sampler", so it is with a wake-up that is reported because it
lasts.
"""
REPEATS: Final = True
"""Whether RAN repeats the wake-up of a step that has been reported, as the real probe does.

Then the model takes it for a wake-up in that step: the task, whatever it awaits afterwards, is shown as
*ready* until its next step. So it is today after every block that the sampler has reported, unless it was the
first step of its task.
"""
LATE: Final = 3 * MS
"""The longest time between the moment at which a thread reads the clock, and at which it appends (ns)."""
_PERIOD: Final = round(PERIOD * 1000) * MS
SETTLED: Final = 20 * MS + LOOK + _PERIOD + LATE
"""What is older than this has been reported (ns): the margin of the reordering and of the sampler."""


@dataclass
class _Step:
    """A step of a task that lasts, or has lasted."""

    task: int
    woken: int
    began: int
    ended: int = 0


@dataclass
class SimulatedProbe:
    """Takes down what happens; `entries` is what a real probe would have appended."""

    random: Random
    steps: list[_Step] = field(default_factory=list)
    _entries: list[tuple[int, str, Event]] = field(default_factory=list)
    _woken: dict[int, int] = field(default_factory=dict)
    _suspended: dict[int, int] = field(default_factory=dict)
    _awaits: list[tuple[int, int, int]] = field(default_factory=list)
    _waits: list[tuple[int, int, int]] = field(default_factory=list)

    def on_loop(self, t: int, kind: str, *fields: object) -> None:
        """A hook on the loop's thread reports an event."""
        self._entries.append((t, "loop", cast("Event", (t, kind, *fields))))

    def elsewhere(self, t: int, *said: tuple[object, ...], after: int = 0) -> int:
        """Another thread reports events (without their time), after it appended others; when it appends."""
        when = max(t + 2 * self.random.randint(0, LATE // 2), after)
        self._entries += [(when, "thread", cast("Event", (t, *event))) for event in said]
        return when

    def woken(self, t: int, task: int) -> None:
        """A task is scheduled to run."""
        self._woken[task] = t
        if task in self._suspended:
            self._awaits.append((self._suspended.pop(task), t, task))

    def begins(self, t: int, task: int) -> None:
        """A step begins."""
        woken = self._woken.pop(task, 0)
        if woken:
            self._waits.append((woken, t, task))
        self.steps.append(_Step(task, woken, t))

    def ends(self, t: int, awaited: str | None, due: int) -> None:
        """The step ends: at an await, giving way (""), or with the task (None)."""
        step = self.steps[-1]
        step.ended = t
        if awaited:
            self._suspended[step.task] = t
        self._entries.append((t, "end", (t, ev.RAN, step.task, step.woken, step.began, awaited, due)))

    def _looks(self, since: int, until: int, first: int) -> list[int]:
        """When the sampler looks at what has lasted from `since` for long, and lasts until `until`."""
        at = since + LOOK + 1
        at += (first - at) % _PERIOD
        return list(range(at, until, _PERIOD))

    def _samples(self) -> list[tuple[int, str, Event]]:
        found: list[tuple[int, str, Event]] = []
        first = 2 * self.random.randint(0, _PERIOD // 2) + 1
        for step in self.steps:
            held = (ev.HOLDS, step.task, step.began, "app.py", 14, "handler", "")
            looks = self._looks(step.began, step.ended, first)
            found += [(at, "sampler", cast("Event", (at, *held))) for at in looks]
        for since, until, task in self._waits:
            looks = self._looks(since, until, first)[:1]
            found += [(at, "sampler", (since, ev.WAKE, task)) for at in looks]
        for since, until, task in self._awaits:
            looks = self._looks(since, until, first)[:1]
            frames = "21\thandler\tapp.py\n9\tsleep\ttasks.py"
            found += [(at, "sampler", (at, ev.FRAMES, task, 0, frames)) for at in looks]
            found += [(at, "sampler", (at, ev.AWAITS, task, "app.py", 21, "handler")) for at in looks]
        return found

    def entries(self, reports: frozenset[str] = REPORTS, *, repeats: bool = REPEATS) -> list[Entry]:
        """What is appended, in the order in which it is; see `REPORTS` and `REPEATS`."""
        began = [step.began for step in self.steps]
        reported: set[int] = set()
        found: list[Entry] = []
        for when, source, event in sorted([*self._entries, *self._samples()], key=lambda entry: entry[0]):
            at = bisect_right(began, when) - 1
            step = self.steps[at] if at >= 0 else None
            if source in reports and step is not None and when < step.ended and at not in reported:
                reported.add(at)
                if step.woken:
                    found.append((when, (step.woken, ev.WAKE, step.task)))
                found.append((when, (step.began, ev.STEP, step.task)))
            if event[1] == ev.RAN and at in reported and not repeats:
                event = (*event[:3], 0, *event[4:])  # noqa: PLW2901
            found.append((when, event))
        return found
