"""Steps on the loop that are shorter than a block, and so long, or so many, that others wait as for one.

Long steps are looked for in each kind of request, by method and path: what only some requests of a kind do is
a cold start, or an accident of a busy machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from loopviz.findings.loss import Loss, merged
from loopviz.findings.seen import Seen
from loopviz.model import BLOCK_THRESHOLD, Segment, State, Where

__all__ = ["Steps", "long_steps", "many_steps"]

SAMPLED = 20_000_000
"""A step of this length (ns) has a line: the sampler looks that often."""
_USUAL = 0.5
"""A kind of request has long steps if this part of its requests has."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of requests."""

    of: dict[int, list[Segment]]
    """By the number of the request."""

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.of.values()))

    @property
    def length(self) -> int:
        """How long all of them are together (ns)."""
        return sum(s.end - s.start for one in self.of.values() for s in one)

    @property
    def longest(self) -> int:
        """The length of the longest one (ns)."""
        return max(s.end - s.start for one in self.of.values() for s in one)

    @property
    def where(self) -> Where | None:
        """The line at which they were seen for the longest time."""
        return _most((s.where, s.end - s.start) for one in self.of.values() for s in one)

    @property
    def culprits(self) -> list[int]:
        """The requests, those that ran longest first."""
        return sorted(self.of, key=lambda n: -sum(s.end - s.start for s in self.of[n]))

    def loss(self, seen: Seen) -> Loss:
        """What requests waited for the loop while it executed these steps."""
        return seen.behind(merged((s.start, s.end) for one in self.of.values() for s in one))


def many_steps(seen: Seen) -> Steps:
    """Steps of the requests that have so many that together they are as long as a block."""
    return Steps(
        {n: ran for n, ran in _short(seen).items() if len(ran) > 1 and _length(ran) >= BLOCK_THRESHOLD}
    )


def long_steps(seen: Seen) -> list[Steps]:
    """Steps of other requests that were long enough to be sampled, put together by their functions."""
    long: dict[int, list[Segment]] = {}
    for number, ran in _short(seen).items():
        if len(ran) == 1 or _length(ran) < BLOCK_THRESHOLD:
            sampled = [s for s in ran if s.end - s.start >= SAMPLED]
            if sampled:
                long[number] = sampled
    kinds = Counter((request.method, request.path) for request in seen.requests)
    with_them = Counter((seen.by_number[n].method, seen.by_number[n].path) for n in long)
    functions: dict[object, dict[int, list[Segment]]] = {}
    for number, ran in long.items():
        kind = seen.by_number[number].method, seen.by_number[number].path
        if with_them[kind] >= _USUAL * kinds[kind]:
            where = _most((s.where, s.end - s.start) for s in ran)
            functions.setdefault(where and (where.file, where.function), {})[number] = ran
    return [Steps(of) for of in functions.values()]


def _short(seen: Seen) -> dict[int, list[Segment]]:
    """Of each request: its steps that are no blocks."""
    known: dict[int, list[Segment]] | None = seen.worked_out.get(__name__)
    if known is None:
        known = seen.worked_out[__name__] = {}
        for request in seen.requests:
            ran = [
                s
                for s in seen.segments(request)
                if s.state is State.RUNNING and s.end - s.start < seen.timeline.threshold
            ]
            if _length(ran) >= SAMPLED:
                known[request.id] = ran
    return known


def _length(steps: list[Segment]) -> int:
    return sum(s.end - s.start for s in steps)


def _most(lines: Iterable[tuple[Where | None, int]]) -> Where | None:
    """The line with the longest time."""
    times: Counter[Where] = Counter()
    for where, time in lines:
        if where is not None:
            times[where] += time
    return times.most_common(1)[0][0] if times else None
