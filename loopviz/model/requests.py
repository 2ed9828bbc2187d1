"""The requests: their tasks and states, from the first event of each to the last.

This part knows neither the loop nor the worker threads. Events of requests, and of tasks outside their
steps, come straight to it; `loopviz.model.loop` and `loopviz.model.workers` report steps and calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import islice

from loopviz.model.ended import Ended
from loopviz.model.life import Call, Doing, Life, Task
from loopviz.model.limits import MAX_BURST, MAX_OPEN, Limits
from loopviz.model.pools import Pools
from loopviz.model.request import Request
from loopviz.model.segments import Awaits, Where
from loopviz.model.shared import Shared
from loopviz.model.states import SUSPENDED, State
from loopviz.model.websocket import WebSocket
from loopviz.stream.fields import WEBSOCKET

__all__ = ["Requests"]

_CLIENT_WAITS = {"receiving": Doing.RECEIVING, "sending": Doing.SENDING}
_IN_GROUP = 2
"""Of AWAITS_TASK: the other task is in a task group of the task."""
_UNANSWERED = "no whole response: the client has gone"
_MOST_TELLING = 100
"""At most so many of a request's suspended tasks are compared."""


def _how_telling(task: Task) -> int:
    """0 for a task that awaits what keeps its request; more for one that awaits other tasks, or the end."""
    awaits = task.awaits
    if awaits is None:
        return 2
    if awaits.what == "task":
        return 1
    return 3 if awaits.name == "disconnect" else 0


