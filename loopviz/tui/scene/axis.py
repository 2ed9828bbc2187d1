"""The axis of time, and the cursors through the lanes."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.tui.clock import Clock
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen, split
from loopviz.tui.view import ROUND

__all__ = ["axis", "crossed", "from_zero"]

_ROOM_OF_ZERO = 5
"""The columns of ``0 ms`` (cells)."""
_STEPS = tuple(factor * 10**power for power in range(3, 12) for factor in (1, 2, 5))
"""Round times (ns) between two marks of a burst."""
_UNITS = ((NS, "s"), (1_000_000, "ms"), (1_000, "µs"))


def axis(pen: Pen, frame: Frame) -> Line:
    """Time from the first request of a burst on, or before the right edge; the time cursor's own time."""
    view, columns = frame.view, frame.columns
    marks = _of_burst(frame, view.clock) if view.clock is not None else _scrolling(frame)
    line = [Segment(" " * columns.label, pen.text), Segment(marks, pen.dim)]
    if view.at is None:
        return line
    if view.clock is not None:
        here = (
            f"at {words.duration(view.at - view.clock.zero)}" if view.at >= view.clock.zero else "before 0 s"
        )
    else:
        here = f"-{words.duration(max(0, view.now - view.at))}"
    if view.mark is None:
        return pen.says(line, [f"cursor {here}"], columns, pen.title)
    return pen.says(line, [f"Δ {words.duration(abs(view.at - view.mark))}", here], columns, pen.title)


def from_zero(half: int, cells: int) -> str:
    """Time since the first request in `cells` columns, each twice `half` ns wide: ``0 s  1 s  2 s``."""
    every = next((ns for ns in ROUND if ns // (2 * half) >= 8), ROUND[-1])
    marks = [" "] * cells
    for number in range(cells * 2 * half // every + 1):
        at, text = number * every // (2 * half), words.tick(number * every) if number else "0 s"
        if at + len(text) <= cells:
            marks[at : at + len(text)] = text
    return "".join(marks)


def _scrolling(frame: Frame) -> str:
    """Time before the right edge: ``-4 s … now``."""
    columns = frame.columns
    width = columns.column_ns
    marks = [" "] * columns.time
    every = next(ns for ns in ROUND if ns >= width and ns // width >= 8)
    for number in range(1, columns.time * width // every + 1):
        text = f"-{words.tick(number * every)}"
        at = columns.time - 1 - number * every // width
        if at >= len(text) - 1:
            marks[at - len(text) + 1 : at + 1] = text
    edge = "now" if frame.view.behind is None else "here"
    marks[-len(edge) :] = edge
    return "".join(marks)


def _of_burst(frame: Frame, clock: Clock) -> str:
    """Time since the first request: ``0 s  1  2  3``, and when all should be done: ``expected 3 s``."""
    width, room = frame.columns.column_ns, frame.columns.time
    marks = [" "] * room
    for every in (step for step in _STEPS if step // width >= 6):
        unit, name = _UNITS[0] if room * width >= NS else _UNITS[1 if every >= _UNITS[1][0] else 2]
        least = -(-(frame.first * width - clock.zero) // every)
        texts = [f"{(least + n) * every / unit:.15g}" for n in range(room * width // every + 2)]
        texts[0] += f" {name}"
        if every // width > max(map(len, texts)):  # none touches the next one
            break
    for number, text in enumerate(texts, least):
        at = (clock.zero + number * every) // width - frame.first
        if at + len(text) <= room:
            marks[at : at + len(text)] = text
    if clock.expected is not None and clock.mark is not None:
        at = clock.mark // width - frame.first
        what = "expected" if clock.expected.declared else "last time"
        text = f"{what} {_brief(clock.expected.ns)}"
        least = max(_ROOM_OF_ZERO, "".join(marks).find(name) + len(name) + 1)
        left = at - len(text) + 1 if at - len(text) >= least else max(at, least)
        if at >= 0 and left + len(text) <= room:
            _clear(marks, left, left + len(text))
            marks[left : left + len(text)] = text
    return "".join(marks)


def _brief(ns: int) -> str:
    """A duration without needless digits: ``8 s``, ``1.5 s``, ``250 ms``."""
    return f"{ns / NS:.1f}".removesuffix(".0") + " s" if ns >= 0.9995 * NS else words.duration(ns)


def _clear(marks: list[str], start: int, stop: int) -> None:
    """Remove the marks that would touch what is written from `start` to `stop`."""
    while start > 0 and marks[start - 1] != " ":
        start -= 1
    while stop < len(marks) and marks[stop] != " ":
        stop += 1
    marks[start:stop] = " " * (stop - start)


def crossed(pen: Pen, frame: Frame, line: Line) -> Line:
    """The line with the expected end, the time cursor and the mark drawn through it."""
    view, columns, palette = frame.view, frame.columns, pen.palette
    line = _expected(pen, frame, line)
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
        shown = palette.cursor()
        line = [*before, Segment(glyph, under + shown), *after]
    return line


def _expected(pen: Pen, frame: Frame, line: Line) -> Line:
    """The line with the moment at which the burst should be over, where nothing else is drawn."""
    clock, columns = frame.view.clock, frame.columns
    if clock is None or clock.mark is None:
        return line
    x = clock.mark // columns.column_ns - frame.first
    if not 0 <= x < columns.time or sum(segment.cell_length for segment in line) <= columns.label + x:
        return line
    x += columns.label
    before, cell, after = split(line, x, x + 1)
    beside = (before[-1].text[-1:] if before else "") + (after[0].text[:1] if after else "")
    if cell and (cell[0].text != " " or any(character.isalnum() for character in beside)):
        return line  # a state, the mark of an answer, or words
    under = cell[0].style if cell and cell[0].style else pen.text
    glyph = Segment("┆" if pen.palette.unicode else ":", under + Style(color=pen.dim.color))
    return [*before, glyph, *after]
