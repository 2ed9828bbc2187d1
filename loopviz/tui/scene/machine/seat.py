"""The one seat on the loop: who has it, at which line, since when, and whether that is a block."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.linking import linked_style
from loopviz.draw.look import CODES, KINDS
from loopviz.draw.safe import printable
from loopviz.model import Block, State, Where
from loopviz.tui.scene.machine.chips import chips
from loopviz.tui.scene.machine.row import Row
from loopviz.tui.scene.machine.sight import Sight, waited
from loopviz.tui.scene.machine.stations import Machine

__all__ = ["Seat", "seat"]

_BUSY = NS
"""Over so much time it is said how busy the loop was (ns)."""
_PLACE = 8
"""So many cells of a line's place are shown at least: its end, with the number."""
_NOTABLE = 10_000_000
"""A stretch of the loop that serves no request is shown if it has lasted for so long (ns)."""


class Seat(NamedTuple):
    """What is said of the seat, the most important first."""

    lines: list[Row]
    busy: str
    """How busy the loop was in the last second; empty where that is not known."""
    alarm: bool = False
    """Whether others wait because of it."""


def seat(sight: Sight, machine: Machine, width: int) -> Seat:
    """What is said of the seat at this moment, in lines of at most `width` cells."""
    lines, alarm = _state(sight, machine, width)
    if machine.seat:
        who = Row()
        for row in chips(sight, machine.seat, width):
            who.add(row)
        request = sight.timeline.requests.get(machine.seat[0].request)
        if request is not None and len(machine.seat) == 1:
            who.say(f" {printable(request.method)} {printable(request.path)}", sight.pen.text)
        lines.insert(1, who)
    return Seat([_fits(sight, line, width) for line in lines if line.width], _busy(sight, machine), alarm)


def _fits(sight: Sight, line: Row, width: int) -> Row:
    """The line in at most so many cells, with a sign where its end is left out."""
    if line.width <= width:
        return line
    line.pad(max(0, width - 1), sight.pen.text)
    line.say("…" if sight.pen.palette.unicode else "~", sight.pen.dim)
    return line


def _busy(sight: Sight, machine: Machine) -> str:
    process, now = machine.process, sight.now
    if process.ended is not None and process.ended[0] <= now:
        return ""
    if not process.loop.sees_iterations and not machine.seat:
        return ""
    return f"busy {min(1.0, process.loop.busy(now - _BUSY, now) / _BUSY):.0%}"


def _state(sight: Sight, machine: Machine, width: int) -> tuple[list[Row], bool]:
    """What the loop does, and at which line; and whether it is to be alarming."""
    pen, timeline, now, loop = sight.pen, sight.timeline, sight.now, machine.process.loop
    if (stands := _stands(sight, machine, width)) is not None:
        return stands, True
    block = loop.block_at(now)
    if block is not None:
        return _block(sight, machine, block, width), True
    starvation = loop.starvation_at(now)
    if starvation is not None:
        said = words.culprits(timeline, starvation, 2)
        return [_caption(sight, f"STARVES {waited(starvation.longest)}"), Row(Segment(said, pen.alarm))], True
    if machine.seat:
        name, style = pen.palette.name(CODES[State.RUNNING])
        lasts = f"{name} for {waited(now - machine.seat[0].since)}"
        return [Row(Segment(lasts, style)), _line(sight, machine, width)], False
    return _without_request(sight, machine, width), False


def _stands(sight: Sight, machine: Machine, width: int) -> list[Row] | None:
    """What is said of a process that has ended, or is stopped; None while it runs."""
    pen, now, ended = sight.pen, sight.now, machine.process.ended
    if ended is not None and ended[0] <= now:
        return [_caption(sight, "ENDED"), Row(Segment(printable(ended[1], 40), pen.text))]
    if sight.facts.death is not None and sight.view.at is None:
        return [_caption(sight, "ENDED"), Row(Segment("The server's process has ended.", pen.text))]
    since = sight.timeline.stopped_since(now)
    if since is None:
        return None
    why = Row(Segment("by SIGSTOP, or a debugger", pen.text))
    return [_caption(sight, f"STOPPED {waited(now - since)}"), _line(sight, machine, width), why]


def _block(sight: Sight, machine: Machine, block: Block, width: int) -> list[Row]:
    pen, lasts = sight.pen, waited(block.lasted(sight.now))
    number, where = block.culprit
    if block.kind == "waiting_for_gil":
        keeper = f"{words.tag(number)}'s thread" if number else "another thread"
        kept = Row(Segment(f"kept by {keeper}", pen.alarm))
        return [_caption(sight, f"NO GIL {lasts}"), kept, *_lines(sight, where, width)]
    first = _caption(sight, f"BLOCKS {lasts}")
    if block.keeps_gil:
        first.say(" keeps GIL", pen.alarm)
    elif block.kind is not None and not block.mixed:
        first.say(f" {KINDS[block.kind][1]}", pen.alarm)
    if machine.seat:
        return [first, *_lines(sight, where, width)]
    return [first, Row(Segment(words.holder(block), pen.text)), *_lines(sight, where, width)]


def _without_request(sight: Sight, machine: Machine, width: int) -> list[Row]:
    """The loop, while no request is on it: it sleeps, or does something else."""
    pen, now, loop = sight.pen, sight.now, machine.process.loop
    looked = loop.looked(now)
    if looked is None:
        return [Row(Segment("no request", pen.dim))]
    span = next(loop.spans(now), None)
    if span is not None and span.end >= now and now - span.start >= _NOTABLE and not span.request:
        lasts = f"callbacks for {waited(now - span.start)}"
        return [Row(Segment(lasts, pen.text)), *_lines(sight, span.where, width)]
    return [Row(Segment("free", pen.dim))]


def _caption(sight: Sight, text: str) -> Row:
    """What alarms, so that it is seen from far."""
    palette = sight.pen.palette
    colours = palette.colours
    style = palette.style(colours.caption, colours.alarm, bold=True, reverse=not palette.colour)
    return Row(Segment(f" {text} ", style))


def _line(sight: Sight, machine: Machine, width: int) -> Row:
    """The line at which the one on the loop was seen."""
    where = machine.seat[0].where if machine.seat else None
    found = _lines(sight, where, width)
    return found[0] if found else Row()


def _lines(sight: Sight, where: Where | None, width: int) -> list[Row]:
    """A line of source code: where it is, and what it calls. A long name of a file loses its beginning."""
    if where is None:
        return []
    pen = sight.pen
    place = words.line(where)
    while cell_len(place) > max(_PLACE, width):
        place = ("…" if pen.palette.unicode else "~") + place[2:]
    first = Row(Segment(place, linked_style(pen.title, where)))
    if where.function and first.width + 3 <= width:
        first.say(f" {printable(where.function, 40)}", pen.dim)
    return [first, Row(Segment(printable(where.calls, 40), pen.text))] if where.calls else [first]
