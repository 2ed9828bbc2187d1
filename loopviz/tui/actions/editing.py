"""Open the line that the picture is about in the user's editor."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import ExitStack, suppress

from textual.app import SuspendNotSupported

from loopviz.draw import words
from loopviz.draw.words import one_line
from loopviz.errors import InputError
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.aside import Aside
from loopviz.tui.compat import end_on_signals
from loopviz.tui.editor import Editing, editing, how_it_ended
from loopviz.tui.pointed import pointed_at
from loopviz.tui.terminal import lent

__all__ = ["EditingActions"]


class EditingActions(PictureApp):
    """The action that opens an editor. Events are collected meanwhile."""

    aside: Aside
    _lent: ExitStack | None = None
    """While an editor has the terminal."""

    def action_edit(self) -> None:
        """Open the line of the selection, of what holds the loop, or of what was fired last."""
        where = pointed_at(self.timeline, self.view, self.source.scenarios)
        if where is None:
            self.say("No line of source code is known here: select a request, or fire one.")
            return
        if self._lent is not None:
            return
        try:
            self._open(editing(where.file, where.line), words.line(where))
        except InputError as error:
            self.say(one_line(str(error)), seconds=8)

    def _open(self, edit: Editing, line: str) -> None:
        try:
            if not edit.graphical:
                self._lend()
        except SuspendNotSupported:
            self._lent = None
            raise InputError(f"The terminal cannot be lent to {edit.name} here.") from None
        try:
            process = edit.start(self.aside.files)
        except OSError as error:
            self._ended(f"The editor {edit.name} cannot be started: {error.strerror or error}.", 8)
            return
        if edit.graphical:
            self.say(f"{line} is opened by {edit.name}.")

        def wait() -> None:
            said = how_it_ended(edit.name, process.wait())
            with suppress(RuntimeError):  # the program ends
                if not edit.graphical:
                    self.call_from_thread(self._ended, said, 8)
                elif said:
                    self.call_from_thread(self.say, said, 8)

        threading.Thread(target=wait, name="loopviz editor", daemon=True).start()

    def _lend(self) -> None:
        """Lend the terminal to the editor, which also gets the signals of its keys."""
        self._lent = ExitStack()
        self._lent.enter_context(lent(self))
        self.aside.hold(screen=False)
        for name in ("SIGINT", "SIGQUIT"):
            with suppress(NotImplementedError, RuntimeError, AttributeError):  # not on Windows
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), _nothing)

    def _ended(self, said: str, seconds: int) -> None:
        """The editor has ended, or has not been started: the terminal is the picture's again."""
        if self._lent is not None:
            self._lent.close()
            self._lent = None
            end_on_signals(self)
            self.refresh(layout=True)
        if said:
            self.say(said, seconds)


def _nothing() -> None:
    """Ignore a signal: it is for the editor."""
