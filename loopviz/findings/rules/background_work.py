"""Work that no client waits for, and that makes others wait: after a response, or in a task of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import ENOUGH, Held, held
from loopviz.findings.loss import Loss, merged, overlaps
from loopviz.findings.repairs import of_call
from loopviz.findings.seen import Seen
from loopviz.findings.words import at, called, count, named, times, waited
from loopviz.model import Span, State, Where

__all__ = ["look"]

_MOST = 0.5
"""Background work is to blame for waits for a thread if it has the threads for this part of their use."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each function that holds the loop, and one for threads that it has."""
    for one in held(seen, "background"):
        found = _of_loop(seen, one)
        if found is not None:
            yield found
    threads = _of_threads(seen)
    if threads is not None:
        yield threads


def _of_loop(seen: Seen, one: Held) -> Finding | None:
    loss, where = one.loss(seen), one.where
    if not seen.matters(loss):
        return None
    advice = of_call(seen, where, computes=one.kind == "computing")
    place = called(where) if where is not None else "a line that could not be seen"
    started = sum(not block.request for block in one.blocks)
    work = "a task that is not awaited" if 2 * started > len(one.blocks) else "work after the response"
    return Finding(
        id="background-work",
        severity=seen.severity(loss),
        confidence="measured" if one.kind and one.lines.total() >= ENOUGH else "likely",
        title="Background work that blocks the loop",
        what=f"{work[0].upper()}{work[1:]} held the event loop {times(len(one.blocks))} at {place}, for "
        f"{duration(one.length)} in all; {waited(loss)}.",
        why="Its own client has the answer already, but background work runs on the same event loop: "
        "while it does not await, no other request can run.",
        do=advice.do,
        where=where,
        requests=named(loss.requests),
        culprits=named(block.request or block.started_by for block in one.blocks),
        evidence=tuple(one.evidence(loss)),
        lost=loss.total,
        change=advice.change,
        repair=advice.kind,
        scenario=seen.repaired or "background_async",
        loss=loss,
        explains=one.explains(seen),
    )


def _of_threads(seen: Seen) -> Finding | None:
    """Requests waited for a thread, and work after responses had most of the threads."""
    loss = Loss()
    for request in seen.requests:
        for segment in seen.segments(request):
            if segment.state is State.TOKEN_WAIT:
                loss.add(request.id, segment.start, segment.end)
    if not seen.matters(loss):
        return None
    used = background = 0
    lines: Counter[Where] = Counter()
    culprits = []
    for span, length in _used(seen, merged(one for _, stretches in loss.times() for one in stretches)):
        used += length
        if _after(seen, span):
            background += length
            culprits.append(span.request)
            if span.where is not None:
                lines[span.where] += length
    if not used or background < _MOST * used:
        return None
    where = lines.most_common(1)[0][0] if lines else None
    return Finding(
        id="background-work",
        severity=seen.severity(loss),
        confidence="measured",
        title="Background work has the threads",
        what=f"Work after responses had the threads for {background / used:.0%} of their use"
        f"{f', at {at(where)}' if where is not None else ''}; {waited(loss)}.",
        why="Sync background tasks use the same worker threads as endpoints: until they are done, a request "
        "that needs a thread waits.",
        do="Give the work to a pool or a queue of its own, or make it await instead of sleep.",
        where=where,
        requests=named(loss.requests),
        culprits=named(reversed(culprits)),
        evidence=(
            ("threads in use for it", duration(background)),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ),
        lost=loss.total,
        scenario=seen.repaired or "background_async",
        loss=loss,
    )


def _used(seen: Seen, stretches: list[tuple[int, int]]) -> Iterator[tuple[Span, int]]:
    """What threads worked on in this time, and for how long (ns)."""
    for lane in seen.timeline.workers.values():
        for span in lane.newest_first(stretches[-1][1]) if lane.role == "thread" else ():
            if span.end <= stretches[0][0]:
                break
            length = sum(until - since for since, until in overlaps(stretches, span.start, span.end))
            if length:
                yield span, length


def _after(seen: Seen, span: Span) -> bool:
    """Whether a thread worked for a request that was answered when it began, or before most of it."""
    request = seen.timeline.requests.get(span.request)
    if request is None or request.done is None:
        return False
    return 2 * (span.end - max(request.done, span.start)) > span.end - span.start
