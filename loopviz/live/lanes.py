"""Which lane each process of a foreign server has, and so its letter."""

from __future__ import annotations

import threading
from typing import Final

from loopviz.stream.several import MOST_WORKERS

__all__ = ["Lanes"]

_TURNS: Final = 1 << 14
"""So many processes have numbers of their own, before those of the first are used again."""


class Lanes:
    """May be used in any thread."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._processes = 0
        self._lock = threading.Lock()

    def take(self) -> tuple[int, int] | None:
        """A lane for a new process, and what its numbers are to be raised by; None if there are too many.

        The lane is the first that is free: one that appears after another has ended continues its lane. Its
        numbers are those of no process before.
        """
        with self._lock:
            lane = next((lane for lane in range(MOST_WORKERS) if lane not in self._used), None)
            if lane is None:
                return None
            self._used.add(lane)
            base = (self._processes % _TURNS) << 48
            self._processes += 1
            return lane, base

    def leave(self, lane: int) -> None:
        """Its process has ended."""
        with self._lock:
            self._used.discard(lane)
