"""The pane of the output: what the application writes to its standard output and error, the newest last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import chop_cells
from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.words import count
from loopviz.tui.bindings import bindings
from loopviz.tui.keymap import Keys
from loopviz.tui.scene import Line
from loopviz.tui.scene.pen import fitted
from loopviz.tui.surface import Surface

__all__ = ["OutputPane"]

_LONGEST = 2_000
"""Characters of a line that are shown."""
_STYLED = re.compile(r"\x1b\[[0-9;:]*m")
"""What changes the colour of a terminal. It is left out; other control characters are written out."""


class OutputPane(Vertical, can_focus=True):
    """Below the picture. It shows the end of what is written, unless it was scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("output")
    DEFAULT_CSS = """
    OutputPane { height: 40%; min-height: 4; background: $background; border-top: solid $edge; }
    OutputPane:focus { border-top: solid $accent; }
    OutputPane Surface { height: 1fr; }
    """

    class Closed(Message):
        """The user has closed the pane."""

    def __init__(self, palette: Palette, keys: Keys) -> None:
        super().__init__()
        self.surface = Surface()
        self._palette = palette
        self._keys = keys
        self._below = 0
        """How many of the lines are below the pane: it was scrolled."""
        self._rows: list[str] = []
        """The lines, wrapped."""
        self._key: tuple[object, ...] = ()
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Lines."""
        yield self.surface

    def show(self, written: int, lines: Sequence[str]) -> None:
        """Show these lines; `written` is another number when there are new ones."""
        width, height = self.surface.size
        if width <= 0 or height <= 0:
            return
        key = (written, width)
        if key != self._key:
            rows = [row for line in lines for row in _wrapped(line, width - 2)]
            if self._below and self._key and self._key[1] == width:
                self._below += max(0, len(rows) - len(self._rows))
            self._key, self._rows = key, rows
        self._below = max(0, min(self._below, len(self._rows) - height))
        drawn = (*key, height, self._below, self._palette.theme.name, self.has_focus)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._entitle(len(lines), written)
        end = len(self._rows) - self._below
        shown = self._rows[max(0, end - height) : end] or ["Nothing was written so far."]
        style = self._palette.text("text")
        made: list[Line] = [[Segment(f" {row}", style)] for row in shown]
        made += [[]] * (height - len(made))
        self.surface.show([fitted(line, width, self._palette) for line in made])

    def _entitle(self, lines: int, written: int) -> None:
        """How much there is, how much of it is below, and the keys."""
        keys = self._keys
        last = f"output: last {lines:,} of {written:,} lines"
        said = [last if written > lines else f"output: {count(lines, 'line')}"]
        if self._below:
            said.append(f"{self._below} more below")
        if self.has_focus:
            said.append(f"{keys.shown('output.up', 'output.down')} scroll")
        said.append(
            f"{keys.shown('output.close')} closes" if self.has_focus else keys.shown("picture.output")
        )
        self.border_title = Text("  ".join(said))

    def action_scroll_by(self, lines: int) -> None:
        """Scroll down by so many lines; up if negative."""
        self._below = max(0, self._below - lines)

    def action_scroll_page(self, pages: int) -> None:
        """Scroll by what is shown."""
        self.action_scroll_by(pages * max(1, self.surface.size.height - 1))

    def action_go(self, direction: int) -> None:
        """Go to the last line (1), which follows what is written, or to the first one (-1)."""
        self._below = 0 if direction > 0 else len(self._rows)

    def action_close(self) -> None:
        """Hide the pane."""
        self.post_message(self.Closed())

    def on_click(self, event: events.Click) -> None:
        """A click on the pane is not one on the picture."""
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll; the wheel does not move the rows."""
        event.stop()
        self.action_scroll_by(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll; the wheel does not move the rows."""
        event.stop()
        self.action_scroll_by(-3)


def _wrapped(line: str, width: int) -> list[str]:
    """A line of the output, safe to print, in as many rows as it needs."""
    text = printable(_STYLED.sub("", line.rstrip("\r\n")).expandtabs(4), _LONGEST)
    return chop_cells(text, max(1, width)) if text else [""]
