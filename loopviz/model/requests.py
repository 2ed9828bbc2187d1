"""The requests: their states, from the first event of each to the last.

Events of requests come straight to this part. `loopviz.model.tasks` takes those of tasks, and
`loopviz.model.rows` decides which tasks count for a request.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice

from loopviz.model.ended import Ended
from loopviz.model.life import Doing, Life
from loopviz.model.limits import MAX_BURST, MAX_OPEN, Limits
from loopviz.model.request import UNANSWERED, Request
from loopviz.model.shared import Shared
from loopviz.model.states import State
from loopviz.model.websocket import WebSocket
from loopviz.stream.endings import GIVEN_UP
from loopviz.stream.fields import WEBSOCKET

__all__ = ["UNANSWERED", "Requests"]

_REVIVAL = 100
"""What finding a request among those that have ended counts, as a number of looks."""


class Requests:
    """All requests kept."""

    def __init__(self, shared: Shared, limits: Limits) -> None:
        self.by_number: dict[int, Request] = {}
        """In the order of their arrival."""
        self.lives: dict[int, Life] = {}
        """Of the requests that have not ended."""
        self.several = False
        """Whether the server has several workers: then a request can run in the one that has read it only."""
        self._shared = shared
        self._limits = limits
        self._ended = Ended()
        self._arrivals: list[Request] = []
        self._arrived = (0, 0)

    # -- queries ---------------------------------------------------------------------------------

    def alive_at(self, now: int) -> list[Request]:
        """The requests that were sent, and not yet answered, at `now`."""
        alive = [life.request for life in self.lives.values()]
        alive += self._ended.at(now)
        return [r for r in alive if r.start <= now and (r.done is None or r.done > now)]

    def lasting_at(self, now: int) -> list[Request]:
        """The requests that were sent, and whose tasks had not all ended, at `now`."""
        found = [life.request for life in self.lives.values()]
        found += [request for request in self._ended.after(now) if request.since > now]
        return [request for request in found if request.start <= now]

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

    def of(self, worker: int) -> Iterator[tuple[int, Life]]:
        """The requests that have not ended and can run in this worker, by number.

        Of several workers, one that no worker has read yet can run in none of them.
        """
        lives = self.lives.items()
        if not self.several:
            return iter(lives)
        return ((number, life) for number, life in lives if life.request.worker == worker)

    def delayed(self, worker: int, owner: int, start: int, now: int) -> list[int]:
        """The requests, `owner` excepted, that could have run on a free loop between `start` and `now`."""
        return [n for n, life in self.of(worker) if n != owner and life.request.delayed(start, now)]

    def delayed_then(self, worker: int, owner: int, start: int, end: int) -> list[int]:
        """As `delayed`, for a time that is over: some of the requests may have ended since."""
        if not self._shared.look(len(self.lives)):
            return []
        found = {request.id: request for request in self.ended_after(start)}
        self._shared.look(len(found))
        if self.several:
            found = {number: request for number, request in found.items() if request.worker == worker}
        found.update((number, life.request) for number, life in self.of(worker))
        return [n for n, request in found.items() if n != owner and request.delayed(start, end)]

    # -- memory ----------------------------------------------------------------------------------

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
            self.end(life, life.request.since)

    # -- events ----------------------------------------------------------------------------------

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

    def read(self, t: int, number: int, method: str, path: str, arrived: int) -> tuple[Request, bool] | None:
        """READ: the server has read the request. Returns it, and whether it is new: another client sent it.

        None if it ended too long ago.
        """
        new = False
        life = self.lives.get(number)
        if life is None and (request := self.by_number.get(number)) is not None:
            if not self._shared.look(_REVIVAL) or not self._ended.remove(request):
                return None
            # Its client gave up before the server read it: what the server does now is after the end.
            request.reopen()
            life = self.lives[number] = Life(request)
        if life is None:
            new = True
            life = self._begin(number, method, path, min(arrived or t, t), own=False)
        if method == WEBSOCKET and life.request.websocket is None:
            life.request.websocket = WebSocket()
        life.request.enter(State.READY, t)
        return life.request, new

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
            if not life.request.given_up:  # else its client does not get it
                life.request.status = status
            receives = life.doing[Doing.RECEIVING] and self._shared.look(len(life.tasks))
            for task in list(life.tasks.values()) if receives else ():
                if task.doing is Doing.RECEIVING:  # another one answers: it looks for a disconnect
                    life.turn(task, Doing.SUSPENDED, t)

    def handler(self, t: int, number: int, file: str, line: int, function: str) -> None:
        """HANDLER: where the function is defined that answers the request."""
        request = self.by_number.get(number)
        if request is not None:
            request.handler = self._shared.where(file, line, function)

    def raised(self, t: int, number: int, name: str, message: str) -> None:
        """RAISED: the application raised an exception."""
        if (life := self.lives.get(number)) is not None and not life.request.given_up:
            life.request.error = f"{name}: {message}" if message else name

    def responded(self, t: int, number: int) -> None:
        """RESPONDED: the last byte is sent."""
        if (life := self.lives.get(number)) is not None and life.request.done is None:
            life.apply_due_timers(t)
            life.request.finish(t)
            if not life.tasks:  # they have ended while it was sent, or their events were lost
                self.end(life, t)
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
                life.request.error = UNANSWERED
            self.responded(t, number)

    def received(self, t: int, number: int, status: int | None, error: str | None) -> None:
        """RECEIVED: loopviz's client has the answer, or an error."""
        request = self.by_number.get(number)
        if request is None:
            return
        request.received = t
        if request.status is None:
            request.status = status
        unknown = request.error is None or (request.error == UNANSWERED and error == GIVEN_UP)
        if error is not None and unknown:
            request.error = error
        elif error is None and request.error == UNANSWERED:  # it had all that it wanted
            request.error = None
        life = self.lives.get(number)
        if life is not None and life.sending:  # the client knows it earlier, or has given up
            self.responded(t, number)
        elif life is not None and request.state is State.QUEUED:  # the server never read it
            request.finish(t)
            self.end(life, t)
        elif life is not None and error == GIVEN_UP:  # what the server still does is no part of the latency
            life.apply_due_timers(t)
            request.finish(t)

    def claimed(self, t: int, number: int, claimed: int, header: str) -> None:
        """CLAIMED: its answer says how long it took, by a timer of the server."""
        request = self.by_number.get(number)
        if request is not None:
            request.claimed = claimed

    def _begin(self, number: int, method: str, path: str, start: int, *, own: bool) -> Life:
        request = Request(number, method, path, start, own=own, since=start)
        life = self.lives[number] = Life(request)
        self.by_number[number] = request
        return life

    def end(self, life: Life, t: int) -> None:
        """The last task of the request has ended."""
        request = life.request
        request.end(t)
        self.lives.pop(request.id, None)
        self._ended.add(request)
        request.pack(self._shared.table())
