"""How the picture moves from frame to frame: with the present, at a speed, or not at all."""

from __future__ import annotations

from loopviz.model import Timeline
from loopviz.tui.clock import BurstClock, Clock
from loopviz.tui.trigger import Trigger
from loopviz.tui.view import View

__all__ = ["SPEEDS", "Playback"]

SPEEDS = (0.01, 0.1, 0.25, 1.0, 4.0)
"""At which a burst can be played back."""
_SHORT = 100_000_000
"""What lasts no longer than this (ns) is played back at the lowest speed."""
_SETTLED = 300_000_000
"""A recording of which nothing was read for so long (ns) has no more."""
_AROUND = 1.1
"""How much longer than what is played back the picture is."""


class Playback:
    """Moves a view. `now` is the screen's time, `present` the source's; both are in ns."""

    def __init__(
        self, view: View, timeline: Timeline, clock: BurstClock, trigger: Trigger | None, now: int
    ) -> None:
        self._view = view
        self._clock = clock
        self._timeline = timeline
        self._trigger = trigger
        self._moved = now
        self._newest = self._read = 0
        self._cursor: int | None = None
        """The request that was selected in the last frame."""

    def advance(self, now: int, present: int, *, live: bool) -> None:
        """Move the view on by a frame."""
        view = self._view
        if view.speed is not None:
            view.now = min(present, view.now + int((now - self._moved) * view.speed))
            if view.until is not None and view.now >= view.until:
                view.now, view.speed = view.until, None
            elif not live and self._has_ended(now, present):
                view.speed = None
            view.turn()
        elif view.behind is None and not live:
            if self._timeline.began:  # a recording begins to play at its beginning
                view.now = self._timeline.began
                self.start(1.0, None, present)
        elif view.behind is None:
            trigger = self._trigger
            moment = trigger.moment(self._timeline, present) if trigger is not None else None
            view.now = present
            if trigger is not None and moment is not None:
                view.remember()
                view.freeze()
                view.see(moment, present)
                view.change, view.changed = f"Frozen: {trigger.why}.", None
        view.ends = not live
        if view.behind is not None:
            view.behind = max(0, present - view.now)
        if (view.moves and not view.pinned) or self._elsewhere():
            self.look(present)
        self._moved, self._cursor = now, view.cursor

    def _has_ended(self, now: int, present: int) -> bool:
        """Whether a recording is played to its end: nothing more is read of it for a while."""
        if self._view.now < present or present != self._newest:
            self._newest, self._read = present, now
        return now - self._read >= _SETTLED

    def _elsewhere(self) -> bool:
        """Whether the axis is that of another burst than the one that was selected since the last frame."""
        view = self._view
        if view.cursor == self._cursor or view.clock is None or not view.clock.press:
            return False
        shown = view.burst(self._timeline)
        return shown is not None and view.clock.press != shown.number

    def look(self, present: int) -> None:
        """Show the axis of the burst whose rows are shown, unless the picture is to scroll.

        That of another burst than before is shown as a whole.
        """
        view, before = self._view, self._view.clock
        view.clock = None if view.scrolls else self._clock.of(view.burst(self._timeline), present)
        if before is not None and view.clock is not None and before.press != view.clock.press:
            view.left = view.column_ns = None

    def start(self, speed: float, until: int | None, present: int) -> None:
        """Play from where the view is until a moment, or until the present."""
        view = self._view
        view.behind = 0
        view.at = view.mark = view.paused = None
        view.change, view.changed = "", None
        if view.now >= (until or present):
            view.now = self._timeline.began
        view.speed, view.until = speed, until

    def resume(self, present: int) -> None:
        """Go on at the speed that it had; what has been played to its end begins again."""
        view = self._view
        speed, until = view.paused or 1.0, view.until if view.paused is not None else None
        self.start(speed, until, present)

    def replay(self, start: int, end: int, present: int) -> None:
        """Show a part of the timeline again, in slow motion."""
        view = self._view
        view.remember()
        own = view.clock
        if own is None or not own.zero <= start < end <= own.zero + own.window:
            own = Clock(start, max(1, round((end - start) * _AROUND)))
        view.clock, view.left, view.column_ns, view.pinned = own, None, None, True
        view.now = start
        self.start(SPEEDS[1 if end - start > _SHORT else 0], end, present)

    def faster(self) -> None:
        """Play at the next higher speed; after the highest one, stop."""
        view = self._view
        at = SPEEDS.index(view.speed) + 1 if view.speed in SPEEDS else 0
        view.speed = SPEEDS[at] if at < len(SPEEDS) else None
