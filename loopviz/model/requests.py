"""The requests: their tasks and states, from the first event of each to the last.

This part knows neither the loop nor the worker threads. Events of requests, and of tasks outside their
steps, come straight to it; `loopviz.model.loop` and `loopviz.model.workers` report steps and calls.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice

from loopviz.model.ended import Ended
from loopviz.model.life import Call, Doing, Life, Task
from loopviz.model.limits import MAX_BURST, MAX_OPEN, Limits
from loopviz.model.request import Request
from loopviz.model.segments import Where
from loopviz.model.shared import Shared
from loopviz.model.states import State

__all__ = ["Requests"]

_UNANSWERED = "no whole response: the client has gone"


class Requests:
    """All requests kept, and the tasks of those that have not ended."""

    def __init__(self, shared: Shared, limits: Limits) -> None:
        self.by_number: dict[int, Request] = {}
        """In the order of their arrival."""
        self.lives: dict[int, Life] = {}
        """Of the requests that have not ended."""
        self.tasks: dict[int, Task] = {}
        self._shared = shared
        self._limits = limits
        self._ended = Ended()
        self._arrivals: list[Request] = []
        self._arrived = (0, 0)

    # -- queries -------------------------------------------------------------------------------

    def alive_at(self, now: int) -> list[Request]:
        """The requests that were sent, and not yet answered, at `now`."""
        alive = [life.request for life in self.lives.values()]
        alive += self._ended.at(now)
        return [r for r in alive if r.start <= now and (r.done is None or r.done > now)]

    def ended_after(self, t: int) -> list[Request]:
        """The requests whose last task ended after `t`, the newest first."""
        return [request for request in self._ended.after(t) if request.since > t]

    @property
    def arrivals(self) -> list[Request]:
        """The requests in the order of their arrival; the same list until one is added or removed."""
        arrived = (len(self.by_number), next(reversed(self.by_number), 0))
        if self._arrived != arrived:
            self._arrivals, self._arrived = list(self.by_number.values()), arrived
        return self._arrivals

    def last_burst(self, now: int) -> list[Request]:
        """The latest overlapping requests done by `now`: back from the one that was sent last."""
        burst: list[Request] = []
        start = 0
        arrivals = self.arrivals
        # Requests arrive in the order of their time, except for a few milliseconds.
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

    def owner(self, task: int) -> int:
        """The request that a task belongs to; 0 for none."""
        found = self.tasks.get(task)
        return found.request if found is not None else 0

    def delayed(self, owner: int, start: int, now: int) -> list[int]:
        """The requests, `owner` excepted, that could have run on a free loop between `start` and `now`."""
        return [n for n, life in self.lives.items() if n != owner and life.request.delayed(start, now)]

    # -- memory --------------------------------------------------------------------------------

    def forget(self) -> None:
        """Remove every request that has ended."""
        for number in [n for n in self.by_number if n not in self.lives]:
            del self.by_number[number]
        self._ended.clear()

    def prune(self, horizon: int) -> None:
        """Remove what ended before `horizon` (ns), and what exceeds the limits."""
        most, ended = self._limits.ended, self._ended
        while (oldest := ended.oldest) and (len(ended) > most or oldest.since < horizon):
            self.by_number.pop(ended.forget_oldest().id, None)
        for life in list(islice(self.lives.values(), max(0, len(self.lives) - MAX_OPEN))):
            life.request.error = life.request.error or "its end was never seen"
            life.request.finish(life.request.since)
            self._end_request(life, life.request.since)
        for number in list(islice(self.tasks, max(0, len(self.tasks) - MAX_OPEN))):
            del self.tasks[number]

    # -- events of requests --------------------------------------------------------------------

    def sent(self, t: int, number: int, method: str, path: str) -> None:
        """SENT: loopviz's client has sent the request. May come after other events of it."""
        request = self.by_number.get(number)
        if request is None:
            self._begin(number, method, path, t, own=True)
            return
        request.own = True
        request.began_at(t)
        if request.ended:
            request.pack(self._shared.table())

    def read(self, t: int, number: int, method: str, path: str, arrived: int) -> Request | None:
        """READ: the server has read the request. Returns the request if it is new: another client sent it."""
        new = False
        life = self.lives.get(number)
        if life is None and (request := self.by_number.get(number)) is not None:
            if not self._ended.remove(request):
                return None  # it ended too long ago
            # Its client gave up before the server read it: what the server does now is after the end.
            request.reopen()
            life = self.lives[number] = Life(request)
        if life is None:
            new = True
            life = self._begin(number, method, path, min(arrived or t, t), own=False)
        life.request.enter(State.READY, t)
        return life.request if new else None

    def status(self, t: int, number: int, status: int) -> None:
        """STATUS: the head of the response is sent."""
        if (life := self.lives.get(number)) is not None:
            life.request.status = status

    def raised(self, t: int, number: int, name: str, message: str) -> None:
        """RAISED: the application raised an exception."""
        if (life := self.lives.get(number)) is not None:
            life.request.error = f"{name}: {message}" if message else name

    def responded(self, t: int, number: int) -> None:
        """RESPONDED: the last byte is sent."""
        if (life := self.lives.get(number)) is not None and life.request.done is None:
            life.apply_due_timers(t)
            life.request.finish(t)
            if not life.tasks:  # their events were lost, so their ends will not come
                self._end_request(life, t)

    def received(self, t: int, number: int, status: int | None, error: str | None) -> None:
        """RECEIVED: loopviz's client has the answer, or an error."""
        request = self.by_number.get(number)
        if request is None:
            return
        request.received = t
        if request.status is None:
            request.status = status
        if error is not None and request.error is None:
            request.error = error
        elif error is None and request.error == _UNANSWERED:  # it had all that it wanted
            request.error = None
        life = self.lives.get(number)
        if life is not None and request.state is State.QUEUED:  # the server never read it
            request.finish(t)
            self._end_request(life, t)

    def _begin(self, number: int, method: str, path: str, start: int, *, own: bool) -> Life:
        request = Request(number, method, path, start, own=own, since=start)
        life = self.lives[number] = Life(request)
        self.by_number[number] = request
        return life

    def _end_request(self, life: Life, t: int) -> None:
        request = life.request
        request.end(t)
        self.lives.pop(request.id, None)
        self._ended.add(request)
        request.pack(self._shared.table())

    # -- events of tasks -----------------------------------------------------------------------

    def created(self, t: int, number: int, parent: int, request: int, name: str) -> None:
        """TASK: a task was created. One that is reported twice counts once."""
        known = self.tasks.get(number)
        if known is not None and known.request:
            return
        task = self.tasks[number] = Task(number, request)
        life = self.lives.get(request)
        if life is not None:
            life.add(task, t)

    def wake(self, t: int, number: int) -> None:
        """WAKE: what the task awaited is done."""
        task = self.task(number)
        task.wants_thread = False
        task.awaits_call = 0
        suspended = task.doing > Doing.READY
        self._ready(task, t)
        if suspended:
            life = self.lives.get(task.request)
            if life is not None and life.request.since >= t:  # else it was ready before
                life.woken = t

    def late_wake(self, since: int, number: int) -> int:
        """LATE_WAKE: as `wake`, at `since`. Returns the task's request, if that could not run otherwise."""
        task = self.tasks.get(number)
        life = self.lives.get(task.request) if task is not None else None
        if task is None or life is None:
            return 0
        running = life.request.state is State.RUNNING
        self.wake(since, number)
        if life.woken == since:
            life.woken = 0
        return 0 if running else task.request

    def wants_thread(self, t: int, number: int) -> None:
        """TOKEN_WAIT: the task has to wait for a thread."""
        self.task(number).wants_thread = True

    def awaits(self, t: int, number: int, file: str, line: int, function: str) -> None:
        """AWAITS: a sample of the line at which the task is suspended."""
        task = self.tasks.get(number)
        if task is None:
            return
        task.where = self._shared.where(file, line, function)
        life = self.lives.get(task.request)
        if life is not None and life.request.state in (State.AWAITING, State.TOKEN_WAIT):
            life.request.where = task.where

    def task(self, number: int) -> Task:
        """The task; one whose creation was not reported belongs to no request."""
        task = self.tasks.get(number)
        if task is None:
            task = self.tasks[number] = Task(number, 0)
        return task

    def _turn(self, task: Task, doing: Doing, t: int) -> None:
        life = self.lives.get(task.request)
        if life is None or task.number not in life.tasks:
            task.doing = doing
        else:
            life.turn(task, doing, t)

    def _ready(self, task: Task, t: int) -> None:
        """It can continue: now, or when its step ends (an eager task's first step has no beginning)."""
        if task.doing is Doing.RUNNING or task.doing is Doing.READY:
            task.woken = True
        else:
            self._turn(task, Doing.READY, t)

    # -- steps, reported by the loop -----------------------------------------------------------

    def step(self, task: Task, t: int) -> None:
        """A step of the task begins."""
        task.woken = False
        task.due = task.awaits_call = 0
        task.where = None
        self._turn(task, Doing.RUNNING, t)

    def suspend(self, t: int, number: int, awaited: str, due: int) -> None:
        """The task's step ends at an await."""
        task = self.task(number)
        task.due = due
        if task.woken or not awaited or (due and due <= t):
            doing = Doing.READY
        elif not due and (task.wants_thread or task.submitted):
            doing = Doing.THREAD_WAIT
        else:
            doing = Doing.SUSPENDED
        self._turn(task, doing, t)

    def end(self, t: int, number: int) -> None:
        """The task's last step ends."""
        task = self.tasks.pop(number, None)
        if task is None:
            return
        life = self.lives.get(task.request)
        if life is None or not life.remove(task, t):
            return
        request = life.request
        if number == life.root and request.done is None:  # it ends without a whole response
            if request.error is None and not request.received:
                request.error = _UNANSWERED
            request.finish(t)
        if not life.tasks:
            self._end_request(life, t)

    def step_seen(self, number: int, where: Where | None) -> None:
        """The step of the request that runs is at this line."""
        life = self.lives.get(number)
        if life is not None and life.request.state is State.RUNNING:
            life.request.where = where

    # -- calls, reported by the workers --------------------------------------------------------

    def submit(self, number: int, task: int) -> None:
        """A task has handed a call to an executor."""
        if (owner := self.tasks.get(task)) is not None:
            owner.submitted += 1
            owner.awaits_call = number

    def call_begins(self, t: int, number: int, call: Call, *, submitted: bool) -> None:
        """A call begins to execute. `submitted` says whether its submission was reported."""
        owner = self.tasks.get(call.task)
        if owner is not None:
            owner.wants_thread = False
            owner.submitted -= submitted
            if not submitted:
                owner.awaits_call = number
        life = self.lives.get(call.request)
        if life is None:
            return
        life.apply_due_timers(t)
        life.begin(number, call)
        if owner is not None and owner.doing is Doing.THREAD_WAIT and not owner.submitted:
            self._turn(owner, Doing.SUSPENDED, t)
        life.refresh(t)

    def call_returns(self, t: int, number: int, call: Call, *, resumes: bool) -> None:
        """A call has returned. `resumes` says whether its task can continue now."""
        life = self.lives.get(call.request)
        if life is not None:
            life.apply_due_timers(t)
            life.calls.pop(number, None)
        task = self.tasks.get(call.task)
        if task is not None:
            if not call.thread:
                task.submitted -= 1
            if resumes and task.awaits_call == number:
                task.awaits_call = 0
                self._ready(task, t)
        if life is not None:
            life.refresh(t)

    def result(self, t: int, number: int, task: int) -> None:
        """The result of a process's call has arrived: the task that awaits it can continue."""
        owner = self.tasks.get(task)
        if owner is not None and owner.awaits_call == number:
            owner.awaits_call = 0
            self._ready(owner, t)

    def call_seen(self, call: Call) -> None:
        """A call is at the line that it names."""
        life = self.lives.get(call.request)
        if life is not None and life.request.state is State.IN_THREAD and life.request.thread == call.thread:
            life.request.where = call.where
