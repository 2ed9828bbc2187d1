"""Who is at which station of the machine at a moment: the positions of all requests, each in one place.

Pure: nothing here draws. The positions are those of `loopviz.model.positions`, which all views ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from loopviz.model import Timeline
from loopviz.model.past import begun
from loopviz.model.pools import Pool
from loopviz.model.positions import Position, Station
from loopviz.model.process import Process
from loopviz.model.states import State

__all__ = ["GROUPS", "Machine", "Place", "Plant", "PoolPlace", "group_of", "plant"]

GROUPS = (
    "timer", "socket", "connection", "lock", "queue", "task", "thread", "process", "client", "other",
)  # fmt: skip
"""What requests are parked for, in the order of their places, which never change."""

_GROUPS = {
    "drain": "socket",
    "stream": "queue",
    "subprocess": "process",
    "semaphore": "lock",
    "event": "lock",
    "condition": "lock",
}
"""The group of a kind of awaited things that has none of its own."""


class Place(list[Position]):
    """Those at one station, the one that has waited longest first."""

    def oldest(self, now: int) -> int:
        """How long the one that has waited longest has been there (ns); 0 if none is."""
        return max(0, now - self[0].since) if self else 0


@dataclass(slots=True)
class PoolPlace:
    """A pool: its queue, and the seats at its workers."""

    pool: Pool | None
    """None for workers of a pool that is not known."""
    role: str
    """``thread`` or ``process``."""
    size: int = -1
    """How many seats it has; -1 if there is no limit, or it is not known."""
    used: int = 0
    """How many of them are in use: by requests, or by something else."""
    waits: int = 0
    """How many wait in its queue: requests, or something else."""
    queue: Place = field(default_factory=Place)
    seats: Place = field(default_factory=Place)

    @property
    def full(self) -> bool:
        """Whether all of its seats are in use."""
        return 0 <= self.size <= self.used

    @property
    def requests(self) -> int:
        """How many requests are there."""
        return len(self.queue) + len(self.seats)


@dataclass(slots=True)
class Machine:
    """One event loop with what belongs to it."""

    process: Process
    ready: Place = field(default_factory=Place)
    seat: Place = field(default_factory=Place)
    """Who is on the loop: one at most, where no event was lost."""
    parked: dict[str, Place] = field(default_factory=lambda: {group: Place() for group in GROUPS})
    pools: list[PoolPlace] = field(default_factory=list)
    """In an order that does not change: AnyIO's threads first."""

    @property
    def places(self) -> Iterable[Place]:
        """Every place, each once."""
        yield from (self.ready, self.seat, *self.parked.values())
        for pool in self.pools:
            yield from (pool.queue, pool.seats)

    @property
    def requests(self) -> int:
        """How many requests are in it."""
        return sum(map(len, self.places))


@dataclass(slots=True)
class Plant:
    """All machines, and the sockets in front of them."""

    sockets: Place
    """Requests that no loop has read yet: of several workers, any may take them."""
    machines: list[Machine]
    owners: dict[int, int]
    """Of a row of a started task, which has a negative number: the request that has started it."""

    @property
    def places(self) -> Iterable[Place]:
        """Every place, each once."""
        yield self.sockets
        for machine in self.machines:
            yield from machine.places

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return sum(map(len, self.places))


def group_of(position: Position) -> str:
    """What a parked request waits for, as one of `GROUPS`."""
    if position.state is not State.AWAITING:
        return "client"
    what = position.awaits.what if position.awaits is not None else ""
    what = _GROUPS.get(what, what)
    return what if what in GROUPS else "other"


def plant(timeline: Timeline, positions: Sequence[Position], now: int) -> Plant:
    """Everybody at their stations at `now` (ns)."""
    machines = {process.worker: Machine(process) for process in timeline.processes}
    found = Plant(Place(), list(machines.values()), {})
    pools = {machine.process.worker: _pools(timeline, machine, now) for machine in found.machines}
    ordered = sorted(positions, key=lambda one: (one.since, one.request < 0, abs(one.request)))
    for one in ordered:
        worker = one.worker if one.worker in machines else 0
        machine = machines[worker]
        if one.station is Station.SOCKET:
            found.sockets.append(one)
        elif one.station is Station.READY:
            machine.ready.append(one)
        elif one.station is Station.LOOP:
            machine.seat.append(one)
        elif one.station is Station.PARKED:
            machine.parked[group_of(one)].append(one)
        else:
            pool = _pool(pools[worker], one)  # of the calls in workers, and those who wait for one
            (pool.queue if one.station is Station.POOL_QUEUE else pool.seats).append(one)
    for machine in found.machines:
        machine.pools = [
            pool
            for pool in pools[machine.process.worker].values()
            if pool.requests or (pool.pool is not None and not pool.pool.is_for_one)
        ]
        for pool in machine.pools:
            pool.used = max(pool.used, len(pool.seats))
            pool.waits = max(pool.waits, len(pool.queue))
            # Of a limiter of the application's own it is not seen how many use it, but a task waits for a
            # thread of it only while all are in use.
            if pool.pool is not None and pool.pool.kind == "limiter" and pool.queue and pool.size > 0:
                pool.used = max(pool.used, pool.size)
    if any(one.request < 0 for one in ordered):
        found.owners = {row.id: row.started_by for row in timeline.started(now, now)}
    return found


def _pools(timeline: Timeline, machine: Machine, now: int) -> dict[tuple[str, int], PoolPlace]:
    """The pools of a worker, empty; at last those for calls of which the pool is not known."""
    process = machine.process
    found: dict[tuple[str, int], PoolPlace] = {}
    known = [pool for pool in timeline.pools.by_number.values() if pool.worker == process.worker]
    tokens = next((tokens for _, tokens in process.threads.tokens_until(now)), None)
    if tokens is not None and all(pool.kind != "default-limiter" for pool in known):
        known.append(Pool(0, "default-limiter", "", tokens.total))  # it has a number once a task waits for it
    for pool in sorted(known, key=lambda pool: (pool.kind != "default-limiter", pool.number)):
        place = PoolPlace(pool, "process" if pool.kind == "processes" else "thread", pool.size)
        if pool.kind == "default-limiter" and tokens is not None:
            place.size, place.used, place.waits = tokens.total, tokens.borrowed, tokens.waiting
        elif not pool.is_limiter:
            place.used = next(begun(pool.used, now, lambda change: change[0]), (0, 0))[1]
        found["pool", pool.number] = place
    found["thread", 0] = PoolPlace(None, "thread")
    found["process", 0] = PoolPlace(None, "process")
    return found


def _pool(pools: dict[tuple[str, int], PoolPlace], one: Position) -> PoolPlace:
    """The pool at which it is; one for all whose pool is not known."""
    named = pools.get(("pool", one.pool)) if one.pool is not None else None
    if named is not None:
        return named
    if one.station is Station.PROCESS:
        return pools["process", 0]
    return pools.get(("pool", 0), pools["thread", 0])
