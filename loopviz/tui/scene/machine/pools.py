"""The pools: in front of each its queue, and the seats at its workers."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from loopviz.draw.look import CODES
from loopviz.draw.safe import printable
from loopviz.draw.words import count
from loopviz.model import State
from loopviz.tui.scene.machine.chips import chips
from loopviz.tui.scene.machine.row import Row
from loopviz.tui.scene.machine.sight import Sight, waited
from loopviz.tui.scene.machine.stations import Place, PoolPlace

__all__ = ["fold", "pool_rows", "shown"]

_SHORT = {
    "default-limiter": "AnyIO threads",
    "limiter": "own limiter",
    "default-executor": "asyncio threads",
}
"""Pools that have no name of their own."""
_NAME = 16
_USE = 13
_BAR = 40
"""The room for a pool's name, for how much of it is in use, and for a bar of that (cells)."""


def shown(pools: list[PoolPlace], most: int) -> tuple[list[PoolPlace], list[PoolPlace]]:
    """Those that have room, and the others: where not all have, those with somebody in them come first."""
    if len(pools) <= most:
        return pools, []
    chosen = sorted(pools, key=lambda pool: pool.requests == 0)[: max(0, most - 1)]
    return [pool for pool in pools if pool in chosen], [pool for pool in pools if pool not in chosen]


def fold(sight: Sight, pools: list[PoolPlace]) -> Row:
    """Pools for which there is no room, in one line."""
    waiting, working = (
        sum(map(len, places)) for places in zip(*((p.queue, p.seats) for p in pools), strict=True)
    )
    said = f" {count(len(pools), 'more pool')}: {waiting} waiting, {working} in them"
    return Row(Segment(said, sight.pen.text if waiting or working else sight.pen.dim))


def name_of(pool: PoolPlace) -> str:
    """What it is called here."""
    if pool.pool is None:
        return "processes" if pool.role == "process" else "threads"
    return _SHORT.get(pool.pool.kind) or printable(pool.pool.name, 40) or pool.pool.kind


def pool_rows(sight: Sight, pool: PoolPlace, width: int, height: int) -> list[Row]:
    """A pool in so many lines: how full it is, who waits for it, and who has a seat."""
    if height == 1:
        return [_in_line(sight, pool, width)]
    pen = sight.pen
    head = Row(Segment(" ", pen.text))
    head.add(_name(sight, pool, 2 * _NAME))
    head.add(_use(sight, pool))
    head.pad(1 + 2 * _NAME + 2 * _USE, pen.text)
    room = min(_BAR, width - head.width - 2)
    if room >= 10:
        head.add(_bar(sight, pool, room))
    queue = max(20, (width - 5) // 3)
    seats = width - queue - 5
    waiting = _labelled(sight, _waiting(sight, pool), pool.queue, queue, height - 1)
    working = _labelled(sight, _working(sight, pool), pool.seats, seats, height - 1)
    rows = [head]
    for y in range(height - 1):
        row = Row(Segment("  ", pen.text))
        row.add((waiting[y] if y < len(waiting) else Row()).pad(queue, pen.text))
        row.say(_arrow(sight) if not y else "   ", pen.text if pool.queue else pen.dim)
        row.add((working[y] if y < len(working) else Row()).pad(seats, pen.text))
        rows.append(row)
    return rows


def _in_line(sight: Sight, pool: PoolPlace, width: int) -> Row:
    pen = sight.pen
    row = Row(Segment(" ", pen.text))
    row.add(_name(sight, pool, _NAME))
    row.add(_use(sight, pool))
    row.pad(1 + _NAME + _USE, pen.text)
    queue = max(8, (width - row.width - 3) * 45 // 100)
    row.add(_labelled(sight, _waiting(sight, pool), pool.queue, queue, 1)[0].pad(queue, pen.text))
    row.say(_arrow(sight), pen.text if pool.queue else pen.dim)
    row.add(_labelled(sight, _working(sight, pool), pool.seats, max(1, width - row.width - 1), 1)[0])
    return row


def _labelled(sight: Sight, label: Row, place: Place, width: int, height: int) -> list[Row]:
    """A label, and behind it or below it those at the place."""
    if not place:
        return [label]
    if height > 1:
        return [label, *chips(sight, place, width, height - 1)]
    label.say(" ", sight.pen.text)
    label.add(chips(sight, place, max(1, width - label.width))[0])
    return [label]


def _name(sight: Sight, pool: PoolPlace, width: int) -> Row:
    pen = sight.pen
    text = name_of(pool)
    text = text if cell_len(text) < width else text[: width - 2] + "…"
    return Row(Segment(text, pen.title if pool.requests or pool.used else pen.dim)).pad(width, pen.text)


def _use(sight: Sight, pool: PoolPlace) -> Row:
    """How many seats are in use: ``3/40``, or ``40/40 FULL`` in the pool's colour."""
    pen = sight.pen
    palette = pen.palette
    if pool.size < 0:
        return Row(Segment(f"{pool.used} in use" if pool.used else "", pen.text))
    said = f"{pool.used}/{pool.size}"
    if not pool.full:
        return Row(Segment(said, pen.text if pool.used else pen.dim))
    return Row(Segment(f" {said} FULL ", palette.name(_code(pool))[1] + Style(bold=True, reverse=True)))


def _bar(sight: Sight, pool: PoolPlace, room: int) -> Row:
    """The seats as a bar, filled as far as they are in use."""
    pen = sight.pen
    if pool.size <= 0:
        return Row()
    palette = pen.palette
    cells = min(room, pool.size) if pool.size * 2 > room else pool.size * 2
    filled = min(cells, -(-pool.used * cells // pool.size))
    texture, style = palette.cell(_code(pool), _code(pool))
    row = Row(Segment(texture * filled, style))
    free = "·" if palette.unicode else "."
    row.say(free * (cells - filled), palette.style(palette.colours.dim, palette.colours.lane))
    return row


def _waiting(sight: Sight, pool: PoolPlace) -> Row:
    """How many requests wait in front of it, and how long the first of them has; and what else waits."""
    pen = sight.pen
    others = pool.waits - len(pool.queue)
    if not pool.waits:
        return Row(Segment("queue 0", pen.dim))
    _, style = pen.palette.name(CODES[State.TOKEN_WAIT])
    row = Row(Segment(f"queue {len(pool.queue)}", style))
    if pool.queue:
        row.say(f"{pen.separator}{waited(pool.queue.oldest(sight.now))}", pen.text)
    if others:
        row.say(f" and {others} more", pen.dim)
    return row


def _working(sight: Sight, pool: PoolPlace) -> Row:
    """How many requests have a seat, and how long the first of them has."""
    if pool.seats:
        return sight.count(pool.seats, sight.pen.palette.name(_code(pool))[1])
    return Row(Segment("no request" if pool.used else "free", sight.pen.dim))


def _arrow(sight: Sight) -> str:
    return " ▶ " if sight.pen.palette.unicode else " > "


def _code(pool: PoolPlace) -> str:
    return CODES[State.IN_PROCESS if pool.role == "process" else State.IN_THREAD]
