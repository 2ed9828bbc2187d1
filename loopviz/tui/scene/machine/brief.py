"""One machine in few lines: where there are several, or where there is little room."""

from __future__ import annotations

from rich.segment import Segment

from loopviz.draw.look import CODES
from loopviz.draw.words import count
from loopviz.model import State
from loopviz.tui.scene.machine.chips import chips
from loopviz.tui.scene.machine.parked import parked_in_line
from loopviz.tui.scene.machine.pools import fold, pool_rows, shown
from loopviz.tui.scene.machine.row import Row
from loopviz.tui.scene.machine.seat import Seat, seat
from loopviz.tui.scene.machine.selector import heading
from loopviz.tui.scene.machine.sight import Sight
from loopviz.tui.scene.machine.stations import Machine, Place

__all__ = ["brief", "machines_in_line", "sockets_in_line"]


def sockets_in_line(sight: Sight, sockets: Place, width: int, *, several: bool) -> Row:
    """The sockets in front of all machines."""
    pen, row = sight.pen, Row(Segment(" SOCKETS ", sight.pen.title))
    row.add(sight.count(sockets))
    if several:
        row.say("  of all workers", pen.dim)
    if sockets:
        row.say("  ", pen.text)
        row.add(chips(sight, sockets, max(1, width - row.width - 1))[0])
    return row


def brief(sight: Sight, machine: Machine, width: int, height: int) -> list[Row]:
    """The machine in at most `height` lines: the first always says who has the loop."""
    found = seat(sight, machine, width)
    if height == 1:
        return [_all(sight, machine, found, width)]
    rows = [_loop(sight, machine, found, width)]
    if height >= 4:
        rows.insert(0, heading(sight, machine, width, busy=found.busy, alarm=found.alarm))
    line = Row(Segment(" ", sight.pen.text))
    line.add(parked_in_line(sight, machine, width - 2 if height > 2 else width // 2))
    if height == 2:
        line.pad(width // 2 + 2, sight.pen.text)
        line.add(_pools(sight, machine))
        return [*rows, line]
    rows.append(line)
    room = height - len(rows)
    seen, others = shown(machine.pools, room)
    for pool in seen:
        rows += pool_rows(sight, pool, width, 1)
    if others:
        rows.append(fold(sight, others))
    return rows[:height]


def machines_in_line(sight: Sight, machines: list[Machine]) -> Row:
    """Machines for which there is no room."""
    requests = sum(machine.requests for machine in machines)
    said = f" {count(len(machines), 'more worker')}: {count(requests, 'request')}"
    return Row(Segment(said, sight.pen.text if requests else sight.pen.dim))


def _loop(sight: Sight, machine: Machine, found: Seat, width: int) -> Row:
    """The ready queue, and behind the arrow the seat."""
    pen, letter = sight.pen, machine.process.letter
    row = Row(Segment(f" {letter + ' ' if letter else ''}ready ", pen.title))
    row.add(sight.count(machine.ready))
    room = max(1, width * 42 // 100 - row.width - 1)
    if machine.ready and room > 1:
        row.say(" ", pen.text)
        row.add(chips(sight, machine.ready, room)[0])
    row.pad(width * 42 // 100, pen.text)
    row.say(" ▶ " if pen.palette.unicode else " > ", pen.text)
    row.add(_said(sight, found))
    return row.pad(width, pen.text)


def _said(sight: Sight, found: Seat) -> Row:
    row = Row()
    for at, line in enumerate(found.lines):
        if at:
            row.say(" ", sight.pen.text)
        row.add(line)
    return row


def _pools(sight: Sight, machine: Machine) -> Row:
    pen, row = sight.pen, Row()
    waiting = sum(len(pool.queue) for pool in machine.pools)
    working = sum(len(pool.seats) for pool in machine.pools)
    full = any(pool.full for pool in machine.pools)
    row.say(f"pools {working}", pen.palette.name(CODES[State.IN_THREAD])[1] if working else pen.dim)
    if full:
        row.say(" FULL", pen.title)
    if waiting:
        row.say(f", {waiting} waiting", pen.palette.name(CODES[State.TOKEN_WAIT])[1])
    return row


def _all(sight: Sight, machine: Machine, found: Seat, width: int) -> Row:
    """All of it in one line."""
    pen, letter = sight.pen, machine.process.letter
    parked = sum(map(len, machine.parked.values()))
    row = Row(Segment(f" {letter + ' ' if letter else ''}ready ", pen.title))
    row.add(sight.count(machine.ready))
    row.pad(min(20, width // 4), pen.text)
    row.say(f" parked {parked} ", pen.text if parked else pen.dim)
    row.add(_pools(sight, machine))
    row.pad(width * 55 // 100, pen.text)
    row.say(" ▶ " if pen.palette.unicode else " > ", pen.text)
    row.add(_said(sight, found))
    return row.pad(width, pen.text)
