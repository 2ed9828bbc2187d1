"""Moving in time: freeze, pan, zoom, fit, the cursors, and the way back."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import NamedTuple

from loopviz.tui.clock import Clock
from loopviz.tui.view.rows import Rows
from loopviz.tui.view.window import COLUMN_WIDTHS, ROUND

__all__ = ["NARROWEST", "WIDEST", "Moving"]

NARROWEST, WIDEST = 1_000_000, 300_000_000_000
"""The limits of zooming (ns across the screen)."""
_UNDO = 100
"""So many places are kept for `undo`."""


class _Saved(NamedTuple):
    """What `Moving.undo` goes back to."""

    now: int
    live: bool
    clock: Clock | None
    left: int | None
    scrolls: bool
    pinned: bool
    column_ns: int | None
    at: int | None
    mark: int | None
    cursor: int | None
    top: int


@dataclass(slots=True)
class Moving(Rows):
    """A part of the time that the user moves."""

    _past: list[_Saved] = field(default_factory=list)

    def remember(self) -> None:
        """Keep this place, so that `undo` can go back to it."""
        self._past.append(
            _Saved(
                self.now,
                self.behind is None,
                self.clock,
                self.left,
                self.scrolls,
                self.pinned,
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
        self.pinned, self.speed, self.paused = saved.pinned, None, None
        self.change, self.changed = "", None
        return True

    def freeze(self) -> None:
        """Stop the picture."""
        self.speed = self.paused = None
        if self.behind is None:
            self.behind = 0

    def pause(self) -> None:
        """Stop the picture where it is; what is played back can go on at the same speed."""
        speed = self.speed
        self.freeze()
        self.paused = speed

    def follow(self) -> None:
        """Show the present again."""
        self.behind = self.at = self.mark = self.speed = self.paused = None
        if self.clock is not None:
            self.column_ns = None
        self.left, self.pinned = None, False
        self.change, self.changed = "", None

    def origin(self, direction: int) -> int:
        """Where a search begins: at the time cursor, or else at the far edge of the picture."""
        if self.at is not None:
            return self.jumped[1] if self.jumped is not None and self.jumped[0] == self.at else self.at
        start = self.start
        if direction > 0:
            return self.now - self.window if start is None else start - 1
        return self.now

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
        self.now = max(self.now, self.mark, self.at)
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

        A picture that moves keeps its right edge, and no picture goes past the present. What is played back
        goes on, and the moment shown stays where it is.
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
        if self.speed is not None or self.paused is not None:
            self.left = None if self.start is None else self.now - (self.now - left) * wide // width
        elif self.start is not None:
            self.freeze()
            fixed = self.at if self.at is not None else (left + min(right, self.now)) // 2
            self.left = fixed - (fixed - left) * wide // width
            self.now = min(present, self.left + self.cells * wide)
        elif self.behind is not None:
            fixed = self.at if self.at is not None else self.now - self.window // 2
            self.now = min(present, fixed + (self.now - fixed) * wide // width)
        self.column_ns = wide

    def turn(self) -> None:
        """Show the part of the time that is played back, if the picture was moved, and it has left it."""
        if self.left is not None and self.start is not None:
            self.left += max(0, (self.now - self.left) // self.window) * self.window

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
