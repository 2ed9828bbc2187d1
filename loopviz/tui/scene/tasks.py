"""Rows of tasks below a request: those that it awaits, and those that it has only started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.fold import Fold, folded
from loopviz.draw.marks import child_codes
from loopviz.draw.raster import code_of
from loopviz.model import Child, Request, Timeline
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen
from loopviz.tui.scene.requests import request_row

__all__ = ["ChildRow", "Children", "started_lines", "telling"]

_MOST = 60
"""Child tasks of one request that are compared with each other; the others are counted."""
_ALIKE = 2
"""Tasks that differ for no more columns than this are one row; not of the selected request."""
_SAME = 2
"""If more requests than this have started tasks of the same name, those that outlive theirs have rows."""
_AFTER = 20_000_000
"""A task outlives its request if it goes on for longer than this (ns) after the response."""
_INDENT = 9
"""Cells around a name: its place below the request's, and how many tasks are the same."""
_OFTEN = 100_000_000
"""Rows of a request that has not ended are compared again this often (ns)."""


@dataclass(frozen=True, slots=True)
class ChildRow:
    """A child task, or several that look the same."""

    request: Request
    tasks: tuple[Request, ...]
    """Their states; see `loopviz.model.Child.row`. Empty for the number of those that have no room."""
    more: int = 0


class _Known(NamedTuple):
    """The rows of a request's child tasks."""

    key: tuple[int, ...]
    tick: int
    """When they were compared."""
    over: bool
    """Whether nothing will change in them."""
    rows: list[ChildRow]


