"""The processes of the server together: what their loops and threads do, as one answer.

Of a server with one process, which most are, each answer is that of its loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter

from loopviz.model.block import Block
from loopviz.model.incidents import Incident
from loopviz.model.process import Process
from loopviz.model.requests import Requests
from loopviz.model.starvation import Starvation
from loopviz.model.workers import Tokens
from loopviz.stream.several import MOST_WORKERS, letter

__all__ = ["Processes"]

_start = attrgetter("start")


class Processes:
    """All of them; the first one is always there."""

    def __init__(self, make: Callable[[int], Process], requests: Requests) -> None:
        self.first = make(0)
        self.by_worker: dict[int, Process] = {0: self.first}
        """In the order of their numbers."""
        self._make = make
        self._requests = requests
        self._merged: tuple[object, list[Block]] = (None, [])

    # -- which there are -----------------------------------------------------------------------

    @property
    def several(self) -> bool:
        """Whether the server has several workers."""
        return self._requests.several

    def worker(self, number: int) -> Process | None:
        """The worker with this number, which is new perhaps; None if there are too many."""
        process = self.by_worker.get(number)
        if process is not None or not 0 <= number < MOST_WORKERS:
            return process
        if not self.several:
            self._requests.several = True
            self.first.name(letter(0))
            for request in self._requests.by_number.values():
                request.letter = self.first.letter if request.worker == 0 else ""
        process = self.by_worker[number] = self._make(number)
        self.by_worker = dict(sorted(self.by_worker.items()))
        process.name(letter(number))
        for stop in self.first.loop.stops:
            process.loop.stops.append(stop)
        return process

    def changed(self, t: int, worker: int, pid: int, change: str, reason: str) -> Incident | None:
        """WORKER: it was started, or has ended. What is worth a sentence of it, if anything is."""
        process = self.worker(worker)
        if process is None:
            return None
        before = process.ended
        if change == "ended":
            process.ends(t, reason)
        else:
            process.begins(t, pid)
        if not self.several or (change == "started" and before is None):
            return None
        name = f"worker {process.letter}"
        if change == "ended":
            return Incident(t, 0, name, "ended", reason)
        return Incident(t, 0, name, "restarted", before[1] if before is not None else "")

    # -- events that concern all of them -------------------------------------------------------

    def stopped(self, t: int, since: int) -> None:
        """STOPPED: the whole program was stopped."""
        for process in self:
            process.loop.stopped(t, since)

    # -- their loops ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Process]:
        return iter(self.by_worker.values())

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks that have ended, of all loops, in the order of their beginnings."""
        if not self.several:
            return self.first.loop.blocks
        deques = [process.loop.blocks for process in self]
        key = [
            (len(blocks), id(blocks[-1]) if blocks else 0, process.loop.rewritten)
            for process, blocks in zip(self, deques, strict=True)
        ]
        if self._merged[0] != key:
            self._merged = key, sorted((block for blocks in deques for block in blocks), key=_start)
        return self._merged[1]

    def block_at(self, now: int) -> Block | None:
        """The block that holds a loop at `now`: of several, the one that began first."""
        if not self.several:
            return self.first.loop.block_at(now)
        found = (process.loop.block_at(now) for process in self)
        return min(
            (block for block in found if block is not None),
            key=lambda block: (block.end is not None and block.end < now, block.start),
            default=None,
        )

    def blocks_until(self, now: int) -> Iterator[Block]:
        """The blocks that had begun by `now`, of all loops, the newest first."""
        if not self.several:
            return self.first.loop.blocks_until(now)
        return merge(*(process.loop.blocks_until(now) for process in self), key=_start, reverse=True)

    @property
    def starvations(self) -> Sequence[Starvation]:
        """Starvations that have been seen up to now, of all loops, the oldest first."""
        for process in self:
            process.loop.starvations.explain()
        if not self.several:
            return self.first.loop.starvations.past
        return sorted((one for process in self for one in process.loop.starvations.past), key=_start)

    def starvation_at(self, now: int) -> Starvation | None:
        """What requests suffer at `now`: of several starvations, the one with the longest wait."""
        if not self.several:
            return self.first.loop.starvation_at(now)
        found = (process.loop.starvation_at(now) for process in self)
        return max((one for one in found if one is not None), key=lambda one: one.longest, default=None)

    # -- their threads -------------------------------------------------------------------------

    @property
    def tokens(self) -> Sequence[tuple[int, Tokens]]:
        """Changes of AnyIO's limiters, and their times, the oldest first."""
        if not self.several:
            return self.first.threads.tokens
        newest = max((process.threads.tokens[-1][0] for process in self if process.threads.tokens), default=0)
        return list(self.tokens_until(newest))[::-1]

    def tokens_until(self, now: int) -> Iterator[tuple[int, Tokens]]:
        """The changes up to `now`, the newest first, each with what all limiters together were then."""
        if not self.several:
            yield from self.first.threads.tokens_until(now)
            return
        older = {process.worker: process.threads.tokens_until(now) for process in self}
        newest = {worker: next(changes, None) for worker, changes in older.items()}
        while known := {worker: change for worker, change in newest.items() if change is not None}:
            latest = max(known, key=lambda worker: known[worker][0])
            yield known[latest][0], _sum(tokens for _, tokens in known.values())
            newest[latest] = next(older[latest], None)


def _sum(several: Iterable[Tokens]) -> Tokens:
    totals, borrowed, waiting = zip(*several, strict=True)
    return Tokens(-1 if min(totals) < 0 else sum(totals), sum(borrowed), sum(waiting))
