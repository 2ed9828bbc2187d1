"""Blocks, sorted by what causes them, for the rules that look at blocks.

Each block has one cause, so that it is in the finding of one rule only.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal, TypeAlias

from loopviz.clock import duration
from loopviz.findings.loss import Loss, merged, overlaps
from loopviz.findings.middleware import middleware_of
from loopviz.findings.seen import Seen
from loopviz.findings.source import is_library
from loopviz.findings.words import count, times
from loopviz.model import BLOCK_THRESHOLD, Block, Lane, State, Where
from loopviz.model.sightings import Frames

__all__ = ["ENOUGH", "Cause", "Held", "held", "in_step", "threads_at_work"]

ENOUGH = 3
"""So many samples at a line: it was not met by chance."""
_COMPUTES = 0.05
"""A worker thread that uses less of a core than this does not compute."""
_HARDLY = 200_000_000
"""One sample in this time (ns) is less than a tenth of those that there should be."""
_NOTABLE = 0.1
"""A function at which it was in this part of the samples, or more, belongs to what it does."""
_EXPRESSION = re.compile(r"(?:\.<locals>\.<\w+>)+$")
_BUSY = 0.5
"""A thread that uses so much of a core computes; one that uses less has the GIL for a smaller part."""
_SHARED = ("connection", "lock", "semaphore", "queue")
"""What a request awaits that another one has, or gives: while the loop is held, that one cannot give it."""

Cause: TypeAlias = Literal["call", "middleware", "background", "gil", "machine", "server"]
"""What held the loop: ``gil``: the loop waited for the GIL. ``background``: work that no client waits for,
after the response or in a task of its own. ``middleware``: one of the user's. ``machine``: what would be no
block if a core had been free. ``server``: callbacks of libraries, such as those that accept connections and
read requests; no line of the application is to blame. ``call``: anything else."""


@dataclass(slots=True)
class Held:
    """Blocks of one function: how it has held the loop."""

    blocks: list[Block] = field(default_factory=list)
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was seen, and how often."""
    length: int = 0
    """How long the loop was held, all together (ns)."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How long by each kind of block (ns); "" where the kind is not known."""
    middleware: Where | None = None
    """A line of the middleware that it is, or that has called it."""

    @property
    def hardly_seen(self) -> bool:
        """Whether it was sampled too rarely for its length: C code that keeps the GIL hides its line.

        What is seen then is the line after it, perhaps of another function.
        """
        return self.lines.total() * _HARDLY < self.length

    def kinds_of(self, seen: Seen) -> set[tuple[str, str]]:
        """The kinds of request whose steps these blocks are."""
        requests = (seen.timeline.requests.get(block.request) for block in self.blocks)
        return {(request.method, request.path) for request in requests if request is not None}

    def is_part_of(self, other: Held, seen: Seen) -> bool:
        """Whether it is the same work, which was at another function most of the time in these blocks.

        A request that calls several functions in one step is seen at all of them.
        """
        mixed = self._passes(other) or other._passes(self)
        return (mixed or self.hardly_seen) and bool(self.kinds_of(seen) & other.kinds_of(seen))

    def _passes(self, other: Held) -> bool:
        """Whether it was also seen at the function at which the other one was most of the time."""
        if other.where is None:
            return False
        function = _function(other.where)
        seen = sum(often for where, often in self.lines.items() if _function(where) == function)
        return seen >= _NOTABLE * self.lines.total() and seen > 0

    def include(self, other: Held) -> None:
        """Those blocks are of the same cause."""
        self.blocks += other.blocks
        self.lines.update(other.lines)
        self.length += other.length
        self.kinds.update(other.kinds)

    @property
    def where(self) -> Where | None:
        """The line at which it was seen most often; of equal ones, the first that was seen."""
        return self.lines.most_common(1)[0][0] if self.lines else None

    @property
    def kind(self) -> str:
        """``sleeping``, ``computing``, ``waiting_for_gil``, or "" if that is not known."""
        return self.kinds.most_common(1)[0][0]

    @property
    def cpu(self) -> float | None:
        """The part of the time in which the loop's thread computed; None if it was not measured."""
        known = [(b.shares, (b.end or b.start) - b.start) for b in self.blocks if b.shares is not None]
        whole = sum(length for _, length in known)
        return sum((s.cpu + s.core) * length for s, length in known) / whole if whole else None

    def loss(self, seen: Seen) -> Loss:
        """What requests waited because of it: those that could have run meanwhile.

        A request that a step has woken itself waits for the rest of that step as well. Of callbacks it is not
        known which of them has woken it, so there it must be a victim.
        """
        only, loss, workers = self._only(seen), Loss(), self._workers
        if len(workers) == 1:
            return seen.behind(self.stretches(seen, workers[0]), only, worker=workers[0])
        for worker in workers:
            loss.include(seen.behind(self.stretches(seen, worker), only, worker=worker))
        return loss

    @property
    def _workers(self) -> list[int]:
        """Whose loops were held: a worker's block delays its own requests only."""
        return sorted({block.worker for block in self.blocks})

    def _only(self, seen: Seen) -> set[int] | None:
        if all(block.by == "step" for block in self.blocks):
            return None
        return {number for block in self.blocks for number in seen.timeline.victims(block, seen.now)}

    def explains(self, seen: Seen) -> Loss:
        """The same, and what requests waited for meanwhile that another request could not give back."""
        loss = self.loss(seen)
        for worker in self._workers:
            self._add_shared(seen, loss, worker)
        return loss

    def _add_shared(self, seen: Seen, loss: Loss, worker: int) -> None:
        stretches = self.stretches(seen, worker)
        for request in seen.requests:
            for s in seen.segments(request) if seen.is_of(request.id, worker) else ():
                if s.state is State.TOKEN_WAIT or (s.awaits is not None and s.awaits.what in _SHARED):
                    for since, until in overlaps(stretches, s.start, s.end):
                        loss.add(request.id, since, until)

    def stretches(self, seen: Seen, worker: int) -> list[tuple[int, int]]:
        """When it held this worker's loop."""
        return seen.stretches(block for block in self.blocks if block.worker == worker)

    def evidence(self, loss: Loss) -> list[tuple[str, str]]:
        """What was measured of it."""
        found = [
            ("held the loop", f"{duration(self.length)}, {times(len(self.blocks))}"),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ]
        if self.cpu is not None:
            found.append(("CPU of the loop's thread meanwhile", f"{self.cpu:.0%}"))
        kept = sum(block.gil for block in self.blocks if block.keeps_gil)
        if kept:
            found.append(("kept the GIL as well", duration(kept)))
        return found


