"""Firing a repair: a copy is served, the original asked for its answers, and the copy gets the same load."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from enum import Enum
from typing import Any, Final

from loopviz.draw import words
from loopviz.errors import InputError
from loopviz.findings import Finding
from loopviz.findings.table import of_burst
from loopviz.model import Burst, Request, Timeline
from loopviz.model.answers import Compared, compare
from loopviz.model.comparison import Entry
from loopviz.model.sample import sample_of
from loopviz.scenario import ScenarioFile
from loopviz.stream.answer import Answer
from loopviz.stream.copies import Copies
from loopviz.stream.endings import GIVEN_UP
from loopviz.stream.source import Source
from loopviz.tui.screens.lineup import Lineup
from loopviz.tui.screens.repair.plans import Plan

__all__ = ["ASKED", "Stage", "Trial"]

ASKED: Final = 2
"""So many requests are sent to the original for their answers: two show what varies."""
_BURSTS: Final = 50
"""So many bursts before it may still run when a repair is fired."""


class Stage(Enum):
    """How far it is."""

    WAITS = "waits"
    """What was fired before is still running."""
    SERVING = "serving"
    """The copy is made, and its lifespan begins."""
    ORIGINAL = "original"
    """The original is fired, since there is no burst of it to compare with."""
    ASKING = "asking"
    """The original is asked for answers to compare with."""
    REPAIRED = "repaired"
    """The repaired code is fired."""
    OVER = "over"


class Trial:
    """One repair that is fired. It advances by `follow`, and ends by `end`, at any time."""

    def __init__(self, source: Source, plan: Plan, burst: Burst | None, requests: int) -> None:
        self.source = source
        self.plan = plan
        self.requests = requests
        self.stage = Stage.WAITS
        self.failure = ""
        """Why it could not be fired, in a sentence or two; empty if it could be."""
        self.waits_for = ""
        self.original = Lineup(plan.scenario)
        self.repaired: Lineup | None = None
        self.compared: Compared | None = None
        self.left: Finding | None = None
        """The finding, if it is there after the repair as well."""
        self.twin = plan.twin is not None
        self._burst = burst
        self._serving: Future[ScenarioFile] | None = None
        self._asking: Future[None] | None = None
        self._before: list[Answer] = []
        self._after: list[Answer] = []
        self._serves = False

    @property
    def over(self) -> bool:
        """Whether nothing happens any more."""
        return self.stage is Stage.OVER

    @property
    def lineups(self) -> list[Lineup]:
        """The bursts, the original's first."""
        return [self.original, self.repaired or Lineup(self.plan.twin or self.plan.scenario)]

    def follow(self, timeline: Timeline, now: int) -> None:
        """Go on, if what was waited for is there."""
        if self.over:
            return
        try:
            self._step(timeline, now)
        except InputError as error:
            self._fail(error)

    def end(self, *, unanswered: bool = True) -> None:
        """Leave nothing behind: what may be `unanswered` is given up, and the copy ends."""
        if unanswered and not self.over and self.stage is not Stage.WAITS:
            self.source.give_up()
        self.stage = Stage.OVER
        if self._serves and isinstance(self.source, Copies):
            self._serves = False
            self.source.end_copy()

    def give_up(self) -> None:
        """Give up what was fired, also before: nothing is compared."""
        if self.stage is Stage.WAITS:
            self.source.give_up()
        self.failure = "Given up: nothing was compared."
        self.end()

    # -- steps ---------------------------------------------------------------------------------

    def _step(self, timeline: Timeline, now: int) -> None:
        if self.stage is Stage.WAITS:
            self._wait(timeline, now)
        elif self.stage is Stage.SERVING:
            if self._serving is not None and self._done(self._serving):
                self.repaired = Lineup(self._serving.result())
                self._go_on(timeline, now)
        elif self.stage is Stage.ORIGINAL:
            self.original.follow(timeline, self.requests, self.source.threads)
            if self._is_over(self.original, now):
                self._ask(now)
        elif self.stage is Stage.ASKING:
            if self._done(self._asking) and not any(self._running(timeline, now)):
                self._fire(now)
        elif self.repaired is not None:
            self.repaired.follow(timeline, self.requests, self.source.threads)
            if self._is_over(self.repaired, now):
                self._judge(timeline, now)

    def _wait(self, timeline: Timeline, now: int) -> None:
        """Nothing else is to run beside it."""
        left = next(self._running(timeline, now), None)
        self.waits_for = words.headline(left) if left is not None else ""
        burst, plan = self._burst, self.plan
        if left is not None:
            if burst is not None and burst.scenario == plan.scenario.name and burst.began:
                self.original.fired, self.original.requests = burst.fired, burst.requests
            return
        if plan.twin is not None:
            self.repaired = Lineup(plan.twin)
            self._go_on(timeline, now)
        elif not isinstance(self.source, Copies):
            raise InputError("This server cannot serve a copy of its application.")
        else:
            self.stage = Stage.SERVING
            self._serves = True
            self._serving = self.source.serve_copy(plan.scenario, plan.file, plan.after)

    def _running(self, timeline: Timeline, now: int) -> Iterator[Request]:
        for burst in list(timeline.bursts)[-_BURSTS:]:
            if not burst.settled(now):
                yield from (request for request in burst.requests if not request.ended)

    def _go_on(self, timeline: Timeline, now: int) -> None:
        """The burst that was fired before is the original's, unless something else was different then."""
        burst, original = self._burst, self.original
        if burst is not None and self._is_like_this(burst, now):
            original.fired, original.requests, original.over = burst.fired, burst.requests, True
            sample = sample_of(timeline, burst.requests, {}, threads=burst.threads)
            original.entry = Entry(original.file.name, sample, timeline.sees_iterations)
            self._ask(now)
            return
        self.stage = Stage.ORIGINAL
        original.heard = self._before.append
        original.fire(self.source, self.requests, now)

    def _is_like_this(self, burst: Burst, now: int) -> bool:
        """Whether a burst had this load, and this thread limit, and was not given up."""
        requests = burst.requests
        return (
            burst.over(now)
            and burst.scenario == self.plan.scenario.name
            and burst.threads == self.source.threads
            and len(requests) == burst.count == self.requests
            and all(request.error != GIVEN_UP for request in requests)
        )

    def _ask(self, now: int) -> None:
        """Ask the original for answers: as many as show what varies by itself."""
        missing = ASKED - len(self._before)
        if missing <= 0 or not isinstance(self.source, Copies):
            self._fire(now)
            return
        self.stage = Stage.ASKING
        self._asking = self.source.fire_heard(self.plan.scenario, missing, self._before.append)

    def _fire(self, now: int) -> None:
        self.stage = Stage.REPAIRED
        if self.repaired is not None:
            self.repaired.heard = self._after.append
            self.repaired.fire(self.source, self.requests, now)

    def _judge(self, timeline: Timeline, now: int) -> None:
        """The repaired code has answered."""
        repaired = self.repaired
        if isinstance(self.source, Copies):
            before, after = (sorted(answers, key=_number) for answers in (self._before, self._after))
            self.compared = compare(before, after, briefly=self.twin)
        finding = self.plan.finding
        burst = next(
            (
                b
                for b in reversed(timeline.bursts)
                if repaired is not None and b.scenario == repaired.file.name
            ),
            None,
        )
        if finding is not None and burst is not None:
            found = of_burst(timeline, burst, self.source.source_lines, now=now)
            self.left = next((other for other in found if other.id == finding.id), None)
        self._over()

    def _over(self) -> None:
        """All is measured."""
        self.end(unanswered=False)

    # -- what may go wrong ---------------------------------------------------------------------

    def _done(self, future: Future[Any] | None) -> bool:
        """Whether it is done; raises what it raises."""
        if future is None or not future.done():
            return False
        if future.cancelled():
            raise InputError("Given up: nothing was compared.")
        error = future.exception()
        if error is not None:
            raise error if isinstance(error, InputError) else InputError(words.one_line(str(error)))
        return True

    def _is_over(self, lineup: Lineup, now: int) -> bool:
        """Whether its requests are answered, and nothing of it runs any more; raises if it failed."""
        if lineup.failure:
            raise InputError(lineup.failure)
        if lineup.sent is not None and lineup.sent.cancelled():
            raise InputError("Given up: nothing was compared.")
        return lineup.over and all(request.ended and request.since <= now for request in lineup.requests)

    def _fail(self, error: InputError) -> None:
        self.failure = words.one_line(str(error))
        self.end()


def _number(answer: Answer) -> int:
    return answer.number
