"""What is known of a moment: what the sentences of the table and their conditions are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import KeysView
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from loopviz.clock import NS
from loopviz.draw.marks import turns
from loopviz.draw.words import tag
from loopviz.model import Awaits, Block, Request, Starvation, State, Timeline
from loopviz.model.lane import COMPUTES
from loopviz.model.pools import Pool

__all__ = ["FREE", "Computing", "Elsewhere", "Moment", "Wait"]

FREE = 0.1
"""A loop that was busy for a smaller part of the last second is called free."""
_IDLE = 100_000_000
"""The loop of a worker is idle if it has done nothing for so long (ns)."""
_ACCEPTED = 50_000_000
"""A connection that waits for longer (ns) while a loop is idle was accepted by another worker."""
_WINDOW = 600_000_000
"""How far back threads' CPU time is compared (ns)."""
_SHORTEST = 150_000_000
"""The shortest time in which the CPU time of several threads is compared (ns)."""


class Computing(NamedTuple):
    """Worker threads that compute at the same time: each one's part of that time."""

    shares: list[float]
    """It used a core."""
    gil: list[float]
    """It can have waited for the GIL, at most; empty where that is not measured of all."""
    core: list[float]
    """It could have run, and no core was free; empty where that is not measured of all."""

    @property
    def cores(self) -> float:
        """How many cores they use together."""
        return sum(self.shares)

    @property
    def waits_for_gil(self) -> float:
        """The part of the time in which one of them waits for the GIL, on average; 0 if not measured."""
        return sum(self.gil) / len(self.gil) if self.gil else 0.0

    @property
    def waits_for_core(self) -> float:
        """The part of the time in which one of them waits for a core, on average; 0 if not measured."""
        return sum(self.core) / len(self.core) if self.core else 0.0


class Elsewhere(NamedTuple):
    """Requests that wait in one worker of the server while others have nothing to do."""

    block: Block
    """What they wait for."""
    waiting: list[int]
    idle: list[str]
    """The letters of the workers whose loops were idle."""


class Wait(NamedTuple):
    """Requests that wait for a worker of the same pool."""

    pool: Pool | None
    """None where it is not known for which one most of them wait."""
    since: dict[int, int]
    """Of each request: since when (ns)."""
    full: bool
    """Whether all workers of the pool were seen to be busy."""

    @property
    def longest(self) -> int:
        """The request that has waited longest."""
        return min(self.since, key=self.since.__getitem__)


