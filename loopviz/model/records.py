"""What a timeline is made of. Times are nanoseconds of `loopviz.clock` throughout."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from loopviz.model.states import State

__all__ = ["Block", "Lane", "Request", "Segment", "Segments", "Span", "Tokens", "Where", "begun"]

MAX_SEGMENTS = 4_000
"""Segments kept of one request. Its totals stay exact; a stream's distant past is let go."""
MAX_SPANS = 20_000
"""Spans kept of one lane."""
MAX_READINGS = 400
"""Readings kept of one CPU clock."""


_T = TypeVar("_T")


def begun(items: deque[_T], now: int, start: Callable[[_T], int]) -> Iterator[_T]:
    """Those in the order of their `start` that had begun by `now`, from the newest to the oldest."""
    if not items or start(items[-1]) <= now:
        yield from reversed(items)
        return
    for index in reversed(range(bisect_right(items, now, key=start))):
        yield items[index]


class Where(NamedTuple):
    """A source line. `calls` names what is called there, such as ``time.sleep``; "" if unknown."""

    file: str
    line: int
    function: str
    calls: str = ""


class Segment(NamedTuple):
    """A stretch of a request's life in one state."""

    state: State
    start: int
    end: int
    thread: int = 0
    """The worker thread, or process, that executes it; 0 for none."""
    where: Where | None = None


_Kind = tuple[State, int, Where | None]
"""State, thread and source line of a segment."""
_STATES = {state: i for i, state in enumerate(State)}


class Segments:
    """Segments that touch each other, the newest `MAX_SEGMENTS` of them.

    A life that is over is packed: then a segment takes ten bytes instead of a hundred and fifty.
    """

    __slots__ = ("_kinds", "_list", "_packed")

    def __init__(self) -> None:
        self._list: list[Segment] | None = []
        self._kinds: tuple[_Kind, ...] = ()
        self._packed = b""

    def append(self, segment: Segment) -> None:
        """Add the next one; the oldest goes if there are too many."""
        found = self._loose()
        found.append(segment)
        if len(found) > MAX_SEGMENTS:
            del found[0]

    def appendleft(self, segment: Segment) -> None:
        """Add one before all others."""
        self._loose().insert(0, segment)

    def pack(self, known: dict[object, object]) -> None:
        """Take as little memory as can be; what is the same elsewhere is in `known`, and kept once."""
        found = self._list
        if found is None:
            return
        kinds: dict[_Kind, int] = {}
        which = array("H", [kinds.setdefault((s.state, s.thread, s.where), len(kinds)) for s in found])
        times = array("q", [segment.end for segment in found])
        times.append(found[0].start if found else 0)
        same = tuple([known.setdefault(kind, kind) for kind in kinds])
        self._kinds = known.setdefault(same, same)  # type: ignore[assignment]
        self._packed = times.tobytes() + which.tobytes()
        self._list = None

    def _loose(self) -> list[Segment]:
        if self._list is None:
            self._list, self._packed, self._kinds = list(self), b"", ()
        return self._list

    def __len__(self) -> int:
        return len(self._packed) // 10 if self._list is None else len(self._list)  # 10 n + 8

    def __iter__(self) -> Iterator[Segment]:
        return self._unpacked() if self._list is None else iter(self._list)

    def _unpacked(self) -> Iterator[Segment]:
        count, kinds = len(self), self._kinds
        whole = memoryview(self._packed)
        times, which = whole[: 8 * count + 8].cast("q"), whole[8 * count + 8 :].cast("H")
        start = times[count]
        for i in range(count):
            state, thread, where = kinds[which[i]]
            end = times[i]
            yield Segment(state, start, end, thread, where)
            start = end

    def __reversed__(self) -> Iterator[Segment]:
        return self._unpacked_reversed() if self._list is None else reversed(self._list)

    def _unpacked_reversed(self) -> Iterator[Segment]:
        count, kinds = len(self), self._kinds
        whole = memoryview(self._packed)
        times, which = whole[: 8 * count + 8].cast("q"), whole[8 * count + 8 :].cast("H")
        for i in range(count - 1, -1, -1):
            state, thread, where = kinds[which[i]]
            yield Segment(state, times[i - 1] if i else times[count], times[i], thread, where)

    def __getitem__(self, index: int) -> Segment:
        return (list(self) if self._list is None else self._list)[index]


class _Totals(Mapping[State, int]):
    """Time in each state of a life that is over: a sixth of a dictionary."""

    __slots__ = ("_times",)

    def __init__(self, totals: Mapping[State, int]) -> None:
        self._times = array("q", [totals[state] for state in State]).tobytes()

    def __getitem__(self, state: State) -> int:
        return memoryview(self._times).cast("q")[_STATES[state]]

    def __iter__(self) -> Iterator[State]:
        return iter(State)

    def __len__(self) -> int:
        return len(_STATES)


class Span(NamedTuple):
    """A stretch of a lane: the loop, a thread or a process, at work for a request (0: for none)."""

    start: int
    end: int
    request: int
    where: Where | None = None