def held(seen: Seen, cause: Cause) -> list[Held]:
    """The blocks of this cause, put together by the function that holds the loop; the longest first.

    A function that is seen at several lines is one: a loop that computes is seen at each of its lines.
    """
    known: dict[Cause, list[Held]] | None = seen.worked_out.get(__name__)
    if known is None:
        known = seen.worked_out[__name__] = _sorted_out(seen)
    return known.get(cause, [])


def _function(where: Where) -> tuple[str, str]:
    """The function of a line; what is written as an expression in it, such as a lambda, is a part of it."""
    return where.file, _EXPRESSION.sub("", where.function)


def _sorted_out(seen: Seen) -> dict[Cause, list[Held]]:
    found: dict[tuple[Cause, object], Held] = {}
    in_middleware: dict[tuple[Where, Frames], Where | None] = {}
    for block in seen.blocks:
        where, frames = block.where, _frames(seen, block)
        if where is not None and (where, frames) not in in_middleware:
            in_middleware[where, frames] = middleware_of(seen.lines, where, frames)
        middleware = None if where is None else in_middleware[where, frames]
        cause = _cause(seen, block, middleware=middleware is not None)
        function = None if where is None else _function(where)
        one = found.setdefault((cause, function), Held(middleware=middleware))
        length = block.lasted(seen.now)
        one.blocks.append(block)
        one.lines.update(block.lines)
        one.length += length
        one.kinds[block.kind or ""] += length
    causes: dict[Cause, list[Held]] = {}
    for (cause, _), one in sorted(found.items(), key=lambda item: -item[1].length):
        known = causes.setdefault(cause, [])
        same = next((other for other in known if one.is_part_of(other, seen)), None)
        if same is None:
            known.append(one)
        else:
            same.include(one)
    return causes


