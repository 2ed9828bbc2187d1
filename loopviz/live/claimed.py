"""What a timer of the server says in an answer: how long it took."""

from __future__ import annotations

import math
from collections.abc import Mapping

from loopviz.clock import NS
from loopviz.stream.events import TimerHeader

__all__ = ["claimed"]

_LONGEST = 86_400.0
"""A timer that says more than this (s) is not believed."""
_METRICS = 50
"""So many metrics of a header are read."""


def claimed(headers: Mapping[str, str]) -> tuple[int, TimerHeader] | None:
    """How long the server's own timer says that it took (ns), and in which header of the answer; else None.

    ``X-Process-Time`` is in seconds. Of ``Server-Timing``, which is in milliseconds, the metric ``total``
    counts, or the only one that has a duration.
    """
    seconds = _seconds(headers.get("x-process-time", ""), 1.0)
    if seconds is not None:
        return seconds, "X-Process-Time"
    metrics: dict[str, int] = {}
    for metric in headers.get("server-timing", "").split(",")[:_METRICS]:
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            taken = _seconds(value.strip(' "'), 1e-3) if key.strip().lower() == "dur" else None
            if taken is not None:
                metrics[name.lower()] = taken
    total = metrics.get("total", next(iter(metrics.values())) if len(metrics) == 1 else None)
    return None if total is None else (total, "Server-Timing")


def _seconds(text: str, unit: float) -> int | None:
    """A header's number of `unit` seconds, in nanoseconds; None if it is no time."""
    try:
        seconds = float(text) * unit
    except ValueError:
        return None
    return round(seconds * NS) if math.isfinite(seconds) and 0 <= seconds <= _LONGEST else None
