"""A request: its segments, its totals and the state it is in. Times are nanoseconds of `loopviz.clock`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loopviz.model.limits import MAX_SEGMENTS
from loopviz.model.segments import Awaits, PackedTotals, Segment, Segments, Where
from loopviz.model.sightings import Frames, Sightings
from loopviz.model.states import DELAYED, SUSPENDED, State
from loopviz.model.websocket import WebSocket
from loopviz.stream.endings import GIVEN_UP

__all__ = ["UNANSWERED", "WORKER_ENDED", "Request"]

UNANSWERED = "no whole response: the client has gone"
WORKER_ENDED = "its process has ended"


@dataclass(slots=True)
class Request:
    """A request's life: contiguous segments from `start` to `done`, and what followed the response."""

    id: int
    method: str
    path: str
    start: int
    """When it was sent; for another client's request, when it arrived or was read."""
    own: bool = False
    """Whether loopviz's own client sent it."""
    started_by: int = 0
    """Of a row that is no request but a task: the request that has started it and does not await it."""
    status: int | None = None
    error: str | None = None
    """The exception as ``name: message``, the client's error, or why the end is missing."""
    done: int | None = None
    """When the last byte was sent."""
    received: int | None = None
    """When loopviz's client had the answer."""
    claimed: int | None = None
    """How long it took (ns) by a timer of the server, such as a middleware; None if none says so."""
    ended: bool = False
    """Whether its last task has ended: no event will change it any more."""
    worker: int = -1
    """The worker of the server that has read it; -1 before that."""
    letter: str = ""
    """The letter of that worker; empty where there is one only."""
    segments: Segments = field(default_factory=Segments)
    after: Segments = field(default_factory=Segments)
    """What its tasks did after the last byte was sent."""
    totals: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    """Time in each state, of closed segments up to `done`."""

    state: State | None = State.QUEUED
    """The state it is in now; None when its life is over."""
    since: int = 0
    """When the open segment began."""
    thread: int = 0
    where: Where | None = None
    seen: Sightings | None = None
    """The lines at which it was seen; None while it was seen nowhere."""
    handler: Where | None = None
    """Where the function is defined that answers it; None where that was not seen."""
    awaits: Awaits | None = None
    """What it awaits, in state awaiting."""
    ready_at: int = 0
    """When the first timer that one of its tasks awaits is due; 0 for none."""
    websocket: WebSocket | None = None
    """What passes through it, if it is a WebSocket. Then its latency is the life of the connection, and
    belongs in no figure of requests."""

    # -- changes -------------------------------------------------------------------------------

    def enter(self, state: State, t: int, thread: int = 0, where: Where | None = None, due: int = 0) -> None:
        """Be in `state` from `t` on. `due` is the time of the first timer awaited, 0 for none."""
        if self.state is None:
            return
        if self.state is not state or self.thread != thread:
            self.close(t)
            self.state, self.thread, self.where, self.awaits = state, thread, where, None
        elif self.where is None:
            self.where = where
        self.ready_at = due

    def close(self, t: int) -> None:
        """End the open segment at `t`, or where it began if `t` is earlier: the past is not rewritten."""
        t = max(t, self.since)
        before = self.done is None
        kept = self.segments if before else self.after
        for segment in self.open_segments(t):
            kept.append(segment)
            if before:
                self._add(segment.state, segment.end - segment.start)
        self.since = t

    def seen_awaiting(self, t: int, where: Where | None, awaits: Awaits | None) -> None:
        """It was seen where it is suspended, and at what. If a lock has passed on, a new segment begins."""
        before = self.awaits
        if before and awaits and before.holder not in {0, awaits.holder} and before[:2] == awaits[:2]:
            self.close(t)
        self.where, self.awaits = where or self.where, awaits or self.awaits

    def seen_at(self, t: int, where: Where, frames: Frames) -> None:
        """It was seen at this line, with these frames inside of it."""
        if self.seen is None:
            self.seen = Sightings()
        self.seen.add(t, where, frames, self.since)

    def finish(self, t: int) -> None:
        """The last byte is sent: what follows does not count as latency."""
        if self.done is None:
            self.close(t)
            self.done = self.since
            if self.state is State.RUNNING:
                self.where = None  # the line that was seen is one before the response

    def end(self, t: int) -> None:
        """Its last task has ended."""
        self.close(t)
        self.state, self.ended = None, True

    def reopen(self) -> None:
        """It has not ended after all: its client gave up before the server read it."""
        self.state, self.ended = State.QUEUED, False

    def began_at(self, t: int) -> None:
        """It was sent at `t`, before `start`: it was queued in between."""
        if t < self.start and len(self.segments) < MAX_SEGMENTS:
            self.segments.appendleft(Segment(State.QUEUED, t, self.start))
            self._add(State.QUEUED, self.start - t)
            self.start = t

    def _add(self, state: State, time: int) -> None:
        totals = self.totals
        if type(totals) is not dict:
            totals = self.totals = dict(totals)
        totals[state] += time

    def pack(self, known: dict[object, object]) -> None:
        """Take little memory from now on, since its life is over; see `Segments.pack`."""
        self.segments.pack(known)
        self.after.pack(known)
        if self.seen is not None:
            self.seen.pack(known)
        self.totals = PackedTotals(self.totals)

    # -- queries -------------------------------------------------------------------------------

    @property
    def failure(self) -> str | None:
        """Why it failed; None if it has not. This is the one definition for all views and measurements.

        It failed if there was an exception or an error of the client, if it has ended without an answer,
        or if its status is 500 or more. If loopviz has sent it, 400 is enough: loopviz asks for what the
        application says that it has. Another client may ask for anything. A request that was given up has not
        failed.
        """
        if self.given_up:
            return None
        if self.error is not None:
            return self.error
        if self.status is None:
            return "no answer" if self.ended and self.done is None else None
        return f"status {self.status}" if self.status >= (400 if self.own else 500) else None

    @property
    def given_up(self) -> bool:
        """Whether the user of loopviz has given it up. Then `done` is when that was."""
        return self.error == GIVEN_UP

    @property
    def answered(self) -> bool:
        """Whether it has ended with a whole response, at `done`."""
        ended = self.done is not None and self.status is not None and self.websocket is None
        return ended and self.error not in {GIVEN_UP, UNANSWERED}

    @property
    def failed(self) -> bool:
        """Whether it failed; see `failure`."""
        return self.failure is not None

    def longest(self, state: State, now: int) -> int:
        """The longest time (ns) that it was in `state` without interruption, up to its end or to `now`."""
        spans = [s.end - s.start for s in self.segments if s.state is state]
        if self.done is None:
            spans += [s.end - s.start for s in self.open_segments(now) if s.state is state]
        return max(spans, default=0)

    def open_segments(self, now: int) -> Iterator[Segment]:
        """The segment that it is in, up to `now`: two if a timer has come due meanwhile."""
        if self.state is None or now <= self.since:
            return
        due = self.ready_at
        if due and due < now and self.state in SUSPENDED:
            if due > self.since:
                yield Segment(self.state, self.since, due, 0, self.where, self.awaits)
            yield Segment(State.READY, max(due, self.since), now)
        else:
            yield Segment(self.state, self.since, now, self.thread, self.where, self.awaits)

    def history(self, now: int) -> list[Segment]:
        """All segments kept, as they were at `now`."""
        past = [*self.segments, *self.after]
        past += self.open_segments(now)
        if past and past[-1].end > now:
            past = [s._replace(end=min(s.end, now)) for s in past if s.start < now]
        return past

    def newest_first(self, now: int) -> Iterator[Segment]:
        """Segments from the newest to the oldest, so that a view reads only what it shows."""
        if self.state is not None and now > self.since:
            due = self.ready_at
            if due and due < now and self.state in SUSPENDED:
                yield from reversed(list(self.open_segments(now)))
            else:  # as most are: this is asked for every request of a frame
                yield Segment(self.state, self.since, now, self.thread, self.where, self.awaits)
        yield from reversed(self.after)
        yield from reversed(self.segments)

    def state_at(self, now: int) -> Segment | None:
        """The segment that contains `now`, or None before its life and after it."""
        for segment in self.newest_first(now):
            if segment.start < now:
                return segment if now <= segment.end else None
        return None

    def delayed(self, start: int, now: int) -> bool:
        """Whether it was queued or ready between `start` and `now`: it could have run on a free loop."""
        for segment in self.newest_first(now):
            if segment.end <= start:
                break
            if segment.state in DELAYED and segment.start < now:
                return True
        return False

    def delayed_since(self, now: int) -> int:
        """Since when it has been queued or ready without a break at `now`; `now` if it is neither."""
        since = now
        for segment in self.newest_first(now):
            if segment.start >= now:
                continue
            if segment.end < since or segment.state not in DELAYED:
                break
            since = segment.start
        return since

    def latency(self, now: int) -> int:
        """From sent to the last byte, or up to `now`."""
        end = self.done if self.done is not None and self.done <= now else now
        return max(0, end - self.start)
