"""The request that is selected: where it is, since when, and at which line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.linking import linked_style
from loopviz.draw.safe import printable
from loopviz.model.positions import Position, Station
from loopviz.tui.scene.machine.row import Row
from loopviz.tui.scene.machine.sight import Sight, waited

__all__ = ["picked"]

_PLACES = {
    Station.SOCKET: "in its socket",
    Station.READY: "in the ready queue",
    Station.LOOP: "on the loop",
    Station.PARKED: "parked",
    Station.POOL_QUEUE: "in a pool's queue",
    Station.POOL: "in a worker thread",
    Station.PROCESS: "in a worker process",
}


def picked(sight: Sight, positions: Sequence[Position]) -> Row | None:
    """Where it is at this moment; None if none is selected."""
    pen, timeline, now, number = sight.pen, sight.timeline, sight.now, sight.view.cursor
    request = timeline.requests.get(number) if number is not None else None
    if number is None or request is None:
        return None
    mark = "▶" if pen.palette.unicode else ">"
    name = f"{words.tag(number, request.letter)} {printable(request.method)} {printable(request.path)}"
    row = Row(Segment(f" {mark} {name}  ", pen.title))
    position = next((one for one in positions if one.request == number), None)
    if position is None:
        row.say(_elsewhere(sight, number), pen.dim)
        return row
    where, awaits = position.where, position.awaits
    said = f"{_PLACES[position.station]} for {waited(now - position.since)}"
    if position.state.value in {"receiving", "sending"}:
        said += f", {position.state.value}"
    elif awaits is not None:
        said += f", awaits {words.awaited(awaits)}"
    row.say(said, pen.palette.name(sight.code(position))[1])
    if where is not None:
        row.say(f"{pen.separator}{words.line(where)}", linked_style(pen.text, where))
        row.say(f" {printable(where.function, 40)}", pen.dim)
    if position.answered:
        row.say(f"{pen.separator}its response is sent", pen.dim)
    return row


def _elsewhere(sight: Sight, number: int) -> str:
    """Why it is at no station."""
    request, now = sight.timeline.requests[number], sight.now
    if request.start >= now:
        return "not sent yet"
    if request.given_up:
        return "given up"
    answer = "" if request.status is None else f" with {request.status}"
    return f"answered{answer} after {words.duration(request.latency(now))}"
