"""What the tasks do, and what they await: steps, wakes and calls.

Events of tasks outside their steps come straight to this part; `loopviz.model.loop` and
`loopviz.model.workers` report steps and calls.
"""

from __future__ import annotations

from loopviz.model.life import Call, Doing, Task
from loopviz.model.limits import MAX_CHANGES
from loopviz.model.pools import Pools
from loopviz.model.request import WORKER_ENDED
from loopviz.model.requests import UNANSWERED, Requests
from loopviz.model.rows import Rows
from loopviz.model.segments import Awaits, Where
from loopviz.model.shared import Shared
from loopviz.model.sightings import Frames
from loopviz.model.states import State

__all__ = ["Tasks"]

_CLIENT_WAITS = {"receiving": Doing.RECEIVING, "sending": Doing.SENDING}


class Tasks:
    """The events of tasks."""

    def __init__(self, requests: Requests, rows: Rows, pools: Pools, shared: Shared) -> None:
        self._requests = requests
        self._rows = rows
        self._pools = pools
        self._shared = shared

    # -- suspended tasks -------------------------------------------------------------------------

    def wake(self, t: int, number: int) -> None:
        """WAKE: what the task awaited is done."""
        task = self._rows.task(number)
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
        task = self._rows.tasks.get(number)
        life = task.life if task is not None else None
        if life is None:
            return 0
        running = life.request.state is State.RUNNING
        self.wake(since, number)
        if life.woken == since:
            life.woken = 0
        return 0 if running else self._rows.owner(number)

    def wants_thread(self, t: int, number: int) -> None:
        """TOKEN_WAIT: the task has to wait for a thread."""
        self._rows.task(number).wants_thread = True

    def waits_for_client(self, t: int, number: int, direction: str) -> None:
        """CLIENT_WAIT: the task will be suspended until its request's client has done its part."""
        self._rows.task(number).client = _CLIENT_WAITS.get(direction)

    def awaits(self, t: int, number: int, file: str, line: int, function: str) -> None:
        """AWAITS: a sample of the line at which the task is suspended."""
        task = self._rows.tasks.get(number)
        if task is None:
            return
        task.where = self._shared.where(file, line, function)
        self._suspended_at(t, task)

    def frames(self, number: int, frames: Frames) -> None:
        """FRAMES: those of the next sample of the task."""
        task = self._rows.tasks.get(number)
        if task is not None:
            task.frames = frames

    def awaited(self, t: int, number: int, what: str, name: str, holder: int) -> None:
        """AWAITED: a sample of what the suspended task awaits; `holder` is the task that holds it."""
        task = self._rows.tasks.get(number)
        if task is None:
            return
        owner = self._rows.owner(holder)
        request = self._requests.by_number.get(owner)
        letter = request.letter if request is not None else ""
        task.awaits = self._shared.same(Awaits(what, name, owner, letter))
        if what == "thread" and name:
            for call in task.pending.values():
                call.role = name
        self._suspended_at(t, task)

    def _suspended_at(self, t: int, task: Task) -> None:
        """It was seen where a task is suspended, or at what."""
        life = task.life
        if life is not None and not life.sending and task.doing is not Doing.RUNNING:
            life.sampled[task.number] = task
            life.locate(t)
            if task.where is not None and life.request.state is State.READY:
                life.request.seen_at(t, task.where, task.frames)  # it goes on there
            if task.child is not None:
                task.child.seen(t, task.where, task.awaits)

    # -- steps, reported by the loop -------------------------------------------------------------

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
                self._forget_call(t, task, number)
        self._turn(task, Doing.RUNNING, t)

    def suspend(self, t: int, number: int, awaited: str, due: int) -> None:
        """The task's step ends at an await."""
        task = self._rows.task(number)
        task.due = due
        task.frames = ()
        if task.woken or not awaited or (due and due <= t):
            doing = Doing.READY
        elif not due and task.waits_for_worker:
            doing = Doing.THREAD_WAIT
        else:
            doing = task.client or Doing.SUSPENDED
        task.client = None
        self._turn(task, doing, t)
        if task.child is not None and len(task.child.track) > MAX_CHANGES:
            task.child.settle()

    def end(self, t: int, number: int) -> None:
        """The task's last step ends. Tasks that it has not awaited go on as rows of their own."""
        task = self._rows.tasks.pop(number, None)
        if task is None:
            return
        self._pools.forget(number)
        life, call = task.life, task.from_call
        if call is not None:
            call.waits_for -= 1
        is_root = life is not None and number == life.root and not life.sending
        if is_root and life is not None and not life.request.started_by and life.request.done is None:
            request = life.request  # it ends without a whole response
            # A WebSocket whose handshake was answered is over when the application is.
            answered = request.received or (request.websocket is not None and request.status is not None)
            if request.error is None and not answered:
                request.error = UNANSWERED
            life.apply_due_timers(t)
            request.finish(t)
        self._rows.remove(task, t)

    def all_end(self, t: int, worker: int) -> None:
        """WORKER: the worker's process has ended, and with it its requests and tasks."""
        lives = [*self._requests.lives.values(), *self._rows.started.values()]
        for life in lives:
            request = life.request
            if request.worker != worker:
                continue
            if not request.started_by and request.done is None:
                request.error = request.error or WORKER_ENDED
            life.apply_due_timers(t)
            for number in life.tasks:
                self._pools.ends(t, number)
                self._pools.forget(number)
            self._rows.ends(life, t)

    def step_seen(self, t: int, number: int, where: Where | None, latest: Where) -> None:
        """The step of the task that runs is at this line; `latest` is the line that was seen last."""
        task = self._rows.tasks.get(number)
        life = task.life if task is not None else None
        if task is not None and task.child is not None:
            task.child.seen(t, latest)
        if life is not None and life.request.state is State.RUNNING:
            # What was seen before the response says nothing of the time after it.
            life.request.where = where if life.request.done is None else latest
            life.request.seen_at(t, latest, task.frames if task is not None else ())

    def _turn(self, task: Task, doing: Doing, t: int) -> None:
        if doing is Doing.THREAD_WAIT:
            self._pools.waits(t, task.number, task.request)
        elif task.doing is Doing.THREAD_WAIT:
            self._pools.ends(t, task.number)
        if task.life is None:
            task.doing = doing
        else:
            life = task.life
            life.turn(task, doing, t)
            if life.sampled and life.request.where is None:
                life.locate(t)

    def _ready(self, task: Task, t: int) -> None:
        """It can continue: now, or when its step ends (an eager task's first step has no beginning)."""
        if task.doing is Doing.RUNNING or task.doing is Doing.READY:
            task.woken = True
        else:
            self._turn(task, Doing.READY, t)

    # -- calls, reported by the workers ----------------------------------------------------------

    def submit(self, number: int, call: Call) -> None:
        """A task has handed a call to an executor."""
        if (owner := self._rows.tasks.get(call.task)) is not None:
            owner.pending[number] = call

    def awaits_call(self, t: int, number: int, call: int, open_call: Call | None, awaits: int) -> None:
        """AWAITS_CALL: the task awaits the call, or does not. `open_call` is None if the call is over."""
        task = self._rows.tasks.get(number)
        if task is None:
            return
        if not awaits:
            self._forget_call(t, task, call)
            if task.woken_by == call and task.doing is Doing.READY:
                self._turn(task, Doing.SUSPENDED, t)
        elif open_call is not None:
            task.pending[call] = open_call
            if task.life is not None and open_call.thread and not open_call.over:
                task.life.begin(call, open_call)
                self._call_of_child(t, task, call, open_call)
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
            task.life.locate(t)

    def _forget_call(self, t: int, task: Task, number: int) -> None:
        """The task does not await the call any more. The caller refreshes."""
        task.pending.pop(number, None)
        if task.child is not None:
            task.child.returns(t, number)
        if task.life is not None:
            task.life.calls.pop(number, None)

    def call_begins(self, t: int, number: int, call: Call) -> None:
        """A call begins to execute."""
        owner = self._rows.tasks.get(call.task)
        life = owner.life if owner is not None else self._requests.lives.get(call.request)
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
            self._call_of_child(t, owner, number, call)
            self._settle(owner, t)
        elif life is not None:
            life.refresh(t)
            life.locate(t)

    @staticmethod
    def _call_of_child(t: int, task: Task, number: int, call: Call) -> None:
        if task.child is not None:
            task.child.begins(t, number, call.state, call.thread, call.where)

    def call_returns(self, t: int, number: int, call: Call, *, resumes: bool) -> None:
        """A call has returned. `resumes` says whether its result is known on the loop's side, too."""
        task = self._rows.tasks.get(call.task)
        life = task.life if task is not None else self._requests.lives.get(call.request)
        if life is not None:
            life.apply_due_timers(t)
            life.calls.pop(number, None)
        if task is not None and task.child is not None:
            task.child.returns(t, number)
        if task is not None and resumes:
            self._resume(task, number, t)
        if life is not None:
            life.refresh(t)
            life.locate(t)

    def result(self, t: int, number: int, task: int) -> None:
        """The result of a process's call has arrived: the task that awaits it can continue."""
        owner = self._rows.tasks.get(task)
        if owner is not None:
            self._resume(owner, number, t)

    def _resume(self, task: Task, number: int, t: int) -> None:
        """A call's result is there: the task can continue if it awaits no other call."""
        if task.pending.pop(number, None) is None or task.pending:
            return
        if task.doing is not Doing.READY:
            task.woken_by = number
            if task.life is not None:
                task.life.woken = 0  # it could have run without what has woken another task of it
        self._ready(task, t)

    def call_seen(self, t: int, call: Call) -> None:
        """A call is at the line that it names."""
        task = self._rows.tasks.get(call.task)
        life = task.life if task is not None else self._requests.lives.get(call.request)
        if life is not None and life.request.state is State.IN_THREAD and life.request.thread == call.thread:
            life.request.where = call.where
            if call.latest is not None:
                life.request.seen_at(t, call.latest, call.frames)
        if task is not None and task.child is not None:
            task.child.seen(t, call.where, thread=call.thread)
