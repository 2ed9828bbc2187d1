"""A row for each request: its name, its states, what it does now, and its latency."""

from __future__ import annotations

from bisect import bisect_right

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.look import ANSWERED, CODES, LABELS, NOTHING
from loopviz.draw.marks import request_codes, turns
from loopviz.draw.raster import code_of
from loopviz.draw.safe import printable
from loopviz.model import Awaits, Request, State
from loopviz.model import Segment as StateSegment
from loopviz.stream.endings import GIVEN_UP
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.outcome import failure, timed
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["filtered", "request_row", "started_rows", "title"]


_BRIEF = 20_000_000
"""A task that a request has started and that ended sooner than this (ns) has no row."""


def started_rows(frame: Frame, rows: list[Request], room: int) -> tuple[list[Request], int]:
    """The tasks in the picture that requests have started and do not await, and how many have no room.

    Those that the filter leaves out are not in the picture. Of more than `room`, the latest are shown,
    and first those of the requests in `rows`.
    """
    view, shown = frame.view, {request.id for request in rows}
    left, _ = view.reach
    found = [
        row
        for row in frame.timeline.started(view.now, left)
        if (not row.ended or row.since - row.start >= _BRIEF) and view.matches(row)
    ]
    found.sort(key=lambda row: (row.started_by not in shown, -row.start))
    kept = found[: max(0, room)]
    return sorted(kept, key=lambda row: row.start), len(found) - len(kept)


def title(
    pen: Pen, hidden_lanes: int, above: int, below: int, hidden_tasks: int = 0, filtered: str = ""
) -> Line:
    """The heading of the rows, how many of them a filter shows, and what has no room."""
    line = [Segment(" REQUESTS", pen.title)]
    if filtered:
        line.append(Segment(f"  {filtered}", pen.title))
    hints = []
    if above:
        hints.append(f"{above} above")
    if below:
        hints.append(f"{below} below")
    if hidden_tasks:
        hints.append(words.count(hidden_tasks, "more task"))
    if hidden_lanes:
        hints.append(words.count(hidden_lanes, "more worker"))
    if hints:
        line.append(Segment("  " + pen.separator.join(hints), pen.dim))
    return line


def filtered(frame: Frame, matching: int) -> str:
    """How many requests match the filter of the rows: ``0 of 8 match /nothing``; empty without a filter."""
    if not frame.view.words:
        return ""
    known = bisect_right(frame.timeline.arrivals, frame.view.now, key=lambda request: request.start)
    return f"{matching} of {known} match /{printable(frame.view.words, 30)}"


def request_row(
    pen: Pen, frame: Frame, request: Request, name: str | None = None, longest: int | None = None
) -> Line:
    """The request's row. In a group it has this `name`, and its status is at the end.

    If it stands for requests that took different times, `longest` is the longest of these (ns).
    """
    view, now, threshold = frame.view, frame.view.now, frame.timeline.threshold
    codes = frame.codes(
        "request",
        request.id,
        lambda a, b: request_codes(request, threshold, now, frame.half, a, b),
    )
    moment = view.moment
    done = request.done is not None and request.done <= moment
    failed = done and request.failed
    state = None if done and request.ended and request.since <= moment else request.state_at(moment)
    alive = state is not None and view.at is None
    line = [
        _label(pen, frame, request, name, done=done, failed=failed),
        *pen.cells(codes, _edge(pen, frame, codes) if alive else 0, frame.live),
    ]
    latency = words.duration(request.latency(moment) if longest is None else longest)
    most = "" if longest is None else "≤" if pen.palette.unicode else "<"
    return _says(pen, frame, line, request, state, f"{most}{latency}", in_group=name is not None)


def _label(pen: Pen, frame: Frame, request: Request, own: str | None, *, done: bool, failed: bool) -> Segment:
    view = frame.view
    if request.started_by:
        hook = "└" if pen.palette.unicode else "+"
        if own is not None:
            text = _shortened(f"  {hook} {own}", frame.columns.label - 1) + " "
            return Segment(text, pen.dim if done else pen.text)
        room = frame.columns.label - 14
        name = _shortened(words.task_name(request.path), room)
        return Segment(
            f"   {hook} {name} {f'by {words.tag(request.started_by, request.letter)}':<8}",
            pen.dim if done else pen.text,
        )
    mark = " "
    if request.id == view.changed:
        mark = "▶" if pen.palette.unicode else ">"
    if own is not None:
        text = _shortened(f" {mark}{own}", frame.columns.label - 1) + " "
    else:
        number = f"{mark}{words.tag(request.id, request.letter):<4} "
        room = frame.columns.label - len(number) - 5
        name = printable(f"{request.method} {request.path}")
        if request.method == "GET" and cell_len(name) > room:
            name = printable(request.path)  # better than a part of it
        name = _shortened(name, room)
        text = f"{number}{name} {str(request.status or '') if done else '':<3} "
    if request.id == view.cursor:
        return Segment(text, pen.title + Style(reverse=True))
    if request.id == view.changed:
        return Segment(text, pen.title)
    if failed:
        return Segment(text, pen.alarm)
    return Segment(text, pen.dim if done else pen.text)


