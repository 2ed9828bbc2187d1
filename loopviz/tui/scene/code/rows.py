"""How the rows of the code view are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.linking import linked_style
from loopviz.draw.safe import printable
from loopviz.model import Where
from loopviz.tui.scene.code.ink import Piece, style_of
from loopviz.tui.scene.code.libraries import short
from loopviz.tui.scene.code.marks import inside, marked
from loopviz.tui.scene.code.sections import Section
from loopviz.tui.scene.code.warm import FIGURE, warm
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["Columns", "Drawn", "draw_above", "draw_frame", "draw_gap", "draw_line", "draw_title"]

_NUMBER = 5
"""The cells of a line's number, with the space behind it."""
_LEAST = 24
"""So much room code has at least, before the figures are left out."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How a row is divided (cells)."""

    marks: int
    code: int
    heat: int
    figure: bool

    @classmethod
    def of(cls, width: int) -> Columns:
        """The division of a row of `width` cells."""
        marks, heat = (
            (9, 4) if width < 70 else (13, 6) if width < 100 else (17, 8) if width < 150 else (26, 16)
        )
        figure = True
        code = width - marks - _NUMBER - heat - FIGURE - 3
        if code < _LEAST:
            figure, code = False, code + FIGURE
        if code < _LEAST:
            heat, code = 0, code + heat
        return cls(marks, max(1, code), heat, figure)

    @property
    def width(self) -> int:
        """The width of a row."""
        return 1 + self.marks + _NUMBER + 1 + self.code + 1 + self.heat + (FIGURE if self.figure else 0)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What all rows of a frame have in common."""

    columns: Columns
    most: int
    """The longest time at any line (ns)."""
    cursor: int | None
    """The selected request."""
    alarms: Mapping[tuple[str, int], str]
    """The lines that block, and what is said of each."""


def draw_title(pen: Pen, drawn: Drawn, section: Section, note: str) -> Line:
    """The head of a function: its file, line and name, and how long requests were in it."""
    function, width = section.function, drawn.columns.width
    where = Where(section.file, function.line, section.name)
    rule = "─" if pen.palette.unicode else "-"
    place, name = words.line(where) if section.file else "", printable(section.name, 80)
    total = sum(warmth.total for warmth in section.heat.values())
    time = f" {words.duration(total)} " if total else ""
    line: Line = [
        Segment(f"{rule} ", pen.dim),
        Segment(place, linked_style(pen.title, where)),
        Segment(f" {name}" if name and place else name, pen.text),
    ]
    notice = f" · {note}" if note else ""
    line.append(Segment(notice, pen.alarm))
    used = sum(cell_len(segment.text) for segment in line) + 1
    left = max(0, width - used - cell_len(time))
    return [*line, Segment(" " + rule * left, pen.dim), Segment(time, pen.text)]


def draw_above(pen: Pen, drawn: Drawn, section: Section, said: str) -> Line:
    """What is at no line of a function yet, why, and how long requests were at none."""
    columns = drawn.columns
    if not section.above and section.before is None:
        return []
    line: Line = [Segment(" ", pen.text), *marked(pen, section.above, columns.marks, drawn.cursor)]
    used = sum(cell_len(segment.text) for segment in line) - 1
    line.append(Segment(" " * (columns.marks - used + _NUMBER + 1), pen.text))
    line += _cut([Segment(said or "at no line", pen.dim)], columns.code, pen)
    heat = warm(pen, section.before, drawn.most, columns.heat, figure=columns.figure)
    return [*line, Segment(" ", pen.text), *heat]


def draw_gap(pen: Pen, drawn: Drawn, count: int) -> Line:
    """Lines that are left out."""
    sign = "⋮" if pen.palette.unicode else ":"
    space = " " * (1 + drawn.columns.marks)
    return [Segment(f"{space}{sign:>{_NUMBER - 1}}  {words.count(count, 'line')}", pen.dim)]


def draw_frame(pen: Pen, drawn: Drawn, where: Where) -> Line:
    """A library's line inside of the user's line above it."""
    space = " " * (1 + drawn.columns.marks + _NUMBER)
    sign = "↳" if pen.palette.unicode else ">"
    file = printable(short(where.file), 80)
    line = [
        Segment(f"{space}  {sign} ", pen.dim),
        Segment(f"{file}:{where.line}", linked_style(pen.dim, where)),
        Segment(f" {printable(where.function, 80)}", pen.dim),
    ]
    return _cut(line, drawn.columns.width, pen)


def draw_line(pen: Pen, drawn: Drawn, section: Section, number: int, note: str) -> Line:
    """A line of code: who is there, its text, a `note`, and how long requests were there."""
    columns = drawn.columns
    marks, warmth = section.marks.get(number, ()), section.heat.get(number)
    alarm = drawn.alarms.get((section.file, number))
    called = section.through.get(number, ())
    named = marked(pen, marks, columns.marks, drawn.cursor) if marks else inside(pen, called, columns.marks)
    line: Line = [Segment(" ", pen.text), *named]
    used = sum(cell_len(segment.text) for segment in line) - 1
    style = pen.alarm if alarm is not None else pen.text if marks else pen.dim
    line += [
        Segment(" " * (columns.marks - used), pen.text),
        Segment(f"{number or '':>{_NUMBER - 1}}  ", style),
    ]
    if section.known:
        code = _code(pen, section.pieces(number), alarm is not None)
    else:
        code = [Segment("its source is not here" if section.file else "it has no Python source", pen.dim)]
    said = alarm or note
    if said:
        length = sum(cell_len(segment.text) for segment in code)
        sign = "◂ " if pen.palette.unicode else "< "
        room = columns.code - length - 2
        if cell_len(sign) + min(cell_len(said), 12) <= room:
            text = (
                said
                if cell_len(sign + said) <= room
                else set_cell_size(said, room - cell_len(sign) - 1) + "…"
            )
            code.append(Segment(f"  {sign}{text}", pen.alarm if alarm else pen.dim))
    line += _cut(code, columns.code, pen)
    return [
        *line,
        Segment(" ", pen.text),
        *warm(pen, warmth, drawn.most, columns.heat, figure=columns.figure),
    ]


def _code(pen: Pen, pieces: Sequence[Piece], alarm: bool) -> Line:
    if alarm:
        return [Segment("".join(text for text, _ in pieces), pen.alarm)]
    return [Segment(text, style_of(pen.palette, role)) for text, role in pieces]


def _cut(line: Line, width: int, pen: Pen) -> Line:
    """The line exactly `width` cells wide, with a sign where its end is left out."""
    length = sum(cell_len(segment.text) for segment in line)
    if length <= width:
        return [*line, Segment(" " * (width - length), pen.text)]
    shorter = Segment.adjust_line_length(line, width - 1, pen.text)
    return [*shorter, Segment("…" if pen.palette.unicode else "~", pen.dim)]
