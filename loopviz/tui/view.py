"""Which part of a timeline is shown: the state of the screen, without the screen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, get_args

from loopviz.draw import words
from loopviz.draw.look import CODES, LABELS
from loopviz.model import Burst, Request, State, Timeline
from loopviz.scenario import THREAD_LIMIT
from loopviz.tui.amounts import requests_after
from loopviz.tui.asked import Asked
from loopviz.tui.clock import Clock

__all__ = ["COLUMN_WIDTHS", "NARROWEST", "ROUND", "SORTS", "WIDEST", "Pace", "Sort", "View", "time_lost"]

ROUND = tuple(factor * 10**power for power in range(2, 12) for factor in (1, 2, 5))
"""Round times (ns), from 100 ns to 500 s."""
COLUMN_WIDTHS = tuple(
    factor * 10**power
    for power in range(2, 10)
    for factor in ((10, 20, 50) if power < 6 else (10, 20, 25, 50))
)
"""Widths of a column (ns), from 1 µs to 50 s: round ones, so that the axis has round marks."""
_SHOWN = 9_000_000_000
"""The window is at least this wide (ns), unless zoomed: enough for a burst of a second's requests."""
NARROWEST, WIDEST = 1_000_000, 300_000_000_000
"""The limits of zooming (ns across the screen)."""
_STILL = 500_000_000
"""How often a picture is drawn in which nothing moves (ns)."""
_SHOWN_BEHIND = 100_000_000
"""How exactly the picture says how far it is behind (ns)."""
_UNDO = 100
_LOST = (State.QUEUED, State.READY, State.TOKEN_WAIT)

Sort = Literal["arrival", "latency", "time lost"]
SORTS: tuple[Sort, ...] = get_args(Sort)


@dataclass(slots=True)
class Pace:
    """How fast the screen is, and what watching costs."""

    fps: float = 0.0
    probe: float = 0.0
    """The CPU time of the probe, as a share of a core."""
    dropped: int = 0
    failures: int = 0


class _Saved(NamedTuple):
    """What `View.undo` goes back to."""

    now: int
    live: bool
    clock: Clock | None
    left: int | None
    scrolls: bool
    column_ns: int | None
    at: int | None
    mark: int | None
    cursor: int | None
    top: int


