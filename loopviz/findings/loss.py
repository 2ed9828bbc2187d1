"""What requests lost: the time in which they waited because of something.

A finding without a loss is none, and no time is lost twice: what one finding has explained, another one of
the same timeline does not count again. Times are nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["FLOOR", "PART", "Loss", "gaps", "merged", "overlaps"]

FLOOR = 100_000_000
"""A loss of this length, all together, is worth a finding: it is the threshold of a block."""
PART = 0.1
"""So is a loss of this part of the makespan, which may be short. And a loss that is a smaller part of each
request's latency is worth none: without it, no client would notice."""
_TOUCH = 1_000_000
"""Stretches with no more than this in between count as one: the loop passes from one block to the next."""


class Loss:
    """Parts of the lives of requests, in which they waited."""

    __slots__ = ("_parts", "_sums")

    def __init__(self) -> None:
        self._parts: dict[int, list[tuple[int, int, float]]] = {}
        self._sums: dict[int, float] = {}

    def add(self, request: int, start: int, end: int, share: float = 1.0) -> None:
        """The request waited from `start` to `end`, or for this share of that time."""
        if end > start and share > 0:
            self._parts.setdefault(request, []).append((start, end, share))
            self._sums[request] = self._sums.get(request, 0.0) + (end - start) * share

    def include(self, other: Loss) -> None:
        """The requests waited at these times as well; what is in both is counted once."""
        for request, parts in other._parts.items():
            mine = merged(((start, end) for start, end, _ in self._parts.get(request, ())), 0)
            for start, end, share in parts:
                for since, until in gaps(mine, start, end):
                    self.add(request, since, until, share)

    @property
    def total(self) -> int:
        """The time of all requests together."""
        return sum(map(round, self._sums.values()))

    @property
    def longest(self) -> int:
        """The time of the request that lost most."""
        return round(max(self._sums.values(), default=0))

    @property
    def requests(self) -> list[int]:
        """The requests that lost, those that lost most first."""
        return sorted(self._sums, key=lambda request: (-round(self._sums[request]), request))

    def of(self, request: int) -> int:
        """How long this request waited."""
        return round(self._sums.get(request, 0))

    def times(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Each request, and when it waited."""
        for request, parts in self._parts.items():
            yield request, merged(((start, end) for start, end, _ in parts), 0)

    def without(self, taken: dict[int, list[tuple[int, int]]]) -> Loss:
        """What is left when these times of each request are taken away."""
        if not any(request in taken for request in self._parts):
            return self
        left = Loss()
        for request, parts in self._parts.items():
            for start, end, share in parts:
                for since, until in gaps(taken.get(request, []), start, end):
                    left.add(request, since, until, share)
        return left


def merged(stretches: Iterable[tuple[int, int]], touch: int = _TOUCH) -> list[tuple[int, int]]:
    """The stretches in their order, joined where there is no more than `touch` (ns) in between."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1] + touch:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def overlaps(stretches: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of `stretches`, which are in order and apart, that lie between `start` and `end`."""
    at = max(0, bisect_right(stretches, start, key=_start) - 1)
    while at < len(stretches) and stretches[at][0] < end:
        since, until = max(stretches[at][0], start), min(stretches[at][1], end)
        if since < until:
            yield since, until
        at += 1


def gaps(stretches: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts between `start` and `end` that are in none of `stretches`, which are in order and apart."""
    for since, until in overlaps(stretches, start, end):
        if since > start:
            yield start, since
        start = until
    if end > start:
        yield start, end


def _start(stretch: tuple[int, int]) -> int:
    return stretch[0]