def _says(
    pen: Pen,
    frame: Frame,
    line: Line,
    request: Request,
    state: StateSegment | None,
    latency: str,
    *,
    in_group: bool,
) -> Line:
    """Add the request's state at the moment shown, and its `latency` up to then."""
    columns, moment = frame.columns, frame.view.moment
    if request.done is not None and request.done <= moment:
        if request.failed:
            return failure(pen, line, request, latency, columns)
        ended = state is None or (request.ended and request.since <= moment)
        if request.claimed is not None and ended:
            return timed(pen, line, request.claimed, request.latency(moment), columns)
        what = _after(request, None if ended else state, in_group=in_group)
        if cell_len(what) + cell_len(latency) > columns.says - 2:
            what = what.removeprefix("after: ")  # dimmed, as the states after the response are
        return _add_state(pen, frame, line, request, [what, latency], pen.dim)
    if state is None:
        unborn = "not started yet" if request.started_by else "not sent yet"
        what = "ready" if request.start < moment else unborn
        return pen.says(line, [what], columns, pen.dim)
    code = code_of(state.state, moment - state.start, frame.timeline.threshold)
    label, style = pen.palette.name(code)
    share = turns(request, moment) if state.state in {State.RUNNING, State.READY} else None
    if share is not None:
        label, style = f"turns {share:.0%}", pen.palette.name(CODES[State.RUNNING])[1]
    if state.awaits is not None and request.websocket is None:
        label = _awaits(state.awaits, columns.state, label)
    return _add_state(pen, frame, line, request, [label, latency], style)


def _after(request: Request, state: StateSegment | None, *, in_group: bool) -> str:
    """What it does after its response; if nothing (None), how it has ended."""
    if request.websocket is not None and state is None:
        return words.closed(request.websocket)
    if request.given_up:
        return GIVEN_UP
    if state is not None:
        return f"after: {LABELS[CODES[state.state]]}"
    if request.started_by:
        return "ended"  # it is not known whether a task was cancelled
    return str(request.status) if in_group and request.status is not None else "done"


def _add_state(pen: Pen, frame: Frame, line: Line, request: Request, what: list[str], style: Style) -> Line:
    """Add a state and a time; of a WebSocket, also its messages, if they are those of the moment shown."""
    over = request.done is not None and request.done <= frame.view.moment
    if request.websocket is None or not (over or frame.view.at is None):
        return pen.says(line, what, frame.columns, style, align=True)
    messages = words.messages(request.websocket)
    return pen.says(line, [what[0], messages, *what[1:]], frame.columns, style)


def _awaits(awaits: Awaits, room: int, state: str) -> str:
    """What is awaited, if there is room for it; else the state, which says more than the bare kind."""
    what = words.awaited(awaits, brief=True)
    shorter = [what, printable(awaits.what)] if awaits.holder else []
    found = (text for text in (f"awaits {what}", *shorter) if cell_len(text) <= room)
    return next(found, state)


def _edge(pen: Pen, frame: Frame, codes: str) -> int:
    """How many eighths of the live cell have passed, if they are all in one state."""
    if not pen.palette.halves:
        return 0
    if not frame.live or frame.view.now // frame.columns.column_ns != frame.first + frame.live - 1:
        return 0  # the moment shown is not in the picture
    left, right = codes[2 * frame.live - 2], codes[2 * frame.live - 1]
    if left in {NOTHING, ANSWERED} or right not in (left, NOTHING):
        return 0
    width = frame.columns.column_ns
    return 1 + 8 * (frame.view.now % width) // (width + 1)


def _shortened(text: str, room: int) -> str:
    """Text in exactly `room` cells, with an ellipsis where it is cut."""
    if cell_len(text) <= room:
        return set_cell_size(text, room)
    return set_cell_size(text, room - 1) + "…"
