"""Select, sort, filter and clear the rows, and write what is kept to a file."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from loopviz.draw.words import one_line, saved
from loopviz.errors import InputError
from loopviz.recording.whole import free_name
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.layers import layers, sentence, take_back
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.view import SORTS

__all__ = ["Rows"]


class Rows(PictureApp):
    """The actions on the rows of requests."""

    _saving: threading.Thread | None = None

    def action_point(self, by: int) -> None:
        """Select another request: the next one (1), the previous one (-1), or one further away.

        In the reasons view, select another finding.
        """
        if self.view.look == "reasons":
            self.view.finding = max(0, self.view.finding + by)
            return
        self.view.point(self.timeline, by)

    def action_take_back(self) -> None:
        """Take one thing back: the filter, the selection, the mark, or what leads away from the present."""
        if isinstance(self.screen, MainScreen) and self.screen.asks:
            self.screen.close_filter()
            return
        view, live = self.view, self.source.live
        there = layers(view, live=live)
        if there:
            take_back(view, there[0])
            self.say(sentence(view, there[0], self.keys.shown("picture.take-back"), live=live))

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
        self.view.guessed = ""

    def action_write(self) -> None:
        """Write the last minutes to a new file, in a thread: a slow disk does not stop the picture."""
        if self._saving is not None and self._saving.is_alive():
            self.say("The last minutes are still being written.")
            return
        path = free_name(Path(f"loopviz-{datetime.now().astimezone():%Y%m%d-%H%M%S}"), ".lvr.gz")
        self._saving = threading.Thread(target=self._save, args=(path,), name="loopviz save", daemon=True)
        self._saving.start()

    def _save(self, path: Path) -> None:
        try:
            said = saved(self.source.save(path), path)
        except InputError as error:
            said = one_line(str(error))
        with suppress(RuntimeError):  # the program ends
            self.call_from_thread(self.say, said, seconds=5)

    def finish_saving(self, patience: float) -> None:
        """Wait until the last minutes are written, if they are, but only so many seconds."""
        if self._saving is not None:
            self._saving.join(patience)
