"""The axis of time, and the cursors through the lanes."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.look import WHITE
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen, split
from loopviz.tui.view import ROUND

__all__ = ["axis", "crossed"]


def axis(pen: Pen, frame: Frame) -> Line:
    """Time before the right edge; the time cursor's own time where there is one."""
    view, columns = frame.view, frame.columns
    width = columns.column_ns
    marks = [" "] * columns.time
    every = next(ns for ns in ROUND if ns >= width and ns // width >= 8)
    for number in range(1, columns.time * width // every + 1):
        text = f"-{words.tick(number * every)}"
        at = columns.time - 1 - number * every // width
        if at >= len(text) - 1:
            marks[at - len(text) + 1 : at + 1] = text
    edge = "now" if view.behind is None else "here"
    marks[-len(edge) :] = edge
    line = [Segment(" " * columns.label, pen.text), Segment("".join(marks), pen.dim)]
    if view.at is None:
        return line
    before = f"-{words.duration(max(0, view.now - view.at))}"
    if view.mark is None:
        return pen.says(line, [f"cursor {before}"], columns, pen.title)
    return pen.says(line, [f"Δ {words.duration(abs(view.at - view.mark))}", before], columns, pen.title)


def crossed(pen: Pen, frame: Frame, line: Line) -> Line:
    """The line with the time cursor and the mark drawn through it."""
    view, columns, palette = frame.view, frame.columns, pen.palette
    for t, glyph in (
        (view.mark, "┊" if palette.unicode else ":"),
        (view.at, "│" if palette.unicode else "|"),
    ):
        if t is None or not 0 <= t // columns.column_ns - frame.first < columns.time:
            continue
        if sum(segment.cell_length for segment in line) < columns.label + columns.time:
            return line  # a heading, or empty
        x = columns.label + t // columns.column_ns - frame.first
        before, cell, after = split(line, x, x + 1)
        under = cell[0].style if cell and cell[0].style else pen.text
        shown = Style(color=WHITE, bold=True) if palette.colour else Style(bold=True, reverse=True)
        line = [*before, Segment(glyph, under + shown), *after]
    return line
