"""Timers of a loop's tasks: which are due and have not fired, because the loop has no time for them.

Times are nanoseconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import islice
from typing import NamedTuple

from loopviz.model.limits import MAX_OPEN

__all__ = ["LATE", "Overdue", "Timers"]

LATE = 1_000_000
"""A timer that fires earlier than this after it is due is not late: no loop is more exact."""
_MOST_READ = 2_000
"""So many late timers are read to find those of a moment."""


class Overdue(NamedTuple):
    """Timers that are due and have not fired."""

    timers: int
    since: int
    """When the first of them was due."""


class Timers:
    """The timers that tasks sleep for, and the newest of those that were late, at most `most`."""

    __slots__ = ("_dropped", "_late", "_longest", "_most", "_waiting")

    def __init__(self, most: int | None) -> None:
        self._waiting: dict[int, int] = {}
        """When the timer that a task sleeps for is due, by the task's number."""
        self._late = array("q")
        """When a late timer has fired, and when it was due, in turn; in the order in which they fired."""
        self._longest = 0
        """By how much the latest of them was late."""
        self._dropped = 0
        self._most = most

    def sleeps(self, t: int, task: int, due: int) -> None:
        """A task sleeps from `t` until its timer fires, which is due then; 0 if it awaits something else."""
        if due > t:
            self._waiting[task] = due
            if len(self._waiting) > MAX_OPEN:
                del self._waiting[next(iter(self._waiting))]

    def fires(self, t: int, task: int) -> None:
        """The task is woken, by its timer or by a cancellation, or it runs."""
        due = self._waiting.pop(task, 0)
        if not due or t - due < LATE:
            return
        late = self._late
        late.extend((max(t, late[-2]) if late else t, due))
        self._longest = max(self._longest, late[-2] - due)
        most = self._most
        if most is not None and len(late) > 2 * most:
            self._dropped = late[2 * (most // 2) - 2]
            del late[: 2 * (most // 2)]

    def clear(self) -> None:
        """The process has ended, and with it its timers."""
        self._waiting.clear()

    def overdue(self, now: int) -> Overdue | None:
        """The timers that were due by `now`, and had not fired; None if that is not kept any more."""
        if now < self._dropped:
            return None
        late = self._late
        first = bisect_right(range(len(late) // 2), now, key=lambda at: late[2 * at])
        dues = []
        for at in range(first, min(len(late) // 2, first + _MOST_READ)):
            if late[2 * at] > now + self._longest:
                break
            if late[2 * at + 1] <= now:
                dues.append(late[2 * at + 1])
        dues += [due for due in islice(self._waiting.values(), MAX_OPEN) if due <= now]
        return Overdue(len(dues), min(dues)) if dues else Overdue(0, now)
