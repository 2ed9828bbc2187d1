"""Sums over a part of the time, in two sentences."""

from __future__ import annotations

from loopviz.draw import words
from loopviz.model.interval import Interval

__all__ = ["sums"]


def sums(interval: Interval) -> list[str]:
    """How long it is and what loop and threads did; and in which states requests were, the longest first."""
    length = max(1, interval.length)
    parts = [f"Selected: {words.duration(interval.length)}"]
    if interval.busy is not None:
        parts.append(f"event loop busy {interval.busy / length:.0%}")
    if interval.cpu is not None:
        parts.append(f"worker threads on CPU {interval.cpu / length:.0%} of a core")
    said = [f"{', '.join(parts)}."]
    if interval.requests:
        longest = sorted(interval.states.items(), key=lambda item: -item[1])
        times = [f"{words.state_name(state)} {words.duration(time)}" for state, time in longest if time]
        together = f", together: {', '.join(times)}" if times else ""
        said.append(f"{words.count(interval.requests, 'request')}{together}.")
    else:
        said.append("No request was in progress.")
    return said
