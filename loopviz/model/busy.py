"""How busy the loop was: the sum of many short stretches, in bins of fixed width."""

from __future__ import annotations

__all__ = ["BIN", "BusyBins"]

BIN = 5_000_000
"""Width of a bin (ns)."""


class BusyBins:
    """Busy time in bins of `BIN` ns; at most `bins` of them, the newest.

    Thousands of steps per second would need too much memory as spans, and a picture shows no more than
    their sum in 5 ms.
    """

    def __init__(self, bins: int) -> None:
        self._bins: dict[int, int] = {}
        self._most = bins

    def add(self, start: int, end: int) -> None:
        """Add a stretch (ns) that is not longer than a bin. It counts in the bin in which it ends."""
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
