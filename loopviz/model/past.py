"""Search in what is kept in the order of its time."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

__all__ = ["begun"]

_T = TypeVar("_T")


def begun(items: deque[_T], now: int, start: Callable[[_T], int]) -> Iterator[_T]:
    """The items that had begun by `now`, newest first. `items` are in the order of their `start`."""
    if not items or start(items[-1]) <= now:
        yield from reversed(items)
        return
    for index in reversed(range(bisect_right(items, now, key=start))):
        yield items[index]
