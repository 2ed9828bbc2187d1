"""The timeline: events in, states out. Pure: no thread, no clock, no terminal.

Feed it events in the order of their time (see `loopviz.stream.buffer.Reorder`); ask it for any moment
up to now. A late event never rewrites what has been told: its time is moved up to the present
of the request that it speaks of, so that segments stay contiguous and sum up to the latency.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from itertools import islice
from typing import Any, cast

from loopviz.model.busy import BIN, BusyBins
from loopviz.model.ended import Ended
from loopviz.model.records import (
    MAX_READINGS,
    MAX_SEGMENTS,
    Block,
    Lane,
    Request,
    Segment,
    Span,
    Tokens,
    Where,
    begun,
)
from loopviz.model.states import SUFFERING, State
from loopviz.stream import events as ev
from loopviz.stream.events import Event

__all__ = ["BLOCK_THRESHOLD", "RETENTION", "Timeline"]

BLOCK_THRESHOLD = 100_000_000
"""A stretch of the loop longer than this is a block (ns)."""
RETENTION = 300_000_000_000
"""How long what has ended is kept (ns)."""
MAX_ENDED = 5_000
"""How many requests that have ended are kept."""
MAX_BURST = 5_000
"""How many requests are looked at to find a burst."""
MAX_OPEN = 50_000
"""How many tasks and calls are followed at once; events may be lost, so their ends may be."""
MAX_WHOLE = 500_000
"""How many requests that have ended, and how many of anything else, are kept of a recording."""
MAX_LANES = 10_000
"""How many threads and processes are told apart."""
MAX_LINES = 100
"""How many lines of one block are told apart."""
MAX_LOOKS = 20_000_000
"""How often it is asked whether a request of a recording was a victim: a forged one has no end of blocks."""
MAX_SHARED = 50_000
"""How many values are known, so that each is kept once."""
LAG = 100_000
"""Iterations shorter than this delay nobody (ns)."""
COMPUTES = 0.05
"""The loop's thread computes if it uses more than this part of a core, and else it sleeps."""

_UNANSWERED = "no whole response: the client has gone"


class _Doing(IntEnum):
    """What a task is at."""

    RUNNING = 0
    READY = 1
    TOKEN_WAIT = 2
    SUSPENDED = 3


@dataclass(slots=True)
class _Task:
    number: int
    request: int
    doing: _Doing = _Doing.READY
    due: int = 0
    woken: bool = False
    """Woken while it was still in its step."""
    wants_token: bool = False
    submitted: int = 0
    """Calls handed to an executor that have not begun."""
    awaits_call: int = 0
    """The worker thread's call whose result it awaits."""
    where: Where | None = None


@dataclass(slots=True)
class _Call:
    task: int
    request: int
    thread: int = 0
    where: Where | None = None


@dataclass(slots=True)
class _Life:
    """The tasks and calls of a request that is under way."""

    request: Request
    root: int = 0
    tasks: dict[int, _Task] = field(default_factory=dict)
    doing: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """How many tasks are at what, by `_Doing`."""
    calls: dict[int, _Call] = field(default_factory=dict)
    """Calls that execute in a worker thread now."""
    dues: list[tuple[int, int]] = field(default_factory=list)
    """A heap of due times and the tasks that sleep until then; outdated entries are skipped."""


