"""The event loop: what it does when, its lag, and its blocks, their causes and victims.

The loop's time is divided into stretches: a step of a task, callbacks between two steps, or idle.
Steps are reported to `loopviz.model.tasks`; the requests of `loopviz.model.requests` can be victims.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from loopviz.model.block import Block, By, Keeper, Shares
from loopviz.model.busy import BIN, BusyBins
from loopviz.model.lags import Lags
from loopviz.model.lane import Lane, Span
from loopviz.model.life import Doing
from loopviz.model.limits import Limits
from loopviz.model.past import begun
from loopviz.model.readings import Readings
from loopviz.model.requests import Requests
from loopviz.model.rows import Rows
from loopviz.model.shared import Shared
from loopviz.model.starvation import Starvation
from loopviz.model.starvations import RECORDED, Starvations
from loopviz.model.states import State
from loopviz.model.tasks import Tasks
from loopviz.model.timers import Timers

__all__ = ["Loop"]

_T = TypeVar("_T")

_GAPS = 200
"""Times between two stretches that are remembered."""
_LATEST = 8
"""Blocks that later readings can still classify."""
_PAUSE = 1_000_000
"""The loop has caught up if it was idle for this long (ns): then nothing that it knew of was left to run."""
_UNSEEN_PAUSE = 5_000_000
"""As `_PAUSE`, between two steps where idle time cannot be seen."""
_AFTERWARDS = 20_000_000
"""A callback that holds the loop this long (ns) after a request was woken delays it: what woke the request
was probably another callback before it."""
_STOPS = 50
"""Stops of the whole program that are kept."""
_RECENT = 16
"""Blocks to which victims are still added often."""
_SAMPLES = 20_000_000
"""The time between two samples (ns)."""
_FIRST_SAMPLE = 45_000_000
"""A callback that is sampled this soon (ns) after the loop has turned to callbacks began about then."""


class Loop:
    """The loop's thread."""

    def __init__(
        self,
        requests: Requests,
        rows: Rows,
        tasks: Tasks,
        shared: Shared,
        limits: Limits,
        threshold: int,
        worker: int = 0,
    ) -> None:
        self.threshold = threshold
        self.worker = worker
        """The worker of the server whose loop it is."""
        self.lane = Lane.within(limits, 0, "loop", worker=worker)
        self.busy_bins = BusyBins(limits.bins)
        self.blocks: deque[Block] = deque(maxlen=limits.blocks)
        self.stops: deque[tuple[int, int]] = deque(maxlen=_STOPS)
        """Since when the whole program was stopped, and until when (ns)."""
        self.stopping = 0
        """When it was last seen to be stopped, from another process (ns)."""
        self.starvations = Starvations(requests, limits, threshold, worker)
        self.idle = 0
        self.lags = Lags(limits.lags)
        self.timers = Timers(limits.late)
        self._requests = requests
        self._rows = rows
        self._tasks = tasks
        self._shared = shared
        self._task = 0  # whose step it is
        self._since = 0  # when the present stretch began; 0: not known
        self._turned = 0  # when the loop last turned to something else
        self._asleep = False
        self._iteration = 0  # when the present iteration began; 0: no iteration was ever seen
        self._iterates = 0  # when the first one began
        self._held: Block | None = None  # what the present stretch would be as a block
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_GAPS)  # when it slept, or was not seen
        self._readings = Readings(self.lane, limits, self.stopped_within)
        self.rewritten = 0
        """How often the past was changed: who keeps the GIL is known when it is free again."""
        self._by: By = "callbacks"  # what holds the loop in the present stretch, if no step does
        self._callback = 0  # the callback that was seen in it, and when it was seen last
        self._seen = 0
        self._callers = 0  # the request for which it is called
        self._several = False  # whether there were certainly several callbacks in it
        self._stood = (
            0,
            False,
        )  # since when it stands still for want of the GIL, and whether it slept before

    # -- queries -------------------------------------------------------------------------------

    @property
    def sees_iterations(self) -> bool:
        """Whether an iteration has been seen."""
        return self._iteration > 0

    def block_at(self, now: int) -> Block | None:
        """The block that holds the loop at `now`, present or past."""
        held = self._held
        if self._since and not self._asleep and self._since <= now:
            if not self._is_long(self._since, now):
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
        requests, late = self._requests.by_number, block.late
        known = [requests[number] for number in block.victims if number in requests]
        return [r.id for r in known if r.delayed(block.start, now) or late.get(r.id, now) < now]

    def starvation_at(self, now: int) -> Starvation | None:
        """The starvation that requests suffer at `now`, present or past."""
        unseen = not self._since and now - self._turned >= _UNSEEN_PAUSE
        busy = now >= self._turned and not self._asleep and not unseen
        return self.starvations.at(now, busy=busy)

    def running_at(self, now: int) -> int:
        """The request whose step is being executed, if it began by `now`."""
        return self._rows.owner(self._task) if self._since and self._since <= now else 0

    def spans(self, now: int) -> Iterator[Span]:
        """The long stretches that had begun by `now`, the newest first."""
        if self._since and not self._asleep and self._since < now:
            held = self._held
            yield Span(self._since, now, self._owner(), held.where if held else None)
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
        return self.lags.longest(start)

    def looked(self, now: int) -> int | None:
        """When the loop has last looked at its selector, at `now`; `now` while it sleeps there, or nearly.

        None where iterations are not seen, and where it is not kept.
        """
        if not self._iteration or now < self._iterates:
            return None
        if self._asleep and now >= self._since:
            return now
        if not self._asleep and now >= self._iteration:
            return self._iteration
        return self.lags.began(now)

    # -- memory --------------------------------------------------------------------------------

    def prune(self, horizon: int, now: int) -> None:
        """Remove spans, blocks and starvations that ended before `horizon` (ns)."""
        self.lane.drop_before(horizon)
        while self.blocks and (self.blocks[0].end or now) < horizon:
            self.blocks.popleft()
        self.starvations.prune(horizon)

    # -- events --------------------------------------------------------------------------------

    def step(self, t: int, number: int) -> None:
        """STEP: a step of the task begins."""
        task = self._rows.task(number)
        if t <= task.began:
            return  # it has been reported before its end
        self._turn(t, number)
        if self.starvations.is_long(t):
            self.starvations.waited(self._rows.owner(number), t)
        self.timers.fires(t, number)
        self._tasks.step(task, t)

    def wake(self, t: int, number: int) -> None:
        """WAKE: what the task awaited is done."""
        self.timers.fires(t, number)
        self._tasks.wake(t, number)
        if self.blocks and t < self._turned and (self.blocks[-1].end or t) > t:
            request = self._requests.by_number.get(self._rows.owner(number))
            if request is not None and request.state is State.READY:
                self._delayed_since(request.id, t)

    def late_wake(self, t: int, number: int, since: int) -> None:
        """LATE_WAKE: the task could have run since `since`, had the loop been free."""
        self.timers.fires(t, number)
        request = self._tasks.late_wake(since, number)
        if request:
            self._delayed_since(request, since, during=True)

    def suspend(self, t: int, number: int, awaited: str, due: int) -> None:
        """YIELD: the task's step ends at an await."""
        if number == self._task:  # an eager task's first step is a part of its parent's
            self._turn(t, 0)
        if due:
            self.timers.sleeps(t, number, due)
        self._tasks.suspend(t, number, awaited, due)

    def end(self, t: int, number: int) -> None:
        """END: the task's last step ends."""
        if number == self._task:
            self._turn(t, 0)
        self.timers.fires(t, number)
        self._tasks.end(t, number)

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
            slept = t - self._since
            self.idle += slept
            self._gaps.append((self._since, t))
            self._since = t
            self._asleep = False
            if slept >= _PAUSE:
                self.starvations.pause(t)
        else:
            self._lag(t)
            self._iteration = t
            self._turn(t, 0)
        self._iteration = t
        self._iterates = self._iterates or t

    def holds(self, t: int, task: int, since: int, file: str, line: int, function: str, calls: str) -> None:
        """HOLDS: a sample of the line that holds the loop; `since` is when the step began."""
        where = self._shared.where(file, line, function, calls)
        if task and self._rows.task(task).doing is not Doing.RUNNING and since >= self._turned:
            self.step(since, task)  # an eager task's first step is reported only when it ends
        if self._asleep or task != self._task or not self._since:
            return
        if self._held is None:
            self._held = self._stretch()
        self._held.seen_at(where)
        if task:
            self._tasks.step_seen(t, task, self._held.where, where)

    def callback(self, t: int, number: int, request: int, since: int) -> None:
        """CALLBACK: a sample of what holds the loop, between two steps: this callback."""
        if self._asleep or self._task or not self._since or t < self._since or since > self._since:
            return
        if not number:
            return
        if number != self._callback:
            # It began after the last sample of another one. The time of many short ones is nobody's.
            if self._callback:
                between = self._seen + t
                self._turn(min(between // 2, self._seen + _SAMPLES), 0)
                self._several = True
                self._turn(max(between // 2, t - _SAMPLES), 0)
            self._callback = number
            if t - self._since <= _FIRST_SAMPLE:  # else others may have come before it
                self._callers, self._by = request, "callback"
                if self._held is not None:
                    self._held.request, self._held.by = request, "callback"
        self._seen = t

    def cpu(self, t: int, used: int) -> None:
        """CPU: a reading of the CPU clock of the loop's thread, by itself or by the sampler."""
        samples = self.lane.samples
        if samples and t < samples[-1][0]:
            return  # a newer one has been counted
        self.lane.read_clock(t, used)
        self._classify(t)

    def switched(self, t: int, thread: int, switched: int) -> None:
        """SWITCHED: the most that the loop's thread has waited for the GIL."""
        if thread == self.lane.number:
            self._readings.switched(t, switched)
            self._classify(t)

    def waited(self, t: int, thread: int, core: int, late: int) -> None:
        """WAITED: how long the loop's thread has waited for a core, and the sampler for the GIL."""
        if thread == self.lane.number:
            self._readings.waited(t, core, late)
            self.lane.core.append((t, core))
            self._classify(t)

    def gil(self, t: int, since: int, keeper: Keeper | None) -> None:
        """GIL: a thread kept the GIL from `since` to `t`; several did if there is no `keeper`."""
        if keeper is not None:
            if keeper.thread == self.lane.number:
                for block in self._latest():  # its own steps say what it does
                    block.kept_gil(since, t)
                return
            for block in self._latest():
                _kept_by(block, keeper, since, t)
        gaps = [gap for gap in self._gaps if gap[1] > since and gap[0] < t]
        # A loop that is not seen when it sleeps (uvloop's) is not seen between its steps.
        open_gap = self._since if self._asleep else 0 if self._since else self._turned
        if open_gap and open_gap < t:
            gaps.append((open_gap, t))
        if keeper is not None and gaps:  # one thread kept it, so the loop did not run in between
            gaps = [max(gaps, key=lambda gap: min(gap[1], t) - max(gap[0], since))]
        for start, end in gaps:
            self._keep_waiting(*self._longest_run(max(start, since), min(end, t)), start, keeper)

    def keeps(self, t: int, since: int, keeper: Keeper | None) -> None:
        """KEEPS: a thread keeps the GIL at `t`, and has from `since` on; or, without one, that is over."""
        if keeper is None:
            self._released(t)
            return
        stands = self._asleep or not self._since
        if stands:
            self._stands_still(max(since, self._since, self._turned))
        if self._held is None:
            self._held = self._stretch()
        if keeper.thread == self.lane.number:
            self._held.kept_gil(since, t)
            return
        _kept_by(self._held, keeper, since, t)
        if stands:
            self._held.shares, self._held.classified = Shares(0.0, 0.0, 1.0), True
        else:
            self._classify(t)

    def _stands_still(self, t: int) -> None:
        """From `t` on the loop cannot run, although it has nothing to run, or is not seen."""
        slept = self._asleep
        if slept:
            self.idle += max(0, t - self._since)
            self._gaps.append((self._since, t))
            self._iteration = self._iteration and t  # its selector cannot return
        self._asleep = False
        self._since = self._turned = t
        self._stood = (t, slept)

    def _released(self, t: int) -> None:
        """The GIL is free again. Where the loop does not say so itself, it goes on as it was."""
        began, slept = self._stood
        if not began or began != self._since or self._asleep or self._task:
            return
        self._turn(t, 0)
        self._asleep = slept
        self._since = self._turned if slept else 0

    def stopped(self, t: int, since: int) -> None:
        """STOPPED: the whole program was stopped from `since` to `t`. That holds no loop."""
        if self.stops and self.stops[-1][1] >= since:  # it is reported while it lasts
            since = min(since, self.stops.pop()[0])
            self.stopping = t
        self.stops.append((since, t))
        self.rewritten += 1
        for block in list(islice(reversed(self.blocks), _LATEST)):
            if block.end is not None and not self._is_long(block.start, block.end):
                self.blocks.remove(block)

    def ends(self, t: int) -> None:
        """WORKER: the worker's process has ended. Nothing is known of its loop until it is started again."""
        self._turn(t, 0)
        self._since = 0
        self.timers.clear()

    def stopped_within(self, start: int, end: int) -> int:
        """For how much of this time (ns) the whole program was stopped."""
        return sum(max(0, min(end, until) - max(start, since)) for since, until in self.stops)

    def _longest_run(self, start: int, end: int) -> tuple[int, int]:
        """The longest part of this time in which the program was not stopped: a stop is no wait."""
        parts, after = [], start
        for since, until in self.stops:
            if until > after and since < end:
                parts.append((after, max(after, since)))
                after = until
        parts.append((after, max(after, end)))
        return max(parts, key=lambda part: part[1] - part[0])

    def _is_long(self, start: int, end: int) -> bool:
        """Whether a stretch is a block."""
        lasted = end - start
        if lasted >= self.threshold and self.stops:
            lasted -= self.stopped_within(start, end)
        return lasted >= self.threshold

    def name(self, letter: str) -> None:
        """There are several workers, and this is the letter of this one."""
        self.lane.letter = self.starvations.letter = letter
        for block in (*self.blocks, *filter(None, (self._held,))):
            block.letter = letter
        for starvation in self.starvations.past:
            starvation.letter = letter

    def spares(self, number: int, t: int) -> None:
        """BEHIND: the request, which is known only since `t`, could not have run: no block has delayed it."""
        for block in reversed(self.blocks):
            if block.end is None or block.end <= t or not self._shared.look():
                break
            block.spares(number)

    def arrived(self, number: int, start: int) -> None:
        """A request is known only now, and arrived at `start`: blocks that lasted then delayed it."""
        for block in reversed(self.blocks):
            if block.end is None or block.end <= start or not self._shared.look():
                break
            if block.request != number:
                block.delays(number)

    def _delayed_since(self, request: int, since: int, *, during: bool = False) -> None:
        """It is known only now that the request could run since `since`: later blocks delayed it.

        `during` says whether a block that lasted at that time did: not the one that has woken it.
        """
        for block in reversed(self.blocks):
            if block.end is None or block.end <= since or not self._shared.look():
                break
            if block.start <= since and not during:
                continue
            if block.request != request and block.delays(request):
                block.late[request] = since

    # -- stretches -----------------------------------------------------------------------------

    def _stretch(self) -> Block:
        by: By = "step" if self._task else self._by
        named = self._rows.name_of(self._task)
        letter = self.lane.letter
        return Block(self._since, None, self._owner(), *named, by=by, worker=self.worker, letter=letter)

    def _owner(self) -> int:
        """The request that holds the loop in the present stretch."""
        return self._rows.owner(self._task) if self._task else self._callers

    def _turn(self, t: int, task: int) -> None:
        """The loop turns to something else: a step of `task`, or callbacks (0)."""
        start, before = self._since, self._turned
        t = self._turned = max(t, before)
        if not start and before:
            self._gaps.append((before, t))
        if start and not self._asleep:
            length = t - start
            self.lane.busy += length
            if t - self.starvations.run > RECORDED:
                where = self._held.where if self._held is not None else None
                self.starvations.recent.add(t, length, self._owner(), where, step=self._task > 0)
            if length > BIN:
                self._end_stretch(start, t)
            else:
                self.busy_bins.add(start, t)
        elif not self._asleep and t - before >= _UNSEEN_PAUSE:
            self.starvations.pause(t)
        self._held = None
        if self._callback or self._several:
            self._callback = self._callers = 0
            self._several, self._by = False, "callbacks"
        self._task = task
        self._asleep = False
        # Where no iteration can be seen, what the loop does between two steps is not known.
        self._since = t if task or self._iteration else 0

    def _end_stretch(self, start: int, end: int) -> None:
        """A stretch ends that is long enough for a span, and perhaps for a block."""
        held, owner = self._held, self._owner()
        if self._by == "callback" and end - self._seen > _FIRST_SAMPLE:
            self._by = "callbacks"  # others may have followed the one that was seen
            if held is not None:
                held.by = self._by
        self.lane.spans.append(Span(start, end, owner, held.where if held else None))
        if not self._several and self._is_long(start, end):
            self._end_block(held or self._stretch(), end, owner)

    def _end_block(self, block: Block, end: int, owner: int) -> None:
        block.end = end
        block.victims = self._find_victims(owner, block.start, end)
        self.blocks.append(block)
        if len(self.blocks) > _RECENT:
            self.blocks[-_RECENT].settle()
        if self.starvations.is_long(block.start):
            for number in block.victims:
                self.starvations.waited(number, block.start)
        self.starvations.pause(end)

    def _find_victims(self, owner: int, start: int, now: int) -> list[int]:
        if not self._shared.look(len(self._requests.lives)):
            return []
        delayed = self._requests.delayed(self.worker, owner, start, now)
        # What the step itself has woken could not have run without it.
        enough = now - _AFTERWARDS if not self._task else start - 1
        lives = self._requests.lives
        return [
            number
            for number in delayed
            if not start <= (woken := lives[number].woken) < now
            or woken <= enough
            or lives[number].request.delayed(start, woken)
        ]

    def _lag(self, t: int) -> None:
        if self._iteration:
            self.lags.add(t, t - self._iteration)

    # -- waiting for the GIL -------------------------------------------------------------------

    def _keep_waiting(self, start: int, end: int, gap: int, keeper: Keeper | None) -> None:
        """The loop was idle, or not seen, since `gap`; from `start` to `end` it could not have run."""
        length = end - start
        if length <= BIN:
            return
        self.rewritten += 1
        asleep = self._asleep and gap == self._since
        if asleep:
            self.idle += max(0, start - gap)
            self._since = self._turned = max(end, self._turned)
            self._gaps.append((gap, start))
        elif any(known == gap for known, _ in self._gaps):
            after = next(until for known, until in self._gaps if known == gap)
            self._gaps.remove((gap, after))
            self._gaps.extend((one, two) for one, two in ((gap, start), (end, after)) if one < two)
            if self._iteration:
                self.idle = max(0, self.idle - length)
        else:
            self._turned = max(self._turned, end)
        self.lane.busy += length
        request, where = (keeper.request, keeper.where) if keeper is not None else (0, None)
        _insert(self.lane.spans, Span(start, end, request, where), lambda span: span.start, self._shared)
        self.lags.add(end, length)
        if length >= self.threshold:
            block = Block(start, end, 0, shares=Shares(0.0, 0.0, 1.0), classified=True, worker=self.worker)
            block.letter = self.lane.letter
            if keeper is not None:
                _kept_by(block, keeper, start, end)
            block.victims = self._requests.delayed_then(self.worker, request, start, end)
            _insert(self.blocks, block, lambda block: block.start, self._shared)

    # -- sleeping, computing, or waiting for the GIL -------------------------------------------

    def _classify(self, t: int) -> None:
        """What the loop's thread did in its present stretch, and in blocks of which that is not known."""
        start = self._since
        if start and not self._asleep and t > start:
            shares = self._readings.shares(start, t, self._at(start))
            if shares is not None:
                if self._held is None:
                    self._held = self._stretch()
                if not self._held.classified:
                    self._held.shares = shares
        for block in islice(reversed(self.blocks), _LATEST):
            if block.end is not None and not block.classified:
                block.shares = self._readings.shares(block.start, block.end, block) or block.shares
                # A reading by the loop's thread, at the very end, is from before the sampler got the GIL.
                block.classified = self._readings.latest > block.end

    def _at(self, start: int) -> Block | None:
        """The block that began at `start`, if it is one of the latest."""
        return next((block for block in self._latest() if block.start == start), None)

    def _latest(self) -> list[Block]:
        return [*filter(None, (self._held,)), *islice(reversed(self.blocks), _LATEST)]


def _kept_by(block: Block, keeper: Keeper, since: int, t: int) -> None:
    """Name the thread that kept the GIL from `since` to `t`, if none kept it longer in that block."""
    kept = (t if block.end is None else min(block.end, t)) - max(block.start, since)
    if kept > 0 and (block.keeper is None or kept > block.keeper.kept):
        block.keeper = keeper._replace(kept=kept)


def _insert(kept: deque[_T], new: _T, start: Callable[[_T], int], shared: Shared) -> None:
    """Put something that is known only now where it belongs in the order of time."""
    index = len(kept)
    while index and start(kept[index - 1]) > start(new):
        if not shared.look():
            return
        index -= 1
    if kept.maxlen is not None and len(kept) == kept.maxlen:
        if not index:
            return
        kept.popleft()
        index -= 1
    kept.insert(index, new)
