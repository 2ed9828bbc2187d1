"""A sweep: throughput and latency against the number of concurrent requests.

Each point keeps a number of requests in progress: as soon as one is answered, the next is sent. A
scenario's server stays up for all points. Throughput grows with the load until a resource is used
up; that point is the knee.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from loopviz.claims import Burst
from loopviz.experiment.bench import Bench
from loopviz.model.sample import Sample, percentile
from loopviz.scenario import ScenarioFile

__all__ = ["FORMAT", "GROWTH", "VERSION", "Course", "Knee", "SweepPoint", "document", "knee", "measure_point"]

FORMAT = "loopviz-sweep"
VERSION = 1

GROWTH = 1.25
"""The knee is where twice as many concurrent requests give less than this factor in throughput."""

MOST = 1_000
"""The most requests of one measurement."""


@dataclass(frozen=True)
class SweepPoint:
    """A measurement with `concurrency` concurrent requests. Latencies are in seconds."""

    concurrency: int
    requests: int
    throughput: float
    """Requests per second."""
    p50: float
    p95: float
    errors: int
    threads_used: int = 0


@dataclass(frozen=True)
class Knee:
    """The point at which throughput stops growing with the load."""

    concurrency: int
    """The last number of concurrent requests that increased throughput."""
    at_tokens: bool
    """Whether the thread limit lies at this point, or between it and the point before."""


@dataclass(frozen=True)
class Course:
    """A scenario's sweep."""

    scenario: str
    points: tuple[SweepPoint, ...]
    knee: Knee | None
    """None if throughput grows to the end."""


def knee(points: Sequence[SweepPoint], limit: int) -> Knee | None:
    """The first point above which throughput grows by less than `GROWTH` per doubling; None if none does."""
    for index, (point, above) in enumerate(pairwise(points)):
        if point.throughput <= 0:
            continue
        doublings = math.log2(above.concurrency / point.concurrency)
        if (above.throughput / point.throughput) ** (1 / doublings) < GROWTH:
            before = points[index - 1].concurrency if index else 0
            return Knee(point.concurrency, before < limit <= point.concurrency)
    return None


def measure_point(
    bench: Bench, file: ScenarioFile, concurrency: int, before: Sequence[SweepPoint]
) -> SweepPoint:
    """As many rounds as take about a second, but at least two: a measurement ends with its last answer."""
    usual = before[-1].p50 if before else file.facts.seconds
    rounds = max(2, min(20, round(1 / max(usual, 0.001))))
    requests = max(concurrency, min(MOST, rounds * concurrency))
    sample = bench.fire(Burst(file.name, requests, at_once=concurrency))
    return SweepPoint(
        concurrency,
        requests,
        round(_throughput(sample), 3),
        round(percentile(sample.latencies, 50), 6),
        round(percentile(sample.latencies, 95), 6),
        len(sample.errors),
        sample.threads_used,
    )


def _throughput(sample: Sample) -> float:
    good = len(sample.requests) - len(sample.errors)
    return good / sample.makespan if sample.makespan else 0.0


def document(
    courses: Sequence[Course],
    threads: int,
    environment: Mapping[str, object],
    failure: Exception | None = None,
) -> dict[str, Any]:
    """The JSON document that ``loopviz compare --sweep --json`` prints.

    `failure` is what ended the sweep before all scenarios were measured.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": dict(environment),
        "threads": threads,
        "runs": [
            {
                "scenario": course.scenario,
                "steps": [
                    {
                        "concurrency": point.concurrency,
                        "requests": point.requests,
                        "throughput_rps": point.throughput,
                        "latency_p50_s": point.p50,
                        "latency_p95_s": point.p95,
                        "errors": point.errors,
                        "threads_used": point.threads_used,
                    }
                    for point in course.points
                ],
                "knee": None if course.knee is None else asdict(course.knee),
            }
            for course in courses
        ],
        "error": None if failure is None else str(failure),
    }
