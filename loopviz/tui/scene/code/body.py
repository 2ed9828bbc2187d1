"""The code view: the functions at work, who is at which of their lines, and how long requests were there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.look import BLOCK, CODES, KINDS
from loopviz.draw.safe import printable
from loopviz.model import Block, State, Timeline, Where
from loopviz.model.heat import Heat, Spot
from loopviz.model.positions import Position, position, positions
from loopviz.tui.scene.code.endpoints import Endpoints
from loopviz.tui.scene.code.files import Files
from loopviz.tui.scene.code.marks import counted
from loopviz.tui.scene.code.places import Mark, Places, placed
from loopviz.tui.scene.code.plan import Row, plan, scrolled
from loopviz.tui.scene.code.rows import (
    Columns,
    Drawn,
    draw_above,
    draw_frame,
    draw_gap,
    draw_line,
    draw_title,
)
from loopviz.tui.scene.code.sections import Reader, Section, Sections
from loopviz.tui.scene.code.subject import Subject, subject
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen, fitted
from loopviz.tui.view import View

__all__ = ["CodeBody"]

_MOST_FRAMES = 20
_MOST_CHILDREN = 1_000
_HANDLERS = 100
"""Of so many requests, the latest, the endpoints are shown where there is no burst."""


class CodeBody:
    """Draws the code view, and caches what the next frame can reuse."""

    def __init__(self, pen: Pen) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last picture, counted from its first: what can be clicked, and where."""
        self._pen = pen
        self._heat = Heat()
        self._files = Files()
        self._endpoints = Endpoints()
        self._sections = Sections()
        self._plan: tuple[object, Sequence[Row]] = (None, ())
        self._begun: set[int] = set()
        """Requests without a line that are ready, and have run before."""
        self._top = 0
        self._follows = True

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        self._heat = Heat()
        self._files.forget()
        self._endpoints.forget()
        self._sections.forget()
        self._plan = (None, ())

    @property
    def sections(self) -> Sequence[Section]:
        """The functions of the last frame, and what is at their lines."""
        return self._sections.shown

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, room: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `room` lines."""
        pen, moment = self._pen, view.moment
        self.hits = {}
        about = subject(timeline, view)

        def read(file: str) -> Sequence[str] | None:
            return self._files.lines(timeline, facts, file)

        def handler(number: int) -> Where | None:
            return self._endpoints.of(timeline, facts, read, number)

        block = timeline.block_at(moment)
        everything = positions(timeline, moment)
        found = placed(everything, handler, block, _children(timeline, everything, moment))
        heat = self._heat.of(timeline, about.requests, moment, about.key)
        endpoints = self._answering(facts, timeline, about, read, handler)
        if self._sections.update(about.of, read, endpoints, found, heat):
            self._top, self._follows = 0, True
        shown = self._sections.shown
        columns = Columns.of(width)
        most = max((warmth.total for warmth in heat.values()), default=0)
        drawn = Drawn(columns, most, view.cursor, _alarms(block, found, moment))
        self._begun = {
            mark.request
            for marks in found.above.values()
            for mark in marks
            if mark.code == CODES[State.READY] and _has_begun(timeline, mark.request, moment)
        }
        head = [fitted(self._head(about, found, moment, width), width, pen.palette)]
        if not shown:
            return [fitted(line, width, pen.palette) for line in (*head, [], *_nothing(pen, about))][:room]
        rows = self._rows(shown, room - len(head), view, roomy=roomy)
        top = self._scrolled(rows, room - len(head), view, drawn)
        lines = head
        for row in rows[top : top + room - len(head)]:
            marks = row.section.above if row.kind == "above" else None
            if row.kind == "line":
                marks = row.section.marks.get(row.number) or row.section.through.get(row.number)
            first = next((mark.request for mark in marks or () if mark.request > 0), None)
            if first is not None:
                self.hits[len(lines)] = [(0, columns.width, Hit(request=first, opens=False))]
            lines.append(self._draw(facts, drawn, row, view))
        return lines[:room]

    # -- which rows ----------------------------------------------------------------------------

    def _answering(
        self,
        facts: Facts,
        timeline: Timeline,
        about: Subject,
        read: Reader,
        handler: Callable[[int], Where | None],
    ) -> list[Where]:
        """The endpoints of the requests that are shown."""
        if about.burst is not None:
            of_burst = self._endpoints.of_burst(timeline, facts, read, about.burst)
            return [] if of_burst is None else [of_burst]
        known = (handler(request.id) for request in about.requests[-_HANDLERS:])
        return list(dict.fromkeys(where for where in known if where is not None))

    def _rows(self, shown: Sequence[Section], room: int, view: View, *, roomy: bool) -> Sequence[Row]:
        frames = {
            (section, number): min(_MOST_FRAMES, len(_frames(section.marks.get(number, ()), view.cursor)))
            for section in shown
            for number in section.marks
        } if view.expanded else {}  # fmt: skip
        key = (
            room, roomy, tuple(frames.items()),
            *((id(section), len(section.touched), section.answers) for section in shown),
        )  # fmt: skip
        if key != self._plan[0]:
            self._plan = key, plan(shown, room, frames, roomy=roomy)
        return self._plan[1]

    def _scrolled(self, rows: Sequence[Row], room: int, view: View, drawn: Drawn) -> int:
        """The first row in sight."""
        if view.scrolls_code:
            self._top, view.scrolls_code, self._follows = self._top + view.scrolls_code, 0, False
        if not self._follows:
            self._top = scrolled(len(rows), room, self._top, None)
            return self._top
        followed, weight = None, (0, 0, 0)
        for at, row in enumerate(rows):
            marks = row.section.marks.get(row.number, ()) if row.kind == "line" else ()
            chosen = sum(mark.request == view.cursor for mark in marks)
            alarm = any(mark.code == BLOCK for mark in marks)
            if (chosen, alarm, len(marks)) > weight:
                followed, weight = at, (chosen, alarm, len(marks))
        self._top = scrolled(len(rows), room, self._top, followed)
        return self._top

    # -- how they are drawn --------------------------------------------------------------------

    def _head(self, about: Subject, found: Places, moment: int, width: int) -> Line:
        """Whose time is shown, at which moment, and how many are in which state."""
        pen = self._pen
        if about.selected is not None:
            whose = words.headline(about.selected)
        elif about.burst is not None:
            whose = f"{words.count(len(about.requests), 'request')} of {printable(about.burst.scenario, 40)}"
        else:
            whose = words.count(len(about.requests), "request")
        began = about.burst.began if about.burst is not None else 0
        at = f" at {(moment - began) / 1e9:.2f} s" if began and moment >= began else ""
        caption = "time at each line "
        line: Line = [Segment(f" {whose}{at}   ", pen.title)]
        used = cell_len(line[0].text)
        marks = [mark for marks in (*found.lines.values(), *found.above.values()) for mark in marks]
        line += counted(pen, marks, max(0, width - used - cell_len(caption)))
        used = sum(cell_len(segment.text) for segment in line)
        if used + cell_len(caption) <= width:
            line.append(Segment(" " * (width - used - cell_len(caption)) + caption, pen.dim))
        return line

    def _draw(self, facts: Facts, drawn: Drawn, row: Row, view: View) -> Line:
        pen, section = self._pen, row.section
        if row.kind == "title":
            note = self._files.note(facts, section.file) if section.known else "its source is not here"
            return draw_title(pen, drawn, section, note)
        if row.kind == "above":
            return draw_above(pen, drawn, section, _above(section.above, self._begun))
        if row.kind == "gap":
            return draw_gap(pen, drawn, row.number)
        if row.kind == "frame":
            frames = _frames(section.marks.get(row.number, ()), view.cursor)
            return draw_frame(pen, drawn, frames[row.index]) if row.index < len(frames) else []
        if row.kind == "line":
            return draw_line(pen, drawn, section, row.number, _note(section.marks.get(row.number, ()), view))
        return []


def _children(timeline: Timeline, everything: Sequence[Position], moment: int) -> dict[int, list[Position]]:
    """Where the tasks are that these requests await."""
    found: dict[int, list[Position]] = {}
    count = 0
    for one in everything:
        if one.request < 0 or count >= _MOST_CHILDREN:
            continue
        for child in timeline.children(one.request):
            if child.start < moment and (child.end is None or child.end > moment):
                at = position(timeline, child.row, moment)
                if at is not None:
                    found.setdefault(one.request, []).append(at)
                    count += 1
    return found


def _frames(marks: Sequence[Mark], cursor: int | None) -> tuple[Where, ...]:
    """The library's lines inside of a line: of the selected request, or those that most have."""
    known = [mark for mark in marks if mark.inside]
    chosen = [mark for mark in known if mark.request == cursor] or known
    frames = Counter(mark.inside for mark in chosen)
    return frames.most_common(1)[0][0] if frames else ()


