"""Why a burst took its time: the first of the reasons that was observed.

Blocks, waits for a worker, starvation, threads that waited for the GIL, or how many requests waited at the
same time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from loopviz.draw.safe import printable
from loopviz.draw.story.table import MORE_THAN_ONE_CORE
from loopviz.draw.words import count, duration, fitting, line
from loopviz.model import Burst, Request, State, Timeline
from loopviz.model.pools import Pool
from loopviz.model.workers import Tokens

__all__ = ["Reason", "reason"]

_NOTABLE = 0.1
"""A wait that is shorter than this part of the makespan is no reason."""
_UNEVEN = 1.5
"""A worker that has so many times its share of the requests has more than its share."""
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


def reason(timeline: Timeline, burst: Burst, requests: list[Request], now: int) -> Reason:
    """The first reason that was observed of a burst that was over at `now` (ns)."""
    seen = _Seen(timeline, requests, burst.began, burst.done or timeline.last, now)
    found = (look(seen) for look in (_blocks, _waits, _shared, _starved, _computing, _after))
    return next((one for one in found if one is not None), None) or _work(seen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a burst that is over."""

    timeline: Timeline
    requests: list[Request]
    start: int
    end: int
    now: int
    """The moment that is described; its tasks may go on after that."""

    @property
    def took(self) -> int:
        """Its makespan (ns)."""
        return max(1, self.end - self.start)


def _blocks(seen: _Seen) -> Reason | None:
    """Blocks held the loop for a notable part of the time."""
    start, end = seen.start, seen.end
    blocks = [b for b in seen.timeline.blocks if b.end is not None and b.end > start and b.start < end]
    held = Counter[str]()
    calls = defaultdict[str, set[str]](set)
    for block in blocks:
        since, until = max(block.start, start), min(block.end or end, end)
        stopped = seen.timeline.stopped_within(since, until)
        blamed = block.kind != "waiting_for_gil" or block.keeper is not None
        where = block.culprit[1] if blamed else None
        place = "" if where is None else line(where)
        held[place] += max(0, until - since - stopped)
        calls[place].add("" if where is None else where.calls)
    lost = held.total() > 2 * _NOTABLE * seen.took
    if not lost:
        return None
    short, said = _of_blocks(len(blocks), held, calls)
    return short, _unevenly(seen) or said, True


def _unevenly(seen: _Seen) -> str:
    """That one worker had more than its share of the requests, where there are several; else empty."""
    timeline = seen.timeline
    if not timeline.several:
        return ""
    counts = Counter(request.worker for request in seen.requests if request.worker >= 0)
    processes = timeline.processes
    (most, number) = counts.most_common(1)[0] if counts else (0, 0)
    if number <= 1 or number * len(processes) < _UNEVEN * counts.total():
        return ""
    idle = [process for process in processes if not counts[process.worker]]
    held = sum(
        max(0, min(block.end or seen.end, seen.end) - max(block.start, seen.start))
        for block in timeline.process(most).loop.blocks
        if block.start < seen.end
    )
    letter = timeline.process(most).letter
    had = f"Worker {letter} had {number} of {counts.total()}"
    others = f"; {count(len(idle), 'other')} had none" if idle else ""
    return fitting(
        f"{had.replace('had', 'had accepted')}, and was held for {duration(held)}{others}.",
        f"{had}, and was held for {duration(held)}{others}.",
        f"{had}, and was held for {duration(held)}.",
    )


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
    own = {request.id for request in seen.requests}
    waits = (
        min(end, seen.end) - max(start, seen.start)
        for starvation in seen.timeline.starvations
        for number, (start, end) in starvation.waits.items()
        if number in own
    )
    longest = max(waits, default=0)
    if longest <= _NOTABLE * seen.took:
        return None
    said = f"Short steps in a row made requests wait up to {duration(longest)} for the loop."
    return "many short steps in a row", said, True


