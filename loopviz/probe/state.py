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
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import TASK, Event

__all__ = ["ATTRIBUTE", "HANDLE", "ProbeState", "Trace", "next_call"]

ATTRIBUTE = "_loopviz"
"""The attribute of a task that holds its `Trace`; it lives as long as the task."""
HANDLE = "_loopviz_handle"
"""The attribute of a task that holds the handle of its steps.

Not in the `Trace`: that is kept in `ProbeState.live`, and must not keep the task's context alive.
"""

# Counted for the whole process, so that a probe that is installed again on the same loop never gives a
# task that it has seen before the number of another one.
_tasks = itertools.count(1)
_calls = itertools.count(1)


def _no_task() -> None:
    """Stand in for a weak reference until the task exists."""


class Trace:
    """What a probe knows of one task."""

    __slots__ = ("number", "ref", "request", "sampled", "since", "wake_reported", "wants_thread", "woken")

    def __init__(self, request: int) -> None:
        self.number = next(_tasks)
        self.request = request
        self.ref: Callable[[], asyncio.Task[Any] | None] = _no_task
        self.since = 0
        """When its last step ended (ns), while it is suspended; else 0."""
        self.sampled = 0
        """The `since` for which the await's source line has been read."""
        self.woken = 0
        """When it was scheduled to run again (ns), while it has not run yet; else 0."""
        self.wake_reported = 0
        """The `woken` that the sampler has reported already."""
        self.wants_thread = False
        """Whether it has called a function in a worker thread, and has not got a thread back yet."""

    def bind(self, task: asyncio.Task[Any]) -> Trace:
        """Make this the trace of `task`."""
        self.ref = weakref.ref(task)
        setattr(task, ATTRIBUTE, self)
        return self


@dataclass(slots=True)
class ProbeState:
    """Written by the hooks, read by the sampler.

    Plain attributes without a lock: each has one writer, and a value that is a microsecond old is good
    enough for the reader.
    """

    buffer: Buffer
    loop: asyncio.AbstractEventLoop
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
    cause: int = 0
    """While a callback runs for which the loop had no time at once: since when it could have run (ns)."""
    timer: object = None
    """The future of the latest timer that only sets a result, as `asyncio.sleep` makes it."""
    due: int = 0
    """When that timer is due (ns)."""
    failures: list[str] = field(default_factory=list)
    """What went wrong inside the probe; it never raises in the watched program."""

    expected: tuple[object, Trace] | None = None
    """The coroutine of the task that is being created, and the trace made for it in advance."""

    def __post_init__(self) -> None:
        self.emit = self.buffer.emit

    def announce(self, coro: object, request: int) -> Trace:
        """A trace for a new task that runs `coro` for `request` (0: for none)."""
        trace = Trace(request)
        self.live[trace.number] = trace
        # Eager first steps nest: the innermost of them is the one that makes this task.
        creator = self.expected[1] if self.expected is not None else self.current
        parent = creator.number if creator is not None else 0
        name = getattr(coro, "__qualname__", type(coro).__name__)
        self.emit((now_ns(), TASK, trace.number, parent, request, name))
        return trace

    def attach(self, task: asyncio.Task[Any], request: int) -> Trace:
        """Give a task that is seen for the first time its trace."""
        coro = task.get_coro()
        if self.expected is not None and self.expected[0] is coro:
            trace = self.expected[1]
        else:
            trace = self.announce(coro, request)
        return trace.bind(task)

    def trace_of(self, task: asyncio.Task[Any]) -> Trace:
        """The trace of the task that calls this, made now if the task is older than the probe.

        Where tasks are not visible it has the number 0, for "no task".
        """
        trace: Trace | None = getattr(task, ATTRIBUTE, None)
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

    def failed(self, where: str, error: BaseException) -> None:
        """Note a failure of the probe itself; the first 20 are kept."""
        if len(self.failures) < 20:
            self.failures.append(f"{where}: {type(error).__name__}: {error}")


def next_call() -> int:
    """A number for a call in a worker thread or process."""
    return next(_calls)