def _frames(seen: Seen, block: Block) -> Frames:
    """The frames with which its line was seen; none where they were not."""
    request = seen.timeline.requests.get(block.request)
    if request is None or request.seen is None or block.where is None:
        return ()
    end = seen.now if block.end is None else block.end
    sightings = (one for one in request.seen if block.start <= one.t <= end)
    return next((one.frames for one in sightings if one.where == block.where), ())


def in_step(block: Block) -> bool:
    """Whether a task's step is the block: of callbacks, the lines are not always looked at."""
    return block.by == "step" and block.task != ""


def threads_at_work(seen: Seen, block: Block) -> list[tuple[Lane, float]]:
    """The worker threads that computed in the time of a block, and how much of a core each has used."""
    known: dict[int, list[tuple[Lane, float]]] = seen.worked_out.setdefault(f"{__name__} threads", {})
    if id(block) not in known:
        known[id(block)] = _threads_at_work(seen, block)
    return known[id(block)]


def _threads_at_work(seen: Seen, block: Block) -> list[tuple[Lane, float]]:
    start, length = block.start, max(1, block.lasted(seen.now))
    found = []
    for lane in seen.timeline.workers.values():
        if lane.role == "thread" and lane.worker == block.worker and lane.worked(start, start + length):
            used = _used(lane, start, start + length)
            if used >= _COMPUTES:
                found.append((lane, used))
    return found


def _used(lane: Lane, start: int, end: int) -> float:
    """How much of a core a thread used in this time, as if it were used evenly while it worked.

    Its clock is read long afterwards, if nothing could run before; then it has had nothing to do since.
    """
    before = max((one for one in lane.samples if one[0] <= start), default=None)
    after = min((one for one in lane.samples if one[0] >= end), default=None)
    used = lane.used(start, end)
    if before is not None and after is not None:
        first, last = before[0], after[0]
        spans = takewhile(lambda span: span.end > first, lane.newest_first(last))
        pairs = ((max(span.start, first), min(span.end, last)) for span in spans)
        worked = merged(((since, until) for since, until in pairs if since < until), 0)
        whole = sum(until - since for since, until in worked)
        used = max(used, (after[1] - before[1]) * _length(worked, start, end) / whole) if whole else used
    return min(1.0, used / (end - start))


def _length(stretches: list[tuple[int, int]], start: int, end: int) -> int:
    return sum(until - since for since, until in overlaps(stretches, start, end))


def _threads_had_gil(seen: Seen, block: Block) -> bool:
    """Whether the GIL was elsewhere, though that was not read in time: nothing ran but worker threads.

    The loop's thread hardly used the CPU. Had it slept, the sampler could have run, and seen its line.
    """
    shares = block.shares
    if not (seen.gil and in_step(block)) or (shares is not None and shares.cpu + shares.core >= _BUSY):
        return False
    hardly = block.lines.total() * _HARDLY < block.lasted(seen.now)
    return hardly and sum(part for _, part in threads_at_work(seen, block)) >= _BUSY


def _cause(seen: Seen, block: Block, *, middleware: bool) -> Cause:
    """The most specific cause that is known."""
    if block.kind == "waiting_for_gil" or _threads_had_gil(seen, block):
        return "gil"
    if block.shares is not None and (1 - block.shares.core) * block.lasted(seen.now) < BLOCK_THRESHOLD:
        return "machine"
    request = seen.timeline.requests.get(block.request)
    end = seen.now if block.end is None else block.end
    # The response and what follows it can be in one step: most of it decides.
    after = request is not None and request.done is not None and 2 * (end - request.done) > end - block.start
    if after or (not block.request and (block.started_by or block.task)):
        return "background"
    if block.by != "step" and (block.where is None or is_library(block.where.file)):
        return "server"
    return "middleware" if middleware else "call"
