"""The worker threads and processes: their calls and CPU clocks, and the limiter of AnyIO's threads.

Calls are reported to `loopviz.model.tasks`, since they decide the states of requests and tasks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from loopviz.model.block import Keeper
from loopviz.model.lane import Lane, Span
from loopviz.model.life import Call
from loopviz.model.limits import MAX_LANES, MAX_LINES, MAX_OPEN, Limits
from loopviz.model.past import begun
from loopviz.model.pools import Pools
from loopviz.model.shared import Shared
from loopviz.model.sightings import Frames
from loopviz.model.states import State
from loopviz.model.tasks import Tasks

__all__ = ["Tokens", "Workers"]


class Tokens(NamedTuple):
    """AnyIO's default limiter: the thread limit, the threads in use, the tasks waiting for a thread."""

    total: int
    """-1 where there is no limit."""
    borrowed: int
    waiting: int


class Workers:
    """The lanes of worker threads and worker processes."""

    def __init__(
        self,
        tasks: Tasks,
        pools: Pools,
        shared: Shared,
        limits: Limits,
        lanes: dict[int, Lane],
        worker: int = 0,
    ) -> None:
        self.lanes = lanes
        """Those of all workers of the server, by number."""
        self.tokens: deque[tuple[int, Tokens]] = deque(maxlen=limits.tokens)
        self.peak = 0
        self.calls: dict[int, Call] = {}
        """Calls that were submitted or have begun, and have not returned."""
        self._tasks = tasks
        self._pools = pools
        self._shared = shared
        self._limits = limits
        self._worker = worker
        self._letter = ""

    def name(self, letter: str) -> None:
        """The server has several workers, and this is the letter of this one."""
        self._letter = letter
        counts: Counter[str] = Counter()
        for lane in self.lanes.values():
            if lane.worker == self._worker:
                counts[lane.role] += 1
                lane.letter, lane.name = letter, self._named(lane.role, counts[lane.role])

    def ends(self, t: int) -> None:
        """WORKER: the process with these threads has ended."""
        for lane in self.lanes.values():
            if lane.worker == self._worker and lane.open is not None:
                lane.close(t, lane.open.where)
        for number in list(self.calls):
            self.returns(t, number)
        if self.tokens:
            self.limiter(t, self.tokens[-1][1].total, 0, 0)

    def tokens_until(self, now: int) -> Iterator[tuple[int, Tokens]]:
        """The limiter's changes up to `now`, and their times, the newest first."""
        return begun(self.tokens, now, lambda change: change[0])

    def prune(self, horizon: int) -> None:
        """Remove spans that ended before `horizon` (ns), and the oldest of too many open calls."""
        for lane in self.lanes.values():
            lane.drop_before(horizon)
        for number in list(islice(self.calls, max(0, len(self.calls) - MAX_OPEN))):
            del self.calls[number]

    # -- events --------------------------------------------------------------------------------

    def limiter(self, t: int, total: int, borrowed: int, waiting: int) -> None:
        """TOKENS: the limiter has changed."""
        self.tokens.append((t, self._shared.same(Tokens(total, borrowed, waiting))))
        self.peak = max(self.peak, borrowed)

    def handed(self, t: int, number: int, task: int, pool: int) -> None:
        """POOL_CALL: a call was handed to a pool. The call may have begun."""
        call = self.calls.get(number)
        if number and call is None:
            return  # it has returned
        self._pools.handed(t, number, task, pool, executes=call is not None and call.thread > 0)

    def submit(self, t: int, number: int, task: int, request: int) -> None:
        """SUBMIT: a call was handed to an executor."""
        call = self.calls[number] = Call(task, request, submitted=True)
        self._tasks.submit(number, call)

    def awaits_call(self, t: int, task: int, call: int, awaits: int) -> None:
        """AWAITS_CALL: a task awaits the call, or does not."""
        self._tasks.awaits_call(t, task, call, self.calls.get(call), awaits)

    def call(
        self, t: int, number: int, task: int, request: int, thread: int, file: str, line: int, function: str
    ) -> None:
        """CALL: a call begins to execute."""
        where = self._shared.where(file, line, function)
        lane = self.lane(thread)
        state = State.IN_PROCESS if lane.role == "process" else State.IN_THREAD
        call = self.calls.setdefault(number, Call(task, request))
        call.thread, call.where, call.state = thread, where, state
        lane.open = Span(t, t, request, where, self._pools.begins(t, number, task, self._worker), where)
        self._tasks.call_begins(t, number, call)

    def returns(self, t: int, number: int) -> None:
        """RETURN: a call has returned, or raised."""
        call = self.calls.pop(number, None)
        if call is None:
            return
        call.over = True
        self._pools.returns(t, number, call.task, began=call.thread > 0)
        lane = self.lanes.get(call.thread)  # None if the call's beginning was lost
        if lane is not None:
            lane.close(t, call.where, call.role)
        in_process = lane is not None and lane.role == "process"  # then its result has not arrived yet
        self._tasks.call_returns(t, number, call, resumes=not in_process)

    def result(self, t: int, number: int, task: int) -> None:
        """RESULT: the result of a process's call has arrived. The return may not have been reported."""
        self.returns(t, number)
        self._tasks.result(t, number, task)

    def executes(self, t: int, number: int, file: str, line: int, function: str) -> None:
        """EXECUTES: a sample of the line at which a call is."""
        self.within(t, number, file, line, function, "")

    def within(self, t: int, number: int, file: str, line: int, function: str, calls: str) -> None:
        """WITHIN: a sample of a call that is in a library's function, which was called for this line."""
        call = self.calls.get(number)
        if call is None:
            return
        where = self._shared.where(file, line, function, calls)
        if where in call.lines or len(call.lines) < MAX_LINES:
            call.lines[where] += 1
        call.latest = where
        call.where = call.lines.most_common(1)[0][0]
        lane = self.lanes.get(call.thread)
        if lane is not None and lane.open is not None:
            lane.open = lane.open._replace(where=call.where)
        self._tasks.call_seen(t, call)

    def frames(self, number: int, frames: Frames) -> None:
        """FRAMES: those of the next sample of the call."""
        call = self.calls.get(number)
        if call is not None:
            call.frames = frames

    def cpu(self, t: int, number: int, used: int) -> None:
        """CPU: a reading of a worker's CPU clock."""
        self.lane(number).read_clock(t, used)

    def switched(self, t: int, number: int, switched: int) -> None:
        """SWITCHED: the most that a worker thread has waited for the GIL."""
        if (lane := self.lanes.get(number)) is not None:
            lane.gil.append((t, switched))

    def waited(self, t: int, number: int, core: int, _: int) -> None:
        """WAITED: how long a worker thread has waited for a core."""
        if (lane := self.lanes.get(number)) is not None:
            lane.core.append((t, core))

    def keeper(
        self, t: int, since: int, number: int, file: str, line: int, function: str, calls: str = ""
    ) -> Keeper | None:
        """The thread that kept the GIL from `since` to `t`, and its call; None without a number."""
        if not number:
            return None
        lane = self.lanes.get(number)
        span = None
        if lane is not None:
            spans = list(islice(lane.newest_first(t), 8))
            span = max(spans, key=lambda one: min(one.end, t) - max(one.start, since), default=None)
        given = self._shared.where(file, line, function, calls) if file else None
        where = given or (span.where if span is not None else None)
        return Keeper(number, span.request if span is not None else 0, where, t - since)

    def lane(self, number: int, role: str = "worker") -> Lane:
        """The lane of a thread or process; a new one where there is none, kept if not too many are."""
        lane = self.lanes.get(number)
        if lane is None:
            kind = "process" if role == "process" else "thread"
            if len(self.lanes) >= MAX_LANES:
                return Lane(number, kind, kind)
            lanes = self.lanes.values()
            count = 1 + sum(other.role == kind and other.worker == self._worker for other in lanes)
            name = self._named(kind, count)
            lane = self.lanes[number] = Lane.within(self._limits, number, name, kind, self._worker)
            lane.letter = self._letter
        return lane

    def _named(self, role: str, count: int) -> str:
        """The name of a lane: ``worker 1``; where the workers are processes, ``thread b1``."""
        if self._letter:
            return f"{role} {self._letter}{count}"
        return f"process {count}" if role == "process" else f"worker {count}"
