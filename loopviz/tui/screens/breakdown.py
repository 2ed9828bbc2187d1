"""A request in detail: its own segments first, then a tree of its child tasks; repetitions are folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.table import Table
from rich.text import Text

from loopviz.draw import words
from loopviz.draw.fold import folded
from loopviz.draw.linking import linked_style
from loopviz.draw.look import Palette
from loopviz.draw.raster import code_of
from loopviz.draw.safe import printable
from loopviz.model import Child, Request, Segment, Timeline

__all__ = ["detail_table"]

_FEW = 12
"""So many segments of a request are listed as they are; of more, equal ones are one row."""
_FEW_AFTER = 3
"""As `_FEW`, of what it did after the response."""
_MOST = 40
"""At most this many rows of segments: those with the largest sums."""
_MOST_OF_TASK = 5
"""At most this many rows for the segments of a child task."""
_MOST_TASKS = 100
"""At most this many child tasks are compared; the others are counted."""
_DEEPEST = 6
"""So deep is the tree of tasks that create tasks."""


@dataclass(slots=True)
class _Part:
    """A segment, or several of the same state at the same line."""

    first: Segment
    code: str
    total: int
    count: int = 1


def detail_table(request: Request, timeline: Timeline, now: int, palette: Palette) -> Table:
    """The request's segments up to `now` with their sum, and what each of its child tasks did."""
    return _Breakdown(request, timeline, now, palette).table


