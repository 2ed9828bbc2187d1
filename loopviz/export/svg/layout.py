"""Which rows a picture has, and how high they are: it must fit its ratio, and hide none that matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loopviz.draw.fold import Fold, folded
from loopviz.draw.words import count
from loopviz.export.svg.canvas import WIDTH
from loopviz.model import Lane, Request

__all__ = ["MOST_LANES", "MOST_REQUESTS", "Layout", "fitted", "height_of"]

MOST_LANES = 16
"""Worker lanes in a picture, at most: more are not readable on a slide."""
MOST_REQUESTS = 32
"""Rows of requests in a picture, at most."""
_PLAIN = 12
"""So many requests have a row each, where there is room."""
_ROW, _LEAST_ROW, _HIGHEST_ROW = 34, 28, 60
"""The height of a row: where there is no ratio, and at least and at most with one."""
_COLUMNS = (60, 30, 15)
"""The widths of a column, as parts of the window, within which rows fold: until they are few enough."""
_LEAST_LANES = 2
_ENOUGH = 6
"""With fewer rows than this, some of the code gives way."""


@dataclass(frozen=True)
class Layout:
    """The rows of a picture, from top to bottom."""

    row: int
    """The height of a row."""
    lanes: Sequence[Lane]
    folds: Sequence[Fold]
    more: str
    """What has no row, in words; empty if everything has one."""
    code: int
    """How many lines of code there is room for."""


def fitted(
    lanes: Sequence[Lane],
    requests: Sequence[Request],
    window: tuple[int, int],
    *,
    others: float,
    height: int | None,
    code: int,
    code_line: int,
) -> Layout:
    """The rows for these workers and requests, of a window (ns).

    `others` is how high the lanes that every picture has are, in rows. `height` is the room for all rows and
    for `code` lines of code that are `code_line` high; None for as much as is needed.
    """
    if height is None:
        shown_lanes = lanes[:MOST_LANES]
        folds, dropped = _requests(requests, window, MOST_REQUESTS)
        return Layout(_ROW, shown_lanes, folds, _more(len(lanes) - len(shown_lanes), dropped), code)

    def rows(code: int) -> int:
        return int((height - code * code_line) / _LEAST_ROW - others)

    while code and rows(code) < _ENOUGH:
        code -= 1
    room = max(2, rows(code))
    wanted, dropped = _requests(requests, window, room)
    if len(lanes) + len(wanted) > room or dropped:
        room -= 1  # for the words that say what is missing
    most_lanes = min(MOST_LANES, max(_LEAST_LANES, room - len(wanted), room // 3))
    shown_lanes = lanes[:most_lanes]
    folds, dropped = _requests(requests, window, min(MOST_REQUESTS, max(1, room - len(shown_lanes))))
    more = _more(len(lanes) - len(shown_lanes), dropped)
    drawn = others + len(shown_lanes) + len(folds) + bool(more)
    row = min(_HIGHEST_ROW, max(_LEAST_ROW, int((height - code * code_line) / drawn)))
    return Layout(row, shown_lanes, folds, more, code)


def _requests(requests: Sequence[Request], window: tuple[int, int], most: int) -> tuple[list[Fold], int]:
    """At most so many rows, and how many requests have none.

    Rows that look the same are folded. If there are too many even so, those that stay are evenly spaced.
    """
    if len(requests) <= min(most, _PLAIN):
        return [Fold((request,)) for request in requests], 0
    start, end = window
    rows: list[Fold] = []
    for columns in _COLUMNS:
        rows = folded(requests, end, max(1, (end - start) // columns), anywhere=True)
        if len(rows) <= most:
            return rows, 0
    kept = [rows[index * (len(rows) - 1) // max(1, most - 1)] for index in range(most)]
    return kept, len(requests) - sum(fold.count for fold in kept)


def _more(lanes: int, requests: int) -> str:
    found = [(lanes, "more worker"), (requests, "more request")]
    return ", ".join(f"and {count(number, what)}" for number, what in found if number)


def height_of(ratio: tuple[int, int]) -> int:
    """The height of a picture with this ratio of width to height."""
    wide, high = ratio
    return round(WIDTH * high / wide)
