"""How busy the loop was: many short stretches, kept in bins of fixed width."""

from __future__ import annotations

from collections import deque

__all__ = ["Load"]

BIN = 5_000_000
"""Width of a bin (ns)."""


class Load:
    """Busy time in bins of `BIN` ns; the oldest go when there are more than `bins`.

    Thousands of steps a second would fill any list of spans; their sum in 5 ms is all that a
    picture can show.
    """

    def __init__(self, bins: int = 60_000) -> None:
        self._bins: deque[tuple[int, int]] = deque(maxlen=bins)

    def add(self, start: int, end: int) -> None:
        """Add a stretch that is not longer than a bin, counted where it ends."""
        index, busy = end // BIN, end - start
        if self._bins and self._bins[-1][0] == index:
            busy += self._bins.pop()[1]
        self._bins.append((index, busy))

    def busy(self, start: int, end: int) -> int:
        """Busy time (ns) between `start` and `end`, to the precision of the bins."""
        first, last, total = start // BIN, (end - 1) // BIN, 0
        for index, busy in reversed(self._bins):
            if index < first:
                break
            if index <= last:
                total += busy
        return total
