"""Threads that compute: they share one GIL, so together they are no faster than one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import held
from loopviz.findings.loss import Loss, merged
from loopviz.findings.rules.gil_kept import kept
from loopviz.findings.seen import Seen
from loopviz.findings.words import at, count, named
from loopviz.model import State, Where

__all__ = ["look"]

_CORES = 1.25
"""Threads that use more cores than this together do not share the GIL all the time: C code releases it."""
_WAITS = 0.25
"""They wait for the GIL if each was measured to wait for it in this part of the time, on average, and
longer than for a free core: what is measured is a limit, and on a busy machine most of it is that."""


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
    shares: dict[int, float] = {}
    start, end = _worked(seen, worker)
    if end <= start:
        return None
    used = waits = cores = 0.0
    for number, lane in seen.timeline.workers.items():
        if lane.worker != worker or lane.role != "thread" or not lane.worked(start, end):
            continue
        gil, core = lane.waited_for_gil(start, end), lane.waited_for_core(start, end)
        if gil is None or core is None:
            continue  # it did not compute
        shares[number] = min(gil, 1 - core)
        waits, cores = waits + shares[number], cores + core
        used += lane.used(start, end) / (end - start)
    if len(shares) < 2 or used > _CORES or waits / len(shares) < _WAITS or waits <= cores:
        return None
    waited = f"up to {waits / len(shares):.0%} of the time"
    loss, lines, culprits = _lost(seen, shares)
    blocks = [
        block
        for one in held(seen, "gil")
        for block in one.blocks
        if block.worker == worker and not kept(block, seen.now)
    ]
    behind = seen.behind(merged((b.start, seen.now if b.end is None else b.end) for b in blocks))
    for number, stretches in behind.times():
        for since, until in stretches:
            loss.add(number, since, until)
    if not seen.matters(loss):
        return None
    where = lines.most_common(1)[0][0] if lines else None
    return Finding(
        id="computing-in-threads",
        severity=seen.severity(loss),
        confidence="measured",
        title="Computing in threads under the GIL",
        what=f"{len(shares)} threads computed{f' at {at(where)}' if where is not None else ''} and used "
        f"{used:.1f} cores together: on average each waited for the GIL for {waited}.",
        why="Only the thread that has the GIL runs Python code: threads that compute take turns, so together "
        "they are no faster than one, and the event loop takes turns with them.",
        do="Compute in a process pool, one process for each core: each has a GIL of its own.",
        where=where,
        requests=named(loss.requests),
        culprits=named(culprits),
        evidence=(
            ("threads that computed", str(len(shares))),
            ("cores that they used", f"{used:.2f}"),
            ("waited for the GIL", waited),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ),
        lost=loss.total,
        repair="process-pool",
        scenario=seen.repaired or "cpu_processes",
        loss=loss,
    )


def _worked(seen: Seen, worker: int) -> tuple[int, int]:
    """From when to when requests executed in threads of this process."""
    lanes = {
        n for n, lane in seen.timeline.workers.items() if lane.worker == worker and lane.role == "thread"
    }
    stretches = [
        (segment.start, segment.end)
        for request in seen.requests
        for segment in seen.segments(request)
        if segment.state is State.IN_THREAD and segment.thread in lanes
    ]
    return (min(s for s, _ in stretches), max(e for _, e in stretches)) if stretches else (0, 0)


def _lost(seen: Seen, shares: dict[int, float]) -> tuple[Loss, Counter[Where], list[int]]:
    """What requests in these threads waited for the GIL, at which lines, and whose calls they are."""
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