class Timeline:
    """Requests, the loop, its blocks and the worker threads, from a stream of events."""

    def __init__(
        self, threshold: int = BLOCK_THRESHOLD, retention: int = RETENTION, *, whole: bool = False
    ) -> None:
        self.whole = whole
        """Whether nothing is let go because it is old: a recording is bounded anyway."""
        self.threshold = threshold
        self.retention = retention
        self.requests: dict[int, Request] = {}
        """Requests kept, by number, in the order of their arrival."""
        self.loop = Lane(0, "loop") if not whole else Lane.endless(0, "loop")
        """The loop's thread; its spans are the stretches longer than `loopviz.model.busy.BIN`."""
        self.busy_bins = BusyBins() if not whole else BusyBins(MAX_WHOLE)
        """The loop's shorter stretches."""
        self.workers: dict[int, Lane] = {}
        """Worker threads and worker processes, by number."""
        self.blocks: deque[Block] = deque(maxlen=MAX_WHOLE if whole else 1_000)
        """Blocks that have ended."""
        self.tokens: deque[tuple[int, Tokens]] = deque(maxlen=MAX_WHOLE if whole else 20_000)
        """The limiter's changes: time, tokens."""
        self.peak = 0
        """The most tokens borrowed at once."""
        self.idle = 0
        """Time that the loop has slept in its selector (ns)."""
        self.events = 0
        self._first = 0
        self.last = 0
        """The time of the newest event."""

        self._lags = array("q")  # end and length of iterations longer than `LAG`, in turn
        self._known_values: dict[object, object] = {}  # what many records share
        self._looks = 0  # at requests, to tell whether they are victims
        self._lives: dict[int, _Life] = {}
        self._ended = Ended()
        self._arrivals: list[Request] = []
        self._arrived = (0, 0)
        self._tasks: dict[int, _Task] = {}
        self._calls: dict[int, _Call] = {}
        self._task = 0  # whose step it is
        self._since = 0  # since when the loop has been at what it is at; 0: not known
        self._turned = 0  # when it last turned to something else
        self._idle = False
        self._iteration = 0
        self._held: Block | None = None
        self._handlers: dict[str, Callable[..., None]] = {
            ev.SENT: self._sent,
            ev.RECEIVED: self._received,
            ev.READ: self._read,
            ev.STATUS: self._status,
            ev.RAISED: self._raised,
            ev.RESPONDED: self._responded,
            ev.TASK: self._task_made,
            ev.WAKE: self._wake,
            ev.STEP: self._step,
            ev.YIELD: self._yield,
            ev.END: self._end,
            ev.TOKEN_WAIT: self._token_wait,
            ev.TOKENS: self._tokens,
            ev.SUBMIT: self._submit,
            ev.CALL: self._call,
            ev.RETURN: self._return,
            ev.RESULT: self._result,
            ev.THREAD: self._thread,
            ev.CPU: self._cpu,
            ev.IDLE: self._idles,
            ev.ITERATION: self._iterates,
            ev.HOLDS: self._holds,
            ev.EXECUTES: self._executes,
            ev.AWAITS: self._awaits,
        }

    # -- what views ask ------------------------------------------------------------------------

    def block_at(self, now: int) -> Block | None:
        """The block that holds the loop at `now`, while it lasts or in hindsight."""
        held = self._held
        if self._since and not self._idle and self._since <= now:
            if now - self._since < self.threshold:
                return None
            return held if held is not None else Block(self._since, None, self._owner())
        for block in begun(self.blocks, now, lambda block: block.start):
            over = block.end is not None and block.end < now
            return None if over or now - block.start < self.threshold else block
        return None

    def blocks_until(self, now: int) -> Iterator[Block]:
        """The blocks that had begun by `now` from the newest on, the one that lasts included."""
        if (held := self.block_at(now)) is not None and held.end is None:
            yield held
        yield from begun(self.blocks, now, lambda block: block.start)

    def victims(self, block: Block, now: int) -> list[int]:
        """The requests that could have run while `block` held the loop, up to `now`."""
        if block.end is None:
            return self._victims(block.request, block.start, now)
        if block.end <= now:
            return block.victims
        known = [self.requests[number] for number in block.victims if number in self.requests]
        return [request.id for request in known if _suffered(request, block.start, now)]

    def running_at(self, now: int) -> int:
        """The request whose step is being executed at `now`; 0 for none. Exact only for the present."""
        return self._owner() if self._since and self._since <= now else 0

    def tokens_at(self, now: int) -> Tokens | None:
        """The limiter as it was at `now`; None before anything is known of it."""
        return next((tokens for _, tokens in self.tokens_until(now)), None)

    def tokens_until(self, now: int) -> Iterator[tuple[int, Tokens]]:
        """The limiter's changes up to `now`, from the newest to the oldest."""
        return begun(self.tokens, now, lambda change: change[0])

    def loop_spans(self, now: int) -> Iterator[Span]:
        """The loop's long stretches up to `now` from the newest on, the one that lasts included."""
        if self._since and not self._idle and self._since < now:
            held = self._held
            yield Span(self._since, now, self._owner(), held.where if held else None)
        yield from begun(self.loop.spans, now, lambda span: span.start)

    def alive_at(self, now: int) -> list[Request]:
        """The requests that were sent, and not yet answered, at `now`."""
        alive = [life.request for life in self._lives.values()]
        alive += self._ended.at(now)
        return [r for r in alive if r.start <= now and (r.done is None or r.done > now)]

    def ended_after(self, t: int) -> list[Request]:
        """The requests whose last task ended after `t`."""
        return [request for request in self._ended.after(t) if request.since > t]

    @property
    def arrivals(self) -> list[Request]:
        """The requests kept, in the order of their arrival; not to be changed."""
        arrived = (len(self.requests), next(reversed(self.requests), 0))
        if self._arrived != arrived:
            self._arrivals, self._arrived = list(self.requests.values()), arrived
        return self._arrivals

    def last_burst(self, now: int) -> list[Request]:
        """The latest requests done by `now` whose lives overlap: back from the one that ended last."""
        burst: list[Request] = []
        start = 0
        arrivals = self.arrivals
        # Requests arrive in the order of their time, but for a few thousandths of a second.
        at = bisect_right(arrivals, now, key=lambda request: request.start)
        for index in range(at - 1, max(-1, at - 1 - MAX_BURST), -1):
            request = arrivals[index]
            if request.done is None or request.done > now:
                continue
            if burst and request.done < start:
                break
            start = min(start, request.start) if burst else request.start
            burst.append(request)
        return burst

    def busy(self, start: int, end: int) -> int:
        """How long the loop was busy between `start` and `end` (ns)."""
        total = self.busy_bins.busy(start, end)
        for span in self.loop_spans(end):
            if span.end <= start:
                break
            total += max(0, min(span.end, end) - max(span.start, start))
        return total

    def lag_since(self, start: int) -> int:
        """The longest iteration that ended after `start` (ns): how late a callback can have come."""
        ends, lengths = islice(self._lags, 0, None, 2), islice(self._lags, 1, None, 2)
        return max((length for end, length in zip(ends, lengths, strict=True) if end > start), default=0)

    @property
    def computed(self) -> int:
        """What all requests have computed: their time on the loop, and their workers' CPU time (ns).

        A worker whose CPU clock cannot be read counts with the time it was at work.
        """
        running = sum(request.totals[State.RUNNING] for request in self.requests.values())
        return running + sum(lane.cpu if lane.samples else lane.busy for lane in self.workers.values())

    @property
    def began(self) -> int:
        """The time of the oldest event that is still told of (ns); 0 before the first."""
        return max(self._first, self.last - self.retention)

    @property
    def sees_iterations(self) -> bool:
        """Whether the loop's iterations, and so its idle time, can be seen."""
        return self._iteration > 0

    @property
    def live(self) -> int:
        """How many requests are under way."""
        return len(self._lives)

    def forget(self) -> None:
        """Let go of every request that has ended, and of the blocks that have."""
        for number in [n for n in self.requests if n not in self._lives]:
            del self.requests[number]
        self._ended.clear()
        self.blocks.clear()

    # -- feeding -------------------------------------------------------------------------------

    def feed(self, events: Iterable[Event]) -> None:
        """Take in events, in the order of their time. Events of unknown kinds are skipped."""
        handlers = self._handlers
        events = list(events)
        if events and not self._first:
            self._first = events[0][0]
        for event in events:
            handler = handlers.get(event[1])
            if handler is not None:
                self.events += 1
                self.last = max(self.last, event[0])
                handler(event[0], *event[2:])
        if self.whole:
            self.prune(self.last)

    def prune(self, now: int) -> None:
        """Let go of what is older than the retention allows."""
        horizon = 0 if self.whole else now - self.retention
        most = MAX_WHOLE if self.whole else MAX_ENDED
        ended = self._ended
        while (oldest := ended.oldest) and (len(ended) > most or oldest.since < horizon):
            self.requests.pop(ended.forget_oldest().id, None)
        for lane in (self.loop, *self.workers.values()):
            while lane.spans and lane.spans[0].end < horizon:
                lane.spans.popleft()
        while self.blocks and (self.blocks[0].end or now) < horizon:
            self.blocks.popleft()
        for life in list(islice(self._lives.values(), max(0, len(self._lives) - MAX_OPEN))):
            life.request.error = life.request.error or "its end was never seen"
            self._finish(life.request, life.request.since)
            self._bury(life, life.request.since)
        for table in (self._tasks, self._calls):
            for number in list(islice(table, max(0, len(table) - MAX_OPEN))):
                del table[number]

    # -- requests ------------------------------------------------------------------------------

    def _begin(self, number: int, method: str, path: str, start: int, *, own: bool) -> _Life:
        request = Request(number, method, path, start, own=own, since=start)
        life = self._lives[number] = _Life(request)
        self.requests[number] = request
        return life

    def _revive(self, request: Request) -> _Life:
        """Its client gave up before the server read it: what the server does now is after the end."""
        request.state, request.ended = State.QUEUED, False
        life = self._lives[request.id] = _Life(request)
        return life

    def _sent(self, t: int, number: int, method: str, path: str) -> None:
        request = self.requests.get(number)
        if request is None:
            self._begin(number, method, path, t, own=True)
            return
        request.own = True
        if t < request.start and len(request.segments) < MAX_SEGMENTS:
            request.segments.appendleft(Segment(State.QUEUED, t, request.start))
            request.add(State.QUEUED, request.start - t)
            request.start = t
            if request.ended:
                request.pack(self._known_values)

    def _read(self, t: int, number: int, method: str, path: str, arrived: int) -> None:
        life = self._lives.get(number)
        if life is None and (request := self.requests.get(number)) is not None:
            if not self._ended.remove(request):
                return  # that was long ago
            life = self._revive(request)
        if life is None:
            start = min(arrived or t, t)
            life = self._begin(number, method, path, start, own=False)
            for block in reversed(self.blocks):
                if block.end is None or block.end <= start:
                    break
                if block.request != number:
                    block.victims.append(number)
        self._go(life.request, State.READY, t)

    def _status(self, t: int, number: int, status: int) -> None:
        if (life := self._lives.get(number)) is not None:
            life.request.status = status

    def _raised(self, t: int, number: int, name: str, message: str) -> None:
        if (life := self._lives.get(number)) is not None:
            life.request.error = f"{name}: {message}" if message else name

    def _responded(self, t: int, number: int) -> None:
        if (life := self._lives.get(number)) is not None and life.request.done is None:
            self._mature(life, t)
            self._finish(life.request, t)
            if not life.tasks:  # its tasks were lost, so no end of theirs will come
                self._bury(life, t)

    def _received(self, t: int, number: int, status: int | None, error: str | None) -> None:
        request = self.requests.get(number)
        if request is None:
            return
        request.received = t
        if request.status is None:
            request.status = status
        if error is not None and request.error is None:
            request.error = error
        elif error is None and request.error == _UNANSWERED:  # it had all it wanted before it went
            request.error = None
        life = self._lives.get(number)
        if life is not None and request.state is State.QUEUED:  # the server never read it
            self._finish(request, t)
            self._bury(life, t)

    def _finish(self, request: Request, t: int) -> None:
        """The response is out: what follows is after it."""
        if request.done is not None:
            return
        state, thread, where = request.state, request.thread, request.where
        self._close(request, t)
        request.done = request.since
        request.state, request.thread, request.where = state, thread, where

    def _bury(self, life: _Life, t: int) -> None:
        request = life.request
        self._close(request, t)
        request.state, request.ended = None, True
        self._lives.pop(request.id, None)
        self._ended.add(request)
        request.pack(self._shared())

    def _shared(self) -> dict[object, object]:
        known = self._known_values
        if len(known) > MAX_SHARED:
            known.clear()
        return known

    def _same_where(self, *line: Any) -> Where:
        """The source line, the same object wherever it is told."""
        where = Where(*line)
        return cast(Where, self._shared().setdefault(where, where))

    def _close(self, request: Request, t: int) -> None:
        """End the open segment at `t`, or now if `t` is in the past of the request."""
        t = max(t, request.since)
        before = request.done is None
        kept = request.segments if before else request.after
        for segment in request.open_segments(t):
            kept.append(segment)
            if before:
                request.add(segment.state, segment.end - segment.start)
        request.since = t

    def _go(
        self,
        request: Request,
        state: State,
        t: int,
        thread: int = 0,
        where: Where | None = None,
        due: int = 0,
    ) -> None:
        if request.state is None:
            return
        if request.state is not state or request.thread != thread:
            self._close(request, t)
            request.state, request.thread, request.where = state, thread, where
        elif request.where is None:
            request.where = where
        request.ready_at = due

    # -- tasks ---------------------------------------------------------------------------------

    def _task_made(self, t: int, number: int, parent: int, request: int, name: str) -> None:
        known = self._tasks.get(number)
        if known is not None and known.request:
            return
        task = self._tasks[number] = _Task(number, request)
        life = self._lives.get(request)
        if life is None:
            return
        self._mature(life, t)
        if not life.root:
            life.root = number
        life.tasks[number] = task
        life.doing[task.doing] += 1
        self._refresh(life, t)

    def _set(self, task: _Task, doing: _Doing, t: int) -> None:
        life = self._lives.get(task.request)
        if life is None or task.number not in life.tasks:
            task.doing = doing
            return
        self._mature(life, t)
        life.doing[task.doing] -= 1
        task.doing = doing
        life.doing[doing] += 1
        if task.due and doing is _Doing.SUSPENDED:
            heappush(life.dues, (task.due, task.number))
        self._refresh(life, t)

    def _mature(self, life: _Life, t: int) -> None:
        """A task whose timer was due by `t` has been ready since then."""
        while life.dues and life.dues[0][0] <= t:
            due, number = heappop(life.dues)
            task = life.tasks.get(number)
            if task is not None and task.due == due and task.doing is _Doing.SUSPENDED:
                life.doing[_Doing.SUSPENDED] -= 1
                life.doing[_Doing.READY] += 1
                task.doing = _Doing.READY
                self._refresh(life, due)

    def _refresh(self, life: _Life, t: int) -> None:
        """The request's state from what its tasks and calls are at: the most active one counts."""
        doing, request = life.doing, life.request
        if doing[_Doing.RUNNING]:
            self._go(request, State.RUNNING, t)
        elif life.calls:
            call = next(iter(life.calls.values()))
            lane = self.workers.get(call.thread)
            state = State.IN_PROCESS if lane is not None and lane.role == "process" else State.IN_THREAD
            self._go(request, state, t, call.thread, call.where)
        elif doing[_Doing.READY]:
            self._go(request, State.READY, t)
        elif doing[_Doing.TOKEN_WAIT]:
            self._go(request, State.TOKEN_WAIT, t, due=self._next_due(life))
        elif doing[_Doing.SUSPENDED]:
            self._go(request, State.AWAITING, t, due=self._next_due(life))

    @staticmethod
    def _next_due(life: _Life) -> int:
        while life.dues:
            due, number = life.dues[0]
            task = life.tasks.get(number)
            if task is not None and task.due == due and task.doing is _Doing.SUSPENDED:
                return due
            heappop(life.dues)
        return 0

    def _known(self, number: int) -> _Task:
        """The task; one whose beginning was missed belongs to no request."""
        task = self._tasks.get(number)
        if task is None:
            task = self._tasks[number] = _Task(number, 0)
        return task

    def _wake(self, t: int, number: int) -> None:
        task = self._known(number)
        task.wants_token = False
        task.awaits_call = 0
        self._ready(task, t)

    def _ready(self, task: _Task, t: int) -> None:
        """It can go on: now, or when its step ends (an eager task's first step has no beginning)."""
        if task.doing in (_Doing.RUNNING, _Doing.READY):
            task.woken = True
        else:
            self._set(task, _Doing.READY, t)

    def _step(self, t: int, number: int) -> None:
        task = self._known(number)
        if number == self._task and task.doing is _Doing.RUNNING and t <= self._since:
            return  # told while it lasted already
        task.woken = False
        task.due = task.awaits_call = 0
        task.where = None
        self._stretch(t, number)
        self._set(task, _Doing.RUNNING, t)

    def _yield(self, t: int, number: int, awaited: str, due: int) -> None:
        task = self._known(number)
        if number == self._task:  # an eager task's first step is a part of its parent's
            self._stretch(t, 0)
        task.due = due
        if task.woken or not awaited or (due and due <= t):
            doing = _Doing.READY
        elif not due and (task.wants_token or task.submitted):
            doing = _Doing.TOKEN_WAIT
        else:
            doing = _Doing.SUSPENDED
        self._set(task, doing, t)

    def _end(self, t: int, number: int) -> None:
        if number == self._task:
            self._stretch(t, 0)
        task = self._tasks.pop(number, None)
        if task is None:
            return
        life = self._lives.get(task.request)
        if life is None or life.tasks.pop(number, None) is None:
            return
        self._mature(life, t)
        life.doing[task.doing] -= 1
        if life.tasks:
            self._refresh(life, t)
        if number == life.root and life.request.done is None:  # it ends without a whole response
            if life.request.error is None and not life.request.received:
                life.request.error = _UNANSWERED
            self._finish(life.request, t)
        if not life.tasks:
            self._bury(life, t)

    # -- worker threads and processes ------------------------------------------------------------------------

    def _token_wait(self, t: int, number: int) -> None:
        self._known(number).wants_token = True

    def _tokens(self, t: int, total: int, borrowed: int, waiting: int) -> None:
        tokens = Tokens(total, borrowed, waiting)
        self.tokens.append((t, cast(Tokens, self._shared().setdefault(tokens, tokens))))
        self.peak = max(self.peak, borrowed)

    def _submit(self, t: int, number: int, task: int, request: int) -> None:
        self._calls[number] = _Call(task, request)
        if (owner := self._tasks.get(task)) is not None:
            owner.submitted += 1
            owner.awaits_call = number

    def _call(
        self, t: int, number: int, task: int, request: int, thread: int, file: str, line: int, function: str
    ) -> None:
        submitted = number in self._calls
        where = self._same_where(file, line, function)
        call = self._calls[number] = _Call(task, request, thread, where)
        lane = self._lane(thread)
        lane.open = Span(t, t, request, where)
        owner = self._tasks.get(task)
        if owner is not None:
            owner.wants_token = False
            owner.submitted -= submitted
            if not submitted:
                owner.awaits_call = number
        life = self._lives.get(request)
        if life is None:
            return
        self._mature(life, t)
        if len(life.calls) < MAX_LANES:
            life.calls[number] = call
        if owner is not None and owner.doing is _Doing.TOKEN_WAIT and not owner.submitted:
            self._set(owner, _Doing.SUSPENDED, t)
        self._refresh(life, t)

    def _return(self, t: int, number: int) -> None:
        call = self._calls.pop(number, None)
        if call is None:
            return
        lane = self.workers.get(call.thread)  # none if its beginning was lost
        if lane is not None and lane.open is not None:
            lane.spans.append(lane.open._replace(end=max(t, lane.open.start), where=call.where))
            lane.busy += max(0, t - lane.open.start)
            lane.open = None
        life = self._lives.get(call.request)
        if life is not None:
            self._mature(life, t)
            life.calls.pop(number, None)
        task = self._tasks.get(call.task)
        if task is not None and not call.thread:
            task.submitted -= 1
        in_process = lane is not None and lane.role == "process"  # its result is still on its way
        if task is not None and task.awaits_call == number and not in_process:
            task.awaits_call = 0
            self._ready(task, t)
        if life is not None:
            self._refresh(life, t)

    def _result(self, t: int, number: int, task: int) -> None:
        """A process's result is here: who awaits it can go on. Its end may not have been told."""
        self._return(t, number)
        owner = self._tasks.get(task)
        if owner is not None and owner.awaits_call == number:
            owner.awaits_call = 0
            self._ready(owner, t)

    def _lane(self, number: int, role: str = "worker") -> Lane:
        lane = self.workers.get(number)
        if lane is None:
            kind = "process" if role == "process" else "thread"
            if len(self.workers) >= MAX_LANES:
                return Lane(number, kind, kind)
            count = 1 + sum(other.role == kind for other in self.workers.values())
            name = f"process {count}" if kind == "process" else f"worker {count}"
            lane = Lane(number, name, kind) if not self.whole else Lane.endless(number, name, kind)
            self.workers[number] = lane
        return lane

    def _thread(self, t: int, number: int, role: str) -> None:
        if role == "loop":
            self.loop.number = number
        else:
            self._lane(number, role)

    def _cpu(self, t: int, number: int, used: int) -> None:
        lane = self.loop if number == self.loop.number else self._lane(number)
        if lane.clock is not None:
            if used < lane.clock and lane.role == "process":
                return  # told late: the next one tells more
            # A thread that has ended leaves its number to another one, whose clock began anew.
            lane.cpu += used - lane.clock if used >= lane.clock else used
        lane.clock = used
        lane.samples.append((t, lane.cpu))
        if lane is self.loop:
            self._judge(t)

    # -- the loop ------------------------------------------------------------------------------

    def _owner(self) -> int:
        task = self._tasks.get(self._task)
        return task.request if task is not None else 0

    def _stretch(self, t: int, task: int) -> None:
        """The loop turns to something else: a step of `task`, or callbacks (0)."""
        start, owner = self._since, self._owner()
        t = self._turned = max(t, self._turned)
        if start and not self._idle:
            length = t - start
            self.loop.busy += length
            if length > BIN:
                where = self._held.where if self._held else None
                self.loop.spans.append(Span(start, t, owner, where))
                if length >= self.threshold:
                    self._end_block(start, t, owner)
            else:
                self.busy_bins.add(start, t)
        self._held = None
        self._task = task
        self._idle = False
        # Where no iteration can be seen, nobody knows what the loop does between two steps.
        self._since = t if task or self._iteration else 0

    def _end_block(self, start: int, end: int, owner: int) -> None:
        block = self._held or Block(start, None, owner)
        block.end = end
        block.victims = self._victims(owner, start, end)
        self.blocks.append(block)

    def _victims(self, owner: int, start: int, now: int) -> list[int]:
        lives = self._lives.items()
        self._looks += len(lives)
        if self.whole and self._looks > MAX_LOOKS:
            return []
        return [n for n, life in lives if n != owner and _suffered(life.request, start, now)]

    def _idles(self, t: int) -> None:
        self._stretch(t, 0)
        self._lag(t)
        self._idle = True
        self._since = self._turned

    def _iterates(self, t: int) -> None:
        if self._idle:
            t = self._turned = max(t, self._turned)
            self.idle += t - self._since
            self._since = t
            self._idle = False
        else:
            self._lag(t)
            self._iteration = t
            self._stretch(t, 0)
        self._iteration = t

    def _lag(self, t: int) -> None:
        if self._iteration:
            length = t - self._iteration
            if length > LAG:
                self._lags.extend((t, length))
                if len(self._lags) > 40_000 and not self.whole:
                    del self._lags[:20_000]

    def _holds(self, t: int, task: int, since: int, file: str, line: int, function: str, calls: str) -> None:
        where = self._same_where(file, line, function, calls)
        if task and self._known(task).doing is not _Doing.RUNNING and since >= self._turned:
            self._step(since, task)  # an eager task's first step is told only when it ends
        if self._idle or task != self._task or not self._since:
            return
        if self._held is None:
            self._held = Block(self._since, None, self._owner())
        if where in self._held.lines or len(self._held.lines) < MAX_LINES:
            self._held.lines[where] += 1
        life = self._lives.get(self._held.request)
        if life is not None and life.request.state is State.RUNNING:
            life.request.where = self._held.where

    def _judge(self, t: int) -> None:
        """Tell sleeping from computing, by the CPU clock of the loop's thread."""
        start = self._since
        if start and not self._idle and t > start:
            inside = self._readings(start)
            if len(inside) > 1:
                (t0, cpu0), (t1, cpu1) = inside[-1], inside[0]
                if self._held is None:
                    self._held = Block(start, None, self._owner())
                self._held.computing = cpu1 - cpu0 >= COMPUTES * (t1 - t0)
        elif self.blocks and self.blocks[-1].computing is None and len(self.loop.samples) > 1:
            # No two readings while it lasted: the one before and this one include its surroundings.
            block = self.blocks[-1]
            readings = islice(reversed(self.loop.samples), MAX_READINGS)
            before = next((cpu for at, cpu in readings if at <= block.start), None)
            if before is not None and block.end is not None:
                used = self.loop.samples[-1][1] - before
                block.computing = used >= (block.end - block.start) / 2

    def _readings(self, start: int) -> list[tuple[int, int]]:
        """The loop thread's CPU readings since `start`, the newest first."""
        found = []
        for sample in islice(reversed(self.loop.samples), MAX_READINGS):
            if sample[0] < start:
                break
            found.append(sample)
        return found

    # -- samples -------------------------------------------------------------------------------

    def _executes(self, t: int, number: int, file: str, line: int, function: str) -> None:
        call = self._calls.get(number)
        if call is None:
            return
        call.where = self._same_where(file, line, function)
        lane = self.workers.get(call.thread)
        if lane is not None and lane.open is not None:
            lane.open = lane.open._replace(where=call.where)
        life = self._lives.get(call.request)
        if life is not None and life.request.state is State.IN_THREAD and life.request.thread == call.thread:
            life.request.where = call.where

    def _awaits(self, t: int, number: int, file: str, line: int, function: str) -> None:
        task = self._tasks.get(number)
        if task is None:
            return
        task.where = self._same_where(file, line, function)
        life = self._lives.get(task.request)
        if life is not None and life.request.state in (State.AWAITING, State.TOKEN_WAIT):
            life.request.where = task.where


def _suffered(request: Request, start: int, now: int) -> bool:
    """Whether it could have run between `start` and `now`, were the loop free."""
    for segment in request.newest_first(now):
        if segment.end <= start:
            break
        if segment.state in SUFFERING and segment.start < now:
            return True
    return False
