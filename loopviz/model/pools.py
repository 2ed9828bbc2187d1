"""The pools of workers: which of them a request waits for, and how full it is.

A pool is a capacity limiter of AnyIO's worker threads, or an executor. Times are nanoseconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from loopviz.model.limits import LIVE, MAX_LANES, MAX_OPEN, Limits
from loopviz.model.past import begun

__all__ = ["Pool", "Pools", "Wait"]

Wait = tuple[int, int, int]
"""Start, end and request of a wait for a worker."""

_TITLES = {
    "default-limiter": "AnyIO's default limiter",
    "limiter": "a CapacityLimiter",
    "default-executor": "asyncio's default executor",
}


@dataclass(slots=True)
class Pool:
    """A limiter or an executor."""

    number: int
    kind: str
    """``default-limiter``, ``limiter``, ``default-executor``, ``executor`` or ``processes``."""
    name: str
    size: int
    """The most workers that it has; -1 if it has no limit, or it is not known."""
    busy: int = 0
    """How many calls of an executor execute now, as far as they were handed to it by the loop."""
    peak: int = 0
    used: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LIVE.tokens))
    """Changes of `busy`, and their times."""
    waits: deque[Wait] = field(default_factory=lambda: deque(maxlen=LIVE.spans))
    """Waits that are over, in the order of their ends."""
    longest: int = 0
    """The longest of all waits that are over."""
    worker: int = 0
    """The worker of the server that it belongs to; see `loopviz.stream.several`."""
    resized: bool = False
    """Whether it had another size before."""
    awaited: bool = False
    """Whether a task has had to wait for it, or waits now."""

    @property
    def title(self) -> str:
        """What it is, in words."""
        return _TITLES.get(self.kind) or self.name

    @property
    def is_limiter(self) -> bool:
        """Whether it limits AnyIO's worker threads. Then a task waits only when it is full."""
        return self.kind in ("default-limiter", "limiter")

    @property
    def is_for_one(self) -> bool:
        """Whether it is a limiter of one thread, for which no task has had to wait so far.

        FastAPI makes one for the end of each dependency with ``yield``.
        """
        return self.kind == "limiter" and self.size == 1 and not (self.awaited or self.resized)

    def full_at(self, now: int) -> bool:
        """Whether all of its workers were seen to be busy at `now`."""
        if self.size < 0:
            return False
        return self.is_limiter or next(begun(self.used, now, lambda c: c[0]), (0, 0))[1] >= self.size


