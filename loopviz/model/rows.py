"""Which row each task counts in: its request's, or one of its own.

A task counts for its request while a task that counts awaits it. One that a request has started and does not
await is a row of its own.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from loopviz.model.children import Children
from loopviz.model.life import Life, Task
from loopviz.model.limits import MAX_OPEN, Limits
from loopviz.model.request import Request
from loopviz.model.requests import Requests
from loopviz.model.shared import Shared
from loopviz.model.states import State

__all__ = ["Rows"]

_IN_GROUP = 2
"""Of AWAITS_TASK: the other task is in a task group of the task."""


class Rows:
    """All tasks that have not ended, and the rows of those that are not awaited."""

    def __init__(self, requests: Requests, limits: Limits, shared: Shared) -> None:
        self.tasks: dict[int, Task] = {}
        self.started: dict[int, Life] = {}
        """Of tasks that a request has started and does not await, by the task's number."""
        self.ended: deque[Request] = deque(maxlen=limits.started)
        """The rows of such tasks that have ended, or are awaited by now."""
        self.children = Children(limits)
        """What each task does that a request awaits."""
        self._begun = 0
        """How many rows of started tasks there have been."""
        self._requests = requests
        self._shared = shared

    # -- queries ---------------------------------------------------------------------------------

    def task(self, number: int) -> Task:
        """The task; one whose creation was not reported belongs to no request."""
        task = self.tasks.get(number)
        if task is None:
            task = self.tasks[number] = Task(number, 0)
        return task

    def owner(self, task: int) -> int:
        """The request that a task works for: one that awaits it; 0 for none."""
        found = self.tasks.get(task)
        if found is None or found.life is None or found.life.request.started_by:
            return 0
        return found.life.request.id

    def name_of(self, task: int) -> tuple[str, int]:
        """The name of a task's coroutine, and the request that has started it and does not await it, or 0."""
        found = self.tasks.get(task)
        if found is None:
            return "", 0
        return found.name, found.life.request.started_by if found.life is not None else 0

    def started_rows(self, now: int, since: int) -> list[Request]:
        """The rows of tasks that requests had started by `now` and do not await, if not ended by `since`."""
        rows = [life.request for life in self.started.values()]
        for row in reversed(self.ended):
            if row.since <= since:
                break
            rows.append(row)
        return sorted((row for row in rows if row.start <= now), key=lambda row: row.start)

    # -- memory ----------------------------------------------------------------------------------

    def forget(self) -> None:
        """Remove the rows that have ended."""
        self.ended.clear()
        self.children.forget(self._requests.by_number)

    def prune(self, horizon: int) -> None:
        """Remove rows that ended before `horizon` (ns), and what exceeds the limits."""
        for number in list(islice(self.tasks, max(0, len(self.tasks) - MAX_OPEN))):
            del self.tasks[number]
        for number in list(islice(self.started, max(0, len(self.started) - MAX_OPEN))):
            self.ended.append(self.started.pop(number).request)
        while self.ended and self.ended[0].since < horizon:
            self.ended.popleft()
        self.children.prune(self._requests.by_number)

    # -- events ----------------------------------------------------------------------------------

    def created(self, t: int, number: int, parent: int, request: int, name: str) -> None:
        """TASK: a task was created. One that is reported twice counts once.

        It counts as awaited by the task that has created it until something else is reported.
        """
        known = self.tasks.get(number)
        if known is not None and known.request:
            return
        task = self.tasks[number] = Task(number, request, name)
        if not request:
            return
        life, creator = self._requests.lives.get(request), self.tasks.get(parent)
        if life is not None and not life.root:
            life.add(task, t)
        elif creator is not None and creator.life is not None and creator.request == request:
            self._attach(task, creator, t)
        elif life is not None and (root := self.tasks.get(life.root)) is not None:
            self._attach(task, root, t)
        else:
            self._start(task, t)

    def awaits_task(self, t: int, number: int, other: int, awaits: int) -> None:
        """AWAITS_TASK: the task awaits another one, or does not. With 0 for the task: no task awaits it."""
        task, child = self.tasks.get(number), self.tasks.get(other)
        if child is None or child is task or not child.request:
            return
        if not number:
            self._not_awaited(child, t)
        elif not awaits:
            if child.awaited_by is task and task is not None:
                self._start(child, t)
        elif task is not None:
            before = child.awaited_by
            if awaits == _IN_GROUP or before is None or before.life is task.life:
                if task.life is None:
                    self._start(child, t)
                elif not self._is_root(child) and task not in self._joined_by(child):
                    self._attach(child, task, t)

    def remove(self, task: Task, t: int) -> None:
        """The task has ended. Tasks that it has not awaited go on as rows of their own."""
        self._detach(task)
        for child in list(task.joined.values()):
            self._start(child, t)
            if child.child is not None and task.began > child.child.start:
                # It was awaited while the task was suspended, so it stays a child.
                child.child.apart = False
                child.child.own = child.life.request if child.life is not None else None
        if task.life is not None:
            self._leave(task, task.life, t)
        if task.child is not None:
            task.child.ends(t, self._shared.table())

    def _not_awaited(self, task: Task, t: int) -> None:
        """A callback has started the task. If a worker thread had asked for it, that one waits for it."""
        life = self._requests.lives.get(task.request)
        call = life.executing if life is not None else None
        owner = self.tasks.get(call.task) if call is not None else None
        if call is None or owner is None:
            self._start(task, t)
            return
        call.waits_for += 1
        task.from_call = call
        self._attach(task, owner, t)
        if task.life is not None:
            task.life.refresh(t)

    def ends(self, life: Life, t: int) -> None:
        """Its process has ended."""
        for number, task in life.tasks.items():
            self.tasks.pop(number, None)
            if task.child is not None:
                task.child.ends(t, self._shared.table())
        request = life.request
        request.finish(t)
        if not request.started_by:
            self._requests.end(life, t)
            return
        self.started.pop(life.root, None)
        request.end(t)
        self.ended.append(request)

    # -- rows ------------------------------------------------------------------------------------

    def _is_root(self, task: Task) -> bool:
        """Whether it serves a request as its root."""
        life = task.life
        return life is not None and life.root == task.number and not life.request.started_by

    def _attach(self, task: Task, to: Task, t: int) -> None:
        """The task, and what it awaits, count where `to` counts."""
        if to.life is not None:
            self._detach(task)
            task.awaited_by = to
            to.joined[task.number] = task
            if task.child is None and not to.life.request.started_by:
                self._follow(task, to.life.request.id, to.number, t)
            self._move(task, to.life, t)

    def _follow(self, task: Task, request: int, parent: int, t: int) -> None:
        """The task is a child task of the request from now on."""
        child = self.children.add(task.number, request, parent, task.name, t)
        if child is not None:
            task.child, task.track = child, child.track
            child.track += (t, task.doing, task.due)

    def _start(self, task: Task, t: int) -> None:
        """The task is a row of its own: a request has started it and does not await it."""
        if task.life is not None and task.life.root == task.number:
            return
        self._detach(task)
        self._begun += 1
        row = Request(-self._begun, "", task.name, t, started_by=task.request, state=State.READY, since=t)
        if (request := self._requests.by_number.get(task.request)) is not None:
            row.worker, row.letter = request.worker, request.letter
        life = Life(row, task.number)
        self.started[task.number] = life
        self._move(task, life, t)

    def _detach(self, task: Task) -> None:
        if task.awaited_by is not None:
            task.awaited_by.joined.pop(task.number, None)
            task.awaited_by = None

    def _move(self, task: Task, life: Life, t: int) -> None:
        """Let the task, and all that it awaits, count in `life`."""
        for moved in [task, *self._joined_by(task)]:
            before = moved.life
            if before is not life:
                if before is not None:
                    self._leave(moved, before, t)
                life.add(moved, t)
            if moved.child is not None:
                moved.child.apart = life.request.id != moved.child.request

    def _leave(self, task: Task, life: Life, t: int) -> None:
        """The task does not count in `life` any more."""
        if not life.remove(task, t):
            return
        life.locate(t)
        if not life.tasks:
            if life.sending and life.request.done is None:  # `responded` ends the request
                life.refresh(t)
            elif life.request.started_by:
                self.started.pop(life.root, None)
                life.request.finish(t)
                life.request.end(t)
                self.ended.append(life.request)
            else:
                self._requests.end(life, t)

    def _joined_by(self, task: Task) -> list[Task]:
        """The tasks that it awaits, and that those await, and so on; not all if that is too much work."""
        found: dict[int, Task] = {}
        todo = [task]
        while todo:
            for number, child in todo.pop().joined.items():
                if number not in found and self._shared.look():
                    found[number] = child
                    todo.append(child)
        return list(found.values())
