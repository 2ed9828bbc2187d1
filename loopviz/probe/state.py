"""What the hooks of one probe share."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from loopviz.clock import now_ns
from loopviz.probe import compat
from loopviz.probe.counters import ThreadWaits, switch_interval
from loopviz.stream.blackbox import BEGUN
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import AWAITS_TASK, STEP, TASK, WAKE, YIELD, Event

__all__ = [
    "ATTRIBUTE",
    "HANDLE",
    "NEVER",
    "OVERDUE",
    "Child",
    "Joins",
    "ProbeState",
    "Submitted",
    "Trace",
    "count_from",
    "next_call",
    "put_on",
]

NEVER = 1 << 62
"""A moment that never comes (ns)."""
OVERDUE = 30_000_000
"""If the sampler comes later than this (ns), a thread has kept the GIL: they pass it on every 5 ms."""

ATTRIBUTE = "_loopviz"
"""The attribute of a task that holds its `Trace`; it lives as long as the task."""
HANDLE = "_loopviz_handle"
"""The attribute of a task that holds the handle of its steps.

Not in the `Trace`: that is kept in `ProbeState.live`, and must not keep the task's context alive.
"""

_LONG = 500_000
"""A step that has lasted for less (ns) may end before its begin has to be known."""

# Counted for the whole process, so that a probe that is installed again on the same loop never gives a
# task that it has seen before the number of another one.
_tasks = itertools.count(1)
_calls = itertools.count(1)


def count_from(base: int) -> None:
    """From now on the numbers of tasks and calls are larger than this: those of other processes are not."""
    global _tasks, _calls
    _tasks, _calls = itertools.count(base + 1), itertools.count(base + 1)


def _no_task() -> None:
    """Stand in for a weak reference until the task exists."""


class Trace:
    """What a probe knows of one task."""

    __slots__ = (
        "joins", "number", "ref", "request", "sampled", "since", "wake_reported", "wants_thread", "woken",
    )  # fmt: skip

    def __init__(self, request: int) -> None:
        self.number = next(_tasks)
        self.joins: Joins | None = None
        """What it has started or submitted that may not be over; None if there is nothing."""
        self.request = request
        self.ref: Callable[[], asyncio.Task[Any] | None] = _no_task
        self.since = 0
        """When its last step ended (ns), while it is suspended; else 0."""
        self.sampled = 0
        """The `since` for which the await's line has been read; negative: since when it was seen at none
        (ns), or when a short one was read."""
        self.woken = 0
        """When it was scheduled to run again (ns), while it has not run yet; else 0."""
        self.wake_reported = 0
        """The `woken` that the sampler has reported already."""
        self.wants_thread = False
        """Whether it has called a function in a worker thread, and has not got a thread back yet."""

    def bind(self, task: asyncio.Task[Any]) -> Trace:
        """Make this the trace of `task`."""
        self.ref = weakref.ref(task)
        object.__setattr__(task, ATTRIBUTE, self)
        return self


@dataclass(slots=True)
class Submitted:
    """A call that a task has submitted to an executor."""

    future: asyncio.Future[Any]
    begun: list[int]
    """Empty until a worker executes the call."""
    awaited: bool = True
    """What was reported last."""


@dataclass(slots=True)
class Child:
    """A task that another task has started, or awaits."""

    trace: Trace
    awaited: bool = True
    """What was reported last."""
    callbacks: int = 0
    """How many done callbacks it had when it was found not to be awaited."""


@dataclass(slots=True)
class Joins:
    """The tasks that a task has started, and the calls that it has submitted, which may not be over."""

    tasks: dict[int, Child] = field(default_factory=dict)
    """Tasks by number. Those in a task group are not kept."""
    pruned: int = 0
    """How many tasks were left when those that had ended were removed."""
    calls: dict[int, Submitted] = field(default_factory=dict)
    """By number."""
    recount: Callable[[], None] | None = None
    """Reports the limiter's counts, once the task no longer waits in the limiter's queue."""
    recount_due: bool = False
    new: list[Trace] = field(default_factory=list)
    """Tasks that it has started since it was suspended last."""
    kept: int = 0
    """How many of them were left when those that had ended were removed."""


@dataclass(slots=True)
class ProbeState:
    """Written by the hooks, read by the sampler.

    Plain attributes without a lock: each has one writer, and a value that is a microsecond old is good
    enough for the reader.
    """

    buffer: Buffer
    loop: asyncio.AbstractEventLoop
    base: int = 0
    """The numbers of threads and pools are larger than this."""
    emit: Callable[[Event], None] = field(init=False)
    request: ContextVar[int] = field(default_factory=lambda: ContextVar("loopviz_request", default=0))
    """The request for which code runs; child tasks and worker threads inherit it."""

    sees_tasks: bool = True
    """Whether the hooks on tasks are installed; without them no task is reported."""
    live: dict[int, Trace] = field(default_factory=dict)
    """The tasks that have not ended, by number."""
    current: Trace | None = None
    """The task whose step is being executed, if any."""
    began: int = 0
    """When that step began (ns)."""
    woken: int = 0
    """When that step was scheduled (ns); 0 if that is not known."""
    reported: int = 0
    """The `began` of the latest step whose begin was reported before its end."""
    touched: int = 0
    """When a step ended or an iteration began (ns): since then the loop runs callbacks."""
    sleeping: bool = False
    """Whether the loop is in its selector, waiting."""
    looked: int = 0
    """When the loop last looked for I/O (ns)."""
    slow: int = 0
    """When it last came to look for I/O after an iteration that took long (ns)."""
    read: int = 0
    """While bytes are handed to an HTTP protocol: since when (ns)."""
    request_seen: bool = False
    """Whether a request has been recognised so far."""
    unrecognised: str = ""
    """What is wrong with a task that an HTTP protocol has made, if it was not recognised as a request's."""
    sending: dict[int, Any] = field(default_factory=dict)
    """What is left of the responses that have not left yet, by request; see `loopviz.probe.transports`."""
    writes_later: bool = False
    """Whether a transport of this loop keeps what it is given until the end of the iteration, as uvloop's."""
    read_due: int = NEVER
    """When the loop's thread reads its own clocks again, at the end of a step (ns)."""
    read_clocks: Callable[[int, int], None] = lambda now, began: None  # noqa: ARG005
    """Reads them: `now`, and when the step began (ns)."""
    loop_waits: ThreadWaits | None = None
    """The counters of the loop's thread; None where it has no CPU clock."""
    sampler_due: int = NEVER
    """When the sampler asked to be woken, while it sleeps (ns): if that is over, it waits for the GIL."""
    released: Callable[[int], None] = lambda now: None  # noqa: ARG005
    """Called by the loop's thread if it runs when the sampler should have run long ago (`OVERDUE`)."""
    late: int = 0
    """How long the sampler has waited for the GIL so far (ns)."""
    gil_sleep: int = field(default_factory=switch_interval)
    """How long a thread that waits for the GIL sleeps at a time (ns), as the sampler last measured it."""
    late_at: int = 0
    """When the sampler last came late because it waited for the GIL (ns)."""
    cause: int = 0
    """While a callback runs for which the loop had no time at once: since when it could have run (ns)."""
    follows: int = 0
    """How many callbacks, each scheduled by the one before, lie between the running one and that cause."""
    timer: object = None
    """The future of the latest timer that only sets a result, as `asyncio.sleep` makes it."""
    due: int = 0
    """When that timer is due (ns)."""
    logged: dict[int, tuple[str, str, int]] = field(default_factory=dict)
    """The exception that was logged last for a request without an answer: its class, its message, and the
    status that it stands for, or 0."""
    raised: dict[int, tuple[str, str]] = field(default_factory=dict)
    """The exception that was reported last for a request: its class and its message."""
    failures: list[str] = field(default_factory=list)
    """What went wrong inside the probe; it never raises in the watched program."""

    expected: tuple[object, Trace, asyncio.Task[Any] | None] | None = None
    """The coroutine of the task that is being created, the trace made for it in advance, and its creator."""

    def __post_init__(self) -> None:
        self.emit = self.buffer.emit

    def announce(self, coro: object, request: int, *, root: bool = False) -> Trace:
        """A trace for a new task that runs `coro` for `request` (0: for none), as its root or not."""
        trace = Trace(request)
        self.live[trace.number] = trace
        # Eager first steps nest: the innermost of them is the one that makes this task.
        creator = self.expected[1] if self.expected is not None else self.current
        parent = creator.number if creator is not None else 0
        if creator is not None:
            if creator.joins is None:
                creator.joins = Joins()
            creator.joins.new.append(trace)
        name = compat.declared(coro, "__qualname__")
        if not isinstance(name, str):
            name = type(coro).__name__
        now = now_ns()
        self.report_long_step(now)
        self.emit((now, TASK, trace.number, parent, request, name))
        if request and not parent and not root:
            self.emit((now, AWAITS_TASK, 0, trace.number, 0))
        return trace

    def attach(self, task: asyncio.Task[Any], request: int) -> Trace:
        """Give a task that is seen for the first time its trace."""
        coro = compat.coroutine_of(task)
        trace = self.trace_expected(task, coro) or self.announce(coro, request)
        return trace.bind(task)

    def trace_expected(self, task: asyncio.Task[Any], coro: object) -> Trace | None:
        """The trace made in advance, if `task` is the one that is being created.

        A task factory may have wrapped the coroutine. Then the task is recognised in its eager first step,
        in which it is the current task; else see `loopviz.probe.steps`.
        """
        if self.expected is None:
            return None
        expected, trace, creator = self.expected
        if expected is coro:
            return trace
        if trace.ref is _no_task and task is not creator and task is asyncio.current_task():
            return trace
        return None

    def submitted(self, number: int, future: asyncio.Future[Any], begun: list[int]) -> None:
        """The current task has submitted a call; see `Submitted`."""
        try:
            task = asyncio.current_task()
            if task is not None:
                trace = self.trace_of(task)
                if trace.joins is None:
                    trace.joins = Joins()
                trace.joins.calls[number] = Submitted(future, begun)
        except Exception as error:
            self.failed("call", error)

    def report_step(self) -> None:
        """Report the begin of the step that is being executed, before an event that the step itself causes.

        A step is reported when it ends. Without this, what it does to its own request would be reported
        first.
        """
        trace, woken, began = self.current, self.woken, self.began
        if trace is None or self.reported == began or not began:
            return
        self.reported = began
        if woken:
            self.emit((woken, WAKE, trace.number))
        self.emit((began, STEP, trace.number))

    def report_long_step(self, now: int) -> None:
        """The same before an event of another thread, or of a child task; not if the step is short.

        What is reported by the end of a short step is put in order with those events.
        """
        if self.current is not None and now - self.began > _LONG and self.reported != self.began:
            self.report_step()

    def pause(self) -> None:
        """The step that is being executed runs the loop itself (`nest_asyncio` makes that possible)."""
        trace = self.current
        if trace is not None:
            self.report_step()
            self.emit((now_ns(), YIELD, trace.number, "nested event loop", 0))
            self.current = None

    def resume(self, trace: Trace) -> None:
        """The step that was paused goes on."""
        self.began = self.reported = now_ns()
        self.woken = 0
        self.current = trace
        if (box := self.buffer.box) is not None:
            BEGUN.pack_into(box.memory, 0, trace.number, self.began)
        self.emit((self.began, STEP, trace.number))

    def trace_of(self, task: asyncio.Task[Any]) -> Trace:
        """The trace of the task that calls this, made now if the task is older than the probe.

        Where tasks are not visible it has the number 0, for "no task".
        """
        trace: Trace | None = put_on(task, ATTRIBUTE)
        if trace is not None:
            return trace
        if not self.sees_tasks:
            trace = Trace(self.request.get())
            trace.number = 0
            return trace
        try:
            return self.attach(task, self.request.get())
        except Exception as error:
            self.failed("task", error)
            return Trace(0)

    def has_been_busy(self, now: int, length: int) -> bool:
        """Whether the loop has had no time to look at its sockets for longer than `length` (ns)."""
        if self.current is not None:
            return now - self.began > length
        return not self.sleeping and 0 < self.looked < now - length

    def failed(self, where: str, error: BaseException) -> None:
        """Note a failure of the probe itself; the first 20 are kept."""
        if len(self.failures) < 20:
            self.failures.append(f"{where}: {type(error).__name__}: {error}")


def put_on(task: object, name: str) -> Any:
    """What the probe has put on a task, whatever the task's class does with attributes; else None."""
    try:
        return getattr(task, name, None)
    except Exception:
        try:
            return object.__getattribute__(task, name)
        except AttributeError:
            return None


def next_call() -> int:
    """A number for a call in a worker thread or process."""
    return next(_calls)
