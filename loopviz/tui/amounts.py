"""How many requests are fired, or a second, and how many threads there may be: the steps of their keys."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["FIRST_RATE", "neighbour_limit", "neighbour_rate", "requests_after"]

_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 40, 41, 50, 80, 100, 200, 500, 1000)
_RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
FIRST_RATE = 5
"""How many requests a second a load begins with."""
_LIMITS = (1, 2, 3, 4, 6, 8, 10, 16, 20, 30, 40, 60, 80, 100, 200, 500, 1000)


def requests_after(own: int, steps: int) -> int:
    """How many requests a scenario is fired with whose own number is `own`, after so many steps up (or down).

    No steps are its own number: it is the same again when as many steps were taken back.
    """
    for _ in range(abs(steps)):
        own = _neighbour(_COUNTS, own, 1 if steps > 0 else -1)
    return own


def neighbour_limit(threads: int, by: int) -> int:
    """The next thread limit above this one (`by` 1), or below it (-1)."""
    return _neighbour(_LIMITS, threads, by)


def neighbour_rate(per_second: float, by: int) -> int:
    """The next higher rate of a load (`by` 1), or the next lower one (-1)."""
    return _neighbour(_RATES, round(per_second), by)


def _neighbour(steps: Iterable[int], current: int, by: int) -> int:
    """The next step above `current` (`by` 1) or below it (-1); `current` after the last one."""
    if by > 0:
        return next((step for step in steps if step > current), current)
    return next((step for step in sorted(steps, reverse=True) if step < current), current)
