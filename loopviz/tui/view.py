"""What of a timeline is looked at, and from when: the state of the screen, without the screen."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from loopviz.model import Request, Timeline

__all__ = ["Pace", "View"]

_STEPS_MS = (10, 20, 25, 40, 50, 100, 125, 200, 250, 500, 1000)
_SHOWN = 9_000_000_000
"""The window is at least this wide (ns): long enough for a burst of a second's requests."""


@dataclass(slots=True)
class Pace:
    """The screen's own cost and lateness."""

    fps: float = 0.0
    probe: float = 0.0
    """CPU time that watching costs, as a part of a core."""
    dropped: int = 0
    failures: int = 0


@dataclass(slots=True)
class View:
    """Where the eye is."""

    now: int = 0
    """The moment that is shown: the right edge of the picture (ns)."""
    behind: int | None = None
    """How far the frozen picture is behind the present (ns); None while it moves."""
    cursor: int | None = None
    """The request that is pointed at, if any."""
    top: int = 0
    """The first request that is shown, as a position in the order of arrival."""
    fits: int = 1
    """How many requests had room in the last frame."""
    requests: int | None = None
    """How many requests to fire at once; None for each scenario's own number."""
    threads: int = 40
    notice: str = ""
    """What to say for a moment instead of what happens."""
    pace: Pace = field(default_factory=Pace)

    @staticmethod
    def step_for(columns: int) -> int:
        """The width of a column (ns): a round one, so that `columns` of them show enough."""
        for milliseconds in _STEPS_MS:
            if columns * milliseconds * 1_000_000 >= _SHOWN:
                return milliseconds * 1_000_000
        return _STEPS_MS[-1] * 1_000_000

    def rows(self, timeline: Timeline, room: int) -> tuple[list[Request], int, int]:
        """The requests to show in `room` rows, and how many there are above and below them.

        A request keeps its row until the rows run out; then the oldest that have ended scroll
        away. Whoever points at a request keeps it in sight.
        """
        order = [number for number, r in timeline.requests.items() if r.start <= self.now]
        self.fits = max(1, room)
        last_top = max(0, len(order) - room)
        if self.cursor is not None and self.cursor in timeline.requests:
            at = self._position(order, self.cursor)
            self.top = min(max(self.top, at - room + 1), at)
        else:
            oldest = min((r.id for r in timeline.alive_at(self.now)), default=None)
            self.top = last_top
            if oldest is not None:
                self.top = min(last_top, self._position(order, oldest))
        self.top = max(0, min(self.top, last_top))
        shown = [timeline.requests[number] for number in order[self.top : self.top + room]]
        return shown, self.top, max(0, len(order) - self.top - room)

    @staticmethod
    def _position(order: list[int], number: int) -> int:
        at = bisect_left(order, number)
        if at < len(order) and order[at] == number:
            return at
        return order.index(number) if number in order else max(0, len(order) - 1)

    def point(self, timeline: Timeline, by: int) -> None:
        """Point at the next request (`by` 1), the one before (-1), or one further away."""
        order = [number for number, r in timeline.requests.items() if r.start <= self.now]
        if not order:
            self.cursor = None
        elif self.cursor is None or self.cursor not in timeline.requests:
            visible = order[self.top : self.top + self.fits]
            self.cursor = visible[0] if by > 0 else visible[-1]
        else:
            at = self._position(order, self.cursor) + by
            self.cursor = order[max(0, min(len(order) - 1, at))]
