"""Move in time: freeze, pan, zoom, jump, step, and play back."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.model import Request
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.places import next_change, next_place

__all__ = ["Navigation"]


class Navigation(PictureApp):
    """The actions that change which part of the timeline is shown."""

    def action_freeze(self) -> None:
        """Pause whatever moves, or let it go on: with the present, or at the speed that it had."""
        view = self.view
        if view.moves:
            if view.speed is None:
                view.remember()
            view.pause()
        elif view.paused is not None or not self.source.live:
            self.playback.resume(self.present)
        else:
            view.remember()
            view.follow()

    def action_pan(self, by: float) -> None:
        """Move the picture by a part of its width; it is frozen then."""
        self.view.pan(by, self.present)

    def action_zoom(self, by: int) -> None:
        """Show less time (1), or more (-1)."""
        self.view.zoom(by, self.present)

    def action_fit(self) -> None:
        """Show the whole of the selected request, or of the last burst."""
        burst = self.selection()
        if burst:
            start, end = self._whole(burst)
            self.view.fit(start, end, self.present)

    def _whole(self, requests: Sequence[Request]) -> tuple[int, int]:
        """When the first of these was sent, and when the last of their work, or after it, has ended."""
        own = {request.id for request in requests}
        started = [row for row in self.timeline.started(self.present) if row.started_by in own]
        ends = (row.since if row.ended else self.present for row in (*requests, *started))
        return min(request.start for request in requests), max(ends)

    def action_first(self) -> None:
        """Go to the first event that is kept."""
        if not self.timeline.began:
            self.say("Nothing has happened yet.")
            return
        self.view.remember()
        self.view.see(self.timeline.began, self.present)
        self.view.change, self.view.changed = "", None

    def action_live(self) -> None:
        """Go to the present; there, change between the clock of the burst and a picture that scrolls.

        For a recording, go to its end.
        """
        view = self.view
        at_the_end = view.behind is None or (not self.source.live and view.now == self.present)
        view.remember()
        if at_the_end and view.left is None and self.timeline.newest_burst(self.present) is not None:
            view.scrolls, view.column_ns = not view.scrolls, None
        view.follow()
        if not self.source.live:
            view.behind, view.now = 0, self.present
            self.playback.look(self.present)

    def action_undo(self) -> None:
        """Show again what was shown before the last navigation."""
        if not self.view.undo():
            self.say("There is nothing to undo.")

    def action_jump(self, direction: int) -> None:
        """Go to the next place of interest (1), or to the previous one (-1)."""
        place = next_place(self.timeline, self.view.origin(direction), direction, self.pulse.late)
        if place is None:
            which = "after" if direction > 0 else "before"
            self.say(f"No block, starvation, wait for a thread, error or late frame {which} this.")
            return
        view = self.view
        view.remember()
        self._land(place.t, place.inside(view.width(view.cells) // 2))
        view.change, view.changed, view.notice = place.what, None, ""

    def _land(self, t: int, inside: int) -> None:
        """Put the time cursor where states and sentences describe what begins at `t`."""
        at = min(inside, self.present)
        self.view.see(at, self.present)
        self.view.jumped = (at, t)

    def action_change(self, direction: int) -> None:
        """Go to the next change of a request's state (1), or to the previous one (-1)."""
        view, present = self.view, self.present
        found = view.matching(self.timeline)
        change = next_change(found, view.origin(direction), direction, present, view.changed)
        if change is None:
            self.say("No request changes its state " + ("after this." if direction > 0 else "before this."))
            return
        view.remember()
        self._land(change.t, change.t + 1)
        view.change, view.changed, view.notice = change.what, change.request, ""

    def action_cursor(self, by: int) -> None:
        """Move the time cursor by a column."""
        view = self.view
        view.remember()
        view.change, view.changed = "", None
        view.see(min(self.present, view.moment + by * view.width(view.cells)), self.present)

    def action_mark(self) -> None:
        """Put the second time cursor where the first one is; if it is there already, remove it."""
        view = self.view
        view.remember()
        view.freeze()
        if view.at is None:
            view.see(view.moment, self.present)
        view.mark = None if view.mark == view.at else view.at

    def action_play(self) -> None:
        """Play the selected request, or the last burst, slowly; then faster, then stop."""
        if self.view.speed is not None:
            self.playback.faster()
            return
        burst = self.selection()
        if not burst:
            self.say("There is nothing to play back yet.")
            return
        start, end = self._whole(burst)
        self.playback.replay(start, end, self.present)
