"""Why a burst took its time: the first of the reasons that was observed.

Blocks, waits for a worker, starvation, threads that waited for the GIL, or how many requests waited at the
same time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

from loopviz.draw.safe import printable
from loopviz.draw.story.table import MORE_THAN_ONE_CORE
from loopviz.draw.words import count, duration, fitting, line
from loopviz.model import Block, Burst, Request, State, Timeline
from loopviz.model.pools import Pool

__all__ = ["Reason", "reason"]

_NOTABLE = 0.1
"""A wait that is shorter than this part of the makespan is no reason."""
_SHORT = 20_000_000
"""Below this (ns) it is not worth a word what went on at the same time."""
_HELD = ("connection", "lock", "semaphore")
"""What requests await that another one has."""
_WORK = (State.IN_PROCESS, State.IN_THREAD, State.AWAITING)
_PLACES = {
    State.IN_PROCESS: "in worker processes", State.IN_THREAD: "in worker threads",
    State.AWAITING: "at an await",
}  # fmt: skip

Reason: TypeAlias = tuple[str, str, bool]
"""In a few words and in a sentence, why it took its time; and whether time was lost by it."""


def reason(timeline: Timeline, burst: Burst, requests: list[Request]) -> Reason:
    """The first reason that was observed."""
    seen = _Seen(timeline, requests, burst.began, burst.done or timeline.last)
    found = (look(seen) for look in (_blocks, _waits, _shared, _starved, _computing, _after))
    return next((one for one in found if one is not None), None) or _work(seen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a burst that is over."""

    timeline: Timeline
    requests: list[Request]
    start: int
    end: int

    @property
    def took(self) -> int:
        """Its makespan (ns)."""
        return max(1, self.end - self.start)


def _blocks(seen: _Seen) -> Reason | None:
    """Blocks held the loop for a notable part of the time."""
    start, end = seen.start, seen.end
    blocks = [b for b in seen.timeline.blocks if b.end is not None and b.end > start and b.start < end]
    held = sum(min(block.end or end, end) - max(block.start, start) for block in blocks)
    return (*_of_blocks(blocks, held), True) if blocks and held > 2 * _NOTABLE * seen.took else None


def _waits(seen: _Seen) -> Reason | None:
    """Requests waited for a worker."""
    waits = {request.id: request.totals[State.TOKEN_WAIT] for request in seen.requests}
    waits = {number: waited for number, waited in waits.items() if waited > _NOTABLE * seen.took}
    return (*_of_waits(seen, waits), True) if waits else None


def _shared(seen: _Seen) -> Reason | None:
    """Requests awaited something that others had."""
    for what in _HELD:
        waits = [
            waited for request in seen.requests if (waited := _awaited(request, what)) > _NOTABLE * seen.took
        ]
        if waits:
            said = f"{count(len(waits), 'request')} waited for a {what}, up to {duration(max(waits))}."
            return f"{len(waits)} waited for a {what}", said, True
    return None


def _starved(seen: _Seen) -> Reason | None:
    """Requests waited for the loop, although no step was long."""
    found = (s for s in seen.timeline.starvations if s.start < seen.end and (s.end or seen.end) > seen.start)
    longest = max((starvation.longest for starvation in found), default=0)
    if longest <= _NOTABLE * seen.took:
        return None
    said = f"Short steps in a row made requests wait up to {duration(longest)} for the loop."
    return "many short steps in a row", said, True


def _computing(seen: _Seen) -> Reason | None:
    """Threads that compute waited for the GIL, or for a core, as measured of each."""
    threads = [
        (lane.used(seen.start, seen.end) / seen.took, min(gil, 1 - core), core)
        for lane in seen.timeline.workers.values()
        if lane.role == "thread"
        and (gil := lane.waited_for_gil(seen.start, seen.end)) is not None
        and (core := lane.waited_for_core(seen.start, seen.end)) is not None
    ]
    number = len(threads)
    if number < 2:
        return None
    used, gil, core = (sum(column) for column in zip(*threads, strict=True))
    if gil / number > max(2 * _NOTABLE, core / number) and used < MORE_THAN_ONE_CORE:
        said = f"{number} threads share the GIL"
        return said, f"{said}: together they used {used:.1f} cores, and waited for it.", True
    if core / number > 2 * _NOTABLE:
        said = f"The threads waited for a free core for {core / number:.0%} of the time."
        return "no core was free", said, False
    return None


