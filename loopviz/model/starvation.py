"""Starvation: requests wait long for the event loop, though no step and no callback of it is long.

The loop is busy without a pause, and a request is queued or ready for as long as the threshold of a
block. What the loop did meanwhile is summed up by request and line, in bins, so that its memory is
bounded however short the steps are. Times are nanoseconds.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from loopviz.model.limits import MAX_OPEN
from loopviz.model.segments import Where

__all__ = ["Culprit", "Recent", "Starvation"]

_BIN = 20_000_000
_BINS = 250
_COUNTED = 5_000_000
_MOST = 32  # requests and lines counted by themselves in a bin


class Culprit(NamedTuple):
    """A request, or no request (0), and a line: what the loop was busy with."""

    request: int
    where: Where | None
    """None for steps that are too short to be sampled."""
    share: float
    """Its part of the loop's busy time, from 0 to 1."""


@dataclass(slots=True)
class Starvation:
    """A time in which requests waited for the loop at least as long as the threshold, behind short steps."""

    start: int
    """Since when one of them waited."""
    end: int | None
    """None while it lasts."""
    waits: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The requests that waited, and the beginning and end of each one's longest wait."""
    steps: int = 0
    """How many steps there were; callbacks between two steps count as one if they took 5 ms."""
    culprits: list[Culprit] = field(default_factory=list)
    """What the loop did meanwhile, the largest share first; of the last five seconds if it lasts longer."""
    letter: str = ""
    """The letter of the worker whose loop it is; empty where there is one only."""

    @property
    def victims(self) -> list[int]:
        """The requests that waited."""
        return sorted(self.waits)

    @property
    def slowest(self) -> int:
        """The request that waited longest; 0 if none did."""
        return max(self.waits, key=self._wait, default=0)

    @property
    def longest(self) -> int:
        """The longest wait."""
        return self._wait(self.slowest)

    def _wait(self, request: int) -> int:
        start, end = self.waits.get(request, (0, 0))
        return end - start

    def lasted(self, now: int) -> int:
        """Its length up to `now`."""
        return (now if self.end is None else min(self.end, now)) - self.start

    def add(self, request: int, since: int, until: int) -> None:
        """A request has waited from `since` to `until`."""
        before = self.waits.get(request)
        if before is None and len(self.waits) >= MAX_OPEN:
            return
        if before is None or before[1] - before[0] < until - since:
            self.waits[request] = since, until


class Recent:
    """What the loop has done in the last five seconds, by request and line."""

    def __init__(self) -> None:
        self._bins: deque[tuple[int, int, dict[tuple[int, Where | None], int]]] = deque(maxlen=_BINS)
        self._open = -1
        self._times: dict[tuple[int, Where | None], int] = {}
        self._turns = 0

    def add(self, end: int, length: int, request: int, where: Where | None, *, step: bool) -> None:
        """The loop was busy with this for `length`, up to `end`: a step, or callbacks."""
        number = end // _BIN
        if number != self._open:
            self._open, self._times = number, {}
            self._bins.append((number, self._turns, self._times))
        self._turns += step or length >= _COUNTED
        times, key = self._times, (request, where)
        if key in times:
            times[key] += length
        elif len(times) < _MOST:
            times[key] = length
        else:
            times[0, None] = times.get((0, None), 0) + length

    def explain(self, starvation: Starvation, until: int) -> None:
        """Find the culprits of a starvation that has lasted up to `until`."""
        first, last = starvation.start // _BIN, until // _BIN
        times: Counter[tuple[int, Where | None]] = Counter()
        before = after = self._turns
        for number, turns, part in reversed(self._bins):
            if number < first:
                break
            if number > last:
                after = turns
                continue
            before = turns
            times.update(part)
        whole = sum(times.values())
        starvation.steps = max(starvation.steps, after - before)
        starvation.culprits = [
            Culprit(request, where, time / whole) for (request, where), time in times.most_common() if time
        ]
