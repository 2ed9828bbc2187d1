"""The timeline: events in, states out. Pure: no thread, no clock, no terminal.

Feed it events in the order of their time (see `loopviz.stream.buffer.Reorder`); query it for any moment
up to now. A late event never rewrites what was shown: its time is moved up to the present of the request
that it belongs to, so that segments stay contiguous and add up to the latency.

A `Timeline` joins its parts: the requests, the tasks and the rows in which they count, and the processes of
the server: one, or several workers, each with a loop and threads. These report steps and calls to the tasks;
the timeline sends each event to its part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from loopviz.model.block import BLOCK_THRESHOLD, Block
from loopviz.model.bursts import Burst, Bursts
from loopviz.model.children import Child
from loopviz.model.health import Health
from loopviz.model.incidents import Incident
from loopviz.model.lane import Lane, Span
from loopviz.model.limits import LIVE, MAX_INCIDENTS, WHOLE, Limits
from loopviz.model.pools import Pools
from loopviz.model.process import Process
from loopviz.model.processes import Processes
from loopviz.model.request import Request
from loopviz.model.requests import Requests
from loopviz.model.rows import Rows
from loopviz.model.shared import Shared
from loopviz.model.sources import Sources
from loopviz.model.starvation import Starvation
from loopviz.model.states import State
from loopviz.model.tasks import Tasks
from loopviz.model.workers import Tokens
from loopviz.stream import events as ev
from loopviz.stream.endings import GIVEN_UP
from loopviz.stream.events import Event
from loopviz.stream.several import parted

__all__ = ["RETENTION", "Timeline"]

_STOPPED = 250_000_000
"""A process that was seen to be stopped is taken to be so for this long (ns)."""
RETENTION = 300_000_000_000
"""How long what has ended is kept (ns)."""


class Timeline:
    """Requests, the loop, its blocks and the worker threads, from a stream of events.

    All times are nanoseconds of `loopviz.clock`. The collections are not to be changed.
    """

    def __init__(
        self,
        threshold: int = BLOCK_THRESHOLD,
        retention: int = RETENTION,
        *,
        whole: bool = False,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or (WHOLE if whole else LIVE)
        shared = Shared(limits.looks)
        self._requests = requests = Requests(shared, limits)
        self._bursts = bursts = Bursts(requests)
        self._rows = rows = Rows(requests, limits, shared)
        pools = Pools(limits)
        tasks = Tasks(requests, rows, pools, shared)
        lanes: dict[int, Lane] = {}

        def process(worker: int) -> Process:
            return Process(worker, requests, rows, tasks, pools, shared, limits, threshold, lanes)

        self._processes = processes = Processes(process, requests)
        self._loop = loop = processes.first.loop

        self.whole = whole
        """Whether everything is kept, however old it is: a recording is bounded anyway."""
        self.retention = retention
        """How long what has ended is kept (ns), unless everything is."""
        self.requests: dict[int, Request] = requests.by_number
        """Requests kept, by number, in the order of their arrival."""
        self.loop: Lane = loop.lane
        """The loop's thread; its spans are the stretches longer than `loopviz.model.busy.BIN`. Of several
        workers, that of the first, as all that is about *the* loop; `processes` has all of them."""
        self.busy_bins = loop.busy_bins
        """The loop's shorter stretches."""
        self.workers: dict[int, Lane] = lanes
        """Worker threads and worker processes, by number; of all workers of the server."""
        self.pools: Pools = pools
        """The pools of workers, and who waits for them."""
        self.health = health = Health(limits)
        """Health probes; they are no requests."""
        self.incidents: deque[Incident] = deque(maxlen=MAX_INCIDENTS)
        """Processes that have ended or were started again, the oldest first."""
        self.events = 0
        """How many events of known kinds were fed."""
        self.last = 0
        """The time of the newest event."""
        self.sources = Sources()
        """The source files that the stream carries, as recordings do."""
        self._first = 0
        self._shared = shared
        self._tasks = tasks
        self._handlers: dict[str, Callable[..., object]] = {
            ev.FIRED: bursts.fired,
            ev.SENT: self._sent,
            ev.RECEIVED: self._received,
            ev.CLAIMED: requests.claimed,
            ev.HEALTH: health.probed,
            ev.PROBING: health.probing,
            ev.STATUS: requests.status,
            ev.RAISED: requests.raised,
            ev.RESPONDED: requests.responded,
            ev.MESSAGE: requests.message,
            ev.CLOSED: requests.closed,
            ev.SENDING: requests.sending,
            ev.WRITABLE: requests.writable,
            ev.ABANDONED: requests.abandoned,
            ev.TASK: rows.created,
            ev.AWAITS_TASK: rows.awaits_task,
            ev.CLIENT_WAIT: tasks.waits_for_client,
            ev.TOKEN_WAIT: tasks.wants_thread,
            ev.PROCESS: self._process,
            ev.STOPPED: processes.stopped,
            ev.WORKER: self._worker,
            ev.HANDLER: requests.handler,
            ev.FRAMES: self._frames,
            ev.SOURCE: self._source,
            ev.AWAITS: tasks.awaits,
            ev.AWAITED: tasks.awaited,
        }
        self._common = self._handlers.copy()
        self._handlers = (
            processes.first.handlers | self._handlers
        )  # a stop that names no worker is everybody's

    # -- events --------------------------------------------------------------------------------

    def feed(self, events: Iterable[Event]) -> None:
        """Take in events, in the order of their time. Events of unknown kinds are skipped."""
        handlers = self._handlers
        events = list(events)
        if events and not self._first:
            self._first = events[0][0]
        last, known = self.last, 0
        try:
            for event in events:
                handler = handlers.get(event[1])
                if handler is None:
                    handler = self._another(event[1])
                if handler is not None:
                    known += 1
                    t = event[0]
                    if t > last:  # noqa: PLR1730 - a call of max() for every event would cost more
                        last = t
                    handler(t, *event[2:])
        finally:
            self.last = last
            self.events += known
        if self.whole:
            self.prune(last)

    def _sent(self, t: int, number: int, method: str, path: str) -> None:
        self._requests.sent(t, number, method, path)
        self._bursts.sent(number)

    def _received(self, t: int, number: int, status: int | None, error: str | None) -> None:
        self._requests.received(t, number, status, error)
        if error == GIVEN_UP:
            self._bursts.given_up(t, number)

    def _process(self, t: int, number: int, name: str, change: str, reason: str) -> None:
        self.incidents.append(Incident(t, number, name, change, reason))

    def _frames(self, t: int, task: int, call: int, frames: str) -> None:
        found = self._shared.frames(frames)
        if task:
            self._tasks.frames(task, found)
        else:
            for process in self._processes:
                process.threads.frames(call, found)

    def _source(self, t: int, file: str, first: int, text: str) -> None:
        self.sources.add(file, first, text)
        self.events -= 1  # nothing was measured

    def _worker(self, t: int, worker: int, pid: int, change: str, reason: str) -> None:
        incident = self._processes.changed(t, worker, pid, change, reason)
        if incident is not None:
            self.incidents.append(incident)

    def _another(self, kind: str) -> Callable[..., object] | None:
        """The handler of a kind that is seen for the first time: of another worker, or of a later version."""
        plain, number = parted(kind)
        process = self._processes.worker(number) if number and plain in self._handlers else None
        if process is None:
            return None
        handler = self._handlers[kind] = process.handlers.get(plain) or self._common[plain]
        return handler

    def prune(self, now: int) -> None:
        """Remove what is older than the retention, and what exceeds the limits of the memory."""
        horizon = 0 if self.whole else now - self.retention
        self._bursts.prune(horizon)
        self._requests.prune(horizon)
        self._rows.prune(horizon)
        self.health.prune(horizon)
        for process in self._processes:
            process.loop.prune(horizon, now)
            process.threads.prune(horizon)

    def forget(self) -> None:
        """Remove every request that has ended, and the blocks that have."""
        self._bursts.forget()
        self._requests.forget()
        self._rows.forget()
        for process in self._processes:
            process.loop.blocks.clear()
            process.loop.starvations.past.clear()

    # -- requests ------------------------------------------------------------------------------

    @property
    def live(self) -> int:
        """How many requests have not ended."""
        return len(self._requests.lives)

    @property
    def arrivals(self) -> list[Request]:
        """The requests kept, in the order of their arrival; not to be changed."""
        return self._requests.arrivals

    def started(self, now: int, since: int = 0) -> list[Request]:
        """The tasks that requests had started by `now` and do not await, as rows; the oldest first.

        Those that ended by `since` are left out.

        Their `id` is negative, and `Request.started_by` is the request. When one is awaited after all, its
        row ends.
        """
        return self._rows.started_rows(now, since)

    def children(self, request: int) -> list[Child]:
        """The child tasks that the request awaits or has awaited, in the order in which they were created.

        Those that it has started and does not await are in `started`.
        """
        return self._rows.children.of(request)

    def alive_at(self, now: int) -> list[Request]:
        """The requests that were sent, and not yet answered, at `now`."""
        return self._requests.alive_at(now)

    def lasting_at(self, now: int) -> list[Request]:
        """The requests that were sent, and whose tasks had not all ended, at `now`: answered or not."""
        return self._requests.lasting_at(now)

    def ended_after(self, t: int) -> list[Request]:
        """The requests whose last task ended after `t`, the newest first."""
        return self._requests.ended_after(t)

    def last_burst(self, now: int) -> list[Request]:
        """The latest requests done by `now` whose lives overlap, the newest first."""
        return self._requests.last_burst(now)

    # -- bursts --------------------------------------------------------------------------------

    @property
    def bursts(self) -> Sequence[Burst]:
        """The bursts kept, one for each key press, the oldest first. A recording of before may have none."""
        return self._bursts.kept

    def burst_of(self, request: int) -> Burst | None:
        """The burst that this request belongs to; None for another client's."""
        return self._bursts.of(request)

    def newest_burst(self, now: int) -> Burst | None:
        """The burst that was fired last at `now`."""
        return self._bursts.newest(now)

    # -- the loop ------------------------------------------------------------------------------

    @property
    def threshold(self) -> int:
        """A stretch of the loop that is at least this long is a block (ns)."""
        return self._loop.threshold

    @property
    def idle(self) -> int:
        """Time that the loop has slept in its selector (ns)."""
        return self._loop.idle

    @property
    def rewritten(self) -> int:
        """How often the loop's past was changed: a time without the GIL is known when it is over."""
        return self._loop.rewritten

    @property
    def sees_iterations(self) -> bool:
        """Whether the loop's iterations, and therefore its idle time, can be seen."""
        return any(process.loop.sees_iterations for process in self._processes)

    @property
    def blocks(self) -> Sequence[Block]:
        """Blocks that have ended, in the order of their beginnings."""
        return self._processes.blocks

    def block_at(self, now: int) -> Block | None:
        """The block that holds a loop at `now`, while it lasts or in hindsight."""
        return self._processes.block_at(now)

    def blocks_until(self, now: int) -> Iterator[Block]:
        """The blocks that had begun by `now`, the newest first, including the one that lasts."""
        return self._processes.blocks_until(now)

    def victims(self, block: Block, now: int) -> list[int]:
        """The requests that could have run while `block` held the loop, up to `now`."""
        return self._processes.by_worker[block.worker].loop.victims(block, now)

    @property
    def starvations(self) -> Sequence[Starvation]:
        """Starvations that have been seen up to now."""
        return self._processes.starvations

    def starvation_at(self, now: int) -> Starvation | None:
        """What requests suffer that have waited long for the loop at `now`, though no step is long."""
        return self._processes.starvation_at(now)

    def running_at(self, now: int) -> int:
        """The request whose step is being executed at `now`; 0 for none. Exact only for the present."""
        return self._loop.running_at(now)

    @property
    def stops(self) -> deque[tuple[int, int]]:
        """Since when the whole program was stopped, and until when (ns), the oldest first."""
        return self._loop.stops

    def stopped_since(self, now: int) -> int | None:
        """Since when the server's process is stopped, as by SIGSTOP, if it is at `now`; seen from outside."""
        stopping = self._loop.stopping
        if not stopping or not self.stops or self.stops[-1][1] < stopping:
            return None
        since, until = self.stops[-1]
        return since if since <= now <= until + _STOPPED else None

    def stopped_within(self, start: int, end: int) -> int:
        """For how much of this time the whole program was stopped, as by ctrl+z (ns)."""
        return self._loop.stopped_within(start, end)

    def loop_spans(self, now: int) -> Iterator[Span]:
        """The loop's long stretches up to `now`, the newest first, including the one that lasts."""
        return self._loop.spans(now)

    def busy(self, start: int, end: int) -> int:
        """How long the loop was busy between `start` and `end` (ns); of several workers, all together."""
        return sum(process.loop.busy(start, end) for process in self._processes)

    def lag_since(self, start: int) -> int:
        """The longest iteration that ended after `start` (ns): the most that a callback can be late."""
        return max(process.loop.lag_since(start) for process in self._processes)

    # -- the processes of the server -----------------------------------------------------------

    @property
    def several(self) -> bool:
        """Whether the server has several workers, each a process with an event loop of its own."""
        return self._processes.several

    @property
    def processes(self) -> Sequence[Process]:
        """The processes of the server, in the order of their numbers: one, or one for each worker."""
        return list(self._processes)

    def process(self, worker: int) -> Process:
        """The process with this number."""
        return self._processes.by_worker[worker]

    # -- workers -------------------------------------------------------------------------------

    @property
    def peak(self) -> int:
        """The most threads of AnyIO's limiter that were in use at once, in one worker of the server."""
        return max(process.threads.peak for process in self._processes)

    @property
    def tokens(self) -> Sequence[tuple[int, Tokens]]:
        """Changes of AnyIO's limiter, and their times, the oldest first; of all workers together."""
        return self._processes.tokens

    def tokens_at(self, now: int) -> Tokens | None:
        """AnyIO's limiter as it was at `now`, all workers together; None before its first change."""
        return next((tokens for _, tokens in self.tokens_until(now)), None)

    def tokens_until(self, now: int) -> Iterator[tuple[int, Tokens]]:
        """The limiter's changes up to `now`, and their times, the newest first."""
        return self._processes.tokens_until(now)

    # -- all of it -----------------------------------------------------------------------------

    @property
    def began(self) -> int:
        """The time of the oldest event that is still shown (ns); 0 before the first."""
        return max(self._first, self.last - self.retention)

    @property
    def computed(self) -> int:
        """What all requests have computed: their time on the loop, and their workers' CPU time (ns).

        A worker whose CPU clock cannot be read counts with its busy time.
        """
        running = sum(request.totals[State.RUNNING] for request in self.requests.values())
        return running + sum(lane.cpu if lane.samples else lane.busy for lane in self.workers.values())
