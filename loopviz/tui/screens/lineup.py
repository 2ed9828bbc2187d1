"""One scenario's run in a comparison: it waits for its turn, is fired, and is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.errors import InputError
from loopviz.model import Request, Timeline
from loopviz.model.comparison import Entry
from loopviz.model.sample import sample_of
from loopviz.scenario import ScenarioFile
from loopviz.stream.answer import Heard
from loopviz.stream.copies import Copies
from loopviz.stream.source import Source

__all__ = ["Lineup"]

_LONGEST_END = 30 * NS
"""How long what the run before has left behind is waited for (ns)."""


@dataclass(slots=True)
class Lineup:
    """One scenario's run in a comparison."""

    file: ScenarioFile
    fired: int | None = None
    """When it was fired (ns); None while it waits for its turn."""
    requests: list[Request] = field(default_factory=list)
    over: bool = False
    failure: str = ""
    """Why it could not be fired, if so."""
    sent: Future[None] | None = None
    """Done when the requests have been answered."""
    entry: Entry | None = None
    """What was measured; None until it is over."""
    heard: Heard | None = None
    """What is called with each answer, if they are to be heard."""
    waits_for: str = ""
    """The request of a run before that it waits for, since it would be measured beside it."""
    waits_since: int = 0

    def may_fire(self, before: Sequence[Lineup], now: int, others: Iterable[Request] = ()) -> bool:
        """Whether nothing of the runs before, and none of the `others`, still runs.

        If that takes too long, it is over without having been fired, and `failure` says why.
        """
        runs = (request for run in before for request in run.requests)
        left = next((request for request in chain(runs, others) if not request.ended), None)
        self.waits_for = words.headline(left) if left is not None else ""
        if left is None:
            return True
        self.waits_since = self.waits_since or now
        if now - self.waits_since > _LONGEST_END:
            self.fired = now
            still = f"{self.waits_for} still runs, and this would be measured beside it"
            self.failure, self.over = f"Not measured: {still}.", True
        return False

    def fire(self, source: Source, requests: int, now: int) -> None:
        """Send its requests."""
        self.fired = now
        try:
            if self.heard is not None and isinstance(source, Copies):
                self.sent = source.fire_heard(self.file, requests, self.heard)
            else:
                self.sent = source.fire(self.file, requests)
        except InputError as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.failure, self.over = words.one_line(str(error)) or type(error).__name__, True

    def follow(self, timeline: Timeline, wanted: int, threads: int) -> None:
        """Collect its requests; it is over when `wanted` of them have been answered.

        `threads` is the thread limit.
        """
        fired = self.fired
        if fired is None or self.over:
            return
        if self.sent is not None and self.sent.done() and not self.sent.cancelled():
            error = self.sent.exception()
            if error is not None:
                self._fail(error)
                return
        self.requests = [
            request
            for request in timeline.requests.values()
            if request.own
            and request.start >= fired
            and (request.method, request.path) == (self.file.method, self.file.path)
        ]
        answered = sum(1 for request in self.requests if request.received is not None)
        self.over = answered >= wanted
        if self.over:
            sample = sample_of(timeline, self.requests, {}, threads=threads)
            self.entry = Entry(self.file.name, sample, timeline.sees_iterations)

    def makespan(self, now: int) -> int:
        """From the first request sent to the last one done, or up to `now`."""
        if not self.requests:
            return 0
        end = max((r.done or now) if self.over else now for r in self.requests)
        return end - min(r.start for r in self.requests)
