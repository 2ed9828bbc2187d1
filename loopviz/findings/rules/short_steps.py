"""Many short steps: none is a block, and together they keep others from the loop as long as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.loss import Loss, merged
from loopviz.findings.seen import Seen
from loopviz.findings.words import at, count, named
from loopviz.model import BLOCK_THRESHOLD, Segment, State, Where

__all__ = ["look"]

_SAMPLED = 20_000_000
"""A step of this length (ns) has a line: the sampler looks that often. Shorter ones count if a request has so
many of them that they are as long as a block together."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding, if requests waited for the loop behind short steps as long as for a block."""
    steps: dict[int, list[Segment]] = {}
    for request in seen.requests:
        ran = [s for s in seen.segments(request) if s.state is State.RUNNING]
        short = [s for s in ran if s.end - s.start < seen.timeline.threshold]
        if sum(s.end - s.start for s in short) < BLOCK_THRESHOLD:
            short = [s for s in short if s.end - s.start >= _SAMPLED]
        if short:
            steps[request.id] = short
    if not steps:
        return
    loss = _behind(seen, steps)
    if loss.longest < BLOCK_THRESHOLD or not seen.matters(loss):
        return
    lines: Counter[Where] = Counter()
    for one in steps.values():
        for segment in one:
            if segment.where is not None:
                lines[segment.where] += segment.end - segment.start
    number = sum(map(len, steps.values()))
    ran_for = sum(s.end - s.start for one in steps.values() for s in one)
    where = lines.most_common(1)[0][0] if lines else _endpoint(seen, steps)
    yield Finding(
        id="short-steps",
        severity=seen.severity(loss),
        confidence="measured" if lines else "likely",
        title="Short steps that starve others",
        what=f"{count(len(steps), 'request')} ran on the event loop in {count(number, 'step')} of up to "
        f"{duration(max(s.end - s.start for one in steps.values() for s in one))}, {duration(ran_for)} in all"
        f"{f', at {at(where)}' if where is not None else ''}; others waited up to {duration(loss.longest)}.",
        why="An await between two steps lets others run in between, but the loop is one thread: who is ready "
        "waits until all steps before it are done.",
        do="Compute in a process pool, or in fewer requests at a time.",
        where=where,
        requests=named(loss.requests),
        culprits=named(sorted(steps, key=lambda n: -sum(s.end - s.start for s in steps[n]))),
        evidence=(
            ("steps", f"{number}, {duration(ran_for)} in all"),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ),
        lost=loss.total,
        repair="process-pool",
        scenario=seen.repaired or "cpu_processes",
        loss=loss,
    )


def _behind(seen: Seen, steps: dict[int, list[Segment]]) -> Loss:
    """What requests waited for the loop while it executed these steps."""
    return seen.behind(merged((s.start, s.end) for one in steps.values() for s in one))


def _endpoint(seen: Seen, steps: dict[int, list[Segment]]) -> Where | None:
    """A line of most of these requests' endpoint: their steps are too short for their own to be seen."""
    lines: Counter[Where] = Counter()
    for number in steps:
        for segment in seen.segments(seen.by_number[number]):
            if segment.where is not None:
                lines[segment.where] += segment.end - segment.start
    return lines.most_common(1)[0][0] if lines else None
