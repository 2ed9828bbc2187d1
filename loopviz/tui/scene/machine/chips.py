"""Requests as chips, beside and below each other, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from rich.segment import Segment

from loopviz.tui.scene.machine.row import Row
from loopviz.tui.scene.machine.sight import Sight
from loopviz.tui.scene.machine.stations import Place

__all__ = ["chips"]

_NARROWEST = 4
"""A chip and the space behind it have at least so many cells."""


def chips(sight: Sight, place: Place, width: int, lines: int = 1) -> list[Row]:
    """Those at a place in at most so many lines of `width` cells; the last one says how many more there are.

    The one that is selected is always among them, if there is room for any.
    """
    pen = sight.pen
    drawn = [sight.chip(one) for one in islice(place, lines * width // _NARROWEST + 1)]
    fit, rows = _flow(sight, drawn, width, lines)
    if fit == len(place):
        return rows
    selected = next((at for at, one in enumerate(place) if sight.is_selected(one)), -1)
    while True:
        tail = []
        if selected >= fit:
            tail.append(sight.chip(place[selected]))
        tail.append(Row(Segment(f"+{len(place) - fit - len(tail)}", pen.text)))
        if len(place) == fit + len(tail) - 1:
            tail.pop()
        placed, rows = _flow(sight, [*drawn[:fit], *tail], width, lines)
        if placed == fit + len(tail) or not fit:
            return rows
        fit -= 1


def _flow(sight: Sight, drawn: Sequence[Row], width: int, lines: int) -> tuple[int, list[Row]]:
    """As many of these as fit, and the lines that they are in."""
    rows: list[Row] = []
    row, space = Row(), Segment(" ", sight.pen.text)
    for at, chip in enumerate(drawn):
        if chip.width > width:
            return at, [*rows, row]
        if row.width and row.width + 1 + chip.width > width:
            rows.append(row)
            row = Row()
            if len(rows) == lines:
                return at, rows
        if row.width:
            row.put(space)
        row.add(chip)
    return len(drawn), [*rows, row]