class Requests:
    """All requests kept, and the tasks of those that have not ended."""

    def __init__(self, shared: Shared, limits: Limits) -> None:
        self.by_number: dict[int, Request] = {}
        """In the order of their arrival."""
        self.lives: dict[int, Life] = {}
        """Of the requests that have not ended."""
        self.tasks: dict[int, Task] = {}
        self.started: dict[int, Life] = {}
        """Of tasks that a request has started and does not await, by the task's number."""
        self.started_ended: deque[Request] = deque(maxlen=limits.started)
        """The rows of such tasks that have ended, or are awaited by now."""
        self._rows = 0
        """How many rows of started tasks there have been."""
        self.pools = Pools(limits)
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
        """The latest overlapping requests done by `now`: back from the one that was sent last.

        WebSockets are left out: their lives are as long as their clients want.
        """
        burst: list[Request] = []
        start = 0
        arrivals = self.arrivals
        # Requests arrive in the order of their time, except for a few milliseconds.
        at = bisect_right(arrivals, now, key=lambda request: request.start)
        for index in range(at - 1, max(-1, at - 1 - MAX_BURST), -1):
            request = arrivals[index]
            if request.done is None or request.done > now or request.websocket is not None:
                continue
            if burst and request.done < start:
                break
            start = min(start, request.start) if burst else request.start
            burst.append(request)
        return burst

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
        for row in reversed(self.started_ended):
            if row.since <= since:
                break
            rows.append(row)
        return sorted((row for row in rows if row.start <= now), key=lambda row: row.start)

    def delayed(self, owner: int, start: int, now: int) -> list[int]:
        """The requests, `owner` excepted, that could have run on a free loop between `start` and `now`."""
        return [n for n, life in self.lives.items() if n != owner and life.request.delayed(start, now)]

    def delayed_then(self, owner: int, start: int, end: int) -> list[int]:
        """As `delayed`, for a time that is over: some of the requests may have ended since."""
        found = {request.id: request for request in self.ended_after(start)}
        found.update((number, life.request) for number, life in self.lives.items())
        return [n for n, request in found.items() if n != owner and request.delayed(start, end)]

    # -- memory --------------------------------------------------------------------------------

    def forget(self) -> None:
        """Remove every request that has ended."""
        for number in [n for n in self.by_number if n not in self.lives]:
            del self.by_number[number]
        self._ended.clear()
        self.started_ended.clear()

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
        for number in list(islice(self.started, max(0, len(self.started) - MAX_OPEN))):
            self.started_ended.append(self.started.pop(number).request)
        while self.started_ended and self.started_ended[0].since < horizon:
            self.started_ended.popleft()

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
        if method == WEBSOCKET and life.request.websocket is None:
            life.request.websocket = WebSocket()
        life.request.enter(State.READY, t)
        return life.request if new else None

    def behind(self, t: int, number: int) -> None:
        """BEHIND: it waits for the response before it, and could not run on a free loop."""
        life = self.lives.get(number)
        if life is not None and not life.tasks:
            life.request.enter(State.AWAITING, t)

    def message(self, t: int, number: int, direction: str, size: int) -> None:
        """MESSAGE: the application receives or sends a message."""
        request = self.by_number.get(number)
        if request is not None and (websocket := request.websocket) is not None:
            if direction == "received":
                websocket.received += 1
            else:
                websocket.sent += 1

    def closed(self, t: int, number: int, code: int) -> None:
        """CLOSED: the WebSocket is closed."""
        request = self.by_number.get(number)
        if request is not None and request.websocket is not None:
            request.websocket.code = code

    def status(self, t: int, number: int, status: int) -> None:
        """STATUS: the head of the response is sent."""
        if (life := self.lives.get(number)) is not None:
            life.request.status = status
            for task in list(life.tasks.values()) if life.doing[Doing.RECEIVING] else ():
                if task.doing is Doing.RECEIVING:  # another one answers: it looks for a disconnect
                    life.turn(task, Doing.SUSPENDED, t)

    def raised(self, t: int, number: int, name: str, message: str) -> None:
        """RAISED: the application raised an exception."""
        if (life := self.lives.get(number)) is not None:
            life.request.error = f"{name}: {message}" if message else name

    def responded(self, t: int, number: int) -> None:
        """RESPONDED: the last byte is sent."""
        if (life := self.lives.get(number)) is not None and life.request.done is None:
            life.apply_due_timers(t)
            life.request.finish(t)
            if not life.tasks:  # they have ended while it was sent, or their events were lost
                self._end_request(life, t)
            elif life.sending:
                life.sending = False
                life.refresh(t)

    def sending(self, t: int, number: int) -> None:
        """SENDING: the application has passed on the last byte, and not all of it has left yet."""
        if (life := self.lives.get(number)) is not None and life.request.done is None:
            life.apply_due_timers(t)
            life.sending, life.held_up = True, False
            life.refresh(t)

    def writable(self, t: int, number: int) -> None:
        """WRITABLE: the client could take more of the response, and the loop has no time to write it."""
        if (life := self.lives.get(number)) is not None and life.sending:
            life.held_up = True
            life.refresh(t)

    def abandoned(self, t: int, number: int) -> None:
        """ABANDONED: the client has gone before it has taken the whole response."""
        if (life := self.lives.get(number)) is not None and life.request.done is None:
            if life.request.error is None:
                life.request.error = _UNANSWERED
            self.responded(t, number)

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
        if life is not None and life.sending:  # the client knows it earlier, or has given up
            self.responded(t, number)
        elif life is not None and request.state is State.QUEUED:  # the server never read it
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
        """TASK: a task was created. One that is reported twice counts once.

        It counts as awaited by the task that has created it until something else is reported.
        """
        known = self.tasks.get(number)
        if known is not None and known.request:
            return
        task = self.tasks[number] = Task(number, request, name)
        if not request:
            return
        life, creator = self.lives.get(request), self.tasks.get(parent)
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
                elif not self._is_root(child) and task not in _joined_by(child):
                    self._attach(child, task, t)

    def _not_awaited(self, task: Task, t: int) -> None:
        """A callback has started the task. If a worker thread had asked for it, that one waits for it."""
        life = self.lives.get(task.request)
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
            self._move(task, to.life, t)

    def _start(self, task: Task, t: int) -> None:
        """The task is a row of its own: a request has started it and does not await it."""
        if self._is_root(task) or (task.life is not None and task.life.root == task.number):
            return
        self._detach(task)
        self._rows += 1
        row = Request(-self._rows, "", task.name, t, started_by=task.request, state=State.READY, since=t)
        life = Life(row, task.number)
        self.started[task.number] = life
        self._move(task, life, t)

    def _detach(self, task: Task) -> None:
        if task.awaited_by is not None:
            task.awaited_by.joined.pop(task.number, None)
            task.awaited_by = None

    def _move(self, task: Task, life: Life, t: int) -> None:
        """Let the task, and all that it awaits, count in `life`."""
        for moved in [task, *_joined_by(task)]:
            before = moved.life
            if before is not life:
                if before is not None:
                    self._leave(moved, before, t)
                life.add(moved, t)

    def _leave(self, task: Task, life: Life, t: int) -> bool:
        """The task does not count in `life` any more; False if it did not before."""
        if not life.remove(task, t):
            return False
        self._tell(life, t)
        if not life.tasks:
            if life.sending and life.request.done is None:  # `responded` ends the request
                life.refresh(t)
            elif life.request.started_by:
                self.started.pop(life.root, None)
                life.request.finish(t)
                life.request.end(t)
                self.started_ended.append(life.request)
            else:
                self._end_request(life, t)
        return True

    def wake(self, t: int, number: int) -> None:
        """WAKE: what the task awaited is done."""
        task = self.task(number)
        if task.doing is Doing.RUNNING and t <= task.began:
            return  # its step has been reported already
        task.wants_thread = False
        task.woken_by = 0
        task.client = None
        suspended = task.doing > Doing.READY
        self._ready(task, t)
        life = task.life
        if suspended and life is not None and life.request.since >= t:  # else it was ready before
            life.woken = t

    def late_wake(self, since: int, number: int) -> int:
        """LATE_WAKE: as `wake`, at `since`. Returns the task's request, if that could not run otherwise."""
        task = self.tasks.get(number)
        life = task.life if task is not None else None
        if life is None:
            return 0
        running = life.request.state is State.RUNNING
        self.wake(since, number)
        if life.woken == since:
            life.woken = 0
        return 0 if running else self.owner(number)

    def wants_thread(self, t: int, number: int) -> None:
        """TOKEN_WAIT: the task has to wait for a thread."""
        self.task(number).wants_thread = True

    def waits_for_client(self, t: int, number: int, direction: str) -> None:
        """CLIENT_WAIT: the task will be suspended until its request's client has done its part."""
        self.task(number).client = _CLIENT_WAITS.get(direction)

    def awaits(self, t: int, number: int, file: str, line: int, function: str) -> None:
        """AWAITS: a sample of the line at which the task is suspended."""
        task = self.tasks.get(number)
        if task is None:
            return
        task.where = self._shared.where(file, line, function)
        self._suspended_at(t, task)

    def awaited(self, t: int, number: int, what: str, name: str, holder: int) -> None:
        """AWAITED: a sample of what the suspended task awaits; `holder` is the task that holds it."""
        task = self.tasks.get(number)
        if task is None:
            return
        task.awaits = self._shared.same(Awaits(what, name, self.owner(holder)))
        self._suspended_at(t, task)

    def _suspended_at(self, t: int, task: Task) -> None:
        """It was seen where a task is suspended, or at what."""
        life = task.life
        if life is not None and not life.sending and task.doing is not Doing.RUNNING:
            life.sampled[task.number] = task
            self._tell(life, t)

    def _tell(self, life: Life, t: int) -> None:
        """Say where the request is suspended, and what it awaits, by the most telling of its tasks."""
        request, root = life.request, life.sampled.get(life.root)
        if not life.sampled or request.state not in SUSPENDED:
            return
        telling, where = root, None
        if root is None or _how_telling(root):
            for task in islice(life.sampled.values(), _MOST_TELLING):
                if telling is None or _how_telling(task) < _how_telling(telling):
                    telling = task
                where = where or task.where
                if where is not None and not _how_telling(telling):
                    break
        if telling is None or (_how_telling(telling) > 2 and len(life.tasks) > len(life.sampled)):
            return
        where = telling.where or (root.where if root is not None else None) or where
        request.seen_awaiting(t, where, telling.awaits if request.state is State.AWAITING else None)

    def task(self, number: int) -> Task:
        """The task; one whose creation was not reported belongs to no request."""
        task = self.tasks.get(number)
        if task is None:
            task = self.tasks[number] = Task(number, 0)
        return task

    def _turn(self, task: Task, doing: Doing, t: int) -> None:
        if doing is Doing.THREAD_WAIT:
            self.pools.waits(t, task.number, task.request)
        elif task.doing is Doing.THREAD_WAIT:
            self.pools.ends(t, task.number)
        if task.life is None:
            task.doing = doing
        else:
            life = task.life
            life.turn(task, doing, t)
            if life.sampled and life.request.where is None:
                self._tell(life, t)

    def _ready(self, task: Task, t: int) -> None:
        """It can continue: now, or when its step ends (an eager task's first step has no beginning)."""
        if task.doing is Doing.RUNNING or task.doing is Doing.READY:
            task.woken = True
        else:
            self._turn(task, Doing.READY, t)

    # -- steps, reported by the loop -----------------------------------------------------------

    def step(self, task: Task, t: int) -> None:
        """A step of the task begins: it no longer awaits the call that AnyIO has made for it."""
        task.woken = False
        task.due = task.woken_by = 0
        task.began = t
        if task.where is not None or task.awaits is not None:
            task.where = task.awaits = None
            if task.life is not None:
                task.life.sampled.pop(task.number, None)
        if task.pending:
            for number in [n for n, call in task.pending.items() if not call.submitted]:
                self._forget_call(task, number)
        self._turn(task, Doing.RUNNING, t)

    def suspend(self, t: int, number: int, awaited: str, due: int) -> None:
        """The task's step ends at an await."""
        task = self.task(number)
        task.due = due
        if task.woken or not awaited or (due and due <= t):
            doing = Doing.READY
        elif not due and task.waits_for_worker:
            doing = Doing.THREAD_WAIT
        else:
            doing = task.client or Doing.SUSPENDED
        task.client = None
        self._turn(task, doing, t)

    def end(self, t: int, number: int) -> None:
        """The task's last step ends. Tasks that it has not awaited go on as rows of their own."""
        task = self.tasks.pop(number, None)
        if task is None:
            return
        self.pools.forget(number)
        life, call = task.life, task.from_call
        if call is not None:
            call.waits_for -= 1
        is_root = life is not None and number == life.root and not life.sending
        if is_root and life is not None and not life.request.started_by and life.request.done is None:
            request = life.request  # it ends without a whole response
            # A WebSocket whose handshake was answered is over when the application is.
            answered = request.received or (request.websocket is not None and request.status is not None)
            if request.error is None and not answered:
                request.error = _UNANSWERED
            life.apply_due_timers(t)
            request.finish(t)
        self._detach(task)
        for child in list(task.joined.values()):
            self._start(child, t)
        if life is not None:
            self._leave(task, life, t)

    def step_seen(self, number: int, where: Where | None) -> None:
        """The step of the task that runs is at this line."""
        task = self.tasks.get(number)
        life = task.life if task is not None else None
        if life is not None and life.request.state is State.RUNNING:
            life.request.where = where

    # -- calls, reported by the workers --------------------------------------------------------

    def submit(self, number: int, call: Call) -> None:
        """A task has handed a call to an executor."""
        if (owner := self.tasks.get(call.task)) is not None:
            owner.pending[number] = call

    def awaits_call(self, t: int, number: int, call: int, open_call: Call | None, awaits: int) -> None:
        """AWAITS_CALL: the task awaits the call, or does not. `open_call` is None if the call is over."""
        task = self.tasks.get(number)
        if task is None:
            return
        if not awaits:
            self._forget_call(task, call)
            if task.woken_by == call and task.doing is Doing.READY:
                self._turn(task, Doing.SUSPENDED, t)
        elif open_call is not None:
            task.pending[call] = open_call
            if task.life is not None and open_call.thread and not open_call.over:
                task.life.begin(call, open_call)
        self._settle(task, t)

    def _settle(self, task: Task, t: int) -> None:
        """What it awaits has changed while it is suspended."""
        if task.doing is Doing.THREAD_WAIT and not task.waits_for_worker:
            self._turn(task, Doing.SUSPENDED, t)
        elif task.doing is Doing.SUSPENDED and not task.due and task.waits_for_worker:
            self._turn(task, Doing.THREAD_WAIT, t)
        elif task.life is not None:
            task.life.refresh(t)
        if task.life is not None:
            self._tell(task.life, t)

    def _forget_call(self, task: Task, number: int) -> None:
        """The task does not await the call any more. The caller refreshes."""
        task.pending.pop(number, None)
        if task.life is not None:
            task.life.calls.pop(number, None)

    def call_begins(self, t: int, number: int, call: Call) -> None:
        """A call begins to execute."""
        owner = self.tasks.get(call.task)
        life = owner.life if owner is not None else self.lives.get(call.request)
        if life is not None:
            life.apply_due_timers(t)
        if owner is not None:
            if not call.submitted:
                owner.wants_thread = False
                owner.pending[number] = call
            elif number not in owner.pending:
                return  # it is not awaited
        if life is not None:
            life.begin(number, call)
        if owner is not None:
            self._settle(owner, t)
        elif life is not None:
            life.refresh(t)
            self._tell(life, t)

    def call_returns(self, t: int, number: int, call: Call, *, resumes: bool) -> None:
        """A call has returned. `resumes` says whether its result is known on the loop's side, too."""
        task = self.tasks.get(call.task)
        life = task.life if task is not None else self.lives.get(call.request)
        if life is not None:
            life.apply_due_timers(t)
            life.calls.pop(number, None)
        if task is not None and resumes:
            self._resume(task, number, t)
        if life is not None:
            life.refresh(t)
            self._tell(life, t)

    def result(self, t: int, number: int, task: int) -> None:
        """The result of a process's call has arrived: the task that awaits it can continue."""
        owner = self.tasks.get(task)
        if owner is not None:
            self._resume(owner, number, t)

    def _resume(self, task: Task, number: int, t: int) -> None:
        """A call's result is there: the task can continue if it awaits no other call."""
        if task.pending.pop(number, None) is None or task.pending:
            return
        if task.doing is not Doing.READY:
            task.woken_by = number
        self._ready(task, t)

    def call_seen(self, call: Call) -> None:
        """A call is at the line that it names."""
        task = self.tasks.get(call.task)
        life = task.life if task is not None else self.lives.get(call.request)
        if life is not None and life.request.state is State.IN_THREAD and life.request.thread == call.thread:
            life.request.where = call.where


def _joined_by(task: Task) -> list[Task]:
    """The tasks that it awaits, and that those await, and so on."""
    found: dict[int, Task] = {}
    todo = [task]
    while todo:
        for number, child in todo.pop().joined.items():
            if number not in found:
                found[number] = child
                todo.append(child)
    return list(found.values())