class Children:
    """Which child tasks have rows, kept for some frames."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def rows(self, frame: Frame, requests: Sequence[Request], room: int) -> dict[int, list[ChildRow]]:
        """The rows of these requests' child tasks, by request: of those for which there is `room`.

        The request that is pointed at comes first, and has at least one row if it has child tasks.
        """
        view, found = frame.view, {}
        wanted = sorted(requests, key=lambda request: request.id != view.cursor)
        for request in wanted:
            rows = self._of(frame, request)
            if len(rows) > room:
                if request.id != view.cursor:
                    break  # a row must not jump to where another request's had no room
                rows = self._some(rows, max(1, room))
            if rows:
                found[request.id] = rows
                room -= len(rows)
        shown = {request.id for request in wanted}
        self._known = {number: known for number, known in self._known.items() if number in shown}
        return found

    @staticmethod
    def widest(timeline: Timeline, now: int, request: Request) -> int:
        """The width of the longest name of a row below the request's."""
        names = {words.task_name(child.name) for child in timeline.children(request.id)[:_MOST]}
        names |= {words.task_name(row.path) for row in timeline.started(now, request.start)}
        return max(map(cell_len, names), default=-_INDENT) + _INDENT

    def reserved(self, frame: Frame, room: int) -> int:
        """How many rows are kept for the child tasks of the request that is pointed at."""
        request = frame.timeline.requests.get(frame.view.cursor or 0)
        return 0 if request is None else min(len(self._of(frame, request)), room // 3)

    @staticmethod
    def without(
        timeline: Timeline, children: Mapping[int, list[ChildRow]], started: list[Request]
    ) -> list[Request]:
        """The rows of started tasks, without those that went on after a child task that has a row."""
        drawn = {id(child.own) for number in children for child in timeline.children(number)}
        return [task for task in started if id(task) not in drawn]

    def _of(self, frame: Frame, request: Request) -> list[ChildRow]:
        """The rows of a request's child tasks, as far as it fans out.

        Of the request that is pointed at, they are all. Of another one, a single child task has no row, nor
        one that is shorter than half a column or that another child task has created.
        """
        children = frame.timeline.children(request.id)
        if not children:
            return []
        view, column = frame.view, frame.columns.column_ns
        now, selected = view.now, request.id == view.cursor
        tick = now // _OFTEN
        known = self._known.get(request.id)
        still = () if view.moves else view.tick(_OFTEN)
        key = (len(children), column, selected, *still)
        if (
            known is not None
            and known.key == key
            and (known.tick == tick or (known.over and known.tick < tick))
        ):
            return known.rows
        over = request.ended and all(child.end is not None and child.end <= now for child in children)
        lives = [child.row for child in children[:_MOST] if child.start <= now]
        if not selected:
            lives = self._wide(frame, children, lives)
        folds = folded(lives, now, column if selected else _ALIKE * column, anywhere=True)
        rows = [ChildRow(request, fold.requests) for fold in folds]
        if len(children) > _MOST:
            rows.append(ChildRow(request, (), len(children) - _MOST))
        self._known[request.id] = _Known(key, tick, over, rows)
        return rows

    @staticmethod
    def _wide(frame: Frame, children: Sequence[Child], lives: Sequence[Request]) -> list[Request]:
        """Of these lives of child tasks, those that are worth a row of a request that is not selected."""
        now, numbers = frame.view.now, {child.number for child in children}
        direct = {-child.number for child in children if child.parent not in numbers}
        found = [
            row
            for row in lives
            if row.id in direct and (row.done is None or row.done > now or row.done - row.start > frame.half)
        ]
        return found if len(found) > 1 else []

    @staticmethod
    def _some(rows: list[ChildRow], room: int) -> list[ChildRow]:
        """The first rows, and in the last one how many tasks have no room."""
        left = sum(len(row.tasks) + row.more for row in rows[room - 1 :])
        return [*rows[: room - 1], ChildRow(rows[0].request, (), left)]

    def line(self, pen: Pen, frame: Frame, row: ChildRow) -> Line:
        """The row: the task's name and how many are the same, its states, and what it does now."""
        columns, moment = frame.columns, frame.view.moment
        hook = "└" if pen.palette.unicode else "+"
        if not row.tasks:
            more = words.count(row.more, "more task")
            return [Segment(set_cell_size(f"  {hook} {more}", columns.label), pen.dim)]
        task, times = row.tasks[0], f" ×{len(row.tasks)}" if len(row.tasks) > 1 else ""
        name, room = words.task_name(task.path), columns.label - 5 - cell_len(times)
        name = name if cell_len(name) <= room else set_cell_size(name, room - 1) + "…"
        over = task.done is not None and task.done <= moment
        style = pen.dim if over else pen.text
        line = [Segment(set_cell_size(f"  {hook} {name}{times}", columns.label), style)]
        answered, threshold, now = row.request.done, frame.timeline.threshold, frame.view.now
        codes = frame.codes(
            "child", -task.id, lambda a, b: child_codes(task, answered, threshold, now, frame.half, a, b)
        )
        line += pen.cells(codes)
        lasted = words.duration(task.latency(moment))
        state = None if over else task.state_at(moment)
        if state is None:
            return pen.says(
                line, ["ended" if over else "not started yet", lasted], columns, pen.dim, align=True
            )
        label, style = pen.palette.name(code_of(state.state, moment - state.start, threshold))
        if state.awaits is not None:
            what = f"awaits {words.awaited(state.awaits, brief=True)}"
            label = what if cell_len(what) <= columns.state else label
        return pen.says(line, [label, lasted], columns, style, align=True)


def telling(frame: Frame, tasks: Sequence[Request]) -> list[Request]:
    """Of these started tasks, those that are worth a row.

    If a library starts the same task for each request, only those are that go on after the response, and
    those of the selected request.
    """
    starters = {(task.path, task.started_by) for task in tasks}
    names, requests = Counter(path for path, _ in starters), frame.timeline.requests
    cursor, now = frame.view.cursor, frame.view.now

    def outlives(task: Request) -> bool:
        request = requests.get(task.started_by)
        end = task.since if task.ended else now
        return request is None or (request.done is not None and end - request.done > _AFTER)

    return [t for t in tasks if names[t.path] <= _SAME or t.started_by == cursor or outlives(t)]


def started_lines(pen: Pen, frame: Frame, fold: Fold, tasks: Sequence[Request]) -> Iterator[Line]:
    """The rows of tasks that these requests have started and do not await; equal ones are one row."""
    own = {request.id for request in fold.requests}
    started = [task for task in tasks if task.started_by in own]
    for same in folded(started, frame.view.now, frame.columns.column_ns, anywhere=True) if started else ():
        name = words.task_name(same.first.path)
        yield request_row(pen, frame, same.first, f"{name} ×{same.count}" if same.count > 1 else name)
