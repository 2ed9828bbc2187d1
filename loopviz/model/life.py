"""What the tasks and calls of one request are doing, and the request's state that follows from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import islice

from loopviz.model.children import Child, Track
from loopviz.model.limits import MAX_LANES
from loopviz.model.request import Request
from loopviz.model.segments import Awaits, Where
from loopviz.model.sightings import Frames
from loopviz.model.states import SUSPENDED, Doing, State

__all__ = ["Call", "Doing", "Life", "Task"]


_NONE = [0] * len(Doing)
_MOST_TELLING = 100
"""At most so many of a request's suspended tasks are compared."""


@dataclass(slots=True, eq=False)
class Task:
    """A task of the event loop."""

    number: int
    request: int
    """The request in whose context it runs; 0 for none."""
    name: str = ""
    """The name of its coroutine."""
    life: Life | None = None
    """The row in which it counts; None if it belongs to no request."""
    awaited_by: Task | None = None
    """The task that awaits it, or has opened the task group that it is in; None if there is none."""
    joined: dict[int, Task] = field(default_factory=dict)
    """The tasks whose `awaited_by` is this one."""
    from_call: Call | None = None
    """The call in a worker thread that waits for it (AnyIO's ``from_thread``)."""
    doing: Doing = Doing.READY
    due: int = 0
    """When the timer that it awaits is due (ns); 0 for none."""
    woken: bool = False
    """Woken while it was still in its step."""
    woken_by: int = 0
    """The call whose end has made it ready, if that was the reason; else 0."""
    began: int = 0
    """When its latest step began."""
    wants_thread: bool = False
    pending: dict[int, Call] = field(default_factory=dict)
    """The calls that it awaits, by number."""
    client: Doing | None = None
    """What its next suspension is, if it waits for the client."""
    where: Where | None = None
    awaits: Awaits | None = None
    frames: Frames = ()
    """The frames inside of the line at which it was seen."""
    child: Child | None = None
    """What it does, if it is or was a child task of a request."""
    track: Track | None = None
    """`Child.track`: every change of what it does is added."""

    @property
    def waits_for_worker(self) -> bool:
        """Whether it waits for a thread, or for a worker that takes one of its calls."""
        return self.wants_thread or any(not call.thread for call in self.pending.values())


