"""Rows: pieces of lines with what can be clicked in them, put beside and below each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style

from loopviz.tui.scene.pen import Hit, Line, Pen

__all__ = ["Row", "beside", "boxed", "rule"]


class Row:
    """A piece of a line."""

    __slots__ = ("hits", "segments", "width")

    def __init__(self, *segments: Segment) -> None:
        self.segments: Line = list(segments)
        self.width = sum(segment.cell_length for segment in segments)
        self.hits: list[tuple[int, int, Hit]] = []

    def put(self, segment: Segment) -> None:
        """Add a segment at the end."""
        self.segments.append(segment)
        self.width += segment.cell_length

    def say(self, text: str, style: Style) -> None:
        """Add text at the end."""
        self.put(Segment(text, style))

    def pad(self, width: int, style: Style) -> Row:
        """Exactly so many cells wide: filled, or cut."""
        if self.width < width:
            self.put(Segment(" " * (width - self.width), style))
        elif self.width > width:
            self.segments = Segment.adjust_line_length(self.segments, width)
            self.width = width
            self.hits = [(start, min(end, width), hit) for start, end, hit in self.hits if start < width]
        return self

    def add(self, other: Row) -> None:
        """Add another row at the end."""
        self.hits += [(start + self.width, end + self.width, hit) for start, end, hit in other.hits]
        self.segments += other.segments
        self.width += other.width


def beside(pen: Pen, blocks: Sequence[tuple[int, Sequence[Row]]]) -> list[Row]:
    """Blocks of rows beside each other, each so many cells wide."""
    rows = []
    for y in range(max((len(block) for _, block in blocks), default=0)):
        row = Row()
        for width, block in blocks:
            row.add((block[y] if y < len(block) else Row()).pad(width, pen.text))
        rows.append(row)
    return rows


def boxed(
    pen: Pen, title: Row, rows: Iterable[Row], width: int, style: Style, below: Row | None = None
) -> list[Row]:
    """Rows in a box of `width` cells, with a title in its upper border, and words in its lower one."""
    inner = width - 4
    top = Row(Segment("╭ ", style))
    top.add(title)
    top.pad(min(top.width, width - 2), style)
    top.put(Segment(" " + "─" * (width - top.width - 2) + "╮", style))
    lines = [top]
    for row in rows:
        line = Row(Segment("│ ", style))
        line.add(row.pad(inner, pen.text))
        line.put(Segment(" │", style))
        lines.append(line)
    if below is None or below.width > width - 4:
        lines.append(Row(Segment("╰" + "─" * (width - 2) + "╯", style)))
        return lines
    last = Row(Segment("╰" + "─" * (width - below.width - 4) + " ", style))
    last.add(below)
    last.put(Segment(" ╯", style))
    return [*lines, last]


def rule(pen: Pen, title: Row, width: int) -> Row:
    """A line across, with a title in it."""
    line = Row(Segment(" ─ ", pen.dim))
    line.add(title)
    line.put(Segment(" " + "─" * max(0, width - line.width - 2), pen.dim))
    return line.pad(width, pen.dim)
