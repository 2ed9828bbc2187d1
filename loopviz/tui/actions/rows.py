"""Select, sort, filter and clear the rows, and write what is kept to a file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from loopviz.draw.words import one_line, saved
from loopviz.errors import InputError
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.view import SORTS

__all__ = ["Rows"]


class Rows(PictureApp):
    """The actions on the rows of requests."""

    def action_point(self, by: int) -> None:
        """Select another request: the next one (1), the previous one (-1), or one further away."""
        self.view.point(self.timeline, by)

    def action_show_all(self) -> None:
        """Show all rows, and select nothing."""
        if isinstance(self.screen, MainScreen):
            self.screen.close_filter()
        self.view.cursor = None

    def action_sort(self) -> None:
        """Sort the rows by arrival, by latency, or by the time lost because of others."""
        view = self.view
        view.sort = SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)]
        view.top = 0

    def action_filter(self) -> None:
        """Ask for words that a row must contain."""
        if isinstance(self.screen, MainScreen):
            self.screen.ask_filter()

    def action_clear(self) -> None:
        """Remove the requests that have ended."""
        self.timeline.forget()
        self.scene.forget()
        self.view.cursor = None
        self.view.top = 0

    def action_write(self) -> None:
        """Write the last minutes to a file."""
        path = Path(f"loopviz-{datetime.now().astimezone():%Y%m%d-%H%M%S}.lvr.gz")
        try:
            events = self.source.save(path)
        except InputError as error:
            self.say(one_line(str(error)), seconds=5)
        else:
            self.say(saved(events, path), seconds=5)
