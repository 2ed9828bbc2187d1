"""The picture: axis, event loop, threads, and the rows of requests with their workers and child tasks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from loopviz.draw.fold import Fold
from loopviz.draw.linking import known_lines, linked
from loopviz.model import Timeline
from loopviz.tui.scene.axis import axis, crossed
from loopviz.tui.scene.frame import Columns, Facts, Frame
from loopviz.tui.scene.grouped import (
    fold_row,
    folded_line,
    heading,
    longest_name,
    longest_title,
    others_heading,
)
from loopviz.tui.scene.groups import Arranged, Groups
from loopviz.tui.scene.health import health_lane
from loopviz.tui.scene.loop import loop_lanes
from loopviz.tui.scene.overview import Overview
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.scene.requests import filtered, request_row, started_rows, title
from loopviz.tui.scene.tasks import Children, ChildRow, started_lines, telling
from loopviz.tui.scene.track import Tracks
from loopviz.tui.scene.workers import thread_gauge, worker_lane, workers_seen
from loopviz.tui.view import View

__all__ = ["Picture"]

_LATEST = 50
"""Requests in which those of other clients are looked for, for the width of names."""


class Picture:
    """Draws the lanes of a frame, and caches what the next one can reuse."""

    def __init__(self, pen: Pen) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last picture, counted from its first: what can be clicked, and where."""
        self._pen = pen
        self._shown: Frame | None = None
        self._tracks = Tracks()
        self._overview = Overview()
        self._arranged, self._rearranged = Groups(), Groups()
        self._children = Children()
        self._lanes: list[str] = []
        """Of each lane of a thread or process in the last frame, the letter of its worker."""

    @property
    def has_lanes(self) -> bool:
        """It always has lanes."""
        return True

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        self._tracks.forget()

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool
    ) -> list[Line]:
        """The picture in `height` lines; where it is `roomy`, some of them are empty."""
        pen, grouped = self._pen, view.grouped(timeline)
        names, paths = self._names(timeline, view, width) if grouped else (None, True)
        frame = Frame(timeline, view, Columns.of(width, view, names), self._tracks)
        self.hits, self._shown = {}, frame
        self._tracks.begin()
        gap: list[Line] = [[]] if roomy else []
        lines = [self._overview.line(pen, frame)] if view.behind is not None else []
        lines.append(axis(pen, frame))
        first = len(lines)
        several = timeline.several
        lanes = loop_lanes(pen, facts, frame, tall=roomy and not several, most=max(2, height // 3))
        lines += [linked(line, known_lines(timeline, view.now)) for _, lane in lanes for line in lane]
        health = health_lane(pen, frame)
        lines += [health] if health is not None else []
        lines += gap
        lines.append(thread_gauge(pen, frame))
        top = len(lines)
        room = height - len(lines)
        lines += (
            self._groups(frame, facts, lines, room, gap, paths=paths)
            if grouped
            else self._rows(frame, lines, room, gap)
        )
        self._tracks.end()
        if several and roomy:
            lines = _by_worker(lines, first, top, [letter for letter, _ in lanes], self._lanes)
        self.hits = {y: hits for y, hits in self.hits.items() if y < height}
        lines[first:] = [crossed(pen, frame, line) for line in lines[first:]]
        return [*lines, *([[]] * (height - len(lines)))][:height]

    def column(self, x: int) -> tuple[int, int] | None:
        """The first moment of the column there, and the one after its last (ns); None beside the lanes."""
        if self._shown is None:
            return None
        columns = self._shown.columns
        number = x - columns.label
        if not 0 <= number < columns.time:
            return None
        start = (self._shown.first + number) * columns.column_ns
        return start, start + columns.column_ns

    def _names(self, timeline: Timeline, view: View, width: int) -> tuple[int, bool]:
        """The width of the names of rows, and whether there is room for paths in them."""
        limit = Columns.of(width, view).label
        opened = view.burst(timeline)
        requests = opened.requests if opened is not None else ()
        longest, paths = longest_name(requests, limit)
        tasks = max(
            (self._children.widest(timeline, view.now, request) for request in requests[:1]), default=0
        )
        fired = (burst for burst in reversed(timeline.bursts) if burst.fired <= view.now)
        folded = longest_title(fired, opened)
        known = bisect_right(timeline.arrivals, view.now, key=lambda request: request.start)
        latest = timeline.arrivals[max(0, known - _LATEST) : known]
        if any(timeline.burst_of(request.id) is None for request in latest):
            return limit, paths  # what other clients ask for is in their rows only
        return max(longest, min(max(tasks, folded), limit)), paths

    def _groups(
        self, frame: Frame, facts: Facts, above: list[Line], room: int, gap: list[Line], *, paths: bool
    ) -> list[Line]:
        """Workers, and a group of rows for each key press."""
        pen, view, timeline = self._pen, frame.view, frame.timeline
        lanes = workers_seen(frame)
        selected = timeline.requests.get(view.cursor or 0)
        tasks, _ = started_rows(frame, [] if selected is None else [selected], room // 3)
        tasks = telling(frame, tasks)
        found, children = self._arrange(frame, max(1, room - 2 * len(gap) - len(tasks)), len(lanes))
        tasks = self._children.without(timeline, children, tasks)
        workers, cut = lanes[: found.lanes], len(lanes) - found.lanes
        lines = [worker_lane(pen, frame, lane, found.opened) for lane in workers]
        self._lanes = [lane.letter for lane in workers]
        lines += gap
        shown = found.shown

        def add(line: Line, request: int | None, *, opens: bool = True) -> None:
            if request is not None:
                hit = Hit(request=request, opens=opens)
                self.hits[len(above) + len(lines)] = [(0, frame.columns.width, hit)]
            lines.append(line)

        def add_rows(folds: Sequence[Fold], *, paths: bool) -> None:
            for fold in folds:
                add(fold_row(pen, frame, fold, paths=paths), fold.first.id)
                for child in children.get(fold.first.id, ()):
                    add(self._children.line(pen, frame, child), fold.first.id)
                lines.extend(started_lines(pen, frame, fold, tasks))

        for burst in found.newer:
            add(folded_line(pen, frame, facts, burst), burst.first, opens=False)
        if found.opened is not None:
            add(heading(pen, frame, facts, found.opened, paths=paths, hidden=found.hidden, lanes=cut), None)
            add_rows(found.rows, paths=paths)
        for burst in found.older:
            add(folded_line(pen, frame, facts, burst), burst.first, opens=False)
        if found.others:
            add(others_heading(pen, found.others), None)
            add_rows([Fold((request,)) for request in found.others], paths=True)
        lines += [request_row(pen, frame, task) for task in tasks if task.started_by not in shown]
        view.fits = max(1, room - found.lanes)
        return lines

    def _arrange(self, frame: Frame, room: int, lanes: int) -> tuple[Arranged, dict[int, list[ChildRow]]]:
        """Which rows there are, and those of child tasks: older groups, and equal rows, give way to them."""
        found = self._arranged.arrange(frame, room, lanes)
        children = self._children.rows(frame, found.firsts, max(found.spare, room // 3))
        wanted = sum(map(len, children.values()))
        if wanted > found.spare:
            found = self._rearranged.arrange(frame, max(1, room - wanted), lanes)
            children = self._children.rows(frame, found.firsts, wanted)
        return found, children

    def _rows(self, frame: Frame, above: list[Line], room: int, gap: list[Line]) -> list[Line]:
        """Workers, and a row for each request, without groups."""
        pen, view, timeline = self._pen, frame.view, frame.timeline
        lanes = workers_seen(frame)
        wanted = bisect_right(timeline.arrivals, view.now, key=lambda request: request.start)
        room = max(1, room - len(gap) - 1)
        has_title = bool(gap) or bool(view.words) or len(lanes) + wanted > room + 1
        room += not has_title
        shown = max(min(len(lanes), room - wanted), min(len(lanes), room // 3))
        lines = [worker_lane(pen, frame, lane) for lane in lanes[:shown]]
        self._lanes = [lane.letter for lane in lanes[:shown]]
        lines += gap
        room -= shown
        rows, before, after = view.rows(timeline, max(1, room - self._children.reserved(frame, room)))
        tasks, hidden = started_rows(frame, rows, room - len(rows))
        selected = [request for request in rows if request.id == view.cursor]
        children = self._children.rows(frame, selected, room - len(rows) - len(tasks))
        tasks = self._children.without(timeline, children, tasks)
        if has_title:
            matching = filtered(frame, before + len(rows) + after)
            lines.append(title(pen, len(lanes) - shown, before, after, hidden, matching))
        for request in rows:
            self.hits[len(above) + len(lines)] = [(0, frame.columns.width, Hit(request=request.id))]
            lines.append(request_row(pen, frame, request))
            for child in children.get(request.id, ()):
                self.hits[len(above) + len(lines)] = [(0, frame.columns.width, Hit(request=request.id))]
                lines.append(self._children.line(pen, frame, child))
            lines += [request_row(pen, frame, task) for task in tasks if task.started_by == request.id]
        shown_requests = {request.id for request in rows}
        lines += [request_row(pen, frame, task) for task in tasks if task.started_by not in shown_requests]
        return lines


def _by_worker(
    lines: list[Line], first: int, start: int, loops: Sequence[str], threads: Sequence[str]
) -> list[Line]:
    """The same lines, with the lanes of each worker's threads below that of its loop.

    The loops of the workers with the letters `loops` are from line `first` on. What is about all of them
    follows, such as the gauge of threads; and from line `start` on the lanes of threads, of the workers with
    the letters `threads`.
    """
    end = first + len(loops)
    pairs = list(zip(threads, lines[start : start + len(threads)], strict=True))
    grouped = lines[:first]
    for letter, line in zip(loops, lines[first:end], strict=True):
        grouped += [line, *(lane for owner, lane in pairs if owner == letter)]
    grouped += [lane for owner, lane in pairs if owner not in loops]
    return [*grouped, *lines[end:start], *lines[start + len(threads) :]]
