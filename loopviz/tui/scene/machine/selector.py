"""What watches sockets and timers: how long they have not been looked at, and how late timers are."""

from __future__ import annotations

from rich.segment import Segment

from loopviz.tui.scene.machine.row import Row, rule
from loopviz.tui.scene.machine.sight import Sight, waited
from loopviz.tui.scene.machine.stations import Machine

__all__ = ["heading", "selector", "timers"]

_LATE = 10_000_000
"""From here on (ns) a selector that was not looked at, and a timer that has not fired, is worth a figure."""


def selector(sight: Sight, machine: Machine) -> Row:
    """Since when the loop has not looked at its selector; empty where that is not known."""
    pen, now = sight.pen, sight.now
    if machine.process.ended is not None and machine.process.ended[0] <= now:
        return Row()
    looked = machine.process.loop.looked(now)
    if looked is None:
        return Row()
    unseen = now - looked
    if unseen < _LATE:
        return Row(Segment("selector watched", pen.dim))
    alarm = unseen >= sight.timeline.threshold
    return Row(
        Segment("selector", pen.text), Segment(f" {waited(unseen)} ago", pen.alarm if alarm else pen.title)
    )


def timers(sight: Sight, machine: Machine) -> Row:
    """How many timers are overdue, and how long the first of them has been; empty where none is."""
    pen, now = sight.pen, sight.now
    overdue = machine.process.loop.timers.overdue(now)
    if overdue is None or not overdue.timers or now - overdue.since < _LATE:
        return Row()
    late = now - overdue.since
    alarm = late >= sight.timeline.threshold
    several = f"{overdue.timers} timers" if overdue.timers > 1 else "a timer"
    return Row(
        Segment(several, pen.text), Segment(f" {waited(late)} late", pen.alarm if alarm else pen.title)
    )


def heading(sight: Sight, machine: Machine, width: int, *, busy: str = "", alarm: bool = False) -> Row:
    """A line above a machine: whose it is, and what its selector and timers do."""
    pen, letter = sight.pen, machine.process.letter
    row = Row(Segment(f"WORKER {letter}" if letter else "EVENT LOOP", pen.alarm if alarm else pen.title))
    if busy:
        row.say(f"{pen.separator}{busy}", pen.dim)
    for said in (selector(sight, machine), timers(sight, machine)):
        if said.width:
            row.say(pen.separator, pen.dim)
            row.add(said)
    return rule(pen, row, width)
