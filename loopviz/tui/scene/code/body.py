"""The code view: the functions at work, who is at which of their lines, and how long requests were there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.look import BLOCK, CODES
from loopviz.draw.safe import printable
from loopviz.model import State, Timeline, Where
from loopviz.tui.scene.code.marks import counted
from loopviz.tui.scene.code.places import Mark
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
from loopviz.tui.scene.code.sections import Section
from loopviz.tui.scene.code.subject import Subject
from loopviz.tui.scene.code.work import Now, Work
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen, fitted
from loopviz.tui.view import View

__all__ = ["CodeBody"]

_MOST_FRAMES = 20
_REASONS = ("in the socket", "before the first step", "in a library", "not seen at a line yet")


class CodeBody:
    """Draws the code view, and caches what the next frame can reuse."""

    def __init__(self, pen: Pen) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last picture, counted from its first: what can be clicked, and where."""
        self._pen = pen
        self._work = Work()
        self._key: tuple[object, ...] = ()
        self._lines: list[Line] = []
        self._plan: tuple[object, Sequence[Row]] = (None, ())
        self._top = 0
        self._follows = True

    @property
    def has_lanes(self) -> bool:
        """It has no lanes."""
        return False

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        self._work.forget()
        self._key, self._plan = (), (None, ())

    @property
    def sections(self) -> Sequence[Section]:
        """The functions of the last frame, and what is at their lines."""
        return self._work.sections

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, room: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `room` lines. While it moves it is drawn some times a second."""
        key = (
            id(timeline), id(facts), self._pen.palette.theme.name, width, room, roomy, view.cursor,
            view.expanded, view.load is None, view.behind is None, *view.tick(self._work.pause),
        )  # fmt: skip
        if key != self._key or view.scrolls_code:
            self._key, self.hits = key, {}
            self._lines = self._drawn(facts, timeline, view, width, room, roomy=roomy)
        return list(self._lines)

    def _drawn(
        self, facts: Facts, timeline: Timeline, view: View, width: int, room: int, *, roomy: bool
    ) -> list[Line]:
        pen, now = self._pen, self._work.at(facts, timeline, view)
        if now.fresh:
            self._top, self._follows = 0, True
        columns = Columns.of(width)
        drawn = Drawn(columns, now.most, view.cursor, now.alarms)
        head = [fitted(_head(pen, now, view.moment, width), width, pen.palette)]
        if not self.sections:
            return [fitted(line, width, pen.palette) for line in (*head, [], *_nothing(pen, now.about))][
                :room
            ]
        rows = self._rows(self.sections, room - len(head), view, roomy=roomy)
        top = self._scrolled(rows, room - len(head), view)
        lines = head
        for row in rows[top : top + room - len(head)]:
            marks = row.section.above if row.kind == "above" else None
            if row.kind == "line":
                marks = row.section.marks.get(row.number) or row.section.through.get(row.number)
            first = next((mark.request for mark in marks or () if mark.request > 0), None)
            if first is not None:
                self.hits[len(lines)] = [(0, columns.width, Hit(request=first, opens=False))]
            lines.append(self._draw(facts, drawn, row, view, now))
        return lines[:room]

    # -- which rows ----------------------------------------------------------------------------

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

    def _scrolled(self, rows: Sequence[Row], room: int, view: View) -> int:
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

    def _draw(self, facts: Facts, drawn: Drawn, row: Row, view: View, now: Now) -> Line:
        pen, section = self._pen, row.section
        if row.kind == "title":
            missing = "its source is not here" if section.file else ""
            note = self._work.files.note(facts, section.file) if section.known else missing
            return draw_title(pen, drawn, section, note)
        if row.kind == "above":
            return draw_above(pen, drawn, section, _above(section.above, now.begun))
        if row.kind == "gap":
            return draw_gap(pen, drawn, row.number)
        if row.kind == "frame":
            frames = _frames(section.marks.get(row.number, ()), view.cursor)
            return draw_frame(pen, drawn, frames[row.index]) if row.index < len(frames) else []
        if row.kind == "line":
            return draw_line(pen, drawn, section, row.number, _note(section.marks.get(row.number, ()), view))
        return []


def _head(pen: Pen, now: Now, moment: int, width: int) -> Line:
    """Whose time is shown, at which moment, and how many are in which state."""
    about, found = now.about, now.found
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
    shown = {request.id for request in about.requests}
    if any(mark.request and mark.request not in shown for mark in marks):
        line.append(Segment("in all ", pen.dim))  # also others than those whose time it is, and started tasks
        used += cell_len(line[-1].text)
    line += counted(pen, marks, max(0, width - used - cell_len(caption)))
    used = sum(cell_len(segment.text) for segment in line)
    if used + cell_len(caption) <= width:
        line.append(Segment(" " * (width - used - cell_len(caption)) + caption, pen.dim))
    return line


def _frames(marks: Sequence[Mark], cursor: int | None) -> tuple[Where, ...]:
    """The library's lines inside of a line: of the selected request, or those that most have."""
    known = [mark for mark in marks if mark.inside]
    chosen = [mark for mark in known if mark.request == cursor] or known
    frames = Counter(mark.inside for mark in chosen)
    return frames.most_common(1)[0][0] if frames else ()


def _above(marks: Sequence[Mark], begun: Collection[int]) -> str:
    """Why these are at no line, and how many for each reason."""
    reasons = Counter(_why(mark, begun) for mark in marks)
    return ", ".join(f"{reasons[why]} {why}" for why in _REASONS if reasons[why])


def _why(mark: Mark, begun: Collection[int]) -> str:
    if mark.code == CODES[State.QUEUED]:
        return _REASONS[0]
    if mark.code == CODES[State.READY] and mark.request not in begun:
        return _REASONS[1]
    return _REASONS[2 if mark.position is not None and mark.position.where is not None else 3]


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
