"""The map: everything that is kept, in one line."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.look import BLOCK, LEVELS
from loopviz.draw.raster import map_codes
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["Overview"]


class Overview:
    """Draws the map, and keeps its codes until there is something new."""

    def __init__(self) -> None:
        self._key: tuple[int, ...] = ()
        self._codes = ""

    def line(self, pen: Pen, frame: Frame) -> Line:
        """Where requests are, where blocks are, and which part of it the picture shows."""
        timeline, view, columns = frame.timeline, frame.view, frame.columns
        start, end = timeline.began, max(view.now + (view.behind or 0), timeline.last)
        width = max(1, -(-(end - start) // columns.time))
        key = (len(timeline.requests), len(timeline.blocks), start // width, end // width)
        if self._key != key:
            self._key, self._codes = key, map_codes(timeline, start, width, columns.time)
        shown, until = view.reach
        left = max(0, (shown - start) // width)
        right = max(left, (min(until, view.now) - start) // width)
        levels, block = LEVELS[pen.palette.mode], "▄" if pen.palette.unicode else "!"
        line = [pen.label("ALL", columns, pen.dim)]
        colours = pen.palette.colours
        for index, code in enumerate(self._codes):
            inside = left <= index <= right
            colour = colours.alarm_text if code == BLOCK else colours.good_text
            style = pen.palette.style(colour, colours.lit if inside else colours.lane)
            if inside and not pen.palette.colour:
                style = Style(reverse=True)
            line.append(Segment(block if code == BLOCK else levels[int(code)], style))
        return pen.says(line, [words.duration(end - start)], columns, pen.dim)
