"""Worker threads that compute at the same time: what each of them waits for, the GIL or a core.

Read by the sampler, and only while two or more of them compute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from loopviz.clock import now_ns as clock
from loopviz.probe.counters import ThreadWaits
from loopviz.probe.state import ProbeState
from loopviz.probe.threads import Thread
from loopviz.stream.events import SWITCHED, WAITED

__all__ = ["Rivals"]

_MOST: Final = 8
"""So many threads are read at most: what they wait for is the same for the others."""
_COMPUTES: Final = 0.01
"""A thread computes if it has used more than this part of a core since the last look: on a busy machine it
does not get more."""


@dataclass(slots=True)
class _Rival:
    """A thread that computes."""

    waits: ThreadWaits
    sleeps: int
    gil: int = 0
    """The most that it has waited for the GIL since it is read (ns)."""


class Rivals:
    """In the sampler's thread."""

    def __init__(self, state: ProbeState) -> None:
        self._state = state
        self._used: dict[int, tuple[int, int]] = {}
        """Of each thread: when its CPU clock was read, and what it showed."""
        self._read: dict[int, _Rival] = {}

    def look(self, threads: Iterable[tuple[Thread, int, int]]) -> None:
        """Worker threads with a call, each with the time of a reading of its CPU clock, and that reading."""
        before, self._used = self._used, {}
        computing: list[Thread] = []
        for thread, t, used in threads:
            self._used[thread.number] = t, used
            then, had = before.get(thread.number, (t, used))
            if used - had > _COMPUTES * (t - then):
                computing.append(thread)
        known = {thread.number: thread for thread in computing[:_MOST]} if len(computing) > 1 else {}
        for number in [number for number in self._read if number not in known]:
            self._read.pop(number).waits.close()
        for number, thread in known.items():
            self._report(number, thread)

    def close(self) -> None:
        """Close the files."""
        while self._read:
            self._read.popitem()[1].waits.close()

    def _report(self, number: int, thread: Thread) -> None:
        rival = self._read.get(number)
        if rival is None:
            waits = ThreadWaits(thread.native)
            rival = self._read[number] = _Rival(waits, waits.sleeps())
        sleeps = rival.waits.sleeps()
        if sleeps < 0 or rival.sleeps < 0:
            return  # this system does not say it
        rival.gil += max(0, sleeps - rival.sleeps) * self._state.gil_sleep
        rival.sleeps = sleeps
        now = clock()
        self._state.emit((now, WAITED, number, rival.waits.core(), self._state.late))
        self._state.emit((now, SWITCHED, number, rival.gil))