@dataclass(slots=True)
class Request:
    """A request's life: segments that touch each other, from `start` to `done`."""

    id: int
    method: str
    path: str
    start: int
    """When it was sent; of a foreign client, when it arrived or was read."""
    own: bool = False
    """Whether loopviz's own client sent it."""
    status: int | None = None
    error: str | None = None
    """The exception's name, or what befell the client."""
    done: int | None = None
    """When the last byte was sent."""
    received: int | None = None
    """When loopviz's client had the answer."""
    ended: bool = False
    """Whether its last task has ended: nothing more will happen to it."""
    segments: Segments = field(default_factory=Segments)
    after: Segments = field(default_factory=Segments)
    """What its tasks did after the response was out."""
    totals: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    """Time in each state, of closed segments up to `done`."""

    state: State | None = State.QUEUED
    """The state it is in now; None when its life is over."""
    since: int = 0
    thread: int = 0
    where: Where | None = None
    ready_at: int = 0
    """When the first timer that one of its tasks awaits is due; 0 for none."""

    def add(self, state: State, time: int) -> None:
        """Add to its time in a state."""
        totals = self.totals
        if type(totals) is not dict:
            totals = self.totals = dict(totals)
        totals[state] += time

    def pack(self, known: dict[object, object]) -> None:
        """Take little memory from now on, since its life is over; see `Segments.pack`."""
        self.segments.pack(known)
        self.after.pack(known)
        self.totals = _Totals(self.totals)

    def open_segments(self, now: int) -> Iterator[Segment]:
        """The segment that it is in, up to `now`: two if a timer has come due meanwhile."""
        if self.state is None or now <= self.since:
            return
        due = self.ready_at
        if self.state in (State.AWAITING, State.TOKEN_WAIT) and due and due < now:
            if due > self.since:
                yield Segment(self.state, self.since, due, 0, self.where)
            yield Segment(State.READY, max(due, self.since), now)
        else:
            yield Segment(self.state, self.since, now, self.thread, self.where)

    def history(self, now: int) -> list[Segment]:
        """All segments kept, as they stood at `now`."""
        past = [*self.segments, *self.after]
        past += self.open_segments(now)
        if past and past[-1].end > now:
            past = [s._replace(end=min(s.end, now)) for s in past if s.start < now]
        return past

    def newest_first(self, now: int) -> Iterator[Segment]:
        """Segments from the newest to the oldest, so that a view reads no more than it shows."""
        yield from reversed(list(self.open_segments(now)))
        yield from reversed(self.after)
        yield from reversed(self.segments)

    def state_at(self, now: int) -> Segment | None:
        """The segment that `now` lies in, or None before its life and after it."""
        for segment in self.newest_first(now):
            if segment.start < now:
                return segment if now <= segment.end else None
        return None

    def latency(self, now: int) -> int:
        """From sent to the last byte, or up to `now`."""
        end = self.done if self.done is not None and self.done <= now else now
        return max(0, end - self.start)


@dataclass(slots=True)
class Lane:
    """A thread or a process: what it worked on, and how much of a core it got."""

    number: int
    name: str
    role: str = "thread"
    """What it is: ``thread`` or ``process``."""
    spans: deque[Span] = field(default_factory=lambda: deque(maxlen=MAX_SPANS))
    open: Span | None = None
    """What it is at now; the end is not known yet."""
    busy: int = 0
    """Time at work, of closed spans."""
    cpu: int = 0
    """CPU time used since it was first seen."""
    clock: int | None = None
    """The latest reading of its CPU clock."""
    samples: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MAX_READINGS))
    """Readings: time, CPU time used up to then."""

    @classmethod
    def endless(cls, number: int, name: str, role: str = "thread") -> Lane:
        """A lane that keeps everything."""
        return cls(number, name, role, spans=deque(), samples=deque())

    def newest_first(self, now: int) -> Iterator[Span]:
        """Spans that had begun by `now`, from the newest to the oldest."""
        if self.open is not None and self.open.start < now:
            yield self.open._replace(end=now)
        yield from begun(self.spans, now, lambda span: span.start)

    def span_at(self, now: int) -> Span | None:
        """What it is at, at `now`; None if it has nothing to do then."""
        span = next(self.newest_first(now), None)
        return span if span is not None and span.start <= now <= span.end else None

    def busy_at(self, now: int) -> bool:
        """Whether it is at work at `now`."""
        return self.span_at(now) is not None

    def cpu_share(self, now: int, window: int = 600_000_000) -> float | None:
        """The part of a core that it used in the `window` up to `now`; None if not measured."""
        newest = oldest = None
        for sample in reversed(self.samples):
            if sample[0] > now:
                continue
            if newest is None:
                newest = sample
            oldest = sample
            if newest[0] - sample[0] >= window:
                break
        if newest is None or oldest is None or newest[0] == oldest[0] or now - newest[0] > 2 * window:
            return None
        return (newest[1] - oldest[1]) / (newest[0] - oldest[0])


@dataclass(slots=True)
class Block:
    """A stretch in which one step, or one callback, held the loop for longer than the threshold."""

    start: int
    end: int | None
    """None while it lasts."""
    request: int
    """Whose step it is; 0 for a task or a callback of no request."""
    computing: bool | None = None
    """Whether the loop's thread used the CPU meanwhile; None where that cannot be seen."""
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was seen, and how often."""
    victims: list[int] = field(default_factory=list)
    """The requests that could have run meanwhile."""

    @property
    def where(self) -> Where | None:
        """The line at which it was seen most often."""
        return self.lines.most_common(1)[0][0] if self.lines else None

    @property
    def kind(self) -> str | None:
        """``sleeping``, ``computing``, or None where that cannot be seen."""
        return None if self.computing is None else "computing" if self.computing else "sleeping"

    def lasted(self, now: int) -> int:
        """Its length up to `now`."""
        return (now if self.end is None else min(self.end, now)) - self.start


class Tokens(NamedTuple):
    """The default limiter: `total` is -1 where there is no limit."""

    total: int
    borrowed: int
    waiting: int