def _awaited(request: Request, what: str) -> int:
    """For how long it awaited something of this kind (ns)."""
    return sum(
        segment.end - segment.start
        for segment in request.segments
        if segment.awaits is not None and segment.awaits.what == what
    )


def _of_blocks(blocks: list[Block], held: int) -> tuple[str, str]:
    """Blocks: how many, where most of them were, and for how long they held the loop."""
    places = Counter[str]()
    calls: dict[str, str] = {}
    for block in blocks:
        if block.where is not None:
            place = line(block.where)
            places[place] += 1
            calls[place] = f" ({printable(block.where.calls, 30)})" if block.where.calls else ""
    many = count(len(blocks), "block")
    at = places.most_common(1)[0][0] if places else ""
    short = f"{many} at {at}" if at and len(places) == 1 else many
    where = f": {at}{calls[at]}" if at else ""
    long = fitting(
        f"The event loop was held for {duration(held)} of it, in {many}{where}.",
        f"The loop was held for {duration(held)} of it, in {many}.",
    )
    return short, long


def _of_waits(seen: _Seen, waited: dict[int, int]) -> tuple[str, str]:
    """Waits for a worker: how many requests, for how long at most, and of which pool."""
    timeline = seen.timeline
    pools: Counter[int] = Counter()
    for number, one in timeline.pools.by_number.items():
        pools[number] = len(
            {r for start, stop, r in one.waits if start < seen.end and stop > seen.start} & waited.keys()
        )
    named = pools.most_common(1)
    pool = timeline.pools.by_number[named[0][0]] if named and named[0][1] else None
    many, longest = len(waited), duration(max(waited.values()))
    worker = "process" if pool is not None and pool.kind == "processes" else "thread"
    short = f"{many} waited for a {worker}"
    requests = count(many, "request")
    long = fitting(
        f"{requests} waited for a {worker}, up to {longest}{_size(pool)}.",
        f"{requests} waited for a {worker}, up to {longest}.",
    )
    return short, long


def _size(pool: Pool | None) -> str:
    if pool is None or pool.size < 0:
        return ""
    one = "process" if pool.kind == "processes" else "thread"
    has = count(pool.size, one, "processes" if one == "process" else "")
    title = "AnyIO" if pool.kind == "default-limiter" else printable(pool.title, 26)
    return f": {title} has {has}"


def _after(seen: _Seen) -> Reason | None:
    """Their tasks went on after the responses, for longer than the clients waited."""
    now = seen.timeline.last
    longest = max((_went_on(request, now) for request in seen.requests), default=0)
    if longest <= max(seen.took, _SHORT):
        return None
    number = sum(not request.ended for request in seen.requests)
    if number:
        goes = "1 request goes" if number == 1 else f"{number} requests go"
        return "", f"{goes} on after the response: no client waits for that.", False
    return "", f"After the responses they went on for up to {duration(longest)}: no client waited.", False


def _went_on(request: Request, now: int) -> int:
    """For how long its tasks have gone on after the response (ns)."""
    if request.done is None:
        return 0
    end = request.since if request.ended else now
    return max(0, end - request.done)


def _work(seen: _Seen) -> Reason:
    """No time was lost: how much work or waiting went on at the same time, where that was seen."""
    totals: Counter[State] = Counter()
    requests, took = seen.requests, seen.took
    for request in requests:
        for state in _WORK:
            totals[state] += request.totals[state]
    state, total = max(totals.items(), key=lambda item: item[1], default=(State.AWAITING, 0))
    if total < 1.5 * took or took < _SHORT:
        return "", "", False
    most = _at_once(requests, state)
    said = f"{duration(total)} {_PLACES[state]} fit into {duration(took)}: up to {most} at the same time."
    return f"{most} at once", said, False


def _at_once(requests: list[Request], state: State) -> int:
    """The most requests that were in `state` at the same time."""
    changes = sorted(
        change
        for request in requests
        for segment in request.segments
        if segment.state is state
        for change in ((segment.start, 1), (segment.end, -1))
    )
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
