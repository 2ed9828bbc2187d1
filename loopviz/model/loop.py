"""The event loop: what it does when, its lag, and its blocks, their causes and victims.

The loop's time is divided into stretches: a step of a task, callbacks between two steps, or idle.
Steps are reported to `loopviz.model.requests`, whose requests can be victims.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from loopviz.model.block import Block, By, Keeper, Shares
from loopviz.model.busy import BIN, BusyBins
from loopviz.model.lane import Lane, Span
from loopviz.model.life import Doing
from loopviz.model.limits import MAX_READINGS, Limits
from loopviz.model.past import begun
from loopviz.model.requests import Requests
from loopviz.model.shared import Shared
from loopviz.model.starvation import Recent, Starvation
from loopviz.model.states import DELAYED, State

__all__ = ["Loop"]

_T = TypeVar("_T")

LAG = 100_000
"""Iterations shorter than this delay no request (ns)."""
_GAPS = 200
"""Times between two stretches that are remembered."""
_RIVALRY = 0.1
"""The sampler must have waited for the GIL in this part of a time, else nobody else wanted the GIL."""
_CORE_WAIT = 10.0
"""Who computes waits no longer for a core than this many times its CPU time, however busy the machine is."""
_UNCLEAR = 0.3
"""A thread that waits for a core in this part of a time, and hardly uses one, does not sleep either."""
_SAMPLED = 0.25
"""What the sampler adds to the limit of the wait for the GIL while a thread computes: 5 ms in every 20 ms."""
_LATEST = 8
"""Blocks that later readings can still classify."""
_PAUSE = 1_000_000
"""The loop has caught up if it was idle for this long (ns): then nothing that it knew of was left to run."""
_UNSEEN_PAUSE = 5_000_000
"""As `_PAUSE`, between two steps where idle time cannot be seen."""
_RECORDED = 20_000_000
"""What the loop does is summed up once it has been busy for this long (ns)."""
_AFTERWARDS = 20_000_000
"""A callback that holds the loop this long (ns) after a request was woken delays it: what woke the request
was probably another callback before it."""
_SAMPLES = 20_000_000
"""The time between two samples (ns)."""
_FIRST_SAMPLE = 45_000_000
"""A callback that is sampled this soon (ns) after the loop has turned to callbacks began about then."""


class Loop:
    """The loop's thread."""

    def __init__(self, requests: Requests, shared: Shared, limits: Limits, threshold: int) -> None:
        self.threshold = threshold
        self.lane = Lane.within(limits, 0, "loop")
        self.busy_bins = BusyBins(limits.bins)
        self.blocks: deque[Block] = deque(maxlen=limits.blocks)
        self.starvations: deque[Starvation] = deque(maxlen=limits.blocks)
        """Times of starvation, up to the latest; `tell` brings the latest one's culprits up to date."""
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
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_GAPS)  # when it slept, or was not seen
        # Readings of what the loop's thread waits for, and how long the sampler has waited for the GIL.
        self._switches: deque[tuple[int, int]] = deque(maxlen=limits.readings)
        self._waits: deque[tuple[int, int]] = deque(maxlen=limits.readings)
        self._late: deque[tuple[int, int]] = deque(maxlen=limits.readings)
        self.rewritten = 0
        """How often the past was changed: who keeps the GIL is known when it is free again."""
        self._by: By = "callbacks"  # what holds the loop in the present stretch, if no step does
        self._callback = 0  # the callback that was seen in it, and when it was seen last
        self._seen = 0
        self._callers = 0  # the request for which it is called
        self._several = False  # whether there were certainly several callbacks in it
        self._run = 0  # since when the loop has been busy without a pause, and without a block; 0: not known
        self._recent = Recent()

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
        requests, late = self._requests.by_number, block.late
        known = [requests[number] for number in block.victims if number in requests]
        return [r.id for r in known if r.delayed(block.start, now) or late.get(r.id, now) < now]

    def starvation_at(self, now: int) -> Starvation | None:
        """The starvation that requests suffer at `now`, present or past."""
        if self._run and now >= self._turned and not self._asleep:
            unseen = not self._since and now - self._turned >= _UNSEEN_PAUSE
            if not unseen and now - self._run >= self.threshold and (found := self._starving(now)):
                return found
        for starvation in begun(self.starvations, now, lambda starvation: starvation.start):
            over = starvation.end is not None and starvation.end < now
            if over or now - starvation.start < self.threshold:
                return None
            self.tell()
            return self._as_of(starvation, now)
        return None

    def tell(self) -> None:
        """Bring the culprits of the latest starvation up to date."""
        if self.starvations:
            latest = self.starvations[-1]
            if latest.start >= self._run:  # else that was done when the loop paused
                self._recent.tell(latest, latest.end or self._turned)

    def running_at(self, now: int) -> int:
        """The request whose step is being executed, if it began by `now`."""
        return self._requests.owner(self._task) if self._since and self._since <= now else 0

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
        ends, lengths = islice(self.lags, 0, None, 2), islice(self.lags, 1, None, 2)
        return max((length for end, length in zip(ends, lengths, strict=True) if end > start), default=0)

    # -- memory --------------------------------------------------------------------------------

    def prune(self, horizon: int, now: int) -> None:
        """Remove spans, blocks and starvations that ended before `horizon` (ns)."""
        self.lane.drop_before(horizon)
        while self.blocks and (self.blocks[0].end or now) < horizon:
            self.blocks.popleft()
        while self.starvations and (self.starvations[0].end or now) < horizon:
            self.starvations.popleft()

    # -- events --------------------------------------------------------------------------------

    def step(self, t: int, number: int) -> None:
        """STEP: a step of the task begins."""
        task = self._requests.task(number)
        if t <= task.began:
            return  # it has been reported before its end
        self._turn(t, number)
        if self._run and t - self._run >= self.threshold:
            self._waited(self._requests.owner(number), t)
        self._requests.step(task, t)

    def wake(self, t: int, number: int) -> None:
        """WAKE: what the task awaited is done."""
        self._requests.wake(t, number)
        if self.blocks and t < self._turned and (self.blocks[-1].end or t) > t:
            request = self._requests.by_number.get(self._requests.owner(number))
            if request is not None and request.state is State.READY:
                self._delayed_since(request.id, t)

    def late_wake(self, t: int, number: int, since: int) -> None:
        """LATE_WAKE: the task could have run since `since`, had the loop been free."""
        request = self._requests.late_wake(since, number)
        if request:
            self._delayed_since(request, since, during=True)

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
            slept = t - self._since
            self.idle += slept
            self._gaps.append((self._since, t))
            self._since = t
            self._asleep = False
            if slept >= _PAUSE:
                self.tell()
                self._run = t
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
        if task:
            self._requests.step_seen(task, self._held.where)

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
            self._switches.append((t, switched))
            self._classify(t)

    def waited(self, t: int, thread: int, core: int, late: int) -> None:
        """WAITED: how long the loop's thread has waited for a core, and the sampler for the GIL."""
        if thread == self.lane.number:
            self._waits.append((t, core))
            self._late.append((t, late))
            self._classify(t)

    def gil(self, t: int, since: int, keeper: Keeper | None) -> None:
        """GIL: a thread kept the GIL from `since` to `t`; several did if there is no `keeper`."""
        if keeper is not None:
            if keeper.thread == self.lane.number:
                return  # it computes, and its own steps say so
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
            self._keep_waiting(max(start, since), min(end, t), start, keeper)

    def arrived(self, number: int, start: int) -> None:
        """A request is known only now, and arrived at `start`: blocks that lasted then delayed it."""
        for block in reversed(self.blocks):
            if block.end is None or block.end <= start:
                break
            if block.request != number and number not in block.victims:
                block.victims.append(number)

    def _delayed_since(self, request: int, since: int, *, during: bool = False) -> None:
        """It is known only now that the request could run since `since`: later blocks delayed it.

        `during` says whether a block that lasted at that time did: not the one that has woken it.
        """
        for block in reversed(self.blocks):
            if block.end is None or block.end <= since:
                break
            if block.start <= since and not during:
                continue
            if block.request != request and request not in block.victims:
                block.victims.append(request)
                block.late[request] = since

    # -- stretches -----------------------------------------------------------------------------

    def _stretch(self) -> Block:
        by: By = "step" if self._task else self._by
        return Block(self._since, None, self._owner(), *self._requests.name_of(self._task), by=by)

    def _owner(self) -> int:
        """The request that holds the loop in the present stretch."""
        return self._requests.owner(self._task) if self._task else self._callers

    def _turn(self, t: int, task: int) -> None:
        """The loop turns to something else: a step of `task`, or callbacks (0)."""
        start, before = self._since, self._turned
        t = self._turned = max(t, before)
        if not start and before:
            self._gaps.append((before, t))
        if start and not self._asleep:
            length = t - start
            self.lane.busy += length
            if t - self._run > _RECORDED:
                where = self._held.where if self._held is not None else None
                self._recent.add(t, length, self._owner(), where, step=self._task > 0)
            if length > BIN:
                self._end_stretch(start, t)
            else:
                self.busy_bins.add(start, t)
        elif not self._asleep and t - before >= _UNSEEN_PAUSE:
            self.tell()
            self._run = t
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
        if end - start >= self.threshold and not self._several:
            self._end_block(held or self._stretch(), end, owner)

    def _end_block(self, block: Block, end: int, owner: int) -> None:
        block.end = end
        block.victims = self._find_victims(owner, block.start, end)
        self.blocks.append(block)
        if self._run and block.start - self._run >= self.threshold:
            for number in block.victims:
                self._waited(number, block.start)
        self.tell()
        self._run = end

    def _find_victims(self, owner: int, start: int, now: int) -> list[int]:
        most = self._limits.looks
        self._looks += len(self._requests.lives)
        if most is not None and self._looks > most:
            return []
        delayed = self._requests.delayed(owner, start, now)
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

    # -- starvation ----------------------------------------------------------------------------

    def _waited(self, number: int, until: int) -> None:
        """The request may have waited up to `until`: if it was for long, that is starvation."""
        life = self._requests.lives.get(number)
        if life is None or life.request.done is not None:
            return
        request = life.request
        before = request.segments[-1].state if request.segments else None
        if until - request.since < self.threshold and before not in DELAYED:
            return  # the usual case: it has not even been in its present state for long
        since = max(self._run, request.delayed_since(until))
        if until - since < self.threshold:
            return
        latest = self.starvations[-1] if self.starvations else None
        if latest is None or latest.end is None or not self._goes_on(latest, since):
            self.tell()
            latest = Starvation(since, until)
            self.starvations.append(latest)
        latest.start, latest.end = min(latest.start, since), max(latest.end or until, until)
        latest.add(number, since, until)

    def _goes_on(self, latest: Starvation, since: int) -> bool:
        """Whether a wait that began at `since` is a part of the latest starvation."""
        return latest.start >= self._run and since - (latest.end or since) < self.threshold

    def _as_of(self, starvation: Starvation, now: int) -> Starvation | None:
        """A starvation of the past as far as it had come by `now`; None if nobody had waited long then."""
        over = starvation.end is not None and starvation.end <= now
        found = Starvation(
            starvation.start, starvation.end if over else None, {}, starvation.steps, starvation.culprits
        )
        requests = self._requests.by_number
        for number, (since, until) in starvation.waits.items():
            if until <= now:
                found.add(number, since, until)
            elif (request := requests.get(number)) is not None:
                since = max(starvation.start, request.delayed_since(now))  # noqa: PLW2901
                if now - since >= self.threshold:
                    found.add(number, since, now)
        return found if found.waits else None

    def _starving(self, now: int) -> Starvation | None:
        """The starvation that lasts, if a request has waited long enough by `now`."""
        found = Starvation(now, None)
        for number, life in self._requests.lives.items():
            if life.request.done is None:
                since = max(self._run, life.request.delayed_since(now))
                if now - since >= self.threshold:
                    found.start = min(found.start, since)
                    found.add(number, since, now)
        if not found.waits:
            return None
        latest = self.starvations[-1] if self.starvations else None
        if latest is not None and self._goes_on(latest, found.start):
            found.start = min(found.start, latest.start)
            found.waits = latest.waits | found.waits
        self._recent.tell(found, now)
        return found

    def _lag(self, t: int) -> None:
        if self._iteration:
            length = t - self._iteration
            if length > LAG:
                self.lags.extend((t, length))
                most = self._limits.lags
                if most is not None and len(self.lags) > most:
                    del self.lags[: most // 2]

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
        _insert(self.lane.spans, Span(start, end, request, where), lambda span: span.start)
        self.lags.extend((end, length))
        if length >= self.threshold:
            block = Block(start, end, 0, shares=Shares(0.0, 0.0, 1.0), classified=True)
            if keeper is not None:
                _kept_by(block, keeper, start, end)
            block.victims = self._requests.delayed_then(request, start, end)
            _insert(self.blocks, block, lambda block: block.start)

    # -- sleeping, computing, or waiting for the GIL -------------------------------------------

    def _classify(self, t: int) -> None:
        """What the loop's thread did in its present stretch, and in blocks of which that is not known."""
        start = self._since
        if start and not self._asleep and t > start:
            shares = self._shares(start, t)
            if shares is not None:
                if self._held is None:
                    self._held = self._stretch()
                self._held.shares = shares
        for block in islice(reversed(self.blocks), _LATEST):
            if block.end is not None and not block.classified:
                block.shares = self._shares(block.start, block.end) or block.shares
                # A reading by the loop's thread, at the very end, is from before the sampler got the GIL.
                block.classified = bool(self._late) and self._late[-1][0] > block.end

    def _shares(self, start: int, end: int) -> Shares | None:
        """What it did from `start` to `end`, by the readings that are nearest to both."""
        used = _rise(self.lane.samples, start, end)
        if used is None:
            return None
        cpu = min(1.0, max(0.0, used))
        if not self._late:
            return Shares(cpu, 0.0, None if self._kept(start, end) else 0.0)
        wanted = min(1 - cpu, max(0.0, _rise(self._waits, start, end) or 0.0))
        late = _around(self._late, start, end) / (end - start)
        if late < _RIVALRY:
            core = min(wanted, _CORE_WAIT * cpu)
            return Shares(cpu, core, 0.0 if wanted - core < _UNCLEAR else None)
        switched = _rise(self._switches, start, end)
        if switched is None:
            return Shares(cpu, wanted, None)
        # The sampler itself makes a thread that computes give up the GIL once in each of its rounds.
        asked = min(1 - cpu - wanted, max(0.0, switched - _SAMPLED * (cpu + wanted)))
        # Who only asks for the GIL, 200 times a second, waits for a core as well as who computes.
        core = wanted * cpu / (cpu + asked) if asked > 0 else wanted
        gil = asked + wanted - core
        # The sampler has not seen the thread, since it waited for the GIL itself: whether the thread
        # slept, or waited for another one that had to wait for the GIL, cannot be told.
        block = self._at(start)
        unseen = (block is None or not block.lines) and 1 - cpu - core - gil > max(gil, cpu + core)
        return Shares(cpu, core, None if unseen else gil)

    def _at(self, start: int) -> Block | None:
        """The block that began at `start`, if it is one of the latest."""
        return next((block for block in self._latest() if block.start == start), None)

    def _latest(self) -> list[Block]:
        return [*filter(None, (self._held,)), *islice(reversed(self.blocks), _LATEST)]

    def _kept(self, start: int, end: int) -> bool:
        """Whether another thread is known to have kept the GIL for most of a block."""
        block = self._at(start)
        return block is not None and block.keeper is not None and 2 * block.keeper.kept > end - start


def _kept_by(block: Block, keeper: Keeper, since: int, t: int) -> None:
    """Name the thread that kept the GIL from `since` to `t`, if none kept it longer in that block."""
    kept = (t if block.end is None else min(block.end, t)) - max(block.start, since)
    if kept > 0 and (block.keeper is None or kept > block.keeper.kept):
        block.keeper = keeper._replace(kept=kept)


def _rise(readings: deque[tuple[int, int]], start: int, end: int) -> float | None:
    """How fast a counter rose from `start` to `end`, by the nearest readings; None if they are too far."""
    first = last = None
    for reading in islice(reversed(readings), MAX_READINGS):
        if last is None or abs(reading[0] - end) < abs(last[0] - end):
            last = reading
        if first is None or abs(reading[0] - start) <= abs(first[0] - start):
            first = reading
        if reading[0] <= start:
            break
    if first is None or last is None:
        return None
    covered = min(last[0], end) - max(first[0], start)
    return (last[1] - first[1]) / covered if covered > 0 and covered * 2 >= end - start else None


def _around(readings: deque[tuple[int, int]], start: int, end: int) -> int:
    """How much a counter rose between the last reading before `start` and the first one after `end`."""
    first = last = None
    for reading in islice(reversed(readings), MAX_READINGS):
        if last is None or reading[0] > end:
            last = reading
        first = reading
        if reading[0] <= start:
            break
    return last[1] - first[1] if first is not None and last is not None else 0


def _insert(kept: deque[_T], new: _T, start: Callable[[_T], int]) -> None:
    """Put something that is known only now where it belongs in the order of time."""
    index = len(kept)
    while index and start(kept[index - 1]) > start(new):
        index -= 1
    if kept.maxlen is not None and len(kept) == kept.maxlen:
        if not index:
            return
        kept.popleft()
        index -= 1
    kept.insert(index, new)
