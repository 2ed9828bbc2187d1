"""How long a burst is expected to take, before it is fired."""

from __future__ import annotations

from loopviz.clock import NS
from loopviz.scenario import Load, Scenario

__all__ = ["expected_ns"]


def expected_ns(facts: Scenario, requests: int, threads: int) -> int:
    """The makespan that the scenario's law gives for this load on this machine (ns); 0 if it has none.

    The CPU time of a request is not measured yet: the declared time of one request stands for it.
    """
    try:
        seconds = facts.expected(Load.here(requests, threads, facts.seconds, facts.seconds))
    except ValueError:
        return 0
    return int(min(seconds, 1e6) * NS)
