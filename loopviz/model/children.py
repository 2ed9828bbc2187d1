"""The child tasks of requests: what each of the tasks that a request awaits does, as a row of its own.

A request's state says what the most active of its tasks does; this part says what each of them does. While
events are taken in, a change is only written down: three numbers at the end of a list. The states follow when
a view asks for them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeAlias

from loopviz.model.limits import MAX_CHILDREN, Limits
from loopviz.model.request import Request
from loopviz.model.segments import Awaits, Where
from loopviz.model.states import Doing, State

__all__ = ["Child", "Children", "Track"]

Track: TypeAlias = "list[int]"
"""Changes of a child that its row does not have yet, three numbers each: the time (ns), what the task does
from then on (`Doing`), and when the timer that it awaits is due (0 for none). After one of the words below
the third number is an index into the child's notes."""

_ENDS, _BEGINS, _RETURNS, _SEEN = range(len(Doing), len(Doing) + 4)
_STATES = {
    Doing.RUNNING: State.RUNNING,
    Doing.READY: State.READY,
    Doing.THREAD_WAIT: State.TOKEN_WAIT,
    Doing.SUSPENDED: State.AWAITING,
    Doing.RECEIVING: State.RECEIVING,
    Doing.SENDING: State.SENDING,
}


class _Note(NamedTuple):
    """What is known of a call of the task, or of the line at which the task or the call was seen."""

    call: int = 0
    state: State = State.IN_THREAD
    thread: int = 0
    where: Where | None = None
    awaits: Awaits | None = None


@dataclass(slots=True, eq=False)
class Child:
    """A task that a request awaits, or has awaited. Times are nanoseconds of `loopviz.clock`."""

    number: int
    """The task."""
    request: int
    parent: int
    """The task that awaited it first: the one that has created it, or has opened its task group."""
    name: str
    """The qualified name of its coroutine."""
    start: int
    """When it was created."""
    end: int | None = None
    """When its last step ended. Whether it was cancelled is not known."""
    apart: bool = False
    """Whether it is a row of its own instead, since the request does not await it."""
    own: Request | None = None
    """Its own row, if it has gone on when the task ended that awaited it."""
    track: Track = field(default_factory=list)
    """The task's changes are added to this list."""
    _packed: bytes = b""
    _notes: list[_Note] | None = None
    _row: Request | None = None
    _doing: int = Doing.READY
    _due: int = 0
    _calls: dict[int, _Note] | None = None

    # -- changes ---------------------------------------------------------------------------------

    def begins(self, t: int, call: int, state: State, thread: int, where: Where | None) -> None:
        """A call of it begins to execute in a worker."""
        self._note(t, _BEGINS, _Note(call, state, thread, where))

    def returns(self, t: int, call: int) -> None:
        """A call of it has returned, or is not awaited any more."""
        self._note(t, _RETURNS, _Note(call))

    def seen(self, t: int, where: Where | None, awaits: Awaits | None = None, thread: int = 0) -> None:
        """It was seen at a line, or what it awaits was; `thread` is where a call of it was seen."""
        self._note(t, _SEEN, _Note(0, State.IN_THREAD, thread, where, awaits))

    def _note(self, t: int, change: int, note: _Note) -> None:
        if self._notes is None:
            self._notes = []
        self.track += (t, change, len(self._notes))
        self._notes.append(note)

    def ends(self, t: int, known: dict[object, object]) -> None:
        """Its last step has ended; see `Request.pack` for `known`."""
        self.end = t = max(t, self.start)
        self.track += (t, _ENDS, 0)
        if self._row is not None:
            self.row.pack(known)
        else:
            self._packed = array("q", self.track).tobytes()
            self.track = []

    def settle(self) -> None:
        """Make states of the changes, of which there are many."""
        self._apply()

    # -- queries ---------------------------------------------------------------------------------

    @property
    def row(self) -> Request:
        """Its states, as those of a request that is sent when it is created, and done when it ends.

        Its `id` is the task's number, negative, and `Request.started_by` the request.
        """
        return self._apply() if self._row is None or self.track or self._packed else self._row

    def _apply(self) -> Request:
        """Make states of the changes."""
        row = self._row
        if row is None:
            row = self._row = Request(
                -self.number, "", self.name, self.start,
                started_by=self.request, state=State.READY, since=self.start,
            )  # fmt: skip
        if self._packed:
            self.track.extend(array("q", self._packed))
            self._packed = b""
        numbers = iter(self.track)
        for t, change, value in zip(numbers, numbers, numbers, strict=True):
            if change < _ENDS:
                self._doing, self._due = change, value
            elif change == _ENDS:
                row.finish(t)
                row.end(t)
                break
            else:
                self._noted(row, t, change, (self._notes or [])[value])
                if change == _SEEN:
                    continue
            self._refresh(row, t)
        self.track.clear()
        self._notes = None
        return row

    def _noted(self, row: Request, t: int, change: int, note: _Note) -> None:
        if change == _SEEN:
            if row.state is State.AWAITING and not note.thread:
                row.seen_awaiting(t, note.where, note.awaits)
            elif row.state is not None and row.thread == note.thread:
                row.where = note.where or row.where
            return
        if self._calls is None:
            self._calls = {}
        if change == _RETURNS:
            self._calls.pop(note.call, None)
        elif len(self._calls) < MAX_CHILDREN:
            self._calls[note.call] = note

    def _refresh(self, row: Request, t: int) -> None:
        """Derive its state, as `loopviz.model.life.Life.refresh` does for all tasks of a request."""
        if self._doing == Doing.RUNNING or not self._calls:
            row.enter(_STATES[Doing(self._doing)], t, due=0 if self._doing <= Doing.READY else self._due)
        else:
            call = next(iter(self._calls.values()))
            row.enter(call.state, t, call.thread, call.where)


class Children:
    """The child tasks of all requests that are kept."""

    def __init__(self, limits: Limits) -> None:
        self._of: dict[int, list[Child]] = {}
        self._count = 0
        self._most = limits.children

    def of(self, request: int) -> list[Child]:
        """The tasks that the request awaits or has awaited, in the order in which they were created.

        There are at most `MAX_CHILDREN`, the oldest.
        """
        return [child for child in self._of.get(request, ()) if not child.apart]

    def add(self, number: int, request: int, parent: int, name: str, t: int) -> Child | None:
        """A task counts for a request from `t` on; None if the request has too many already."""
        known = self._of.get(request)
        if known is None:
            known = self._of[request] = []
        elif len(known) >= MAX_CHILDREN:
            return None
        child = Child(number, request, parent, name, t)
        known.append(child)
        self._count += 1
        return child

    def prune(self, requests: dict[int, Request]) -> None:
        """Remove those of requests that are not kept any more, and the oldest of too many."""
        for number in list(islice(self._of, 1_000)):
            if number in requests and self._count <= self._most:
                break
            self._count -= len(self._of.pop(number))

    def forget(self, requests: dict[int, Request]) -> None:
        """Remove those of all requests that are not kept any more."""
        for number in [n for n in self._of if n not in requests]:
            self._count -= len(self._of.pop(number))
