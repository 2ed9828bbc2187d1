"""Firing a repair under a steady load: the original has it for some seconds, and then the repaired code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from loopviz.clock import NS
from loopviz.findings.table import of_time
from loopviz.model import Request, Timeline
from loopviz.model.answers import compare
from loopviz.scenario import ScenarioFile
from loopviz.stream.copies import Copies
from loopviz.stream.source import Load, Source
from loopviz.tui.screens.lineup import Lineup
from loopviz.tui.screens.repair.plans import Plan
from loopviz.tui.screens.repair.trial import ASKED, Stage, Trial

__all__ = ["LONG", "LoadTrial", "Steady"]

LONG: Final = 5
"""So many seconds each of the two has the load."""
_PATIENCE: Final = 5 * NS
"""So long what was sent of it is waited for (ns)."""


@dataclass(frozen=True, slots=True)
class Steady:
    """What was measured of one of the two."""

    requests: int
    unanswered: int
    """How many had no answer when they were looked at."""
    median: float
    """Of the latencies (s); of what was not answered, the time up to then."""


class LoadTrial(Trial):
    """A repair that is measured under a load. When it is over, the original has its load again."""

    def __init__(self, source: Source, plan: Plan, load: Load) -> None:
        super().__init__(source, plan, None, max(1, round(load.per_second * LONG)))
        self.per_second = load.per_second
        self.steady: list[Steady] = []
        """Of the original, then of the repaired code."""
        self._began = 0
        self._ended = 0
        self.stage = Stage.ORIGINAL

    def end(self, *, unanswered: bool = True) -> None:
        """Leave nothing behind, and let the original have its load again."""
        known = self.over
        super().end(unanswered=unanswered)
        if not known:
            self.source.set_load(self.plan.scenario, self.per_second)

    def _step(self, timeline: Timeline, now: int) -> None:
        if self.stage is Stage.ORIGINAL:
            if self._has_had(self.original, self.plan.scenario, timeline, now):
                self.source.give_up()  # what has piled up would be measured as well
                self.stage, self._began = Stage.WAITS, 0
        elif self.stage is Stage.ASKING:
            if self._done(self._asking) and not any(self._running(timeline, now)):
                self._answered(timeline, now)
        elif self.stage is Stage.REPAIRED and self.repaired is not None:
            if self._has_had(self.repaired, self.repaired.file, timeline, now) and isinstance(
                self.source, Copies
            ):
                self.stage = Stage.ASKING
                file = self.repaired.file
                self._asking = self.source.fire_heard(file, ASKED, self._after.append)
            elif self._ended and not isinstance(self.source, Copies):
                self._judge(timeline, now)
        else:
            super()._step(timeline, now)

    def _has_had(self, lineup: Lineup, file: ScenarioFile, timeline: Timeline, now: int) -> bool:
        """Send the load; whether it has lasted long enough, and was answered or waited for long enough."""
        if not self._began:
            self._began, self._ended, lineup.fired = now, 0, now
            self.source.set_load(file, self.per_second)
        until = self._began + LONG * NS
        lineup.requests = self._of(file, timeline, until)
        if now < until:
            return False
        left = [request for request in lineup.requests if request.done is None]
        if not self._ended:
            self._ended = now
            if lineup is not self.original:
                self.source.set_load(file, 0)
        if left and lineup is not self.original and now < self._ended + _PATIENCE:
            return False
        lineup.over = True
        waited = [((request.done or now) - request.start) / NS for request in lineup.requests]
        self.steady.append(Steady(len(waited), len(left), median(waited) if waited else 0.0))
        return True

    def _of(self, file: ScenarioFile, timeline: Timeline, until: int) -> list[Request]:
        return [
            request
            for request in timeline.requests.values()
            if request.own
            and self._began <= request.start < until
            and (request.method, request.path) == (file.method, file.path)
        ]

    def _running(self, timeline: Timeline, now: int) -> Iterator[Request]:
        """What was sent, by a load or by a key, and has not ended."""
        return (request for request in timeline.alive_at(now) if request.own and not request.ended)

    def _go_on(self, timeline: Timeline, now: int) -> None:
        self._ask(now)

    def _fire(self, now: int) -> None:
        self.stage, self._began = Stage.REPAIRED, 0

    def _answered(self, timeline: Timeline, now: int) -> None:
        """The original has given its answers, or, after the load, the repaired code has."""
        if not self._after:
            self._fire(now)
            return
        self._judge(timeline, now)

    def _judge(self, timeline: Timeline, now: int) -> None:
        if self._after:
            self.compared = compare(self._before, self._after, briefly=self.twin)
        finding = self.plan.finding
        if finding is not None:
            start, end = self._began, self._began + LONG * NS
            found = of_time(timeline, start, end, self.source.source_lines)
            self.left = next((other for other in found if other.id == finding.id), None)
        self._over()