def _computing(seen: _Seen) -> Reason | None:
    """Threads that compute waited for the GIL, or for a core, as measured of each."""
    used_by = Counter(lane.worker for lane in seen.timeline.workers.values() if lane.role == "thread")
    most = used_by.most_common(1)  # each worker of the server has a GIL of its own
    threads = [
        (lane.used(seen.start, seen.end) / seen.took, min(gil, 1 - core), core)
        for lane in seen.timeline.workers.values()
        if lane.role == "thread"
        and lane.worker == most[0][0]
        and (gil := lane.waited_for_gil(seen.start, seen.end)) is not None
        and (core := lane.waited_for_core(seen.start, seen.end)) is not None
    ]
    number = len(threads)
    if number < 2:
        return None
    used, gil, core = (sum(column) for column in zip(*threads, strict=True))
    if gil / number > max(2 * _NOTABLE, core / number) and used < MORE_THAN_ONE_CORE:
        said = f"{number} threads share the GIL"
        return said, f"{said}: each waited up to {gil / number:.0%} of the time, on average.", True
    if core / number > 2 * _NOTABLE:
        said = f"On average the threads waited for a free core for {core / number:.0%} of the time."
        return "no core was free", said, False
    return None


def _awaited(request: Request, what: str) -> int:
    """For how long it awaited something of this kind (ns)."""
    return sum(
        segment.end - segment.start
        for segment in request.segments
        if segment.awaits is not None and segment.awaits.what == what
    )


def _of_blocks(number: int, held: Counter[str], calls: dict[str, set[str]]) -> tuple[str, str]:
    """Blocks: how many, for how long they held the loop, and the line that held it longest ("": not seen)."""
    many, whole = count(number, "block"), duration(held.total())
    place, longest = held.most_common(1)[0]
    alone = len(held) == 1
    short = f"{many} at {place}" if place and alone else many
    at = call = ""
    if place:
        called = next(iter(calls[place])) if len(calls[place]) == 1 else ""
        call = f" ({printable(called, 30)})" if called else ""
        at = f": {'' if alone else f'{duration(longest)} at '}{place}"
    return short, fitting(
        f"The event loop was held for {whole} of it, in {many}{at}{call}.",
        f"The loop was held for {whole} of it, in {many}{at}.",
        f"The loop was held for {whole} of it, in {many}.",
    )


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
        f"{requests} waited for a {worker}, up to {longest}{_size(pool, timeline.tokens_at(seen.end))}.",
        f"{requests} waited for a {worker}, up to {longest}.",
    )
    return short, long


def _size(pool: Pool | None, tokens: Tokens | None) -> str:
    """Its size when the burst was over: it may have been changed since."""
    if pool is None:
        return ""
    size = tokens.total if tokens is not None and pool.kind == "default-limiter" else pool.size
    if size < 0:
        return ""
    one = "process" if pool.kind == "processes" else "thread"
    has = count(size, one, "processes" if one == "process" else "")
    title = "AnyIO" if pool.kind == "default-limiter" else printable(pool.title, 26)
    return f": {title} has {has}"


def _after(seen: _Seen) -> Reason | None:
    """Their tasks went on after the responses, for longer than the clients waited."""
    now = seen.now
    longest = max((_went_on(request, now) for request in seen.requests), default=0)
    if longest <= max(seen.took, _SHORT):
        return None
    number = sum(not request.ended or request.since > now for request in seen.requests if request.answered)
    if number:
        goes = "1 request goes" if number == 1 else f"{number} requests go"
        return "", f"{goes} on after the response: no client waits for that.", False
    return "", f"After the responses they went on for up to {duration(longest)}: no client waited.", False


def _went_on(request: Request, now: int) -> int:
    """For how long its tasks have gone on after the response at `now` (ns)."""
    if request.done is None or not request.answered:
        return 0
    end = min(request.since, now) if request.ended else now
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
