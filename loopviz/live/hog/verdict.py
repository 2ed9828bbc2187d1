"""Which thread keeps the GIL, by what two readings of the threads' counters differ in. Pure."""

from __future__ import annotations

from typing import NamedTuple

from loopviz.live.hog.machine import Reading, ThreadReading

__all__ = ["Verdict", "verdict"]

_ALMOST_ALL = 0.7
_ENOUGH = 0.2
"""A thread keeps the GIL if it has used this part of a core, and almost all that the process has used."""
_GIL_WAIT = 5_000_000
"""A thread that waits for the GIL goes to sleep again after this time (ns), unless it is set otherwise."""
_WAITS = 0.3


class Verdict(NamedTuple):
    """Who keeps the GIL. Threads have their numbers in the operating system."""

    keeper: int
    """The thread that computes, which can be asked for its stack. 0 if none does: then one that sleeps in C
    code keeps it, and a signal would end its sleep."""
    still: frozenset[int]
    """The threads that neither computed nor waited for the GIL."""
    waits: frozenset[int]
    """The threads that waited for it."""


def verdict(before: Reading, now: Reading, reporter: int) -> Verdict | None:
    """Who keeps the GIL; None if nobody does, or if the process is only short of a core.

    `reporter` is the thread that should have reported: it must have waited for the GIL all the time. The
    keeper has not: a thread that executes Python code passes the GIL on, and sleeps until it has it again.
    """
    took = now.t - before.t
    pairs = {
        number: (before.threads[number], thread)
        for number, thread in now.threads.items()
        if number in before.threads
    }
    if took <= 0 or reporter not in pairs or not _waits(*pairs[reporter], took):
        return None
    used = {number: thread.used - then.used for number, (then, thread) in pairs.items()}
    most = max(used, key=lambda number: used[number])
    total = sum(used.values())
    still = {number for number, (then, thread) in pairs.items() if thread.sleeps == then.sleeps}
    waits = frozenset(number for number, pair in pairs.items() if _waits(*pair, took))
    if used[most] > _ENOUGH * took:
        # If several take turns, the process is busy. Its threads run freely, and are better not asked.
        alone = used[most] > _ALMOST_ALL * total and most in still
        return Verdict(most, frozenset(), waits) if alone else None
    # Who has the GIL and no core does not sleep with it: on a busy machine, it may pass it on at once.
    if total > _ENOUGH * took or any(then.runs or thread.runs for then, thread in pairs.values()):
        return None
    return Verdict(0, frozenset(still), waits)


def _waits(before: ThreadReading, now: ThreadReading, took: int) -> bool:
    """Whether a thread has waited for the GIL most of the time."""
    return (now.sleeps - before.sleeps) * _GIL_WAIT > _WAITS * took
