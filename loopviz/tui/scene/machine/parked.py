"""The places where requests are parked, by what they await: each place is always the same."""

from __future__ import annotations

from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.look import CODES
from loopviz.model import State
from loopviz.tui.scene.machine.chips import chips
from loopviz.tui.scene.machine.row import Row, beside
from loopviz.tui.scene.machine.sight import Sight, waited
from loopviz.tui.scene.machine.stations import GROUPS, Machine, Place

__all__ = ["columns_of", "parked", "parked_in_line", "parked_title"]

_LABEL = 11
_COUNT = 14
"""The room for the name of a place, and for how many are there and since when (cells)."""


def columns_of(width: int) -> int:
    """How many places are beside each other."""
    return 5 if width >= 160 else 2


def parked_title(sight: Sight, machine: Machine) -> Row:
    """How many are parked, and how long the first of them has been."""
    row = Row(Segment("PARKED at awaits ", sight.pen.title))
    row.add(sight.count(_everybody(machine)))
    return row


def parked(sight: Sight, machine: Machine, width: int, height: int) -> list[Row]:
    """All places, each `height` lines high: what is awaited, and who does."""
    columns = columns_of(width)
    rows: list[Row] = []
    each = (width - 1) // columns
    down = -(-len(GROUPS) // columns)
    for y in range(down):
        groups = GROUPS[y * columns : (y + 1) * columns] if columns > 2 else GROUPS[y::down]
        cells = [(each, _place(sight, group, machine.parked[group], each - 1, height)) for group in groups]
        for row in beside(sight.pen, cells):
            line = Row(Segment(" ", sight.pen.text))
            line.add(row)
            rows.append(line)
        rows += [Row()] * (height * (y + 1) - len(rows))
    return rows


def parked_in_line(sight: Sight, machine: Machine, width: int) -> Row:
    """All of them in one line: who is parked, after what they await."""
    pen, row = sight.pen, Row()
    row.say("parked ", pen.title)
    everybody = _everybody(machine)
    row.add(sight.count(everybody))
    for group, place in machine.parked.items():
        if place:
            row.say(f"  {_name(group, place)} {len(place)}", pen.palette.name(_code(group))[1])
    if everybody and width - row.width > 10:
        row.say("  ", pen.text)
        row.add(chips(sight, everybody, width - row.width)[0])
    return row


def _everybody(machine: Machine) -> Place:
    """All who are parked, the one that has waited longest first."""
    return Place(
        sorted((one for place in machine.parked.values() for one in place), key=lambda one: one.since)
    )


def _place(sight: Sight, group: str, place: Place, width: int, height: int) -> list[Row]:
    pen = sight.pen
    style = pen.palette.name(_code(group))[1] if place else pen.dim
    row = Row(Segment(_name(group, place), style)).pad(_LABEL, pen.text)
    if not place:
        row.say(f"{'·' if pen.palette.unicode else '-':>3}", pen.dim)
        return [row]
    row.say(f"{len(place):>3}", pen.title)
    row.say(f"  {waited(place.oldest(sight.now))}", pen.text)
    if height > 1:
        return [row, *chips(sight, place, width, height - 1)]
    row.pad(_LABEL + _COUNT, pen.text)
    for chip in chips(sight, place, width - row.width):
        row.add(chip)
    return [row]


def _name(group: str, place: Place) -> str:
    """The name of a place; of a lock that one request holds, also whose it is."""
    holders = {one.awaits.holder if one.awaits is not None else 0 for one in place}
    holder = holders.pop() if len(holders) == 1 else 0
    named = f"{group} of {words.tag(holder)}"
    return named if holder and len(named) < _LABEL else group


def _code(group: str) -> str:
    return CODES[State.SENDING if group == "client" else State.AWAITING]
