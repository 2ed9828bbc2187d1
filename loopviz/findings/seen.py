"""What a rule looks at: the requests of a burst, or of a time, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from loopviz.findings.finding import Severity
from loopviz.findings.loss import FLOOR, PART, Loss, merged, overlaps
from loopviz.model import Block, Request, Segment, State, Timeline

__all__ = ["Lines", "Seen", "no_lines"]

Lines: TypeAlias = Callable[[str], Sequence[str]]
"""Gives the lines of a source file; none if it is not there."""

_HIGH, _MEDIUM = 1 / 3, 0.1
_LONG, _FELT = 1_000_000_000, 250_000_000
"""A finding is grave if clients lost a third of their time, or one of them a second; it is of some weight if
they lost a tenth, or one of them a quarter of a second, which a person feels."""
_DELAYED = (State.QUEUED, State.READY)


def no_lines(_: str) -> Sequence[str]:
    """For a source file that is not there."""
    return ()


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen from `start` to `end` (ns). Made for one look: it keeps what rules have worked out."""

    timeline: Timeline
    requests: Sequence[Request]
    """The requests that matter: those of the burst, or all that were alive. Others may have delayed them."""
    start: int
    end: int
    """The last answer, or the present moment."""
    now: int
    """The moment that is described. What requests do after their responses may go on until then."""
    lines: Lines = no_lines
    repaired: str | None = None
    """The name of the scenario that shows the repair of the one that was fired, as that one declares."""
    gil: bool = True
    """Whether the watched interpreter has a GIL."""
    dropped: int = 0
    """How many events were lost, because too many happened at once."""
    worked_out: dict[str, Any] = field(default_factory=dict, repr=False)
    """What several rules need and one of them has worked out, by the name of its module."""
    _segments: dict[int, list[Segment]] = field(default_factory=dict, repr=False)

    @property
    def took(self) -> int:
        """How long it took, from the first request sent to the last answer (ns)."""
        return max(1, self.end - self.start)

    @property
    def several(self) -> bool:
        """Whether the server has several workers."""
        return self.timeline.several

    @cached_property
    def by_number(self) -> dict[int, Request]:
        """The requests, by number."""
        return {request.id: request for request in self.requests}

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks of that time, the oldest first."""
        found = []
        for block in self.timeline.blocks_until(self.now):
            if block.end is not None and block.end <= self.start:
                if not self.several:
                    break
            elif block.start < self.end or block.request in self.by_number:
                found.append(block)
        return found[::-1]

    @cached_property
    def waited(self) -> int:
        """How long clients waited for answers, all together (ns)."""
        return sum(map(self.latency, self.requests))

    def latency(self, request: Request) -> int:
        """How long the request's client waited (ns), as far as that is a part of this time."""
        end = self.end if request.done is None else min(self.end, request.done)
        return max(0, end - max(request.start, self.start))

    def segments(self, request: Request) -> list[Segment]:
        """What the request did in this time, up to its answer."""
        known = self._segments.get(request.id)
        if known is not None:
            return known
        start, end = self.start, self.end if request.done is None else min(self.end, request.done)
        found = self._segments[request.id] = []
        for segment in request.newest_first(end):
            if segment.end <= start:
                break
            if segment.start >= end:
                continue
            if segment.start < start or segment.end > end:
                segment = segment._replace(start=max(segment.start, start), end=min(segment.end, end))  # noqa: PLW2901
            found.append(segment)
        found.reverse()
        return found

    @cached_property
    def delayed(self) -> dict[int, list[tuple[int, int]]]:
        """When each request could have run, and the loop was busy with something else."""
        found = {}
        for request in self.requests:
            times = [(s.start, s.end) for s in self.segments(request) if s.state in _DELAYED]
            if times:
                found[request.id] = times
        return found

    def stretches(self, blocks: Iterable[Block]) -> list[tuple[int, int]]:
        """When these blocks held the loop. What it does in passing from one to the next is a part of it."""
        return merged((block.start, self.now if block.end is None else block.end) for block in blocks)

    def behind(
        self,
        stretches: Sequence[tuple[int, int]],
        only: set[int] | None = None,
        *,
        share: float = 1.0,
        worker: int | None = None,
    ) -> Loss:
        """What requests waited for the loop in these stretches, which are in order and apart.

        `only` are the requests that count, if not all do; `share` is the part of their time that does. Of
        several workers, only the requests of this one wait for its loop.
        """
        loss = Loss()
        for number, times in self.delayed.items():
            if (only is None or number in only) and self.is_of(number, worker):
                for start, end in times:
                    for since, until in overlaps(stretches, start, end):
                        loss.add(number, since, until, share)
        return loss

    def is_of(self, number: int, worker: int | None) -> bool:
        """Whether a request is one of this worker's, as far as that is known by now."""
        return worker is None or not self.several or self.by_number[number].worker in (worker, -1)

    def matters(self, loss: Loss) -> bool:
        """Whether it is worth a finding; see `loopviz.findings.loss`."""
        total = loss.total
        return total >= min(FLOOR, PART * self.took) and any(
            loss.of(number) >= PART * self.latency(self.by_number[number])
            for number in loss.requests
            if number in self.by_number
        )

    def severity(self, loss: Loss) -> Severity:
        """How grave such a loss is."""
        part = loss.total / max(1, self.waited)
        if part >= _HIGH or loss.longest >= _LONG:
            return "high"
        return "medium" if part >= _MEDIUM or loss.longest >= _FELT else "low"