class Pools:
    """The pools, the calls that were handed to them, and who waits."""

    def __init__(self, limits: Limits) -> None:
        self.by_number: dict[int, Pool] = {}
        self._limits = limits
        self._calls: dict[int, int] = {}
        """The pool of each call that has not returned."""
        self._handed: dict[int, dict[int, int]] = {}
        """Of each task: its calls that have not begun, and their pools."""
        self._given: dict[int, int] = {}
        """Of each task that has got a thread of a limiter and not called anything in it: that limiter."""
        self._default: dict[int, int] = {}
        """Of each worker: AnyIO's default limiter, whose threads are used unless another one is seen."""
        self._waiting: dict[int, tuple[int, int, int]] = {}
        """Of each task that waits: since when, its request, and the pool."""

    # -- queries -------------------------------------------------------------------------------

    def waiting_at(self, now: int) -> dict[int, set[int]]:
        """The requests that waited at `now`, by the number of the pool."""
        found: dict[int, set[int]] = {}
        for since, request, number in self._waiting.values():
            if since <= now:
                found.setdefault(number, set()).add(request)
        for number, pool in self.by_number.items():
            for start, end, request in reversed(pool.waits):
                if end <= now:
                    break
                if start <= now:
                    found.setdefault(number, set()).add(request)
        return found

    def default(self, worker: int) -> int:
        """AnyIO's default limiter in this worker; 0 if it was not seen yet."""
        return self._default.get(worker, 0)

    def longest(self, pool: Pool, now: int) -> int:
        """The longest wait for the pool up to `now`."""
        lasting = (now - since for since, _, number in self._waiting.values() if number == pool.number)
        return max(pool.longest, max(lasting, default=0))

    # -- events --------------------------------------------------------------------------------

    def declared(self, t: int, number: int, kind: str, name: str, size: int, worker: int = 0) -> None:
        """POOL: a pool of this worker is seen for the first time, or has another size."""
        pool = self.by_number.get(number)
        if pool is not None:
            pool.resized |= pool.size != size
            pool.size = size
        elif len(self.by_number) < MAX_LANES:
            used: deque[tuple[int, int]] = deque(maxlen=self._limits.tokens)
            waits: deque[Wait] = deque(maxlen=self._limits.spans)
            if kind == "default-limiter":
                self._default.setdefault(worker, number)
            self.by_number[number] = Pool(number, kind, name, size, used=used, waits=waits, worker=worker)

    def handed(self, t: int, call: int, task: int, number: int, *, executes: bool) -> None:
        """POOL_CALL: a call (0: of a limiter) is handed to a pool; `executes`: it has begun meanwhile."""
        if call:
            self._calls[call] = number
            if len(self._calls) > MAX_OPEN:
                del self._calls[next(iter(self._calls))]
        if executes:
            self._use(t, number, 1)
            return
        self._handed.setdefault(task, {})[call] = number
        if len(self._handed) > MAX_OPEN:
            del self._handed[next(iter(self._handed))]

    def begins(self, t: int, call: int, task: int, worker: int = 0) -> int:
        """A call of this worker begins to execute; the number of its pool, or 0."""
        number = self._calls.get(call)
        given = self._given.pop(task, 0)
        if number is not None:
            self._use(t, number, 1)
        else:
            given = self._handed.get(task, {}).get(0, 0) or given or self.default(worker)
        self._leaves(t, call, task, executor=number is not None)
        return number or given

    def _leaves(self, t: int, call: int, task: int, *, executor: bool) -> None:
        """A call that the task has handed over waits no longer."""
        handed = self._handed.get(task)
        if handed is not None:
            handed.pop(call if executor else 0, None)
            if not handed:
                del self._handed[task]
            elif (waits := self._waiting.get(task)) is not None:  # from now on for another call
                self.ends(t, task)
                self.waits(t, task, waits[1])

    def returns(self, t: int, call: int, task: int, *, began: bool) -> None:
        """A call has returned, or will never begin."""
        number = self._calls.pop(call, None)
        if number is not None and began:
            self._use(t, number, -1)
        elif (handed := self._handed.get(task)) is not None:
            handed.pop(call, None)

    def waits(self, t: int, task: int, request: int) -> None:
        """A task begins to wait for a worker."""
        handed = self._handed.get(task)
        number = next(reversed(handed.values())) if handed else 0
        if (pool := self.by_number.get(number)) is not None:
            pool.awaited = True
        if handed and request and len(self._waiting) < MAX_OPEN:
            self._waiting[task] = t, request, number

    def ends(self, t: int, task: int) -> None:
        """A task waits no longer."""
        waited = self._waiting.pop(task, None)
        if waited is None:
            return
        given = self._handed.get(task, {}).pop(
            0, 0
        )  # of a limiter: it gives a thread, or the wait was cancelled
        if given:
            self._given[task] = given
        since, request, number = waited
        pool = self.by_number.get(number)
        if pool is not None:
            if pool.waits:  # in the order of their ends, even if an event is late
                t = max(t, pool.waits[-1][1])
            pool.waits.append((since, t, request))
            pool.longest = max(pool.longest, t - since)
            if pool.is_limiter:
                pool.peak = max(pool.peak, pool.size)

    def forget(self, task: int) -> None:
        """A task has ended, or continues without its calls."""
        self._given.pop(task, None)
        self._handed.pop(task, None)

    def _use(self, t: int, number: int, change: int) -> None:
        pool = self.by_number.get(number)
        if pool is not None:
            pool.busy = max(0, pool.busy + change)
            pool.peak = max(pool.peak, pool.busy)
            pool.used.append((t, pool.busy))
