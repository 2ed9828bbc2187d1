"""Pools of workers: AnyIO's limiters and the executors, and which of them a call is handed to."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from loopviz.clock import now_ns as clock
from loopviz.errors import InputError
from loopviz.probe import compat
from loopviz.probe.resizing import resize_executor, resize_limiter
from loopviz.probe.state import ProbeState
from loopviz.stream.events import POOL, POOL_CALL, PoolKind

if TYPE_CHECKING:
    from anyio import CapacityLimiter

__all__ = ["Pools"]

_MOST = 10_000
"""Pools that can be resized."""


class Pools:
    """Reports pools when they are used for the first time, and when their size has changed.

    Its methods may be called in any thread, and raise nothing.
    """

    def __init__(self, state: ProbeState) -> None:
        self._state = state
        self._numbers = itertools.count(state.base + 1)
        self._known: weakref.WeakKeyDictionary[Any, tuple[int, int]] = weakref.WeakKeyDictionary()
        self._kinds: dict[int, PoolKind] = {}
        self._lock = threading.Lock()
        self._limiters: dict[int, weakref.ref[Any]] = {}
        """Limiters of one thread that nothing has waited for, by number. The next one has the number of one
        that is gone: FastAPI makes a limiter whenever a dependency with ``yield`` ends."""
        self._gone: deque[int] = deque()

    def limiter(self, limiter: CapacityLimiter, *, default: bool) -> int:
        """The number of a limiter; 0 if it cannot be known again."""
        total = limiter.total_tokens
        size = int(total) if total != float("inf") else -1
        return self._number(limiter, "default-limiter" if default else "limiter", "", size)

    def executor(self, executor: Any, kind: PoolKind) -> int:
        """The number of an executor; 0 if it cannot be known again."""
        return self._number(executor, kind, compat.pool_name(executor), compat.pool_size(executor))

    def submitted(self, executor: Any, kind: PoolKind, call: int, task: int) -> None:
        """A call is handed to an executor."""
        try:
            if pool := self.executor(executor, kind):
                self._state.emit((clock(), POOL_CALL, call, task, pool))
        except Exception as error:
            self._state.failed("pool", error)

    def takes(self, limiter: CapacityLimiter, task: int, *, default: bool, waits: bool = False) -> None:
        """A task takes a thread of a limiter, or has to wait for one."""
        try:
            if pool := self.limiter(limiter, default=default):
                self._state.emit((clock(), POOL_CALL, 0, task, pool))
                if waits:
                    self._limiters.pop(pool, None)
        except Exception as error:
            self._state.failed("pool", error)

    def resize(self, number: int, size: int) -> bool:
        """Let a pool have so many workers at most; False if it is not a pool of this server.

        Raises `InputError` if it is gone, or cannot be changed.
        """
        kind = self._kinds.get(number)
        if kind is None:
            return False
        with self._lock:
            pool = next((pool for pool, (known, _) in self._known.items() if known == number), None)
        if pool is None:
            raise InputError("The pool is gone: the application has discarded it.")
        if kind == "processes":
            raise InputError("A process pool cannot be changed: its size is fixed when it is made.")
        if kind in {"default-limiter", "limiter"}:
            default = kind == "default-limiter"
            resize_limiter(pool, size, self._state.loop, lambda: self.limiter(pool, default=default))
        else:
            resize_executor(pool, size)
            self.executor(pool, kind)
        return True

    def _number(self, pool: Any, kind: PoolKind, name: str, size: int) -> int:
        known = self._known.get(pool)
        if known is not None and known[1] == size:
            return known[0]
        with self._lock:
            number = known[0] if known is not None else self._next(pool, kind, size)
            if known is not None:
                self._limiters.pop(number, None)
            self._known[pool] = number, size
            if known is None and len(self._kinds) < _MOST:
                self._kinds[number] = kind
        self._state.emit((clock(), POOL, number, kind, name, size))
        return number

    def _next(self, pool: Any, kind: PoolKind, size: int) -> int:
        """A number for a pool that was not seen before."""
        if kind != "limiter" or size != 1:
            return next(self._numbers)
        while self._gone:
            number = self._gone.popleft()
            if self._limiters.pop(number, None) is not None:
                break
        else:
            number = next(self._numbers)
        # What is called when it is gone takes no lock: it may be called within any line.
        gone = self._gone
        self._limiters[number] = weakref.ref(pool, lambda _: gone.append(number))
        return number
