"""The verdict on a burst that is over: measured against expected, why, and what to change.

Each reason is something that was observed: blocks, waits for a worker, starvation, threads that waited for
the GIL, or how many requests waited at the same time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

from loopviz.draw.expected import Expected, computed, expected
from loopviz.draw.safe import printable
from loopviz.draw.words import Mood, count, duration, fitting, line, ordinary
from loopviz.model import Block, Burst, Request, State, Timeline
from loopviz.model.pools import Pool
from loopviz.scenario import Load, Scenario

__all__ = ["Verdict", "verdict"]

_NEAR = 0.1
"""As expected is what differs by this part, or by `_ALWAYS`."""
_ALWAYS = 150_000_000
"""What is always allowed (ns): the client and the server take some time as well."""
_NOTABLE = 0.1
"""A wait that is shorter than this part of the makespan is no reason."""
_WORK = (State.IN_PROCESS, State.IN_THREAD, State.AWAITING)
_PLACES = {
    State.IN_PROCESS: "in worker processes", State.IN_THREAD: "in worker threads",
    State.AWAITING: "at an await",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a burst that is over."""

    mood: Mood
    measured: str
    """How many requests, in which time, and whether that was expected; in at most 77 columns."""
    why: str
    """Why it took that time, as far as it was observed; in at most 77 columns. May be empty."""
    repair: str
    """What to change; empty where nothing is to be repaired."""
    repaired: str
    """The scenario that shows it."""


def verdict(timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int) -> Verdict:
    """The verdict on a burst that was over at `now` (ns)."""
    requests = burst.requests
    given_up = sum(request.given_up for request in requests)
    failed = [request for request in requests if request.failed]
    took, many = duration(burst.makespan(now)), count(burst.count, "request")
    short, why, lost = _reason(timeline, burst, requests)
    if given_up:
        measured = f"{given_up} of {many} were given up, {took} after the first was sent."
        if given_up == 1:
            measured = f"1 of {many} was given up, {took} after the first was sent."
    elif failed:
        measured = fitting(
            f"{len(failed)} of {burst.count} failed: {_failures(failed)}. {many} in {took}.",
            f"{len(failed)} of {burst.count} failed: {_failures(failed)}.",
        )
    else:
        than = _compared(timeline, burst, scenario, now)
        done = f"Done: {many} in {took}{than}"
        reasons = [f"{done}: {reason}." for reason in (short, short.partition(" at ")[0]) if reason]
        measured = fitting(*reasons, f"{done}.", f"Done: {many} in {took}.")
    repair = repaired = ""
    if scenario is not None and scenario.repair and (lost or failed or not _only_under_load(scenario, burst)):
        repair, repaired = printable(scenario.repair, 200), printable(scenario.repaired or "", 40)
    return Verdict("alarm" if failed or given_up else "dim", measured, why, repair, repaired)


# -- measured against expected -----------------------------------------------------------------


def _compared(timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int) -> str:
    """How the time compares with what was expected, to be put after it; empty where nothing was."""
    wanted = expected(timeline, burst, scenario, now)
    if wanted is None or scenario is None:
        return ""
    took = burst.makespan(now)
    single = computed(timeline, burst)
    times = _times(scenario, burst) if wanted.declared else None
    if times is not None:
        # The law is in CPU times of one request, and those are this run's: to say that it was expected
        # would go in a circle.
        if not single:
            return ""
        return f", {_number(took / single)} times one request's CPU time ({_number(times)} expected)"
    if abs(took - wanted.ns) <= max(_NEAR * wanted.ns, _ALWAYS):
        return f", {_as_expected(wanted)}"
    more = took - wanted.ns
    than = "expected" if wanted.declared else "the run before"
    what = ordinary(wanted.ns) if wanted.ns else "at once"
    return f", {ordinary(abs(more))} {'more' if more > 0 else 'less'} than {than} ({what})"


def _as_expected(wanted: Expected) -> str:
    if not wanted.declared:
        return f"as the run before ({ordinary(wanted.ns)})"
    return f"as expected ({ordinary(wanted.ns)})" if wanted.ns else "at once, as expected"


def _times(scenario: Scenario, burst: Burst) -> float | None:
    """How many CPU times of one request are expected; None if the law does not depend on that."""
    none, one = _law(scenario, burst.count, burst, 0.0), _law(scenario, burst.count, burst, 1.0)
    return None if none is None or one is None or none == one else one - none


