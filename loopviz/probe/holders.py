"""Who holds a lock: the task inside ``async with`` on it, as the stacks of suspended tasks show.

CPython keeps the ``__aexit__`` of an ``async with`` on the stack of its coroutine, bound to the lock (up to
3.13) or followed by it (3.14). A lock that is held in another way, or by a task that is running now, has no
holder that can be seen.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import MethodType
from typing import Any

from loopviz.probe import compat
from loopviz.probe.awaited import Awaited
from loopviz.probe.chain import Link, inwards
from loopviz.probe.state import ProbeState, Trace

__all__ = ["Holders"]

_MOST_LOCKS = 50
"""How many contended locks are followed at once."""
_MOST_WAITERS = 50
"""For how many of a lock's waiters its holder is reported."""
_MOST_TASKS = 300
"""With more tasks than this, all of them are searched for a lock's holder once only."""
_MISSES = 2
"""After so many looks without a holder there is none that can be seen: one look may find it running."""


@dataclass(slots=True)
class _Contended:
    lock: Any
    one: bool
    """Whether one task can hold it at a time."""
    holder: Trace | None = None
    since: int = 0
    """The holder's `since` when it was seen to hold the lock."""
    misses: int = 0
    waiters: dict[int, tuple[Trace, int, Awaited]] = field(default_factory=dict)


class Holders:
    """The locks that tasks wait for, and who holds them."""

    def __init__(self, state: ProbeState) -> None:
        self._state = state
        self._locks: dict[int, _Contended] = {}

    def wait(self, trace: Trace, awaited: Awaited) -> int:
        """A task waits for a lock from now on: the task that holds it; 0 if that is not seen."""
        known = self._locks.get(id(awaited.lock))
        if known is None:
            if len(self._locks) >= _MOST_LOCKS:
                return 0
            known = self._locks[id(awaited.lock)] = _Contended(awaited.lock, one=awaited.what == "lock")
            self._find(known, list(self._state.live.values()))
        if len(known.waiters) >= _MOST_WAITERS:
            return 0
        known.waiters[trace.number] = (trace, trace.since, awaited)
        holder = known.holder
        return holder.number if holder is not None and holder is not trace else 0

    def changed(self) -> Iterator[tuple[int, Awaited, int]]:
        """The tasks that still wait, but for another holder than before: task, what it awaits, holder."""
        for key, known in list(self._locks.items()):
            served = [trace for trace, since, _ in known.waiters.values() if trace.since != since]
            known.waiters = {n: w for n, w in known.waiters.items() if w[0].since == w[1]}
            if not known.waiters:
                del self._locks[key]
                continue
            before = known.holder
            live = self._state.live
            self._find(known, served if len(live) > _MOST_TASKS else list(live.values()))
            if known.holder is not before:
                number = known.holder.number if known.holder is not None else 0
                for waiter, (trace, _, awaited) in known.waiters.items():
                    if waiter != number and not trace.woken:  # a task that was woken has probably got it
                        yield waiter, awaited, number

    def _find(self, known: _Contended, tasks: list[Trace]) -> None:
        """Look for the holder among `tasks`, if it has not been suspended anew since it was found."""
        holder, live = known.holder, self._state.live
        if holder is not None:
            if holder.number in live and holder.since in {0, known.since}:
                return
            tasks = [holder, *tasks]
        found = list({trace.number: trace for trace in self._holding(known, tasks)}.values())
        if len(found) == 1:
            known.holder, known.since, known.misses = found[0], found[0].since, 0
            return
        known.misses += 1
        if found or known.misses >= _MISSES or (holder is not None and holder.number not in live):
            known.holder = None

    def _holding(self, known: _Contended, tasks: list[Trace]) -> Iterator[Trace]:
        """The tasks that hold the lock; one of them is enough where there can be one only."""
        owner = _owner(known.lock)
        for trace in tasks:
            task = trace.ref()
            if task is None:
                continue
            if owner:
                holds = id(task) == owner
            else:
                holds = bool(trace.since) and _holds(list(inwards(compat.coroutine_of(task))), known.lock)
            if holds:
                yield trace
                if known.one:
                    return


def _owner(lock: Any) -> int:
    """The id of the task that owns one of AnyIO's locks; 0 where the lock does not say."""
    if not type(lock).__module__.startswith("anyio."):
        return 0
    owner = getattr(lock.statistics(), "owner", None)
    number = getattr(owner, "id", 0)
    return number if isinstance(number, int) else 0


def _holds(chain: list[Link], lock: Any) -> bool:
    """Whether a chain of awaits is inside ``async with`` on the lock, and does not wait for it itself."""
    if not any(_guards(entered, lock) for link in chain for entered in _entered(link[0])):
        return False
    return not any(
        frame.f_code.co_name in {"acquire", "wait"} and _is_lock(frame.f_locals.get("self"), lock)
        for _, frame in chain
    )


def _entered(coro: Any) -> Iterator[Any]:
    """What a suspended coroutine or generator has entered by ``async with``."""
    found = gc.get_referents(coro)
    for index, this in enumerate(found):
        if type(this) is MethodType:  # not `isinstance`, which asks the program's objects for their class
            if this.__name__ == "__aexit__":
                yield this.__self__
        elif getattr(type(this), "__name__", "") == "function" and this.__name__ == "__aexit__":
            yield from found[index + 1 : index + 2]


def _guards(entered: Any, lock: Any, depth: int = 3) -> bool:
    """Whether it is the lock, or a context manager or a stack of them that has entered the lock."""
    if _is_lock(entered, lock):
        return True
    if not depth:
        return False
    if compat.is_a(entered, AsyncExitStack):
        callbacks = [callback for _, callback in list(getattr(entered, compat.EXIT_STACK, ()))]
        return any(_guards(compat.declared(exit_, "__self__"), lock, depth - 1) for exit_ in callbacks)
    if type(entered).__module__ == "contextlib":
        return any(_guards(inner, lock, depth - 1) for inner in _entered(getattr(entered, "gen", None)))
    return False


def _is_lock(found: Any, lock: Any) -> bool:
    """Whether it is the lock, or a condition or adapter of a library's around it."""
    if found is lock:
        return True
    library = type(found).__module__.partition(".")[0] in {"asyncio", "anyio"}
    return library and getattr(found, compat.LOCK, None) is lock
