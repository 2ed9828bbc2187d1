"""Which requests have a row, in which order, and which of them is selected."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Literal, get_args

from loopviz.draw import words
from loopviz.draw.look import CODES, LABELS
from loopviz.model import Burst, Request, State, Timeline
from loopviz.stream.source import Load
from loopviz.tui.view.window import Window

__all__ = ["SORTS", "Rows", "Sort", "time_lost"]

_AGAIN = 200_000_000
"""How often a moving picture finds rows that are filtered or sorted again (ns): that reads every request."""
_LOST = (State.QUEUED, State.READY, State.TOKEN_WAIT)

Sort = Literal["arrival", "latency", "time lost"]
SORTS: tuple[Sort, ...] = get_args(Sort)


@dataclass(slots=True)
class Rows(Window):
    """The requests that are shown in a part of the time."""

    cursor: int | None = None
    """The request that is pointed at, if any."""
    top: int = 0
    """The first request that is shown, as a position in the order of the rows."""
    fits: int = 1
    """How many requests had room in the last frame."""
    words: str = ""
    """Only requests in which all these words occur are shown."""
    sort: Sort = "arrival"
    load: Load | None = None
    """What is sent steadily."""
    _order: list[Request] = field(default_factory=list)
    _key: tuple[object, ...] = ()

    def rows(self, timeline: Timeline, room: int) -> tuple[list[Request], int, int]:
        """The requests to show in `room` rows, and how many there are above and below them.

        A request keeps its row until there are no more rows; then the oldest that have ended scroll
        away. The request that is pointed at stays visible.
        """
        order, count = self._ordered(timeline)
        self.fits = max(1, room)
        last_top = max(0, count - room)
        at = self._position(order, self.cursor)
        if at is not None and at < count:
            self.top = min(max(self.top, at - room + 1), at)
        else:
            self.top = last_top
            if self.sort == "arrival":
                oldest = min((r.id for r in timeline.alive_at(self.now)), default=None)
                position = self._position(order, oldest)
                self.top = last_top if position is None else min(last_top, position)
            else:
                self.top = 0
        self.top = max(0, min(self.top, last_top))
        shown = order[self.top : min(count, self.top + room)]
        return shown, self.top, max(0, count - self.top - room)

    def grouped(self, timeline: Timeline) -> bool:
        """Whether the rows are in groups, one for each key press: not if they are filtered or sorted.

        A steady load has no groups.
        """
        if self.load is not None and self.behind is None:
            return False
        return self.sort == "arrival" and not self.words and timeline.newest_burst(self.now) is not None

    def burst(self, timeline: Timeline) -> Burst | None:
        """The burst whose rows are shown: that of the selected request, or else the one fired last."""
        selected = timeline.burst_of(self.cursor) if self.cursor is not None else None
        if selected is not None and selected.fired <= self.now:
            return selected
        return timeline.newest_burst(self.now)

    def order(self, timeline: Timeline) -> list[Request]:
        """The requests that the rows show, in their order, at this moment."""
        if self.grouped(timeline):
            bursts = [burst for burst in reversed(timeline.bursts) if burst.fired <= self.now]
            own = [r for burst in bursts for r in burst.requests if r.start <= self.now]
            known = {request.id for request in own}
            return own + [r for r in timeline.arrivals if r.id not in known and r.start <= self.now]
        order, count = self._ordered(timeline)
        return order[:count]

    def matching(self, timeline: Timeline) -> list[Request]:
        """All requests that match the filter, in the order of their arrival."""
        wanted = self.words.lower().split()
        return [request for request in timeline.requests.values() if self._matches(request, wanted)]

    def matches(self, task: Request) -> bool:
        """Whether the filter lets a row of a started task be shown: its name, state or request's number."""
        return self._matches(task, self.words.lower().split())

    def point(self, timeline: Timeline, by: int) -> None:
        """Point at the next request (`by` 1), the one before (-1), or one further away."""
        order = self.order(timeline)
        at = self._position(order, self.cursor)
        if not order:
            self.cursor = None
        elif at is None:
            top = 0 if self.grouped(timeline) else self.top
            visible = order[top : top + self.fits] or order
            self.cursor = visible[0 if by > 0 else -1].id
        else:
            self.cursor = order[max(0, min(len(order) - 1, at + by))].id

    def _ordered(self, timeline: Timeline) -> tuple[list[Request], int]:
        """Requests in the order of the rows, and how many of them there are at this moment."""
        everything = timeline.requests
        ends = (next(iter(everything), 0), next(reversed(everything), 0), len(everything))
        if not self.words and self.sort == "arrival":
            # Requests arrive in the order of their time, within a few milliseconds.
            arrivals = timeline.arrivals
            return arrivals, bisect_right(arrivals, self.now, key=lambda r: r.start)
        key = (*ends, self.words, self.sort, *self.tick(_AGAIN))
        if self._key != key:
            wanted = self.words.lower().split()
            found = [r for r in everything.values() if r.start <= self.now and self._matches(r, wanted)]
            if self.sort == "latency":
                found.sort(key=lambda r: -r.latency(self.moment))
            elif self.sort == "time lost":
                found.sort(key=lambda r: -time_lost(r, self.moment))
            self._order, self._key = found, key
        return self._order, len(self._order)

    def _matches(self, request: Request, wanted: list[str]) -> bool:
        if not wanted:
            return True
        segment = request.state_at(self.moment)
        state = "done"
        if segment is not None:
            state = f"{LABELS[CODES[segment.state]]} {words.state_name(segment.state)}"
        status, error = request.status or "", request.error or ""
        number = request.started_by or request.id
        text = f"{words.tag(number, request.letter)} {request.method} {request.path} {status} {state} {error}"
        return all(word in text.lower() for word in wanted)

    @staticmethod
    def _position(order: list[Request], number: int | None) -> int | None:
        if number is None:
            return None
        at = bisect_left(order, number, key=lambda r: r.id)
        if at < len(order) and order[at].id == number:  # they are in the order of their numbers, or nearly
            return at
        return next((i for i, request in enumerate(order) if request.id == number), None)


def time_lost(request: Request, now: int) -> int:
    """How long the request waited for others up to `now` (ns): queued, ready, or waiting for a thread."""
    if request.done is not None and request.done <= now:
        return sum(request.totals[state] for state in _LOST)
    return sum(segment.end - segment.start for segment in request.history(now) if segment.state in _LOST)
