"""Threads that compute: they share one GIL, so together they are no faster than one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import held
from loopviz.findings.loss import Loss, gaps, merged, overlaps
from loopviz.findings.rules.gil_kept import kept
from loopviz.findings.seen import Seen
from loopviz.findings.words import at, count, named
from loopviz.model import Lane, Span, State, Where

__all__ = ["look"]

_CORES = 1.25
"""Threads that use more cores than this together do not share the GIL all the time: C code releases it."""
_WAITS = 0.25
"""They wait for the GIL if each was measured to wait for it in this part of the time, on average, and longer
than for a free core: what is measured is a limit, and on a busy machine most of it is that."""
_FAIR = 0.1
"""A thread computes if it had this part of the CPU time that threads had on average while they worked: the
others may have had more turns. Who sleeps uses hundreds of times less."""
_SOME = 0.1
"""Threads that use less of a core than this all together do not compute."""


class _Thread(NamedTuple):
    """A thread that computed."""

    lane: Lane
    spans: list[Span]
    """What it worked on, the newest first."""
    gil: float | None
    """The part of the time in which it waited for the GIL, at most; None if that was not measured."""
    core: float
    """The part in which no core was free."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding, if threads computed at the same time and waited for the GIL."""
    if not seen.gil:
        return
    workers = {lane.worker for lane in seen.timeline.workers.values() if lane.role == "thread"}
    for worker in sorted(workers):  # each has a GIL of its own
        found = _of_process(seen, worker)
        if found is not None:
            yield found


def _of_process(seen: Seen, worker: int) -> Finding | None:
    threads = _computing(seen, worker)
    together = _together([span for thread in threads for span in thread.spans])
    if not together:
        return None
    start, end = together[0][0], together[-1][1]
    used = sum(thread.lane.used(start, end) for thread in threads) / sum(b - a for a, b in together)
    waits = _waits(threads)
    blocks = [block for one in held(seen, "gil") for block in one.blocks if block.worker == worker]
    blocks = [block for block in blocks if kept(seen, block) is None]
    if used > _CORES or not (waits or blocks):
        return None
    loss, lines, culprits = _lost(seen, threads if waits else [])
    stretches = seen.stretches(blocks)
    loss.include(seen.behind(stretches, worker=worker))
    if not seen.matters(loss):
        return None
    lines = lines or Counter(
        span.where for thread in threads for span in thread.spans if span.where is not None
    )
    where = lines.most_common(1)[0][0] if lines else None
    stood = sum(until - since for since, until in stretches)
    waited = f"up to {waits:.0%} of the time"
    each = f"on average each waited for the GIL for {waited}"
    loop = f"the event loop waited for the GIL for {duration(stood)}"
    return Finding(
        id="computing-in-threads",
        severity=seen.severity(loss),
        confidence="measured",
        title="Computing in threads under the GIL",
        what=f"{len(threads)} threads computed{f' at {at(where)}' if where is not None else ''} and used "
        f"{used:.1f} cores together: {each if waits else loop}.",
        why="Only the thread that has the GIL runs Python code: threads that compute take turns, so together "
        "they are no faster than one, and the event loop takes turns with them.",
        do="Compute in a process pool, one process for each core: each has a GIL of its own.",
        where=where,
        requests=named(loss.requests),
        culprits=named(culprits or (span.request for thread in threads for span in thread.spans)),
        evidence=(
            ("threads that computed", str(len(threads))),
            ("cores that they used", f"{used:.2f}"),
            *([("each waited for the GIL", waited)] if waits else []),
            *([("the loop waited for the GIL", duration(stood))] if blocks else []),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ),
        lost=loss.total,
        repair="process-pool",
        scenario=seen.repaired or "cpu_processes",
        loss=loss,
        explains=_explains(seen, threads, loss, worker),
    )


def _computing(seen: Seen, worker: int) -> list[_Thread]:
    """The threads of this process that computed."""
    lanes = []
    for lane in seen.timeline.workers.values():
        if lane.role == "thread" and lane.worker == worker and lane.worked(seen.start, seen.end):
            spans = []
            for span in lane.newest_first(seen.end):
                if span.end <= seen.start:
                    break
                spans.append(span)
            lanes.append((lane, spans))
    stretches = merged(((span.start, span.end) for _, spans in lanes for span in spans), 0)
    length = sum(end - start for start, end in stretches)
    busy = sum(span.end - span.start for _, spans in lanes for span in spans)
    used = {lane.number: lane.used(spans[-1].start, spans[0].end) for lane, spans in lanes}
    whole = sum(used.values())
    if whole <= _SOME * length:
        return []
    found = []
    for lane, spans in lanes:
        own = sum(span.end - span.start for span in spans)
        if used[lane.number] * busy >= _FAIR * own * whole:
            start, end = spans[-1].start, spans[0].end
            gil, core = lane.waited_for_gil(start, end), lane.waited_for_core(start, end)
            found.append(_Thread(lane, spans, gil if core is not None else None, core or 0.0))
    return found


def _waits(threads: Sequence[_Thread]) -> float:
    """The part of the time that each thread waited for the GIL, on average; 0 if that was not seen."""
    measured = [
        (min(thread.gil, 1 - thread.core), thread.core) for thread in threads if thread.gil is not None
    ]
    if len(measured) < 2:
        return 0.0
    gil, core = (sum(column) / len(measured) for column in zip(*measured, strict=True))
    return gil if gil >= _WAITS and gil > core else 0.0


def _together(spans: list[Span]) -> list[tuple[int, int]]:
    """When two threads or more were at work."""
    found = []
    working = since = 0
    for t, change in sorted(change for span in spans for change in ((span.start, 1), (span.end, -1))):
        if working >= 2 and t > since:
            found.append((since, t))
        working, since = working + change, t
    return merged(found, 0)


def _lost(seen: Seen, threads: Sequence[_Thread]) -> tuple[Loss, Counter[Where], list[int]]:
    """What requests in these threads waited for the GIL, at which lines, and whose calls they are."""
    shares = {t.lane.number: min(t.gil, 1 - t.core) for t in threads if t.gil is not None}
    loss = Loss()
    lines: Counter[Where] = Counter()
    culprits = []
    for request in seen.requests:
        for segment in seen.segments(request):
            if segment.state is State.IN_THREAD and segment.thread in shares:
                loss.add(request.id, segment.start, segment.end, shares[segment.thread])
                culprits.append(request.id)
                if segment.where is not None:
                    lines[segment.where] += segment.end - segment.start
    return loss, lines, culprits


def _explains(seen: Seen, threads: Sequence[_Thread], loss: Loss, worker: int) -> Loss:
    """The loss, and what requests waited for a thread, or the loop, while these threads had the GIL.

    More threads would have to share it as well. And the loop has to: that makes its steps long, and can make
    blocks of them. What was measured to sleep or to compute on the loop is something else.
    """
    known = seen.stretches(
        block for block in seen.blocks if block.kind in ("sleeping", "computing") and block.worker == worker
    )
    working = merged((span.start, span.end) for thread in threads for span in thread.spans)
    whole = Loss()
    whole.include(loss)
    for number, stretches in seen.behind(working, worker=worker).times():
        for since, until in stretches:
            for start, end in gaps(known, since, until):
                whole.add(number, start, end)
    for request in seen.requests:
        for segment in seen.segments(request) if seen.is_of(request.id, worker) else ():
            if segment.state is State.TOKEN_WAIT:
                for since, until in overlaps(working, segment.start, segment.end):
                    whole.add(request.id, since, until)
    return whole
