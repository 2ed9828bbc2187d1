"""One worker of the server has requests that wait while another one is idle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.loss import Loss, merged, overlaps
from loopviz.findings.seen import Seen
from loopviz.findings.words import called, count, named
from loopviz.model import State, Where
from loopviz.model.process import Process

__all__ = ["look"]

_WAITS = (State.QUEUED, State.READY, State.TOKEN_WAIT)
_IDLE = 0.1
"""A worker whose loop is busy for a smaller part of a time could take requests then."""
_UNEVEN = 1.5
"""A worker that has so many times its share of the requests has more than its share."""


def look(seen: Seen) -> Iterator[Finding]:
    """At most one: the worker whose requests waited longest while another one was idle."""
    if not seen.several:
        return
    counts = Counter(request.worker for request in seen.requests if request.worker >= 0)
    processes = [process for process in seen.timeline.processes if process.ended is None]
    if not counts or len(processes) < 2:
        return
    most, number = max(counts.items(), key=lambda item: (item[1], -item[0]))
    if number < 2 or number * len(processes) < _UNEVEN * counts.total():
        return
    idle = [process for process in processes if process.worker != most and _is_idle(seen, process)]
    loss = _loss(seen, most)
    if idle and seen.matters(loss):
        yield _finding(seen, most, counts, idle, loss)


def _is_idle(seen: Seen, process: Process) -> bool:
    """Whether its loop could have taken requests, for most of the time; not if it was started meanwhile."""
    return process.began <= seen.start and process.loop.busy(seen.start, seen.end) < _IDLE * seen.took


def _loss(seen: Seen, worker: int) -> Loss:
    """How long requests of the worker waited for its loop or its threads behind others of the same worker."""
    held = merged(
        (segment.start, segment.end)
        for request in seen.requests
        if request.worker == worker
        for segment in seen.segments(request)
        if segment.state in (State.RUNNING, State.IN_THREAD)
    )
    loss = Loss()
    for request in seen.requests:
        for segment in seen.segments(request) if request.worker == worker else ():
            if segment.state in _WAITS:
                for since, until in overlaps(held, segment.start, segment.end):
                    loss.add(request.id, since, until)
    return loss


def _finding(seen: Seen, most: int, counts: Counter[int], idle: list[Process], loss: Loss) -> Finding:
    letter = seen.timeline.process(most).letter
    mine, total = counts[most], counts.total()
    others = ", ".join(f"{process.letter} had {counts[process.worker]}" for process in idle[:3])
    waited = len(loss.requests)
    lines: Counter[Where] = Counter()
    for block in seen.blocks:
        if block.worker == most and block.where is not None:
            lines[block.where] += block.lasted(seen.now)
    where = max(lines, key=lambda line: lines[line], default=None)
    held = "" if where is None else f" Its loop was held for {duration(lines[where])} at {called(where)}."
    busy = [request.id for request in seen.requests if request.worker == most]
    return Finding(
        id="worker-imbalance",
        severity=seen.severity(loss),
        confidence="measured",
        title="One worker queues, another idles",
        what=f"Worker {letter} had {mine} of {total} requests, and {waited} of them waited up to"
        f" {duration(loss.longest)}; {others}, and {'was' if len(idle) == 1 else 'were'} idle meanwhile."
        + held,
        why="The kernel gives a connection to whichever worker accepts it first, however busy that one is,"
        " and all requests of the connection stay there.",
        do="Shorten what holds a worker's loop first; then spread connections evenly, by a proxy in front or"
        " by SO_REUSEPORT.",
        where=where,
        requests=named(loss.requests),
        culprits=named(busy),
        evidence=(
            ("requests of the busy worker", f"{mine} of {total}"),
            ("waited there", count(waited, "request")),
            ("longest wait", duration(loss.longest)),
            ("idle workers", ", ".join(process.letter for process in idle)),
        ),
        lost=loss.total,
        loss=loss,
    )