def _law(scenario: Scenario, requests: int, burst: Burst, single: float) -> float | None:
    try:
        return scenario.expected(Load.here(requests, burst.threads, scenario.seconds, single))
    except ValueError:
        return None


def _only_under_load(scenario: Scenario, burst: Burst) -> bool:
    """Whether so few requests take no longer than one alone, and many would: there is no harm yet."""
    now, many = (_law(scenario, number, burst, 1.0) for number in (burst.count, 1_000 * burst.count))
    return now is not None and many is not None and now <= scenario.seconds < many


# -- why -----------------------------------------------------------------------------------------


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


_Reason: TypeAlias = tuple[str, str, bool]
"""In a few words and in a sentence, why it took its time; and whether time was lost by it."""


def _reason(timeline: Timeline, burst: Burst, requests: list[Request]) -> _Reason:
    """The first reason that was observed."""
    seen = _Seen(timeline, requests, burst.began, burst.done or timeline.last)
    found = (look(seen) for look in (_blocks, _waits, _shared, _starved, _computing, _after))
    return next((reason for reason in found if reason is not None), None) or _work(seen)


def _blocks(seen: _Seen) -> _Reason | None:
    """Blocks held the loop for a notable part of the time."""
    start, end = seen.start, seen.end
    blocks = [b for b in seen.timeline.blocks if b.end is not None and b.end > start and b.start < end]
    held = sum(min(block.end or end, end) - max(block.start, start) for block in blocks)
    return (*_of_blocks(blocks, held), True) if blocks and held > 2 * _NOTABLE * seen.took else None


def _waits(seen: _Seen) -> _Reason | None:
    """Requests waited for a worker."""
    waits = {request.id: request.totals[State.TOKEN_WAIT] for request in seen.requests}
    waits = {number: waited for number, waited in waits.items() if waited > _NOTABLE * seen.took}
    return (*_of_waits(seen, waits), True) if waits else None


def _shared(seen: _Seen) -> _Reason | None:
    """Requests awaited something that others had."""
    for what in _HELD:
        waits = [
            waited for request in seen.requests if (waited := _awaited(request, what)) > _NOTABLE * seen.took
        ]
        if waits:
            said = f"{count(len(waits), 'request')} waited for a {what}, up to {duration(max(waits))}."
            return f"{len(waits)} waited for a {what}", said, True
    return None


def _starved(seen: _Seen) -> _Reason | None:
    """Requests waited for the loop, although no step was long."""
    found = (s for s in seen.timeline.starvations if s.start < seen.end and (s.end or seen.end) > seen.start)
    longest = max((starvation.longest for starvation in found), default=0)
    if longest <= _NOTABLE * seen.took:
        return None
    said = f"Short steps in a row made requests wait up to {duration(longest)} for the loop."
    return "many short steps in a row", said, True


def _computing(seen: _Seen) -> _Reason | None:
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
    if gil / number > max(2 * _NOTABLE, core / number) and used < _ONE_CORE:
        said = f"{number} threads share the GIL"
        return said, f"{said}: together they used {used:.1f} cores, and waited for it.", True
    if core / number > 2 * _NOTABLE:
        said = f"The threads waited for a free core for {core / number:.0%} of the time."
        return "no core was free", said, False
    return None


_ONE_CORE = 1.25
_HELD = ("connection", "lock", "semaphore")
"""What requests await that another one has."""


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


def _after(seen: _Seen) -> _Reason | None:
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


def _work(seen: _Seen) -> _Reason:
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


_SHORT = 20_000_000
"""Below this (ns) it is not worth a word what went on at the same time."""


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


# -- what failed -----------------------------------------------------------------------------------


def _failures(failed: list[Request]) -> str:
    """The most frequent failures: ``500 RuntimeError``."""
    kinds = Counter(_failure(request) for request in failed).most_common(2)
    return ", ".join(kind if len(kinds) == 1 else f"{number} {kind}" for kind, number in kinds)


def _failure(request: Request) -> str:
    error = printable((request.error or "").partition(":")[0], 30)
    status = "" if request.status is None else str(request.status)
    return f"{status} {error}".strip() or printable(request.failure or "no answer", 30)


def _number(value: float) -> str:
    """A factor, in as few digits as it needs: ``8``, ``4.1``."""
    return f"{value:.0f}" if value >= 20 or abs(value - round(value)) < _WHOLE else f"{value:.1f}"


_WHOLE = 0.05
