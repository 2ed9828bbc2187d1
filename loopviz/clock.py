"""The one clock of loopviz.

CLOCK_MONOTONIC is shared by all threads and processes of a machine, and asyncio's ``loop.time()`` reads
it too, so a timer's due time can be compared with the time of every event.
"""

from time import monotonic_ns as now_ns

__all__ = ["NS", "duration", "now_ns", "ordinary", "seconds"]

NS = 1_000_000_000
"""Nanoseconds in a second."""


def seconds(ns: int) -> float:
    """Nanoseconds as seconds, to the microsecond."""
    return round(ns / NS, 6)


def duration(ns: float) -> str:
    """A duration in the usual unit: ``85 µs``, ``120 ms``, ``1.8 s``."""
    if ns < 0.9995e6:
        return f"{ns / 1e3:.0f} µs"
    if ns < 0.9995e9:
        return f"{ns / 1e6:.0f} ms"
    return f"{ns / 1e9:.1f} s" if ns < 99.95e9 else f"{ns / 1e9:.0f} s"


def ordinary(ns: float) -> str:
    """A duration without digits that say nothing: ``8 s``, ``0.5 s``, ``40 ms``."""
    if ns < NS / 10:
        return duration(ns)
    return f"{ns / NS:.0f} s" if ns >= 100 * NS else f"{round(ns / NS, 1):g} s"
