"""The machine view, put together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from loopviz.model import Timeline
from loopviz.model.positions import Position, positions
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.machine.brief import brief, machines_in_line, sockets_in_line
from loopviz.tui.scene.machine.picked import picked
from loopviz.tui.scene.machine.row import Row, beside
from loopviz.tui.scene.machine.sight import Sight
from loopviz.tui.scene.machine.stations import Machine, Place, Plant, plant
from loopviz.tui.scene.machine.whole import LOWEST, NARROWEST, whole
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.view import View

__all__ = ["MachineBody"]

_CROWD = 250
"""Of more requests than this it is found out less often where they are."""
_AGAIN = 100_000_000
"""As often as this (ns); of twice as many, half as often."""
_LONGEST = 3
"""So many times as long, at most."""


class MachineBody:
    """Draws the machine view, and caches what the next frame can reuse."""

    def __init__(self, pen: Pen) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last frame, counted from its first: what can be clicked, and where."""
        self._pen = pen
        self._key: tuple[object, ...] = ()
        self._found: list[Position] = []
        self._stations = Plant(Place(), [], {})

    @property
    def has_lanes(self) -> bool:
        """It has no lanes."""
        return False

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        self._key = ()

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `height` lines."""
        self._find(timeline, view)
        sight = Sight(self._pen, facts, timeline, view, self._stations.owners)
        rows = _rows(sight, self._stations, self._found, width, height)
        self.hits = {y: row.hits for y, row in enumerate(rows) if row.hits}
        return [row.segments for row in rows]

    def _find(self, timeline: Timeline, view: View) -> None:
        """Where everybody is: for each frame, but of a moving crowd not as often. A still one is exact."""
        every = _pause(self._found)
        if every and view.moves and self._key == (id(timeline), *view.tick(every)):
            return
        self._found = positions(timeline, view.moment)
        self._stations = plant(timeline, self._found, view.moment)
        every = _pause(self._found)
        self._key = (id(timeline), *view.tick(every)) if every else ()


def _pause(found: Sequence[Position]) -> int:
    """For how long it is not found out again where so many are (ns)."""
    return _AGAIN * min(_LONGEST, len(found) // _CROWD)


def _rows(sight: Sight, stations: Plant, found: Sequence[Position], width: int, height: int) -> list[Row]:
    """All machines, and the request that is selected."""
    if height < 2:
        return []
    last = picked(sight, found)
    room = height - (last is not None)
    rows = _machines(sight, stations, width, room)
    if last is not None:
        rows += [Row()] * (room - len(rows))
        rows.append(last)
    return [row.pad(width, sight.pen.text) if row.width > width else row for row in rows]


def _machines(sight: Sight, stations: Plant, width: int, height: int) -> list[Row]:
    machines = stations.machines
    if len(machines) == 1 and width >= NARROWEST and height >= LOWEST:
        return whole(sight, machines[0], stations.sockets, width, height)
    rows = [sockets_in_line(sight, stations.sockets, width, several=len(machines) > 1)]
    height -= 1
    for columns in range(min(len(machines), max(1, width // NARROWEST)), 0, -1):
        across, down = width // columns, -(-len(machines) // columns)
        if across >= NARROWEST and height // down >= LOWEST + 1:
            return [*rows, *_tiled(sight, machines, columns, across, height // down)]
    seen = machines if len(machines) <= height else machines[: height - 1]
    each = height // len(seen) if len(seen) == len(machines) else 1
    for machine in seen:
        rows += brief(sight, machine, width, each)
    if len(seen) < len(machines):
        rows.append(machines_in_line(sight, machines[len(seen) :]))
    return rows


def _tiled(sight: Sight, machines: Sequence[Machine], columns: int, width: int, height: int) -> list[Row]:
    """Whole machines beside and below each other."""
    rows: list[Row] = []
    for first in range(0, len(machines), columns):
        row = islice(machines, first, first + columns)
        rows += beside(sight.pen, [(width, whole(sight, machine, None, width, height)) for machine in row])
    return rows
