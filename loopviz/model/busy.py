"""How busy the loop was: many short stretches, kept in bins of fixed width."""

from __future__ import annotations

__all__ = ["BIN", "BusyBins"]

BIN = 5_000_000
"""Width of a bin (ns)."""


class BusyBins:
    """Busy time in bins of `BIN` ns; the oldest go when there are more than `bins`.

    Thousands of steps a second would fill any list of spans; their sum in 5 ms is all that a
    picture can show.
    """

    def __init__(self, bins: int = 60_000) -> None:
        self._bins: dict[int, int] = {}
        self._most = bins

    def add(self, start: int, end: int) -> None:
        """Add a stretch that is not longer than a bin, counted where it ends."""
        index, bins = end // BIN, self._bins
        bins[index] = bins.get(index, 0) + end - start
        if len(bins) > self._most:
            del bins[next(iter(bins))]

    def busy(self, start: int, end: int) -> int:
        """Busy time (ns) between `start` and `end`, to the precision of the bins."""
        first, last, bins = start // BIN, (end - 1) // BIN, self._bins
        if last - first > len(bins):
            return sum(busy for index, busy in bins.items() if first <= index <= last)
        return sum(bins.get(index, 0) for index in range(first, last + 1))