class Moment:
    """A timeline at `now` (ns); `brief` asks for sentences of at most 77 columns."""

    def __init__(self, timeline: Timeline, now: int, *, brief: bool = False) -> None:
        self.timeline = timeline
        self.now = now
        self.brief = brief
        self.live: list[Request] = []
        """The requests that are not answered, without WebSockets at which nothing happens."""
        self.states: Counter[State] = Counter()
        """How many of them are in each state."""
        self.awaits: Counter[Awaits] = Counter()
        """What they await, where that is known."""
        self.sockets = 0
        """Open WebSockets at which nothing happens."""
        for request in timeline.alive_at(now):
            segment = request.state_at(now)
            if request.websocket is not None and segment is not None and segment.state is State.AWAITING:
                self.sockets += 1  # no part of what requests do
                continue
            self.live.append(request)
            if segment is not None:
                self.states[segment.state] += 1
                if segment.awaits is not None:
                    self.awaits[segment.awaits] += 1

    @cached_property
    def block(self) -> Block | None:
        """The block that holds the loop."""
        return self.timeline.block_at(self.now)

    @cached_property
    def elsewhere(self) -> Elsewhere | None:
        """Requests that wait for a worker whose loop is held, while the loop of another one is idle."""
        block = self.block
        if block is None or not self.timeline.several or block.kind == "waiting_for_gil":
            return None
        since = max(block.start, self.now - _IDLE)
        others = [
            process
            for process in self.timeline.processes
            if process.worker != block.worker and (process.ended is None or process.ended[0] > self.now)
        ]
        idle = [
            process.letter
            for process in others
            if process.loop.sees_iterations and process.loop.busy(since, self.now) < FREE * (self.now - since)
        ]
        waiting = list(self.timeline.victims(block, self.now))
        if idle and len(idle) == len(others):
            # An idle worker accepts a connection at once: what waits was accepted by the one that is held.
            waiting += [
                request.id
                for request in self.live
                if (segment := request.state_at(self.now)) is not None
                and segment.state is State.QUEUED
                and self.now - segment.start >= _ACCEPTED
                and request.id not in waiting
            ]
        return Elsewhere(block, waiting, idle) if idle and waiting else None

    @cached_property
    def starvation(self) -> Starvation | None:
        """What requests suffer that wait long for the loop, though no step is long."""
        return self.timeline.starvation_at(self.now)

    def tag(self, number: int) -> str:
        """The request's number, with the letter of its worker if there are several."""
        request = self.timeline.requests.get(number)
        return tag(number, request.letter if request is not None else "")

    def concerned(self, row: str) -> list[int]:
        """The requests that the row of this name is about: the one that blocks, those that wait, or all."""
        if self.block is not None and "block" in row:
            return [self.block.culprit[0] or self.block.started_by]
        if self.wait is not None and row.startswith("pool"):
            return list(self.wait.since)
        return [request.id for request in self.live]

    @cached_property
    def turns(self) -> list[float]:
        """Of requests that take turns on the loop, each: the part of its time in which it runs."""
        if self.states[State.RUNNING] + self.states[State.READY] < 2:
            return []  # which is known at once, and holds for most bursts
        shares = (turns(request, self.now) for request in self.live)
        return [share for share in shares if share is not None]

    @property
    def free(self) -> bool:
        """Whether the loop was seen to be idle for most of the last second."""
        return self.timeline.sees_iterations and self.busy < FREE

    @cached_property
    def busy(self) -> float:
        """The part of the last second in which the loop was busy; of several, on average."""
        busy = self.timeline.busy(self.now - NS, self.now)
        return min(1.0, busy / NS / len(self.timeline.processes))

    @cached_property
    def wait(self) -> Wait | None:
        """The requests that wait for a worker, of the pool for which most do."""
        since = {
            request.id: segment.start
            for request in self.live
            if (segment := request.state_at(self.now)) is not None and segment.state is State.TOKEN_WAIT
        }
        if not since:
            return None
        pool, waiting = self._fullest(since.keys())
        full = pool is not None and pool.full_at(self.now)
        return Wait(pool, {number: since[number] for number in waiting}, full)

    def _fullest(self, waiting: KeysView[int]) -> tuple[Pool | None, set[int]]:
        """The pool for which most of these requests wait, and those; None if it is not known for most."""
        timeline, now = self.timeline, self.now
        pools = timeline.pools.by_number
        known = {
            number: requests & waiting
            for number, requests in timeline.pools.waiting_at(now).items()
            if number in pools
        }
        number = max(known, key=lambda number: len(known[number]), default=None)
        unknown = waiting - set().union(*known.values())
        tokens = timeline.tokens_at(now)
        if number is not None and len(known[number]) >= len(unknown):
            pool = pools[number]
            if pool.kind == "default-limiter" and tokens is not None:
                pool = replace(pool, size=tokens.total)  # as it was then
            return pool, known[number]
        if tokens is not None and tokens.waiting and not pools:  # a recording of before: it names no pools
            return Pool(0, "default-limiter", "", tokens.total), unknown
        return None, unknown

    @cached_property
    def computing(self) -> Computing:
        """The worker threads that compute, all compared in the same time."""
        now = self.now
        lanes = [lane for lane in self.timeline.workers.values() if lane.role == "thread"]
        lanes = [lane for lane in lanes if lane.busy_at(now) and (lane.cpu_share(now) or 0.0) > COMPUTES]
        if self.timeline.several:  # each worker has a GIL of its own: those of the one with most of them
            most = Counter(lane.worker for lane in lanes).most_common(1)
            lanes = [lane for lane in lanes if lane.worker == most[0][0]]
        spans = [span for lane in lanes if (span := lane.measured(now, _WINDOW)) is not None]
        if len(spans) < len(lanes) or not spans:
            return Computing([], [], [])
        start, end = max(first for first, _ in spans), min(last for _, last in spans)
        if end - start < _SHORTEST:
            return Computing([], [], [])
        shares = {lane.number: lane.used(start, end) / (end - start) for lane in lanes}
        lanes = [lane for lane in lanes if shares[lane.number] > COMPUTES]
        used = [shares[lane.number] for lane in lanes]
        core = _measured([lane.waited_for_core(start, end) for lane in lanes])
        gil = _measured([lane.waited_for_gil(start, end) for lane in lanes])
        if core:  # what is known of the rest of the time limits it as well
            left = (1 - cpu - wanted for cpu, wanted in zip(used, core, strict=True))
            gil = [max(0.0, min(most, rest)) for most, rest in zip(gil, left, strict=bool(gil))]
        return Computing(used, gil, core)


def _measured(shares: list[float | None]) -> list[float]:
    known = [share for share in shares if share is not None]
    return known if len(known) == len(shares) else []
