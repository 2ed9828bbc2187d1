"""Iterations of the loop that last: how late callbacks were, and since when the selector was not looked at.

Times are nanoseconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import islice

__all__ = ["LAG", "Lags"]

LAG = 100_000
"""Iterations shorter than this delay no request (ns)."""


class Lags:
    """The ends and lengths of iterations longer than `LAG`, in the order of their ends; the newest `most`."""

    __slots__ = ("_dropped", "_most", "_pairs")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._pairs = array("q")
        """End and length, in turn."""
        self._dropped = 0
        """The end of the newest one that was dropped; 0 if none was."""

    def __len__(self) -> int:
        return len(self._pairs) // 2

    def add(self, end: int, length: int) -> None:
        """An iteration of this length has ended; or, known only now, it ended before others."""
        if length <= LAG:
            return
        pairs = self._pairs
        if pairs and pairs[-2] > end:
            at = 2 * self._after(end)
            pairs[at:at] = array("q", (end, length))
        else:
            pairs.extend((end, length))
        most = self._most
        if most is not None and len(pairs) > most:
            self._dropped = pairs[2 * (most // 4) - 2]
            del pairs[: 2 * (most // 4)]

    def longest(self, start: int) -> int:
        """The longest one that ended after `start`."""
        ends, lengths = islice(self._pairs, 0, None, 2), islice(self._pairs, 1, None, 2)
        return max((length for end, length in zip(ends, lengths, strict=True) if end > start), default=0)

    def began(self, now: int) -> int | None:
        """When the one that lasted at `now` began; `now` if none did, None if that is not kept any more."""
        if self._dropped and now <= self._dropped:
            return None
        at = 2 * self._after(now)
        return min(now, self._pairs[at] - self._pairs[at + 1]) if at < len(self._pairs) else now

    def _after(self, t: int) -> int:
        """The first one that ended at `t` or later."""
        pairs = self._pairs
        return bisect_left(range(len(self)), t, key=lambda at: pairs[2 * at])
