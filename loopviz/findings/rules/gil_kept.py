"""Code in a worker thread that keeps the GIL: the event loop stands still, although nothing holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import held, in_step, threads_at_work
from loopviz.findings.loss import Loss
from loopviz.findings.seen import Seen
from loopviz.findings.words import called, count, named, times, waited
from loopviz.model import Block, Where
from loopviz.model.block import Keeper

__all__ = ["kept", "look"]

_MOST = 0.5
"""A thread that has kept the GIL for this part of a block is its cause; less of it is taking turns."""
_ROUND = 25_000_000
"""Threads that take turns have the GIL for 5 ms each, and then the sampler has a turn as well. So long (ns)
for each of them is several rounds: if the sampler looked less often, a thread does not give the GIL away."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each function that keeps the GIL."""
    found: dict[object, list[tuple[Block, Keeper]]] = {}
    if not seen.gil:
        return
    for one in held(seen, "gil"):
        for block in one.blocks:
            keeper = kept(seen, block)
            if keeper is not None:
                where = keeper.where
                found.setdefault(where and (where.file, where.function), []).append((block, keeper))
    for blocks in found.values():
        finding = _finding(seen, blocks)
        if finding is not None:
            yield finding


def kept(seen: Seen, block: Block) -> Keeper | None:
    """Who kept the GIL in a block in which the loop waited for it; None if threads took turns.

    That is one thread for most of the block, or threads that kept it one after the other: then nothing else
    could run for long, not even the sampler, and the one whose call lasted longest is named.
    """
    keeper, length = block.keeper, block.lasted(seen.now)
    if keeper is not None and keeper.kept >= _MOST * length:
        return keeper
    lanes = [lane for lane, _ in threads_at_work(seen, block)]
    if not lanes or not in_step(block):
        return None
    turns = max(2, len(lanes))  # a single thread takes turns with the loop's
    if (1 + block.lines.total()) * turns * _ROUND > length:
        return None
    longest, kept_by = 0, None
    for lane in lanes:
        for span in lane.newest_first(block.start + length):
            lasted = span.end - max(span.start, block.start)
            if lasted <= 0:
                break
            if lasted > longest:
                longest, kept_by = lasted, Keeper(lane.number, span.request, span.where, length)
    return kept_by


def _finding(seen: Seen, blocks: list[tuple[Block, Keeper]]) -> Finding | None:
    victims: set[int] = set()
    lines: Counter[Where] = Counter()
    length = 0
    for block, keeper in blocks:
        victims.update(seen.timeline.victims(block, seen.now))
        length += block.lasted(seen.now)
        if keeper.where is not None:
            lines[keeper.where] += keeper.kept
    loss = Loss()
    for worker in sorted({block.worker for block, _ in blocks}):
        stretches = seen.stretches(block for block, _ in blocks if block.worker == worker)
        loss.include(seen.behind(stretches, victims, worker=worker))
    if not seen.matters(loss):
        return None
    where = lines.most_common(1)[0][0] if lines else None
    place = called(where) if where is not None else "a line that could not be seen"
    return Finding(
        id="gil-kept",
        severity=seen.severity(loss),
        confidence="measured" if all(keeper is block.keeper for block, keeper in blocks) else "likely",
        title="C code that keeps the GIL",
        what=f"A thread at {place} kept the GIL {times(len(blocks))}, for {duration(length)} in all, and the "
        f"event loop could not run; {waited(loss)}.",
        why="A worker thread is no help for C code that does not release the GIL: until it returns, no other "
        "thread runs Python, and the loop's is one of them.",
        do="Call it in a process pool, use code that releases the GIL, or give it less at a time.",
        where=where,
        requests=named(loss.requests),
        culprits=named(keeper.request for _, keeper in blocks),
        evidence=(
            ("GIL kept", f"{duration(length)}, {times(len(blocks))}"),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ),
        lost=loss.total,
        repair="process-pool",
        scenario=seen.repaired or "cpu_processes",
        loss=loss,
    )
