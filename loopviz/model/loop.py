"""The event loop: what it does when, its lag, and its blocks, their causes and victims.

The loop's time is divided into stretches: a step of a task, callbacks between two steps, or idle.
Steps are reported to `loopviz.model.requests`, whose requests can be victims.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from itertools import islice

from loopviz.model.block import Block
from loopviz.model.busy import BIN, BusyBins
from loopviz.model.lane import COMPUTES, Lane, Span
from loopviz.model.life import Doing
from loopviz.model.limits import MAX_READINGS, Limits
from loopviz.model.past import begun
from loopviz.model.requests import Requests
from loopviz.model.shared import Shared

__all__ = ["Loop"]

LAG = 100_000
"""Iterations shorter than this delay no request (ns)."""
_COMPUTES_AROUND = 0.5
"""As `COMPUTES`, where the readings were taken before and after the block, not during it."""


class Loop:
    """The loop's thread."""

    def __init__(self, requests: Requests, shared: Shared, limits: Limits, threshold: int) -> None:
        self.threshold = threshold
        self.lane = Lane.within(limits, 0, "loop")
        self.busy_bins = BusyBins(limits.bins)
        self.blocks: deque[Block] = deque(maxlen=limits.blocks)
        self.idle = 0
        self.lags = array("q")
        """End and length of iterations longer than `LAG`, in turn."""
        self._requests = requests
        self._shared = shared
        self._limits = limits
        self._looks = 0  # at requests, to find victims
        self._task = 0  # whose step it is
        self._since = 0  # when the present stretch began; 0: not known
        self._turned = 0  # when the loop last turned to something else
        self._asleep = False
        self._iteration = 0  # when the present iteration began; 0: no iteration was ever seen
        self._held: Block | None = None  # what the present stretch would be as a block

    # -- queries -------------------------------------------------------------------------------

    @property
    def sees_iterations(self) -> bool:
        """Whether an iteration has been seen."""
        return self._iteration > 0

    def block_at(self, now: int) -> Block | None:
        """The block that holds the loop at `now`, present or past."""
        held = self._held
        if self._since and not self._asleep and self._since <= now:
            if now - self._since < self.threshold:
                return None
            return held if held is not None else self._stretch()
        for block in begun(self.blocks, now, lambda block: block.start):
            over = block.end is not None and block.end < now
            return None if over or now - block.start < self.threshold else block
        return None

    def blocks_until(self, now: int) -> Iterator[Block]:
        """The blocks that had begun by `now`, the newest first."""
        if (held := self.block_at(now)) is not None and held.end is None:
            yield held
        yield from begun(self.blocks, now, lambda block: block.start)

    def victims(self, block: Block, now: int) -> list[int]:
        """The requests that `block` has delayed up to `now`."""
        if block.end is None:
            return self._find_victims(block.request, block.start, now)
        if block.end <= now:
            return block.victims
        requests = self._requests.by_number
        known = [requests[number] for number in block.victims if number in requests]
        return [request.id for request in known if request.delayed(block.start, now)]

    def running_at(self, now: int) -> int:
        """The request whose step is being executed, if it began by `now`."""
        return self._requests.owner(self._task) if self._since and self._since <= now else 0

    def spans(self, now: int) -> Iterator[Span]:
        """The long stretches that had begun by `now`, the newest first."""
        if self._since and not self._asleep and self._since < now:
            held = self._held
            owner = self._requests.owner(self._task)
            yield Span(self._since, now, owner, held.where if held else None)
        yield from begun(self.lane.spans, now, lambda span: span.start)

    def busy(self, start: int, end: int) -> int:
        """Busy time between `start` and `end`."""
        total = self.busy_bins.busy(start, end)
        for span in self.spans(end):
            if span.end <= start:
                break
            total += max(0, min(span.end, end) - max(span.start, start))
        return total

    def lag_since(self, start: int) -> int:
        """The longest iteration that ended after `start`."""
        ends, lengths = islice(self.lags, 0, None, 2), islice(self.lags, 1, None, 2)
        return max((length for end, length in zip(ends, lengths, strict=True) if end > start), default=0)

    # -- memory --------------------------------------------------------------------------------

    def prune(self, horizon: int, now: int) -> None:
        """Remove spans and blocks that ended before `horizon` (ns)."""
        self.lane.drop_before(horizon)
        while self.blocks and (self.blocks[0].end or now) < horizon:
            self.blocks.popleft()

    # -- events --------------------------------------------------------------------------------

    def step(self, t: int, number: int) -> None:
        """STEP: a step of the task begins."""
        task = self._requests.task(number)
        if t <= task.began:
            return  # it has been reported before its end
        self._turn(t, number)
        self._requests.step(task, t)

    def suspend(self, t: int, number: int, awaited: str, due: int) -> None:
        """YIELD: the task's step ends at an await."""
        if number == self._task:  # an eager task's first step is a part of its parent's
            self._turn(t, 0)
        self._requests.suspend(t, number, awaited, due)

    def end(self, t: int, number: int) -> None:
        """END: the task's last step ends."""
        if number == self._task:
            self._turn(t, 0)
        self._requests.end(t, number)

    def sleeps(self, t: int) -> None:
        """IDLE: the loop has nothing to run."""
        self._turn(t, 0)
        self._lag(t)
        self._asleep = True
        self._since = self._turned

    def iterates(self, t: int) -> None:
        """ITERATION: an iteration begins."""
        if self._asleep:
            t = self._turned = max(t, self._turned)
            self.idle += t - self._since
            self._since = t
            self._asleep = False
        else:
            self._lag(t)
            self._iteration = t
            self._turn(t, 0)
        self._iteration = t

    def holds(self, t: int, task: int, since: int, file: str, line: int, function: str, calls: str) -> None:
        """HOLDS: a sample of the line that holds the loop; `since` is when the step began."""
        where = self._shared.where(file, line, function, calls)
        if task and self._requests.task(task).doing is not Doing.RUNNING and since >= self._turned:
            self.step(since, task)  # an eager task's first step is reported only when it ends
        if self._asleep or task != self._task or not self._since:
            return
        if self._held is None:
            self._held = self._stretch()
        self._held.seen_at(where)
        self._requests.step_seen(task, self._held.where)

    def cpu(self, t: int, used: int) -> None:
        """CPU: a reading of the CPU clock of the loop's thread."""
        self.lane.read_clock(t, used)
        self._classify(t)

    def arrived(self, number: int, start: int) -> None:
        """A request is known only now, and arrived at `start`: blocks that lasted then delayed it."""
        for block in reversed(self.blocks):
            if block.end is None or block.end <= start:
                break
            if block.request != number:
                block.victims.append(number)

    # -- stretches -----------------------------------------------------------------------------

    def _stretch(self) -> Block:
        task = self._task
        return Block(self._since, None, self._requests.owner(task), *self._requests.name_of(task))

    def _turn(self, t: int, task: int) -> None:
        """The loop turns to something else: a step of `task`, or callbacks (0)."""
        start = self._since
        t = self._turned = max(t, self._turned)
        if start and not self._asleep:
            length = t - start
            self.lane.busy += length
            if length > BIN:
                held, owner = self._held, self._requests.owner(self._task)
                self.lane.spans.append(Span(start, t, owner, held.where if held else None))
                if length >= self.threshold:
                    self._end_block(held or self._stretch(), t, owner)
            else:
                self.busy_bins.add(start, t)
        self._held = None
        self._task = task
        self._asleep = False
        # Where no iteration can be seen, what the loop does between two steps is not known.
        self._since = t if task or self._iteration else 0

    def _end_block(self, block: Block, end: int, owner: int) -> None:
        block.end = end
        block.victims = self._find_victims(owner, block.start, end)
        self.blocks.append(block)

    def _find_victims(self, owner: int, start: int, now: int) -> list[int]:
        most = self._limits.looks
        self._looks += len(self._requests.lives)
        if most is not None and self._looks > most:
            return []
        return self._requests.delayed(owner, start, now)

    def _lag(self, t: int) -> None:
        if self._iteration:
            length = t - self._iteration
            if length > LAG:
                self.lags.extend((t, length))
                most = self._limits.lags
                if most is not None and len(self.lags) > most:
                    del self.lags[: most // 2]

    # -- sleeping or computing -----------------------------------------------------------------

    def _classify(self, t: int) -> None:
        """Distinguish sleeping from computing, by the CPU clock of the loop's thread."""
        start = self._since
        if start and not self._asleep and t > start:
            inside = self._readings(start)
            if len(inside) > 1:
                (t0, cpu0), (t1, cpu1) = inside[-1], inside[0]
                if self._held is None:
                    self._held = self._stretch()
                self._held.computing = cpu1 - cpu0 >= COMPUTES * (t1 - t0)
        elif self.blocks and self.blocks[-1].computing is None and len(self.lane.samples) > 1:
            # There were no two readings while it lasted: take the one before it and this one.
            block = self.blocks[-1]
            readings = islice(reversed(self.lane.samples), MAX_READINGS)
            before = next((cpu for at, cpu in readings if at <= block.start), None)
            if before is not None and block.end is not None:
                used = self.lane.samples[-1][1] - before
                block.computing = used >= _COMPUTES_AROUND * (block.end - block.start)

    def _readings(self, start: int) -> list[tuple[int, int]]:
        """The CPU readings since `start`, the newest first."""
        found = []
        for sample in islice(reversed(self.lane.samples), MAX_READINGS):
            if sample[0] < start:
                break
            found.append(sample)
        return found
