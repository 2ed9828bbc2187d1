"""Who waited for a worker of a pool, for how long, and which calls held its workers meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from loopviz.findings.loss import Loss
from loopviz.findings.seen import Seen
from loopviz.model import Span, State, Where
from loopviz.model.pools import Pool

__all__ = ["SHORT", "Holder", "Waits", "calls", "computes", "holders", "in_executor", "waits_by_pool"]

_BUSY = 0.5
"""Threads compute if they use more than this part of a core together."""
SHORT = 1_000_000
"""A shorter wait (ns) is the way to a free worker."""


@dataclass
class Waits:
    """The waits of some requests for one pool."""

    pool: Pool
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    """Start, end and request of each."""
    size: int = -1
    """How many workers the pool had."""

    @cached_property
    def loss(self) -> Loss:
        """The same as a loss. To be asked for when all of them are there."""
        loss = Loss()
        for start, end, request in self.spans:
            loss.add(request, start, end)
        return loss

    @property
    def at_once(self) -> int:
        """The most requests that waited at the same time."""
        changes = sorted(change for start, end, _ in self.spans for change in ((start, 1), (end, -1)))
        most = now = 0
        for _, change in changes:
            now += change
            most = max(most, now)
        return most


@dataclass(slots=True)
class Holder:
    """A function that held workers while others waited."""

    called: Where | None
    """Its definition."""
    after: bool
    """Whether it was called after the responses."""
    lasted: int = 0
    """How long, all of its calls together (ns)."""
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was, and how long (ns)."""
    requests: dict[int, None] = field(default_factory=dict)
    """For which requests, in their order."""
    role: str = ""
    """What its calls are for their requests, where that was seen."""

    @property
    def where(self) -> Where | None:
        """The line at which it was longest."""
        return max(self.lines, key=lambda where: self.lines[where], default=None)


def waits_by_pool(seen: Seen) -> list[Waits]:
    """The waits of the requests seen, by pool, the longest first.

    A wait is that of a request in state "waiting for a thread"; the pool's own list says for which pool.
    """
    known: list[Waits] | None = seen.worked_out.get(__name__)
    if known is None:
        known = seen.worked_out[__name__] = _waits_by_pool(seen)
    return known


def _waits_by_pool(seen: Seen) -> list[Waits]:
    pools = seen.timeline.pools
    of: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for number, pool in pools.by_number.items():
        for start, end, waiter in pool.waits:
            if waiter in seen.by_number and end > seen.start and start < seen.end:
                of[waiter].append((start, end, number))
    lasting = pools.waiting_at(seen.end)
    found: dict[int, Waits] = {}
    for request in seen.requests:
        for segment in seen.segments(request):
            if segment.state is not State.TOKEN_WAIT or segment.end - segment.start <= SHORT:
                continue
            meant = (n for start, end, n in of[request.id] if start < segment.end and segment.start < end)
            number = next(meant, 0)
            number = number or next((n for n, waiting in lasting.items() if request.id in waiting), 0)
            if number not in found:
                # A recording of before says nothing of pools.
                pool = pools.by_number.get(number) or Pool(0, "default-limiter", "", -1)
                found[number] = Waits(pool, size=_size(seen, pool))
            found[number].spans.append((segment.start, segment.end, request.id))
    return sorted(found.values(), key=lambda waits: -waits.loss.total)


def _size(seen: Seen, pool: Pool) -> int:
    """The size at the end of this time: a thread limit may have been changed since."""
    tokens = seen.timeline.tokens_at(seen.end) if pool.kind == "default-limiter" else None
    return tokens.total if tokens is not None else pool.size


def calls(seen: Seen) -> Iterator[Span]:
    """The calls in worker threads meanwhile, of any request, thread by thread."""
    for lane in seen.timeline.workers.values():
        for span in lane.newest_first(seen.now) if lane.role == "thread" else ():
            if span.end <= seen.start:
                break
            if span.start < seen.end:
                yield span


def computes(seen: Seen, waits: Waits) -> bool:
    """Whether the pool's threads computed while the requests waited: then more of them would not help."""
    start, end = min(wait[0] for wait in waits.spans), max(wait[1] for wait in waits.spans)
    lanes = (lane for lane in seen.timeline.workers.values() if lane.role == "thread")
    return sum(lane.used(start, end) for lane in lanes if lane.worker == waits.pool.worker) > _BUSY * (
        end - start
    )


def in_executor(seen: Seen, span: Span) -> bool:
    """Whether the call was handed to an executor, and not to one of AnyIO's threads."""
    pool = seen.timeline.pools.by_number.get(span.pool)
    return pool is not None and not pool.is_limiter


def holders(seen: Seen, waits: Waits) -> list[Holder]:
    """Which functions held the workers of the pool while the requests waited, the longest first."""
    start, end = min(wait[0] for wait in waits.spans), max(wait[1] for wait in waits.spans)
    wanted = {waits.pool.number, 0} if waits.pool.kind == "default-limiter" else {waits.pool.number}
    found: dict[tuple[Where | None, bool], Holder] = {}
    for span in calls(seen):
        lasted = min(end, span.end) - max(start, span.start)
        if lasted <= 0 or span.pool not in wanted:
            continue
        request = seen.timeline.requests.get(span.request)
        after = request is not None and request.done is not None and span.start >= request.done
        holder = found.setdefault((span.called, after), Holder(span.called, after))
        holder.lasted += lasted
        holder.role = holder.role or span.role
        if span.where is not None:
            holder.lines[span.where] += lasted
        if span.request:
            holder.requests.setdefault(span.request)
    return sorted(found.values(), key=lambda holder: -holder.lasted)
