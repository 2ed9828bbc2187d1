"""Finds starvation: which requests have waited long for the loop, and what it did meanwhile."""

from __future__ import annotations

from collections import deque

from loopviz.model.limits import Limits
from loopviz.model.past import begun
from loopviz.model.requests import Requests
from loopviz.model.starvation import Recent, Starvation
from loopviz.model.states import DELAYED

__all__ = ["RECORDED", "Starvations"]

RECORDED = 20_000_000
"""What the loop does is summed up once it has been busy for this long (ns)."""


class Starvations:
    """Times of starvation, up to the latest."""

    def __init__(self, requests: Requests, limits: Limits, threshold: int, worker: int = 0) -> None:
        self.letter = ""
        """The letter of the worker; empty where there is one only."""
        self.past: deque[Starvation] = deque(maxlen=limits.blocks)
        """Up to the latest; `explain` brings its culprits up to date."""
        self._requests = requests
        self._threshold = threshold
        self._worker = worker
        self.run = 0
        """Since when the loop has been busy without a pause, and without a block; 0: not known."""
        self.recent = Recent()
        """What it did, once that is for longer than `RECORDED`."""

    def is_long(self, now: int) -> bool:
        """Whether the loop has been busy for so long, without a block, that a request may starve."""
        return self.run > 0 and now - self.run >= self._threshold

    def at(self, now: int, *, busy: bool) -> Starvation | None:
        """The starvation that requests suffer at `now`, present or past; `busy` if the loop is still busy."""
        if busy and self.is_long(now) and (found := self._starving(now)):
            return found
        for starvation in begun(self.past, now, lambda starvation: starvation.start):
            over = starvation.end is not None and starvation.end < now
            if over or now - starvation.start < self._threshold:
                return None
            self.explain()
            return self._as_of(starvation, now)
        return None

    def explain(self) -> None:
        """Bring the culprits of the latest starvation up to date."""
        latest = self.past[-1] if self.past else None
        if latest is not None and latest.end is not None and latest.start >= self.run:
            self.recent.explain(latest, latest.end)  # else that was done when the loop paused

    def prune(self, horizon: int) -> None:
        """Remove those that ended before `horizon` (ns)."""
        while self.past and (self.past[0].end or horizon) < horizon:
            self.past.popleft()

    def pause(self, t: int) -> None:
        """The loop has caught up, or a block has ended: who waits from then on waits for something else."""
        self.explain()
        self.run = t

    def waited(self, number: int, until: int) -> None:
        """The request may have waited up to `until`: if it was for long, that is starvation."""
        life = self._requests.lives.get(number)
        if life is None or life.request.done is not None:
            return
        request = life.request
        before = request.segments[-1].state if request.segments else None
        if until - request.since < self._threshold and before not in DELAYED:
            return  # the usual case: it has not even been in its present state for long
        since = max(self.run, request.delayed_since(until))
        if until - since < self._threshold:
            return
        latest = self.past[-1] if self.past else None
        if latest is None or latest.end is None or not self._goes_on(latest, since):
            self.explain()
            latest = Starvation(since, until, letter=self.letter)
            self.past.append(latest)
        latest.start, latest.end = min(latest.start, since), max(latest.end or until, until)
        latest.add(number, since, until)

    def _goes_on(self, latest: Starvation, since: int) -> bool:
        """Whether a wait that began at `since` is a part of the latest starvation."""
        return latest.start >= self.run and since - (latest.end or since) < self._threshold

    def _as_of(self, starvation: Starvation, now: int) -> Starvation | None:
        """A starvation of the past as far as it had come by `now`; None if nobody had waited long then."""
        over = starvation.end is not None and starvation.end <= now
        found = Starvation(
            starvation.start,
            starvation.end if over else None,
            {},
            starvation.steps,
            starvation.culprits,
            self.letter,
        )
        requests = self._requests.by_number
        for number, (since, until) in starvation.waits.items():
            if until <= now:
                found.add(number, since, until)
            elif (request := requests.get(number)) is not None:
                since = max(starvation.start, request.delayed_since(now))  # noqa: PLW2901
                if now - since >= self._threshold:
                    found.add(number, since, now)
        return found if found.waits else None

    def _starving(self, now: int) -> Starvation | None:
        """The starvation that lasts, if a request has waited long enough by `now`."""
        found = Starvation(now, None, letter=self.letter)
        for number, life in self._requests.of(self._worker):
            if life.request.done is None:
                since = max(self.run, life.request.delayed_since(now))
                if now - since >= self._threshold:
                    found.start = min(found.start, since)
                    found.add(number, since, now)
        if not found.waits:
            return None
        latest = self.past[-1] if self.past else None
        if latest is not None and self._goes_on(latest, found.start):
            found.start = min(found.start, latest.start)
            found.waits = latest.waits | found.waits
        self.recent.explain(found, now)
        return found