@dataclass(slots=True)
class View:
    """Which part of a timeline is shown, and how."""

    now: int = 0
    """The moment up to which things are shown (ns): the right edge of a picture without a clock."""
    clock: Clock | None = None
    """What the axis is of the burst that is shown; None where the picture scrolls."""
    scrolls: bool = False
    """Whether the picture is to scroll although there is a burst."""
    left: int | None = None
    """The left edge (ns), once a picture with a clock was moved; None for the clock's zero."""
    pinned: bool = False
    """Whether the clock stays whatever is fired: a part of the past is shown."""
    behind: int | None = None
    """How far the frozen picture is behind the present (ns); None while it moves."""
    column_ns: int | None = None
    """The width of a column (ns), once zoomed; None for what fits the window."""
    at: int | None = None
    """The time cursor: the moment that states and sentences describe; None for the right edge."""
    mark: int | None = None
    """A second cursor, to measure a distance from."""
    ends: bool = False
    """Whether what is shown has an end, as a recording has."""
    speed: float | None = None
    """How fast the picture moves while it is played back; None while it is not."""
    until: int | None = None
    """Where playing back ends."""
    paused: float | None = None
    """How fast it was played back when it was paused; None if it was not."""
    jumped: tuple[int, int] | None = None
    """Where the time cursor was put, a little inside of a place, and where the place begins (ns)."""
    change: str = ""
    """What changed at the time cursor, after a step to a change."""
    changed: int | None = None
    """The request that changed there."""
    cursor: int | None = None
    """The request that is pointed at, if any."""
    top: int = 0
    """The first request that is shown, as a position in the order of the rows."""
    fits: int = 1
    """How many requests had room in the last frame."""
    cells: int = 60
    """How many columns of time the last frame had."""
    words: str = ""
    """Only requests in which all these words occur are shown."""
    sort: Sort = "arrival"
    requests: int | None = None
    """How many requests were asked for; None for each scenario's own number."""
    steps: int = 0
    """By how many steps more requests are fired than that; fewer if negative."""
    threads: int = THREAD_LIMIT
    asked: Asked | None = None
    """What was fired last, by a key."""
    guessed: str = ""
    """What was predicted of the newest burst, and what was measured; empty if nothing was."""
    notice: str = ""
    """A message to show for a moment, in place of the sentences."""
    pace: Pace = field(default_factory=Pace)
    _past: list[_Saved] = field(default_factory=list)
    _order: list[Request] = field(default_factory=list)
    _key: tuple[object, ...] = ()

    @property
    def moment(self) -> int:
        """The moment that states and sentences describe."""
        return self.now if self.at is None else self.at

    @property
    def moves(self) -> bool:
        """Whether the picture moves: with the present, or because it is played back."""
        return self.behind is None or self.speed is not None

    def pause(self) -> None:
        """Stop the picture where it is; what is played back can go on at the same speed."""
        speed = self.speed
        self.freeze()
        self.paused = speed

    def origin(self, direction: int) -> int:
        """Where a search begins: at the time cursor, or else at the far edge of the picture."""
        if self.at is not None:
            return self.jumped[1] if self.jumped is not None and self.jumped[0] == self.at else self.at
        start = self.start
        if direction > 0:
            return self.now - self.window if start is None else start - 1
        return self.now

    def count_of(self, own: int) -> int:
        """How many requests are fired at once of a scenario that declares `own`."""
        return requests_after(self.requests or own, self.steps)

    # -- time ----------------------------------------------------------------------------------

    def width(self, columns: int) -> int:
        """The width of a column (ns) if there are `columns` of them."""
        self.cells = columns
        if self.column_ns is None and self.clock is not None:
            return self.clock.width(columns)
        return self.column_ns or next(
            (ns for ns in COLUMN_WIDTHS if columns * ns >= _SHOWN), COLUMN_WIDTHS[-1]
        )

    @property
    def window(self) -> int:
        """How much time the picture shows (ns)."""
        return self.cells * self.width(self.cells)

    @property
    def start(self) -> int | None:
        """The left edge (ns) of a picture with a clock; None where the right edge is the moment shown."""
        if self.clock is None:
            return None
        return self.clock.zero if self.left is None else self.left

    @property
    def reach(self) -> tuple[int, int]:
        """The left and the right edge of the picture (ns)."""
        start, window = self.start, self.window
        return (self.now - window, self.now) if start is None else (start, start + window)

    def still(self, timeline: Timeline) -> tuple[object, ...] | None:
        """What a picture depends on whose window has passed; None while there is something to come.

        Nothing in it moves then, except what says how the loop and the program do at this moment.
        """
        if self.clock is None or self.now <= self.reach[1] or self.notice:
            return None
        pace, asked = self.pace, self.asked
        return (
            timeline.events, len(timeline.requests), self.now // _STILL,
            self.behind is None or self.behind // _SHOWN_BEHIND, asked and asked.waits, pace.dropped,
            pace.failures, pace.fps > 0, *(getattr(self, name) for name in _SEEN),
        )  # fmt: skip

    def remember(self) -> None:
        """Keep this place, so that `undo` can go back to it."""
        self._past.append(
            _Saved(
                self.now,
                self.behind is None,
                self.clock,
                self.left,
                self.scrolls,
                self.column_ns,
                self.at,
                self.mark,
                self.cursor,
                self.top,
            )
        )
        del self._past[:-_UNDO]

    def undo(self) -> bool:
        """Go back to the place before the last navigation; returns whether there was one."""
        if not self._past:
            return False
        saved = self._past.pop()
        self.now, self.clock, self.left, self.scrolls = saved.now, saved.clock, saved.left, saved.scrolls
        self.column_ns, self.at, self.mark, self.cursor, self.top = (
            saved.column_ns, saved.at, saved.mark, saved.cursor, saved.top,
        )  # fmt: skip
        self.behind = None if saved.live else 0
        self.speed, self.change, self.changed = None, "", None
        return True

    def freeze(self) -> None:
        """Stop the picture."""
        self.speed = self.paused = None
        if self.behind is None:
            self.behind = 0

    def follow(self) -> None:
        """Show the present again."""
        self.behind = self.at = self.mark = self.speed = self.paused = None
        if self.clock is not None:
            self.column_ns = None
        self.left, self.pinned = None, False
        self.change, self.changed = "", None

    def put_cursor(self, t: int, present: int) -> None:
        """Put the time cursor at `t`, which is in the picture."""
        self.remember()
        self.see(min(t, present), present)
        self.change, self.changed = "", None

    def select(self, start: int, end: int, present: int) -> None:
        """Measure the time from `start` to `end`; the picture is frozen then."""
        if self.mark is None or self.behind is None:
            self.remember()
        self.freeze()
        self.mark, self.at = min(start, present), min(end, present)
        self.change, self.changed = "", None

    def pan(self, by: float, present: int) -> None:
        """Move by a part of the window, or a round time near it; the picture is frozen then."""
        length = abs(by) * self.window
        if abs(by) < 1:
            length = min(ROUND, key=lambda ns: abs(ns - length))
        if self.start is not None:
            self._slide(round(length if by > 0 else -length), present)
            return
        now = min(present, self.now + int(length if by > 0 else -length))
        if by > 0 and (self.behind is None or now <= self.now):
            return
        self.remember()
        self.freeze()
        self.now = now

    def _slide(self, by: int, present: int) -> None:
        """Move a picture with a clock, as far as there is something of it to be seen."""
        left, right = self.reach
        if (by > 0 and right >= present) or (by < 0 and right + by <= 0):
            return
        self.remember()
        self.freeze()
        self.left = left + by
        self.now = min(present, right + by)

    def zoom(self, by: int, present: int) -> None:
        """Show less time (`by` 1) or more (-1), around the time cursor or the middle.

        A picture that moves keeps its right edge, and no picture goes past the present.
        """
        width = self.width(self.cells)
        index = bisect_left(COLUMN_WIDTHS, width)
        if by > 0 or index == len(COLUMN_WIDTHS) or COLUMN_WIDTHS[index] == width:
            index = min(index, len(COLUMN_WIDTHS) - 1)
        else:
            index -= 1  # the next wider one is a step
        finest = max((i for i, wide in enumerate(COLUMN_WIDTHS) if wide * self.cells <= NARROWEST), default=0)
        widest = next(
            (i for i, wide in enumerate(COLUMN_WIDTHS) if wide * self.cells >= WIDEST),
            len(COLUMN_WIDTHS) - 1,
        )
        # `fit` may have made it narrower or wider than these limits.
        wide = COLUMN_WIDTHS[max(min(finest, index), min(index - by, max(widest, index)))]
        if wide == width:
            return
        self.remember()
        left, right = self.reach
        if self.start is not None:
            self.freeze()
            fixed = self.at if self.at is not None else (left + min(right, self.now)) // 2
            self.left = fixed - (fixed - left) * wide // width
            self.now = min(present, self.left + self.cells * wide)
        elif self.behind is not None:
            fixed = self.at if self.at is not None else self.now - self.window // 2
            self.now = min(present, fixed + (self.now - fixed) * wide // width)
        self.column_ns = wide

    def fit(self, start: int, end: int, present: int) -> None:
        """Show all from `start` to `end`, and a little around it.

        The clock of a burst shows all of it anyway: then zoom and pan are taken back.
        """
        self.remember()
        clock = self.clock
        if (
            clock is not None
            and clock.zero <= start < end <= clock.zero + clock.window
            and self.cursor is None
        ):
            self.left = self.column_ns = self.at = None
            self.change, self.changed = "", None
            if self.behind is not None:
                self.now = min(present, self.reach[1])
            return
        self.freeze()
        length = max(1, end - start)
        # The first column and the last one may show only a part of their time.
        self.column_ns = next(
            (wide for wide in COLUMN_WIDTHS if wide * (self.cells - 2) >= length * 1.1), COLUMN_WIDTHS[-1]
        )
        self.now = min(present, end + (self.window - length) // 4)
        if self.clock is not None:
            self.left = start - (self.window - length) // 8
            self.now = min(present, self.left + self.window)
        self.at = None
        self.change, self.changed = "", None

    def see(self, t: int, present: int) -> None:
        """Put the time cursor at `t`, and move the picture only if it lies outside."""
        self.freeze()
        self.at = t
        width = self.width(self.cells)
        left, right = self.reach
        if self.start is not None:
            moved = not left <= t < right - width
            if moved:
                self.left = left = t - self.window // 3
                right = left + self.window
            if moved or t > self.now:
                self.now = max(t, min(present, right))
            return
        first = self.now // width + 1 - self.cells
        if not first * width <= t <= self.now:
            self.now = min(max(present, t), t + self.window // 3)

    # -- rows ----------------------------------------------------------------------------------

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
        """Whether the rows are in groups, one for each key press: not if they are filtered or sorted."""
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

    def _ordered(self, timeline: Timeline) -> tuple[list[Request], int]:
        """Requests in the order of the rows, and how many of them there are at this moment."""
        everything = timeline.requests
        ends = (next(iter(everything), 0), next(reversed(everything), 0), len(everything))
        if not self.words and self.sort == "arrival":
            # Requests arrive in the order of their time, within a few milliseconds.
            arrivals = timeline.arrivals
            return arrivals, bisect_right(arrivals, self.now, key=lambda r: r.start)
        # This reads every request, so it is done only five times a second.
        key = (*ends, self.words, self.sort, self.moment // 200_000_000)
        if self._key != key:
            wanted = self.words.lower().split()
            found = [r for r in everything.values() if r.start <= self.now and self._matches(r, wanted)]
            if self.sort == "latency":
                found.sort(key=lambda r: -r.latency(self.moment))
            elif self.sort == "time lost":
                found.sort(key=lambda r: -time_lost(r, self.moment))
            self._order, self._key = found, key
        return self._order, len(self._order)

    def matching(self, timeline: Timeline) -> list[Request]:
        """All requests that match the filter, in the order of their arrival."""
        wanted = self.words.lower().split()
        return [request for request in timeline.requests.values() if self._matches(request, wanted)]

    def matches(self, task: Request) -> bool:
        """Whether the filter lets a row of a started task be shown: its name, state or request's number."""
        return self._matches(task, self.words.lower().split())

    def _matches(self, request: Request, wanted: list[str]) -> bool:
        if not wanted:
            return True
        segment = request.state_at(self.moment)
        state = "done"
        if segment is not None:
            state = f"{LABELS[CODES[segment.state]]} {words.state_name(segment.state)}"
        status, error = request.status or "", request.error or ""
        number = request.started_by or request.id
        text = f"#{number} {request.method} {request.path} {status} {state} {error}"
        return all(word in text.lower() for word in wanted)

    @staticmethod
    def _position(order: list[Request], number: int | None) -> int | None:
        if number is None:
            return None
        at = bisect_left(order, number, key=lambda r: r.id)
        if at < len(order) and order[at].id == number:  # they are in the order of their numbers, or nearly
            return at
        return next((i for i, request in enumerate(order) if request.id == number), None)

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


_SEEN = tuple(
    field.name
    for field in fields(View)
    if field.name[0] != "_" and field.name not in {"now", "behind", "pace", "notice"}
)
"""What else a picture depends on."""


def time_lost(request: Request, now: int) -> int:
    """How long the request waited for others up to `now` (ns): queued, ready, or waiting for a thread."""
    if request.done is not None and request.done <= now:
        return sum(request.totals[state] for state in _LOST)
    return sum(segment.end - segment.start for segment in request.history(now) if segment.state in _LOST)
