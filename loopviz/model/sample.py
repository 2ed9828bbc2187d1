"""The result of a measurement: plain numbers, without timeline, server or clock.

Percentiles are by nearest rank: of n values in rising order, the p-th percentile is number ⌈p·n/100⌉.
It is always a value that was measured.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from loopviz.clock import NS
from loopviz.model import Request, State, Timeline
from loopviz.scenario import THREAD_LIMIT

__all__ = ["Sample", "Seen", "percentile", "sample_of", "sampled"]


def percentile(values: Iterable[float], p: float) -> float:
    """The p-th percentile by nearest rank; 0 if there are no values."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(p / 100 * len(ordered))) - 1] if ordered else 0.0


@dataclass(frozen=True)
class Seen:
    """One measured request. Times are seconds."""

    scenario: str
    latency: float
    """From sent to the last byte."""
    sent: float = 0.0
    """Since the first request of the sample was sent."""
    states: Mapping[State, float] = field(default_factory=dict)
    """The time in each state."""
    error: str | None = None
    """What went wrong; None if the answer was a success."""
    timed: float | None = None
    """How long it took by the server's own timer; None if the server has none."""
    token_wait: float = 0.0
    """The longest that it waited for a thread at a time. A request that needs several threads in turn may
    wait several times."""

    @property
    def kept_waiting(self) -> float:
        """How long it could have run, but the loop was busy with something else."""
        return self.states.get(State.QUEUED, 0.0) + self.states.get(State.READY, 0.0)


@dataclass(frozen=True)
class Sample:
    """Requests that were measured together, and figures of the server. Times are seconds."""

    requests: tuple[Seen, ...]
    threads: int = THREAD_LIMIT
    """The thread limit."""
    makespans: tuple[float, ...] = (0.0,)
    """From the first request sent to the last byte, of each round."""
    max_lag: float = 0.0
    """The longest iteration of the loop: the most that a callback can have been late."""
    threads_used: int = 0
    """How many worker threads served these requests."""

    @property
    def makespan(self) -> float:
        """The median of the rounds' makespans."""
        return median(self.makespans)

    @property
    def best(self) -> float:
        """The shortest of the rounds' makespans."""
        return min(self.makespans)

    @property
    def latencies(self) -> tuple[float, ...]:
        """Every request's latency."""
        return tuple(seen.latency for seen in self.requests)

    @property
    def latency(self) -> float:
        """The median latency."""
        return median(self.latencies) if self.requests else 0.0

    @property
    def quietest(self) -> float:
        """The shortest of the rounds' median latencies: of the round that was disturbed least."""
        size = len(self.requests) // len(self.makespans)
        if not size:
            return 0.0
        return min(median(self.latencies[n * size : (n + 1) * size]) for n in range(len(self.makespans)))

    @property
    def kept_waiting(self) -> float:
        """The median of the requests' `kept_waiting`."""
        return median(seen.kept_waiting for seen in self.requests) if self.requests else 0.0

    @property
    def max_token_wait(self) -> float:
        """The longest that a request waited for a thread, at a time."""
        return max((seen.token_wait for seen in self.requests), default=0.0)

    @property
    def throughput(self) -> float:
        """Requests per second."""
        whole = sum(self.makespans)
        return len(self.requests) / whole if whole else 0.0

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong, of each request that failed."""
        return tuple(seen.error for seen in self.requests if seen.error is not None)

    def of(self, scenario: str) -> Sample:
        """The requests to `scenario` only, with the same figures of the server."""
        requests = tuple(seen for seen in self.requests if seen.scenario == scenario)
        span = max((seen.sent + seen.latency for seen in requests), default=0.0) - min(
            (seen.sent for seen in requests), default=0.0
        )
        return Sample(requests, self.threads, (span,), self.max_lag, self.threads_used)

    def joined(self, other: Sample) -> Sample:
        """The requests and rounds of both. The requests are in the order of their rounds."""
        return Sample(
            self.requests + other.requests,
            self.threads,
            self.makespans + other.makespans,
            max(self.max_lag, other.max_lag),
            max(self.threads_used, other.threads_used),
        )


def sampled(
    timeline: Timeline,
    numbers: Collection[int],
    scenarios: Mapping[tuple[str, str], str],
    *,
    threads: int,
) -> Sample:
    """The sample of the requests with these `numbers`.

    `scenarios` maps methods and paths to scenarios, and `threads` is the thread limit. Raises KeyError for a
    request that `timeline` has not.
    """
    requests = [timeline.requests[number] for number in sorted(numbers)]
    return sample_of(timeline, requests, scenarios, threads=threads)


def sample_of(
    timeline: Timeline,
    requests: Sequence[Request],
    scenarios: Mapping[tuple[str, str], str],
    *,
    threads: int,
) -> Sample:
    """As `sampled`, of these requests. One that has no end counts as not answered."""
    zero = min((request.start for request in requests), default=0)
    end = max((request.done or timeline.last for request in requests), default=zero)
    seen = tuple(
        Seen(
            scenarios.get((request.method, request.path), request.path),
            ((request.done or timeline.last) - request.start) / NS,
            (request.start - zero) / NS,
            {state: time / NS for state, time in request.totals.items() if time},
            request.failure or ("no answer" if request.done is None else None),
            None if request.claimed is None else request.claimed / NS,
            request.longest(State.TOKEN_WAIT, timeline.last) / NS,
        )
        for request in requests
    )
    kept = {request.id for request in requests}
    return Sample(
        seen,
        threads,
        ((end - zero) / NS,),
        timeline.lag_since(zero) / NS,
        sum(1 for lane in timeline.workers.values() if any(span.request in kept for span in lane.spans)),
    )
