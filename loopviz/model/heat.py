"""Heat: how long requests were at each line of source code, in which state. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from loopviz.model.request import Request
from loopviz.model.segments import Segment, Where
from loopviz.model.states import SUSPENDED, State
from loopviz.model.timeline import Timeline

__all__ = ["NOWHERE", "Heat", "Kind", "Spot", "Warmth"]

Kind: TypeAlias = "State | None"
"""A state; None for a block: a step as long as the threshold, or longer."""
Spot: TypeAlias = "tuple[str, int]"
"""A file, and the number of a line."""

NOWHERE: Spot = ("", 0)
"""The time at no line: in the socket, ready for the first step, and what is too short to be seen."""
_MOST = 2_000
"""The newest so many requests count."""
_MOST_SPOTS = 5_000
"""Of so many lines the time is kept."""


@dataclass(slots=True)
class Warmth:
    """The time at one line."""

    where: Where | None
    """None for the time at no line."""
    times: dict[Kind, int] = field(default_factory=dict)
    """How long requests were there, all together (ns), by state."""

    @property
    def total(self) -> int:
        """The time in all states (ns)."""
        return sum(self.times.values())

    def add(self, other: Warmth) -> None:
        """Add the time at another one."""
        for kind, time in other.times.items():
            self.times[kind] = self.times.get(kind, 0) + time


class Heat:
    """The time that some requests have spent at each line up to a moment.

    A request that has ended is read once, so that asking thirty times a second costs little.
    """

    def __init__(self) -> None:
        self._key: object = None
        self._t = 0
        self._read: set[int] = set()
        self._past: dict[Spot, Warmth] = {}

    def of(
        self, timeline: Timeline, requests: Sequence[Request], t: int, key: object
    ) -> Mapping[Spot, Warmth]:
        """The time that these requests have spent at each line by `t`, and at none.

        `key` says which requests they are: while it stays the same, requests are only added. All together
        it is the time from when each was sent to its end, or up to `t`.
        """
        if key != self._key or t < self._t:
            self._key, self._read, self._past = key, set(), {}
        self._t = t
        going_on: list[Request] = []
        for request in requests[-_MOST:]:
            if request.id in self._read:
                continue
            if request.ended and request.since <= t:
                self._read.add(request.id)
                _add(self._past, timeline, request, t)
            elif request.start < t:
                going_on.append(request)
        found = {spot: Warmth(warmth.where, dict(warmth.times)) for spot, warmth in self._past.items()}
        for request in going_on:
            _add(found, timeline, request, t)
        return found


def _add(heat: dict[Spot, Warmth], timeline: Timeline, request: Request, t: int) -> None:
    for where, kind, time in _stays(timeline, request, t):
        spot = NOWHERE if where is None else (where.file, where.line)
        warmth = heat.get(spot)
        if warmth is None:
            if len(heat) >= _MOST_SPOTS:
                continue
            warmth = heat[spot] = Warmth(where)
        warmth.times[kind] = warmth.times.get(kind, 0) + time


def _stays(timeline: Timeline, request: Request, t: int) -> Iterator[tuple[Where | None, Kind, int]]:
    """The lines at which the request was, in which state and for how long (ns)."""
    seen = [one for one in request.seen or () if one.t <= t]
    at, last = 0, None
    for segment in request.history(t):
        start, end, state = segment.start, segment.end, segment.state
        kind: Kind = None if state is State.RUNNING and end - start >= timeline.threshold else state
        while at < len(seen) and seen[at].t < start:
            at += 1
        where = _line(request, segment, last)
        if at < len(seen) and seen[at].t <= end:
            where = seen[at].where
            while at + 1 < len(seen) and seen[at + 1].t < end:
                at += 1
                yield where, kind, seen[at].t - start
                start, where = seen[at].t, seen[at].where
        last = where if state in SUSPENDED else None
        if end > start:
            yield where, kind, end - start


def _line(request: Request, segment: Segment, last: Where | None) -> Where | None:
    """The line of a segment in which it was not seen; `last` is where it was suspended before."""
    if segment.state is State.READY:
        return last  # it goes on there
    if segment.where is None and segment.state is State.TOKEN_WAIT:
        return request.handler  # it waits before the first line
    return segment.where
