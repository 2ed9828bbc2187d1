"""The lanes for the stage: the event loop, and the requests of one burst in at most eight rows."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.fold import folded
from loopviz.draw.look import BLOCK, LEVELS
from loopviz.draw.marks import request_codes
from loopviz.draw.raster import code_of, loop_levels
from loopviz.model import Burst, Request, Timeline
from loopviz.tui.scene.axis import from_zero
from loopviz.tui.scene.pen import Line, Pen, split

__all__ = ["MOST_ROWS", "StageLanes"]

MOST_ROWS = 8
_LABEL, _SAYS = 13, 20
_TALLEST = 5
"""Lines of a lane; the last one of three or more is a gap."""
_GAPPED = 3
_ALIKE = 16
"""Rows that differ by less than this part of the window are one, where not all have room."""
_REFRESH = 200_000_000


class _Rows(NamedTuple):
    rows: list[tuple[str, Request]]
    """Their names, and the request, or the task, of which each shows the states."""
    room: int
    """For how many of them to leave room."""
    more: str
    """What has no room."""


class StageLanes:
    """Draws the lanes; which rows are equal is found out a few times a second, where there are many."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen
        self._kept: tuple[tuple[int, int, int], _Rows] | None = None

    def lines(
        self,
        timeline: Timeline,
        burst: Burst | None,
        window: int,
        expected: int,
        now: int,
        width: int,
        height: int,
    ) -> list[Line]:
        """The axis and the lanes, each as tall as there is room. `window` and `expected` are in ns."""
        pen = self._pen
        if burst is None or not burst.began:
            return [[Segment(" The requests are sent as soon as the server is ready.", pen.dim)]]
        cells = max(8, width - _LABEL - _SAYS)
        half = max(1, -(-window // (2 * cells)))
        first = burst.began // half
        stop = first + 2 * cells
        rows, most, more = self._rows(timeline, burst, now, max(2 * half, window // _ALIKE))
        tall = max(1, min(_TALLEST, (height - 1) // (most + 1)))
        lines = [_axis(pen, expected, half, cells)]
        levels = loop_levels(timeline, half, first, stop, now)
        if burst.over(now):  # what the loop does afterwards is not about this burst
            end = (burst.began + burst.makespan(now)) // half + 2
            levels = levels[: end - first].ljust(stop - first, "0")
        lines += _loop(pen, timeline, levels, now, tall)
        for name, request in rows:
            codes = request_codes(request, timeline.threshold, now, half, 0, stop - first, first * half)
            label = name if pen.palette.unicode else words.ascii_only(name)
            lines += _tall((label, pen.title), pen.cells(codes), _says(pen, timeline, request, now), tall)
        if more:
            lines = [*lines[: height - 1], [Segment(f" and {more}", pen.dim)]]
        at = _column(expected, half, cells)
        return [lines[0], *(_marked(pen, line, at) for line in lines[1:])][:height]

    def _rows(self, timeline: Timeline, burst: Burst, now: int, within: int) -> _Rows:
        if burst.count <= MOST_ROWS:
            return _rows(timeline, burst, now, within)
        key = burst.number, within, now // _REFRESH
        if self._kept is None or self._kept[0] != key:
            self._kept = key, _rows(timeline, burst, now, within)
        return self._kept[1]


def _rows(timeline: Timeline, burst: Burst, now: int, within: int) -> _Rows:
    """The rows: none folds while all have room, so that none moves; a request alone has its child tasks."""
    requests = burst.requests
    if burst.count > MOST_ROWS:
        folds = folded(requests, now, within, anywhere=True)
        while len(folds) > MOST_ROWS and within < NS:  # rather coarse than without the last ones
            within *= 2
            folds = folded(requests, now, within, anywhere=True)
        more = sum(fold.count for fold in folds[MOST_ROWS:])
        shown = folds[:MOST_ROWS]
        named = [(fold.name, fold.first) for fold in shown]
        return _Rows(named, len(shown), words.count(more, "more request") if more else "")
    rows = [(words.tag(request.id, request.letter), request) for request in requests]
    if burst.count > 1 or not requests:
        return _Rows(rows, burst.count, "")
    known = [c for c in timeline.children(requests[0].id) if not c.apart and c.start <= now]
    tasks = {child.number for child in known}
    children = [child for child in known if child.parent not in tasks]  # what these await is theirs
    room = MOST_ROWS - 1
    rows += [(f" └ {words.task_name(child.name)}", child.row) for child in children[:room]]
    more = len(children) - room
    return _Rows(rows, len(rows), words.count(more, "more task") if more > 0 else "")


def _column(t: int, half: int, cells: int) -> int | None:
    """The column of a time after zero, in cells from the left; None where it has none."""
    at = t // (2 * half)
    return _LABEL + at if 0 < at < cells else None


def _axis(pen: Pen, expected: int, half: int, cells: int) -> Line:
    """Seconds from the first request on, and where the end is expected."""
    said = f" expected {words.duration(expected)}" if expected else ""
    return [Segment(" " * _LABEL, pen.text), Segment(from_zero(half, cells), pen.dim), Segment(said, pen.dim)]


def _loop(pen: Pen, timeline: Timeline, codes: str, now: int, tall: int) -> list[Line]:
    """The event loop's lane: as high as it is busy, or the pattern of a block."""
    palette, rows = pen.palette, max(1, tall - (tall >= _GAPPED))
    calm, levels = palette.style(palette.colours.good_text, palette.colours.lane), LEVELS[palette.mode]
    drawn: list[Line] = [[] for _ in range(rows)]
    for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
        length = len(list(run))
        for at, line in enumerate(drawn):
            if BLOCK in pair:
                text, style = palette.cell(BLOCK, BLOCK)
                line.append(Segment(text * length, style))
            else:
                level = max(map(int, pair)) * rows - 8 * (rows - 1 - at)
                line.append(Segment(levels[max(0, min(8, level))] * length, calm))
    block = timeline.block_at(now)
    said = (f"BLOCKED {words.duration(block.lasted(now))}", pen.alarm) if block else ("", pen.text)
    lines = _tall(("EVENT LOOP", pen.title), [], said, tall)
    return [[line[0], *drawn[at], line[1]] if line else line for at, line in enumerate(lines)]


def _tall(label: tuple[str, Style], cells: Line, said: tuple[str, Style], tall: int) -> list[Line]:
    """A lane in `tall` lines: its label and its words in the middle, a gap below if there is room."""
    lines: list[Line] = []
    full = tall - (tall >= _GAPPED)
    for at in range(full):
        here = at == (full - 1) // 2
        left = Segment(set_cell_size(f" {label[0]}" if here else "", _LABEL), label[1])
        right = Segment(set_cell_size(f" {said[0]}" if here else "", _SAYS), said[1])
        lines.append([left, *cells, right])
    return lines + [[]] * (tall - full)


def _says(pen: Pen, timeline: Timeline, request: Request, now: int) -> tuple[str, Style]:
    """What it does, and how long it has taken so far."""
    latency = words.duration(request.latency(now))
    if request.done is not None and request.done <= now:
        if request.failed:
            return f"failed  {latency:>6}", pen.alarm
        return f"done  {latency:>6}", pen.text
    state = request.state_at(now)
    if state is None:
        return f"{latency:>6}", pen.text
    name, style = pen.palette.name(code_of(state.state, now - state.start, timeline.threshold))
    return f"{name}  {latency:>6}", style


def _marked(pen: Pen, line: Line, at: int | None) -> Line:
    """The line with the mark of the expected end through its empty cells."""
    if at is None or sum(segment.cell_length for segment in line) <= at:
        return line
    before, cell, after = split(line, at, at + 1)
    if any(segment.text.strip() for segment in cell):
        return line
    return [*before, Segment("┊" if pen.palette.unicode else ":", pen.dim), *after]
