"""What the tasks and calls of one request are doing, and the request's state that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush

from loopviz.model.limits import MAX_LANES
from loopviz.model.request import Request
from loopviz.model.segments import Where
from loopviz.model.states import State

__all__ = ["Call", "Doing", "Life", "Task"]


class Doing(IntEnum):
    """What a task is doing."""

    RUNNING = 0
    READY = 1
    THREAD_WAIT = 2
    """Waiting for a thread."""
    SUSPENDED = 3


_NONE = [0] * len(Doing)


@dataclass(slots=True)
class Task:
    """A task of the event loop."""

    number: int
    request: int
    doing: Doing = Doing.READY
    due: int = 0
    """When the timer that it awaits is due (ns); 0 for none."""
    woken: bool = False
    """Woken while it was still in its step."""
    wants_thread: bool = False
    submitted: int = 0
    """Calls handed to an executor that have not begun."""
    awaits_call: int = 0
    """The worker thread's call whose result it awaits."""
    where: Where | None = None


@dataclass(slots=True)
class Call:
    """A call in a worker thread or process."""

    task: int
    request: int
    thread: int = 0
    """0 until it begins."""
    where: Where | None = None
    state: State = State.IN_THREAD
    """The state of its request while it executes."""


@dataclass(slots=True)
class Life:
    """The tasks and calls of a request that has not ended."""

    request: Request
    root: int = 0
    """Its first task; the response ends with it at the latest."""
    tasks: dict[int, Task] = field(default_factory=dict)
    doing: list[int] = field(default_factory=_NONE.copy)
    """How many tasks are doing what, by `Doing`."""
    calls: dict[int, Call] = field(default_factory=dict)
    """Calls that execute in a worker thread now."""
    woken: int = 0
    """When a wake has last made the request ready, other than a due timer, a thread or a socket (ns)."""
    dues: list[tuple[int, int]] = field(default_factory=list)
    """A heap of due times and the tasks that sleep until then; outdated entries are skipped."""

    def add(self, task: Task, t: int) -> None:
        """A task was created for this request."""
        self.apply_due_timers(t)
        if not self.root:
            self.root = task.number
        self.tasks[task.number] = task
        self.doing[task.doing] += 1
        self.refresh(t)

    def remove(self, task: Task, t: int) -> bool:
        """A task has ended; False if it is not one of this life's."""
        if self.tasks.pop(task.number, None) is None:
            return False
        self.apply_due_timers(t)
        self.doing[task.doing] -= 1
        if self.tasks:
            self.refresh(t)
        return True

    def turn(self, task: Task, doing: Doing, t: int) -> None:
        """One of its tasks does something else from `t` on."""
        if self.dues:
            self.apply_due_timers(t)
        counts = self.doing
        counts[task.doing] -= 1
        task.doing = doing
        counts[doing] += 1
        if task.due and doing is Doing.SUSPENDED:
            heappush(self.dues, (task.due, task.number))
        self.refresh(t)

    def begin(self, number: int, call: Call) -> None:
        """A call begins to execute. The caller refreshes."""
        if len(self.calls) < MAX_LANES:
            self.calls[number] = call

    def apply_due_timers(self, t: int) -> None:
        """A task whose timer was due by `t` has been ready since then, although no event said so."""
        while self.dues and self.dues[0][0] <= t:
            due, number = heappop(self.dues)
            task = self.tasks.get(number)
            if task is not None and task.due == due and task.doing is Doing.SUSPENDED:
                self.doing[Doing.SUSPENDED] -= 1
                self.doing[Doing.READY] += 1
                task.doing = Doing.READY
                self.refresh(due)

    def refresh(self, t: int) -> None:
        """Derive the request's state from what its tasks and calls are doing: the most active one counts."""
        doing, request = self.doing, self.request
        if doing[Doing.RUNNING]:
            request.enter(State.RUNNING, t)
        elif self.calls:
            call = next(iter(self.calls.values()))
            request.enter(call.state, t, call.thread, call.where)
        elif doing[Doing.READY]:
            request.enter(State.READY, t)
        elif doing[Doing.THREAD_WAIT]:
            request.enter(State.TOKEN_WAIT, t, due=self._next_due())
        elif doing[Doing.SUSPENDED]:
            request.enter(State.AWAITING, t, due=self._next_due())

    def _next_due(self) -> int:
        while self.dues:
            due, number = self.dues[0]
            task = self.tasks.get(number)
            if task is not None and task.due == due and task.doing is Doing.SUSPENDED:
                return due
            heappop(self.dues)
        return 0