def _above(marks: Sequence[Mark], begun: Collection[int]) -> str:
    """Why these are at no line."""
    waiting = sum(mark.code == CODES[State.QUEUED] for mark in marks)
    new = sum(mark.code == CODES[State.READY] and mark.request not in begun for mark in marks)
    others = len(marks) - waiting - new
    said = [
        f"{waiting} in the socket" if waiting else "",
        f"{new} before the first step" if new else "",
        f"{others} not seen at a line yet" if others else "",
    ]
    return ", ".join(filter(None, said))


def _has_begun(timeline: Timeline, number: int, moment: int) -> bool:
    """Whether a request has run before the moment."""
    request = timeline.requests.get(number)
    if request is None:
        return True
    return any(segment.state is State.RUNNING and segment.start < moment for segment in request.segments)


def _note(marks: Sequence[Mark], view: View) -> str:
    """What is awaited at a line, and how many lines of libraries are inside of it."""
    said = []
    awaits = dict.fromkeys(
        mark.position.awaits
        for mark in marks
        if mark.position is not None and mark.position.awaits is not None
    )
    if len(awaits) == 1:
        said.append(words.awaited(next(iter(awaits))))
    elif awaits:
        said.append(", ".join(dict.fromkeys(words.awaited(one, brief=True) for one in awaits)))
    frames = 0 if view.expanded else len(_frames(marks, view.cursor))
    if frames:
        said.append(f"+{words.count(frames, 'frame')}")
    return " ".join(said)


def _alarms(block: Block | None, found: Places, moment: int) -> dict[Spot, str]:
    """The lines that block at the moment, and what is said of each."""
    if block is None:
        return {}
    _, blamed = block.culprit
    said = []
    if blamed is not None and blamed.calls:
        said.append(printable(blamed.calls, 60))
    if block.kind is not None:
        said.append(KINDS[block.kind][1])
    said.append(words.duration(block.lasted(moment)))
    text = " ".join(said)
    spots = {spot: text for spot, marks in found.lines.items() if any(mark.code == BLOCK for mark in marks)}
    if blamed is not None and (blamed is not block.where or not spots):
        spots[blamed.file, blamed.line] = text
    return spots


def _nothing(pen: Pen, about: Subject) -> list[Line]:
    if not about.requests:
        return [[Segment(" No request yet. The code of what is fired is shown here.", pen.dim)]]
    return [
        [Segment(" No request was seen at a line of code, and the endpoint is not known:", pen.dim)],
        [
            Segment(
                " lines are looked at 50 times a second, and what takes less than 20 ms is left out.", pen.dim
            )
        ],
    ]
