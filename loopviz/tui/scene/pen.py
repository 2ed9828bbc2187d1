"""Lines, and how their pieces are drawn: styles that do not change, labels, words and cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.tui.scene.frame import Columns

__all__ = ["Hit", "Line", "Pen", "fitted", "split"]

Line = list[Segment]
"""Segments of text. The screen repaints a line only if it differs from the one before."""

_EDGES = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Hit:
    """What is under the mouse: a request, or a key."""

    request: int | None = None
    key: str | None = None
    opens: bool = True
    """Whether a click opens the request. A line that stands for many only selects it."""


class Pen:
    """Styles of the palette's theme, and the pieces of lines."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.separator = " · " if palette.unicode else " | "
        self._drawn = lru_cache(maxsize=8192)(self._draw)

    @property
    def text(self) -> Style:
        """The style of words."""
        return self.palette.text("text")

    @property
    def dim(self) -> Style:
        """The style of words of less weight."""
        return self.palette.text("dim")

    @property
    def title(self) -> Style:
        """The style of words of more weight."""
        return self.palette.text("title")

    @property
    def alarm(self) -> Style:
        """The style of what is wrong."""
        return self.palette.text("alarm")

    def label(self, text: str, columns: Columns, style: Style) -> Segment:
        """A lane's name, in the columns of labels."""
        return Segment(set_cell_size(f" {text}", columns.label), style)

    def says(
        self, line: Line, parts: Sequence[str], columns: Columns, style: Style, *, align: bool = False
    ) -> Line:
        """Add what the lane says now; `align` puts a state and its time into columns."""
        if align and len(parts) == 2:
            gap = " " if cell_len(parts[0]) >= columns.state else ""
            text = f" {parts[0]:<{columns.state}}{gap + parts[1]:>6}"
        else:
            text = " " + parts[0]
            for part in parts[1:]:
                longer = text + self.separator + part
                if cell_len(longer) > columns.says:
                    break
                text = longer
        return [*line, Segment(set_cell_size(text, columns.says), style)]

    def cells(self, codes: str, edge: int = 0, live: int = 0) -> Line:
        """Cells of two half columns each; the `live`-th one filled up to `edge` eighths, if given."""
        return self._drawn(codes, edge, live, self.palette.theme.name)

    def _draw(self, codes: str, edge: int, live: int, _theme: str) -> Line:
        pairs = list(zip(codes[::2], codes[1::2], strict=True))
        if not edge:
            return self._runs(pairs)
        last = Segment(_EDGES[edge], self.palette.edge(pairs[live - 1][0]))
        return [*self._runs(pairs[: live - 1]), last, *self._runs(pairs[live:])]

    def _runs(self, pairs: Sequence[tuple[str, str]]) -> Line:
        """Equal cells as one segment."""
        line = []
        for (left, right), run in groupby(pairs):
            character, style = self.palette.cell(left, right)
            line.append(Segment(character * len(list(run)), style))
        return line


def fitted(line: Line, width: int, palette: Palette) -> Line:
    """The line exactly `width` cells wide, and in ASCII where the palette asks for it."""
    if not palette.unicode:
        line = [Segment(words.ascii_only(segment.text), segment.style) for segment in line]
    length = sum(segment.cell_length for segment in line)
    if length < width:
        return [*line, Segment(" " * (width - length), palette.text("text"))]
    return line if length == width else Segment.adjust_line_length(line, width, palette.text("text"))


def split(line: Line, start: int, end: int) -> tuple[Line, Line, Line]:
    """The parts of a line before, between and after two columns; empty where the line is not as long."""
    length = sum(segment.cell_length for segment in line)
    # Segment.divide leaves out the parts that begin where the line ends.
    parts = list(Segment.divide(line, [min(start, length), min(end, length), length]))
    before, between, after = (*parts, [], [], [])[:3]
    return before, between, after
