"""A lane: what one thread or process worked on, and its CPU clock. Times are nanoseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from loopviz.model.limits import LIVE, Limits
from loopviz.model.past import begun
from loopviz.model.segments import Where

__all__ = ["COMPUTES", "Lane", "Span"]

COMPUTES = 0.05
"""A thread computes if it uses more than this part of a core."""


class Span(NamedTuple):
    """A stretch of a lane in which it works for a request (0: for none)."""

    start: int
    end: int
    request: int
    where: Where | None = None
    pool: int = 0
    """The pool whose worker it is then; 0 where that is not known."""
    called: Where | None = None
    """The function that the worker was given, by its definition; None for the loop's thread."""
    role: str = ""
    """What the call is for its request: ``dependency``. Known once it is over; empty where it is not."""


@dataclass(slots=True)
class Lane:
    """A thread or a process: what it worked on, and how much of a core it used."""

    number: int
    name: str
    role: str = "thread"
    """``thread`` or ``process``."""
    worker: int = 0
    """The worker of the server that it belongs to; see `loopviz.stream.several`."""
    letter: str = ""
    """The letter of that worker; empty where there is one only."""
    spans: deque[Span] = field(default_factory=lambda: deque(maxlen=LIVE.spans))
    open: Span | None = None
    """What it works on now; the end is not known yet."""
    busy: int = 0
    """Busy time, of closed spans."""
    cpu: int = 0
    """CPU time used since it was first seen."""
    clock: int | None = None
    """The latest reading of its CPU clock."""
    samples: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LIVE.readings))
    """Readings: time, CPU time used up to then."""
    gil: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LIVE.readings))
    """Readings of a worker thread that computes: time, and the most that it has waited for the GIL."""
    core: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LIVE.readings))
    """The same, and of the loop's thread: how long it could have run, and no core was free."""

    @classmethod
    def within(cls, limits: Limits, number: int, name: str, role: str = "thread", worker: int = 0) -> Lane:
        """A lane that keeps as much as `limits` allows."""
        samples: deque[tuple[int, int]] = deque(maxlen=limits.readings)
        gil, core = samples.copy(), samples.copy()
        spans: deque[Span] = deque(maxlen=limits.spans)
        return cls(number, name, role, worker, spans=spans, samples=samples, gil=gil, core=core)

    def read_clock(self, t: int, used: int) -> None:
        """Its CPU clock shows `used` at `t`."""
        if self.clock is not None:
            if used < self.clock and self.role == "process":
                return  # reported late: a newer reading has been counted
            # When a thread has ended, another one may get its number, and that one's clock starts again at 0.
            self.cpu += used - self.clock if used >= self.clock else used
        self.clock = used
        self.samples.append((t, self.cpu))

    def close(self, t: int, where: Where | None, role: str = "") -> None:
        """The open span, if there is one, ends at `t`."""
        span = self.open
        if span is not None:
            end = max(t, span.start)
            self.spans.append(span._replace(end=end, where=where, role=role))
            self.busy += end - span.start
            self.open = None

    def busy_until(self, now: int) -> int:
        """Busy time up to `now`, of the open span as well (ns)."""
        return self.busy + (max(0, now - self.open.start) if self.open is not None else 0)

    def drop_before(self, horizon: int) -> None:
        """Drop the spans that ended before `horizon`."""
        while self.spans and self.spans[0].end < horizon:
            self.spans.popleft()

    def newest_first(self, now: int) -> Iterator[Span]:
        """Spans that had begun by `now`, from the newest to the oldest."""
        if self.open is not None and self.open.start < now:
            yield self.open._replace(end=now)
        yield from begun(self.spans, now, lambda span: span.start)

    def worked(self, start: int, end: int) -> bool:
        """Whether it worked for some of the time from `start` to `end` (ns)."""
        newest = next(self.newest_first(end), None)
        return newest is not None and newest.end > start

    def span_at(self, now: int) -> Span | None:
        """What it works on at `now`; None if it is not busy then."""
        span = next(self.newest_first(now), None)
        return span if span is not None and span.start <= now <= span.end else None

    def busy_at(self, now: int) -> bool:
        """Whether it is busy at `now`."""
        return self.span_at(now) is not None

    def measured(self, now: int, window: int) -> tuple[int, int] | None:
        """The times of the first and the last reading of its CPU clock in the `window` (ns) up to `now`."""
        times = [t for t, _ in self.samples if now - window <= t <= now]
        return (times[0], times[-1]) if times else None

    def used(self, start: int, end: int) -> float:
        """CPU time used from `start` to `end` (ns), as if it were used evenly between two readings."""
        return self._used_by(end) - self._used_by(start)

    def measures(self, start: int) -> bool:
        """Whether its CPU clock was read, and the readings since `start` (ns) are still kept."""
        samples = self.samples
        return bool(samples) and (samples[0][0] <= start or len(samples) != samples.maxlen)

    def _used_by(self, t: int) -> float:
        before = None
        for sample in self.samples:
            if sample[0] >= t:
                if before is None or sample[0] == t:
                    return sample[1]
                part = (t - before[0]) / (sample[0] - before[0])
                return before[1] + part * (sample[1] - before[1])
            before = sample
        return before[1] if before is not None else 0.0

    def waited_for_gil(self, start: int, end: int) -> float | None:
        """The part of this time in which it can have waited for the GIL, at most; None if not measured."""
        return _rise(self.gil, start, end)

    def waited_for_core(self, start: int, end: int) -> float | None:
        """The part of this time in which it could have run and had no core; None if not measured."""
        return _rise(self.core, start, end)

    def cpu_share(self, now: int, window: int = 600_000_000) -> float | None:
        """The part of a core that it used in the `window` (ns) up to `now`; None if not measured."""
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


def _rise(readings: deque[tuple[int, int]], start: int, end: int) -> float | None:
    """How fast a counter rose between the last reading before `start` and the last one before `end`.

    None if they do not cover half of that time, or more than three times as much.
    """
    within = [reading for reading in readings if start - 2 * (end - start) <= reading[0] <= end]
    within = within[max(0, sum(t <= start for t, _ in within) - 1) :]
    covered = within[-1][0] - within[0][0] if within else 0
    if covered <= 0 or 2 * covered < end - start:
        return None
    return min(1.0, max(0.0, (within[-1][1] - within[0][1]) / covered))
