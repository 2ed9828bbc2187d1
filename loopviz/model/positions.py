"""Where each request is at a moment: at which station, at which line.

This is the one answer for all views, so they agree. A request is at exactly one station at a time: the one
that belongs to its state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from loopviz.model.request import Request
from loopviz.model.segments import Awaits, Segment, Where
from loopviz.model.sightings import Frames
from loopviz.model.states import SUSPENDED, State
from loopviz.model.timeline import Timeline

__all__ = ["STATIONS", "Position", "Station", "position", "positions"]

_FRESH = 250_000_000
"""What is suspended for moments only is taken to be where it was suspended so long ago at most (ns)."""
_BACK = 1_000
"""So many segments are read to find since when a request is in its state."""


class Station(StrEnum):
    """A place in the event loop's machinery where a request can be."""

    SOCKET = "socket"
    """Sent, and not yet read by the loop."""
    READY = "ready"
    """In the loop's queue of what can run."""
    LOOP = "loop"
    """On the loop: a step of one of its tasks is executed."""
    PARKED = "parked"
    """Suspended at an ``await``."""
    POOL_QUEUE = "queue"
    """Waits for a worker of a pool."""
    POOL = "pool"
    """In a worker thread."""
    PROCESS = "process"
    """In a worker process."""


STATIONS = {
    State.QUEUED: Station.SOCKET,
    State.READY: Station.READY,
    State.RUNNING: Station.LOOP,
    State.AWAITING: Station.PARKED,
    State.RECEIVING: Station.PARKED,
    State.SENDING: Station.PARKED,
    State.TOKEN_WAIT: Station.POOL_QUEUE,
    State.IN_THREAD: Station.POOL,
    State.IN_PROCESS: Station.PROCESS,
}
"""The station of each state."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a request, or a row of a task that it has started, is at a moment. Times are nanoseconds."""

    request: int
    """Its number; negative for a task's row."""
    station: Station
    state: State
    since: int
    """Since when it has been in this state without a break."""
    where: Where | None = None
    """The user's line at which it was last seen by that moment, in this state; of one that is ready, where it
    was suspended. For a call in a worker that was not seen yet, where its function is defined. None where it
    is not known."""
    frames: Frames = ()
    """The user's frames, of which the last one is at `where`, and a library's inside of it, outermost first.

    Empty where they were not seen, or where there is no other than `where`."""
    thread: int = 0
    """The worker thread or process that executes it; 0 for none."""
    pool: int | None = None
    """The pool that it waits for, or whose worker executes it; None where that is not known."""
    awaits: Awaits | None = None
    """What it awaits; None where that is not known."""
    worker: int = 0
    """The worker of the server; see `loopviz.stream.several`."""
    answered: bool = False
    """Whether its response has been sent: what it does now is done afterwards."""

    @property
    def inside(self) -> Frames:
        """A library's frames inside of the line at `where`, outermost first."""
        at = self._at()
        return self.frames[at + 1 :] if at >= 0 else ()

    @property
    def callers(self) -> Frames:
        """The user's frames that have called the one at `where`, outermost first."""
        return self.frames[: max(0, self._at())]

    def _at(self) -> int:
        """Which of the frames is at `where`; the one before the first if none is."""
        wanted = self.where[:3] if self.where is not None else None
        return next((at for at in range(len(self.frames) - 1, -1, -1) if self.frames[at][:3] == wanted), -1)


def position(timeline: Timeline, request: Request, t: int) -> Position | None:
    """Where the request is at `t` (ns); None before it was sent, and after its last task has ended.

    `request` may also be the row of a task: `Timeline.started`, or `loopviz.model.Child.row`.
    """
    return _position(timeline, request, t, None)


def positions(timeline: Timeline, t: int) -> list[Position]:
    """Where every request is at `t` (ns) that was sent and whose tasks have not all ended, by number.

    Tasks that requests have started and do not await have positions of their own, after those of requests.
    """
    waiting = _waiting(timeline, t)
    alive = {request.id: request for request in _alive(timeline, t)}
    found = (_position(timeline, alive[number], t, waiting) for number in sorted(alive, key=_order))
    return [one for one in found if one is not None]


def _order(number: int) -> tuple[bool, int]:
    return number < 0, abs(number)


def _alive(timeline: Timeline, t: int) -> Iterable[Request]:
    yield from timeline.lasting_at(t)
    yield from timeline.started(t, t)


def _position(
    timeline: Timeline, request: Request, t: int, waiting: dict[int, int] | None
) -> Position | None:
    found = _segment(request, t)
    if found is None:
        return None
    segment, since = found
    state = segment.state
    where, frames = _line(request, segment, t)
    pool = None
    if state is State.TOKEN_WAIT:
        owner = request.started_by or request.id
        pool = (waiting if waiting is not None else _waiting(timeline, t)).get(owner)
    elif segment.thread and (lane := timeline.workers.get(segment.thread)) is not None:
        span = lane.span_at(t)
        pool = (span.pool if span is not None else 0) or None
        if pool is None and lane.role == "thread":  # its limiter became known after the call had begun
            pool = timeline.pools.default(lane.worker) or None
    return Position(
        request.id, STATIONS[state], state, since, where, frames, segment.thread, pool,
        segment.awaits, max(request.worker, 0), request.done is not None and request.done < t,
    )  # fmt: skip


def _line(request: Request, segment: Segment, t: int) -> tuple[Where | None, Frames]:
    """The line at which it was last seen by `t` in this segment, and the frames inside of it."""
    seen = request.seen.last(segment.start, t) if request.seen is not None else None
    if seen is not None:
        return seen.where, seen.frames
    # A suspended task does not move, so its line has been the same since the segment began.
    if segment.state in SUSPENDED or segment.thread:
        return segment.where, ()
    if segment.state is State.READY:
        return _before(request, segment)
    return None, ()


def _before(request: Request, segment: Segment) -> tuple[Where | None, Frames]:
    """The line at which it was suspended shortly before a segment in which it was not seen.

    One that is ready goes on where it was suspended. Where its awaits are all too short to be seen, it was
    seen at one of them not long ago.
    """
    last = request.seen.last(segment.start - _FRESH, segment.start) if request.seen is not None else None
    for one in request.newest_first(segment.start):
        if one.end > segment.start:
            continue
        suspended = one.state in SUSPENDED
        if segment.state is State.READY and suspended and one.end == segment.start and one.where is not None:
            return _line(request, one, segment.start)
        if last is None or one.end < last.t:
            break
        if one.start <= last.t:
            return (last.where, last.frames) if suspended or one.state is State.READY else (None, ())
    return None, ()


def _segment(request: Request, t: int) -> tuple[Segment, int] | None:
    """The segment that it is in, and since when it is in that state; None before its life and after it."""
    segments = request.newest_first(t)
    segment = next((segment for segment in segments if segment.start < t), None)
    if segment is None or segment.end < t:
        return None
    since, state = segment.start, segment.state
    for earlier in islice(segments, _BACK):
        if earlier.start >= since:
            continue
        if earlier.end < since or earlier.state is not state:
            break
        since = earlier.start
    return segment, since


def _waiting(timeline: Timeline, t: int) -> dict[int, int]:
    """The pool that each request waits for."""
    return {request: pool for pool, requests in timeline.pools.waiting_at(t).items() for request in requests}
