"""A surface that repaints the lines that have changed, and only those."""

from __future__ import annotations

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from loopviz.draw.safe import printable
from loopviz.tui.compat import StripWidget
from loopviz.tui.scene import Line

__all__ = ["Surface"]


def _safe(segment: Segment) -> Segment:
    """Replace control characters, so that no text can control the terminal."""
    text = segment.text
    if text.isprintable():
        return segment
    length = segment.cell_length
    return Segment(set_cell_size(printable(text, len(text)), length), segment.style)


class Surface(StripWidget):
    """Lines of segments, one below the other.

    Textual repaints whole lines and keeps no difference between cells, so the lines are compared here.
    """

    DEFAULT_CSS = "Surface { width: 100%; height: 100%; }"

    class Resized(Message):
        """It has another size."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self.painted = 0
        """How many lines were made into strips so far; for tests."""

    def on_resize(self) -> None:
        """Let the screen draw for the new size."""
        self.post_message(self.Resized())

    def show(self, lines: list[Line]) -> None:
        """Show these lines; repaint those that differ from the ones shown before."""
        width = self.size.width
        old, strips = self._lines, self.strips
        if len(old) != len(lines):
            old = []
            strips = self.strips = [Strip.blank(width)] * len(lines)
        dirty = []
        for y, line in enumerate(lines):
            if not old or old[y] != line:
                strips[y] = Strip([_safe(segment) for segment in line], width)
                dirty.append(Region(0, y, width, 1))
        self._lines = lines
        self.painted += len(dirty)
        if dirty:
            self.refresh(*dirty)
