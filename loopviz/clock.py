"""The one clock of loopviz.

CLOCK_MONOTONIC is shared by all threads and processes of a machine, and asyncio's ``loop.time()`` reads
it too, so a timer's due time can be compared with the time of every event.
"""

from time import monotonic_ns as now_ns

__all__ = ["NS", "now_ns", "seconds"]

NS = 1_000_000_000
"""Nanoseconds in a second."""


def seconds(ns: int) -> float:
    """Nanoseconds as seconds, to the microsecond."""
    return round(ns / NS, 6)