class _Breakdown:
    """Fills the table."""

    def __init__(self, request: Request, timeline: Timeline, now: int, palette: Palette) -> None:
        self.request, self.timeline, self.now, self.palette = request, timeline, now, palette
        self.dim = palette.text("dim")
        over = request.done is not None and request.done <= now
        end = request.done if request.done is not None and over else max(now, request.start)
        self.table = table = Table(
            box=None, expand=True, show_footer=True, padding=(0, 1), header_style=palette.text("dim")
        )
        table.add_column("from", justify="right", footer="sum", no_wrap=True)
        table.add_column("for", justify="right", footer=Text(_exact(end - request.start)), no_wrap=True)
        table.add_column("state", footer=Text("the latency" if over else "so far"), no_wrap=True)
        table.add_column("where", ratio=1)
        history = request.history(now)
        before = [segment for segment in history if segment.start < end]
        if sum(segment.end - segment.start for segment in before) < end - request.start:
            self._says("older segments are not listed; the sum includes them")
        self._segments(before, _MOST, fold=len(before) > _FEW)
        after = [segment for segment in history if segment.start >= end]
        if after:
            self._says("after the response")
            self._segments(after, _MOST, fold=len(after) > _FEW_AFTER)
        self._tasks()
        self._facts()

    def _says(self, text: str, where: str = "") -> None:
        """A row without segments."""
        self.table.add_row("", "", Text(text, self.dim), Text(where))

    def _segments(self, segments: Sequence[Segment], most: int, *, fold: bool, indent: str = "") -> None:
        parts = list(self._parts(segments, fold=fold))
        kept = parts
        if len(parts) > most:
            least = sorted((part.total for part in parts), reverse=True)[most - 1]
            kept = [part for part in parts if part.total >= least][:most]
        for part in kept:
            self._part(part, indent)
        if len(parts) > len(kept):
            rest = sum(part.total for part in parts) - sum(part.total for part in kept)
            shorter = words.count(len(parts) - len(kept), "shorter one")
            self.table.add_row("", _exact(rest), Text(f"{indent}{shorter}", self.dim), "")

    def _parts(self, segments: Iterable[Segment], *, fold: bool) -> Iterator[_Part]:
        """The segments; if they are to be folded, those of the same state and line as one."""
        threshold, known = self.timeline.threshold, dict[object, _Part]()
        for number, segment in enumerate(segments):
            length = segment.end - segment.start
            code = code_of(segment.state, length, threshold)
            key = (code, segment.where, segment.awaits, segment.thread) if fold else number
            part = known.get(key)
            if part is None:
                known[key] = _Part(segment, code, length)
            else:
                part.count += 1
                part.total += length
        yield from known.values()

    def _part(self, part: _Part, indent: str) -> None:
        segment = part.first
        character, style = self.palette.cell(part.code, part.code)
        name, colour = self.palette.name(part.code)
        times = f" ×{part.count}" if part.count > 1 else ""
        self.table.add_row(
            _exact(segment.start - self.request.start),
            _exact(part.total),
            Text.assemble(indent, (character * 2, style), " ", (name + self._plain(times), colour)),
            self._where(segment),
        )

    def _where(self, segment: Segment) -> Text:
        """The worker, the source line, and what is awaited there."""
        lane = self.timeline.workers.get(segment.thread)
        where: list[Text] = []
        if lane is not None:
            where.append(Text(lane.name))
        if segment.where is not None:
            linked = Text(words.line(segment.where), linked_style(Style.null(), segment.where))
            where.append(Text.assemble(linked, f" {printable(segment.where.function, 60)}"))
            if segment.where.calls:
                where.append(Text(printable(segment.where.calls, 60)))
        if segment.awaits is not None:
            where.append(Text(f"awaits {words.awaited(segment.awaits)}"))
        return Text(" · " if self.palette.unicode else " | ").join(where)

    def _tasks(self) -> None:
        """The tree of child tasks, equal ones as one."""
        children = [c for c in self.timeline.children(self.request.id) if c.start <= self.now]
        if not children:
            return
        self._says("child tasks")
        shown = children[:_MOST_TASKS]
        numbers = {child.number for child in shown}
        by_parent: dict[int, list[Child]] = {}
        for child in shown:
            by_parent.setdefault(child.parent if child.parent in numbers else 0, []).append(child)
        self._branch(by_parent.get(0, []), by_parent, 0)
        if len(children) > len(shown):
            self._says(words.count(len(children) - len(shown), "more task"))

    def _branch(self, children: Sequence[Child], by_parent: dict[int, list[Child]], depth: int) -> None:
        rows = {child.row.id: child for child in children}
        within = max(1, self.request.latency(self.now) // 20)
        for fold in folded((child.row for child in children), self.now, within, anywhere=True):
            row = fold.first
            times = f" ×{fold.count}" if fold.count > 1 else ""
            over = row.done is not None and row.done <= self.now
            self.table.add_row(
                _exact(row.start - self.request.start),
                _exact(row.latency(self.now)),
                Text(
                    self._plain(f"{'  ' * depth}└ {words.task_name(row.path)}{times}"),
                    self.palette.text("title"),
                ),
                Text("ended" if over else "", self.dim),
            )
            self._segments(row.history(self.now), _MOST_OF_TASK, fold=True, indent="  " * (depth + 1))
            below = [child for task in fold.requests for child in by_parent.get(rows[task.id].number, ())]
            if below and depth < _DEEPEST:
                self._branch(below, by_parent, depth + 1)

    def _facts(self) -> None:
        """What is known of the request besides its states."""
        request, palette = self.request, self.palette
        burst = self.timeline.burst_of(request.id)
        if burst is not None:
            threads = words.count(burst.threads, "thread")
            self._says("fired", self._plain(f"{printable(burst.scenario, 40)} ×{burst.count}, {threads}"))
        if request.claimed is not None:
            waited = words.duration(request.latency(self.now))
            self._says(
                "timer", f"the answer says {words.duration(request.claimed)}; the user waited {waited}"
            )
        if request.websocket is not None:
            code = "" if request.websocket.code is None else f", {words.closed(request.websocket)}"
            self._says("messages", words.messages(request.websocket) + code)
        if request.error:
            self.table.add_row("", "", Text("error", palette.text("alarm")), Text(printable(request.error)))

    def _plain(self, text: str) -> str:
        return text if self.palette.unicode else words.ascii_only(text)


def _exact(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"
