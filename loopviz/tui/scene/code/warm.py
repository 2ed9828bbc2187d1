"""The heat margin: how long requests were at a line, split by state."""

from __future__ import annotations

from rich.cells import set_cell_size
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.look import BLOCK, CODES, NOTHING
from loopviz.model.heat import Kind, Warmth
from loopviz.tui.scene.code.places import ORDER
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["FIGURE", "bar", "warm"]

FIGURE = 8
"""The cells of a figure: ``  1.9 s ``."""


def warm(pen: Pen, warmth: Warmth | None, most: int, cells: int, *, figure: bool) -> Line:
    """The bar of a line and its figure; `most` is the longest time at any line (ns)."""
    width = cells + (FIGURE if figure else 0)
    if not width:
        return []
    if warmth is None or not warmth.total:
        return [Segment(" " * width, pen.text)]
    line = list(pen.cells(bar(warmth, most, cells))) if cells else []
    if figure:
        line.append(Segment(set_cell_size(f"{words.duration(warmth.total):>{FIGURE - 1}}", FIGURE), pen.dim))
    return line


def bar(warmth: Warmth, most: int, cells: int) -> str:
    """The codes of the half cells: as long as the time, and each state as long as its part of it."""
    total = warmth.total
    length = max(1, min(2 * cells, round(2 * cells * total / max(most, total))))
    parts = sorted(((_code(kind), time) for kind, time in warmth.times.items()), key=lambda p: ORDER[p[0]])
    codes, passed = "", 0
    for code, time in parts:
        passed += time
        codes += code * (round(length * passed / total) - len(codes))
    return codes.ljust(2 * cells, NOTHING)


def _code(kind: Kind) -> str:
    return BLOCK if kind is None else CODES[kind]
