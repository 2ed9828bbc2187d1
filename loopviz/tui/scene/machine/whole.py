"""One machine with all its parts: sockets, ready queue and seat, below them what is parked, and the pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.segment import Segment

from loopviz.tui.scene.machine.chips import chips
from loopviz.tui.scene.machine.parked import columns_of, parked, parked_title
from loopviz.tui.scene.machine.pools import fold, pool_rows, shown
from loopviz.tui.scene.machine.row import Row, beside, boxed, rule
from loopviz.tui.scene.machine.seat import seat
from loopviz.tui.scene.machine.selector import heading, selector, timers
from loopviz.tui.scene.machine.sight import Sight, waited
from loopviz.tui.scene.machine.stations import GROUPS, Machine, Place

__all__ = ["LOWEST", "NARROWEST", "whole"]

NARROWEST = 72
"""A machine needs so many cells."""
_ARROW = 3


class _Size(NamedTuple):
    """How much room each part has."""

    boxes: int
    """The lines in the boxes of the upper row."""
    place: int
    """The lines of a place where requests are parked."""
    pool: int
    """The lines of a pool."""
    gap: int
    """The empty lines between the parts."""


_SIZES = (
    _Size(10, 5, 6, 1),
    _Size(8, 4, 5, 1),
    _Size(7, 3, 4, 1),
    _Size(6, 3, 3, 1),
    _Size(5, 2, 3, 1),
    _Size(4, 2, 2, 1),
    _Size(4, 1, 2, 1),
    _Size(4, 1, 2, 0),
    _Size(3, 1, 2, 0),
    _Size(3, 1, 1, 0),
)
_POOLS = 2
"""There is room for so many pools before there are any, so that the first ones move nothing."""
_SPARE = 2
"""Boxes are at most so many lines higher than their size says."""
LOWEST = 3 + 2 + 1 + 1 + 5 + 1 + 1
"""A machine needs so many lines."""


def whole(sight: Sight, machine: Machine, sockets: Place | None, width: int, height: int) -> list[Row]:
    """The machine in exactly `height` lines; of several machines, the `sockets` are drawn elsewhere."""
    down = -(-len(GROUPS) // columns_of(width))
    top = [heading(sight, machine, width)] if sockets is None else []
    size, spare = _size(height - len(top), down, len(machine.pools))
    gap = [Row()] * size.gap
    rows = [*top, *gap, *_upper(sight, machine, sockets, width, size.boxes + spare), *gap]
    rows += [rule(sight.pen, parked_title(sight, machine), width)]
    rows += [*parked(sight, machine, width, size.place), *gap]
    rows += [rule(sight.pen, _pools_title(sight, machine), width)]
    room = height - len(rows)
    seen, others = shown(machine.pools, room // size.pool)
    for pool in seen:
        rows += pool_rows(sight, pool, width, size.pool)
    if others and len(rows) < height:
        rows.append(fold(sight, others))
    return rows[:height]


def _size(height: int, down: int, pools: int) -> tuple[_Size, int]:
    """The largest size in which everything has room; and how many more lines the boxes can have."""
    for size in _SIZES:
        needed = size.boxes + 2 + 1 + 2 + down * size.place + 3 * size.gap + max(_POOLS, pools) * size.pool
        if needed <= height:
            return size, min(_SPARE, height - needed)
    return _SIZES[-1], 0


def _upper(sight: Sight, machine: Machine, sockets: Place | None, width: int, height: int) -> list[Row]:
    """Sockets, ready queue and seat, with the arrows between them and to what is below."""
    pen, unicode = sight.pen, sight.pen.palette.unicode
    first, side = (min(44, max(least, width * 25 // 100)) for least in (23, 19))
    wide = width - 2 - side - _ARROW
    if sockets is not None:
        wide -= first + _ARROW
    found = seat(sight, machine, wide - 4)
    border = pen.alarm if found.alarm else pen.text if machine.seat else pen.dim
    blocks: list[tuple[int, Sequence[Row]]] = [(1, [])]
    arrow = [Row()] * (1 + height // 2) + [Row(Segment(" ▶ " if unicode else " > ", pen.text))]
    if sockets is not None:
        said = [row for row in (selector(sight, machine), timers(sight, machine)) if row.width]
        lines = chips(sight, sockets, first - 4, height - len(said)) if sockets else []
        lines = [*lines, *[Row()] * (height - len(said) - len(lines)), *said]
        blocks += [(first, _box(sight, "SOCKETS", sockets, lines, first)), (_ARROW, arrow)]
    lines = chips(sight, machine.ready, side - 4, height) if machine.ready else []
    lines += [Row()] * (height - len(lines))
    blocks += [(side, _box(sight, "READY", machine.ready, lines, side)), (_ARROW, arrow)]
    title = Row(Segment("ON THE LOOP", pen.alarm if found.alarm else pen.title))
    if found.busy:
        title.say(f"{pen.separator}{found.busy}", pen.dim)
    lines = [*found.lines[:height], *[Row()] * (height - len(found.lines))]
    blocks += [(wide, boxed(pen, title, lines, wide, border))]
    rows = beside(pen, blocks)
    back = Row().pad(width - 1 - wide - _ARROW - (side + 1) // 2, pen.text)
    back.say(f"{'▲' if unicode else '^'} can go on", pen.dim)
    back.pad(width - wide // 2 - 1, pen.text)
    back.say(f"{'▼' if unicode else 'v'} awaits{', or calls a worker' if wide > 56 else ''}", pen.dim)
    return [*rows, back]


def _box(sight: Sight, name: str, place: Place, rows: Sequence[Row], width: int) -> list[Row]:
    pen = sight.pen
    title = Row(Segment(f"{name} {len(place)}", pen.title if place else pen.dim))
    below = Row(Segment(f"oldest {waited(place.oldest(sight.now))}", pen.text)) if place else None
    return boxed(pen, title, rows, width, pen.text if place else pen.dim, below)


def _pools_title(sight: Sight, machine: Machine) -> Row:
    pen = sight.pen
    row = Row(Segment("POOLS ", pen.title))
    waiting = sum(len(pool.queue) for pool in machine.pools)
    working = sum(len(pool.seats) for pool in machine.pools)
    row.say(f"{working} in a worker", pen.text if working else pen.dim)
    if waiting:
        row.say(f"{pen.separator}{waiting} waiting", pen.text)
    return row