@dataclass(slots=True, eq=False)
class Call:
    """A call in a worker thread or process."""

    task: int
    request: int
    thread: int = 0
    """0 until it begins."""
    submitted: bool = False
    """Whether it was handed to an executor, so that its task need not await it at once."""
    over: bool = False
    """Whether it has returned."""
    waits_for: int = 0
    """How many tasks it has started on the loop, and waits for."""
    where: Where | None = None
    """The line at which it was seen most often; before it was seen, where its function is defined."""
    state: State = State.IN_THREAD
    """The state of its request while it executes."""
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was seen, and how often."""
    latest: Where | None = None
    """The line at which it was seen last."""
    frames: Frames = ()
    """The frames inside of that line."""
    role: str = ""
    """What it is for its task: ``dependency``; empty where that is not known."""


@dataclass(slots=True, eq=False)
class Life:
    """The tasks and calls that decide the state of one row.

    The row is a request that has not ended, or a task that a request has started and does not await. Its root
    task counts, and every task that a counting task awaits.
    """

    request: Request
    root: int = 0
    """Its first task; the response ends with it at the latest."""
    tasks: dict[int, Task] = field(default_factory=dict)
    doing: list[int] = field(default_factory=_NONE.copy)
    """How many tasks are doing what, by `Doing`."""
    calls: dict[int, Call] = field(default_factory=dict)
    """Calls that execute in a worker thread now, and are awaited."""
    woken: int = 0
    """When a wake has last made the request ready, other than a due timer, a thread or a socket (ns)."""
    sampled: dict[int, Task] = field(default_factory=dict)
    """Its tasks of which it was seen where they are suspended, or at what."""
    held_up: bool = False
    """Whether the client could take more of it, and the loop has no time to write."""
    sending: bool = False
    """Whether the application has passed on the whole response, and the client has not taken it yet."""
    dues: list[tuple[int, int]] = field(default_factory=list)
    """A heap of due times and the tasks that sleep until then; outdated entries are skipped."""

    def add(self, task: Task, t: int) -> None:
        """A task counts from now on."""
        self.apply_due_timers(t)
        if not self.root:
            self.root = task.number
        self.tasks[task.number] = task
        task.life = self
        self.doing[task.doing] += 1
        for number, call in task.pending.items():
            if call.thread and not call.over:
                self.begin(number, call)
        if task.due and task.doing is Doing.SUSPENDED:
            heappush(self.dues, (task.due, task.number))
        if task.where is not None or task.awaits is not None:
            self.sampled[task.number] = task
        self.refresh(t)

    def remove(self, task: Task, t: int) -> bool:
        """A task has ended, or counts elsewhere; False if it is not one of this life's."""
        if self.tasks.pop(task.number, None) is None:
            return False
        self.apply_due_timers(t)
        self.doing[task.doing] -= 1
        for number in task.pending:
            self.calls.pop(number, None)
        self.sampled.pop(task.number, None)
        task.life = None
        if self.tasks:
            self.refresh(t)
        return True

    def turn(self, task: Task, doing: Doing, t: int) -> None:
        """One of its tasks does something else from `t` on."""
        if self.dues:
            self.apply_due_timers(t)
        if (track := task.track) is not None:
            track += (t, doing, task.due)
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
        elif self.sending:  # what its tasks do now is no part of what the client waits for
            request.enter(State.READY if self.held_up else State.SENDING, t)
        elif self.calls and (call := self._foremost()) is not None:
            request.enter(call.state, t, call.thread, call.where)
        elif doing[Doing.READY]:
            request.enter(State.READY, t)
        elif doing[Doing.THREAD_WAIT]:
            request.enter(State.TOKEN_WAIT, t, due=self._next_due())
        elif doing[Doing.SENDING]:
            request.enter(State.SENDING, t, due=self._next_due())
        elif doing[Doing.RECEIVING]:
            request.enter(State.RECEIVING, t, due=self._next_due())
        elif doing[Doing.SUSPENDED]:
            request.enter(State.AWAITING, t, due=self._next_due())

    def locate(self, t: int) -> None:
        """Say where the request is suspended, and what it awaits, by the most telling of its tasks."""
        request, root = self.request, self.sampled.get(self.root)
        if not self.sampled or request.state not in SUSPENDED:
            return
        telling, where = root, None
        if root is None or _how_telling(root):
            for task in islice(self.sampled.values(), _MOST_TELLING):
                if telling is None or _how_telling(task) < _how_telling(telling):
                    telling = task
                where = where or task.where
                if where is not None and not _how_telling(telling):
                    break
        if telling is None or (_how_telling(telling) > 2 and len(self.tasks) > len(self.sampled)):
            return
        where = telling.where or (root.where if root is not None else None) or where
        request.seen_awaiting(t, where, telling.awaits if request.state is State.AWAITING else None)
        if where is not None:
            request.seen_at(t, where, telling.frames if where is telling.where else ())

    @property
    def executing(self) -> Call | None:
        """A call that executes in a worker, if there is one."""
        return next(iter(self.calls.values()), None)

    def _foremost(self) -> Call | None:
        """The call that gives the state; None if all calls wait for a task on the loop that is ready."""
        for call in self.calls.values():
            if not call.waits_for:
                return call
        return None if self.doing[Doing.READY] else self.executing

    def _next_due(self) -> int:
        while self.dues:
            due, number = self.dues[0]
            task = self.tasks.get(number)
            if task is not None and task.due == due and task.doing is Doing.SUSPENDED:
                return due
            heappop(self.dues)
        return 0


def _how_telling(task: Task) -> int:
    """0 for a task that awaits what keeps its request; more for one that awaits other tasks, or the end.

    A middleware that has started the application in another task waits for its response at a memory stream.
    """
    awaits = task.awaits
    if awaits is None:
        return 2
    if awaits.what in {"task", "stream"}:
        return 1
    return 3 if awaits.name == "disconnect" else 0
