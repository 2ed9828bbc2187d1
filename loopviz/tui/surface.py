"""A surface that repaints the lines that have changed, and only those."""

from __future__ import annotations

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from loopviz.draw.words import printable
from loopviz.tui.scene import Line

__all__ = ["Surface"]


def _safe(segment: Segment) -> Segment:
    """The last line of defence: whatever the text came from, nothing in it steers the terminal."""
    text = segment.text
    if text.isprintable():
        return segment
    length = segment.cell_length
    return Segment(set_cell_size(printable(text, len(text)), length), segment.style)


class Surface(Widget):
    """Lines of segments, one below the other.

    Textual repaints whole lines and keeps no difference between cells, so the lines are compared
    here. ``render_lines`` is overridden because its caches never hit for a picture that moves.
    """

    DEFAULT_CSS = "Surface { width: 100%; height: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self.painted = 0
        """Lines made into strips so far, for the tests of this very economy."""

    def show(self, lines: list[Line]) -> None:
        """Show these lines, repainting those that differ from what is there."""
        width = self.size.width
        old, strips = self._lines, self._strips
        if len(old) != len(lines):
            old = []
            strips = self._strips = [Strip.blank(width)] * len(lines)
        dirty = []
        for y, line in enumerate(lines):
            if not old or old[y] != line:
                strips[y] = Strip([_safe(segment) for segment in line], width)
                dirty.append(Region(0, y, width, 1))
        self._lines = lines
        self.painted += len(dirty)
        if dirty:
            self.refresh(*dirty)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a region, cut to it."""
        x, y, width, height = crop
        strips = self._strips[y : y + height]
        strips += [Strip.blank(self.size.width)] * (height - len(strips))
        if x == 0 and width == self.size.width:
            return strips
        return [strip.crop(x, x + width) for strip in strips]
