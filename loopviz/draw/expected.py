"""How long a burst is expected to take: by its scenario's makespan law, or as the run before it did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from loopviz.clock import NS
from loopviz.model import Burst, State, Timeline
from loopviz.scenario import Load, Scenario

__all__ = ["Expected", "computed", "earlier", "expected", "law"]


class Expected(NamedTuple):
    """An expected makespan."""

    ns: int
    declared: bool
    """Whether the scenario's law gives it; otherwise it is what the last run of this load took."""


def expected(timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int) -> Expected | None:
    """What is expected of a burst; None where the scenario declares no law, and where nothing was measured.

    A law may depend on the CPU time of one request. Until the burst is over, that of the last run is used.
    """
    before = earlier(timeline, burst)
    measured = burst if burst.over(now) else before
    if scenario is not None and scenario.makespan is not None:
        known = law(scenario, burst, 0.0), law(scenario, burst, 1.0)
        seconds = known[0]
        if known[0] != known[1]:  # it depends on the CPU time of one request
            single = None if measured is None else computed(timeline, measured)
            seconds = None if single is None else law(scenario, burst, single / NS)
        if seconds is not None:
            return Expected(round(seconds * NS), declared=True)
    if before is not None and (before.count, before.threads) == (burst.count, burst.threads):
        return Expected(before.makespan(now), declared=False)
    return None


def earlier(timeline: Timeline, burst: Burst) -> Burst | None:
    """The last burst of the same scenario that was over, and not given up, before this one was fired."""
    found: Iterable[Burst] = reversed(timeline.bursts)
    return next(
        (
            b
            for b in found
            if b.scenario == burst.scenario
            and b.fired < burst.fired
            and b.over(burst.fired)
            and not b.unsent
            and not any(request.given_up for request in b.requests)
        ),
        None,
    )


def computed(timeline: Timeline, burst: Burst) -> float | None:
    """CPU time of one of its requests (ns), on the event loop and in workers; None if it is not known."""
    requests = burst.requests
    if not requests or burst.done is None:
        return None
    running = sum(request.totals[State.RUNNING] for request in requests)
    start, end = burst.began, burst.done
    lanes = [lane for lane in timeline.workers.values() if lane.worked(start, end)]
    if not all(lane.measures(start) for lane in lanes):
        return None
    workers = sum(lane.used(start, end) for lane in lanes)
    return (running + workers) / len(requests)


def law(scenario: Scenario, burst: Burst, single: float, requests: int | None = None) -> float | None:
    """The makespan (s) that a scenario's law gives, if one request computes for `single` seconds.

    For as many requests as the burst has, or for `requests`; None if there is no law, or none for this load.
    """
    try:
        load = Load.here(requests or burst.count, burst.threads, scenario.seconds, single)
        return scenario.expected(load)
    except ValueError:
        return None
