"""Sums over a part of the time: what requests did, how busy the loop was, what worker threads computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loopviz.model.lane import Lane
from loopviz.model.request import Request
from loopviz.model.states import State
from loopviz.model.timeline import Timeline

__all__ = ["Interval", "summed"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Sums over the time from `start` to `end` (ns)."""

    start: int
    end: int
    requests: int
    """How many requests were sent and not answered for some of this time."""
    states: Mapping[State, int]
    """How long they were in each state, all together, up to their answers (ns); those that occur."""
    busy: int | None
    """How long the event loop was busy (ns); None where that cannot be seen."""
    cpu: int | None
    """CPU time of the worker threads (ns); None where there were none, or a clock was not read."""

    @property
    def length(self) -> int:
        """How long it is (ns)."""
        return self.end - self.start


def summed(timeline: Timeline, requests: Iterable[Request], start: int, end: int) -> Interval:
    """The sums of these requests, and of the loop and the threads, from `start` to `end`."""
    states: Counter[State] = Counter()
    count = 0
    for request in requests:
        stop = end if request.done is None else min(end, request.done)
        if request.start >= stop or stop <= start:
            continue
        count += 1
        for segment in request.newest_first(stop):
            if segment.end <= start:
                break
            inside = min(segment.end, stop) - max(segment.start, start)
            if inside > 0:
                states[segment.state] += inside
    threads = [lane for lane in timeline.workers.values() if lane.role == "thread"]
    used = [_used(lane, start, end) for lane in threads if lane.measures(start)]
    if any(lane.worked(start, end) and not lane.measures(start) for lane in threads):
        used = []  # of some it is not known
    return Interval(
        start,
        end,
        count,
        states,
        min(len(timeline.processes) * (end - start), timeline.busy(start, end))
        if timeline.sees_iterations
        else None,
        sum(used) if used else None,
    )


def _used(lane: Lane, start: int, end: int) -> int:
    return max(0, round(lane.used(start, end)))
