"""One request, opened: every segment with its duration and its source line, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.raster import BLOCK, CODES
from loopviz.model import Request, Segment, State, Timeline, Where

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from loopviz.tui.app import LoopvizApp

__all__ = ["Detail", "detail_table"]

_MOST = 500
"""Segments listed; of a longer life, the newest."""
_REFRESH = 200_000_000


class Detail(ModalScreen[None]):
    """The detail of a request; it follows the request while it lives."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "close"),
        Binding("down,j", "scroll_by(1)", "down", show=False),
        Binding("up,k", "scroll_by(-1)", "up", show=False),
    ]
    CSS = """
    Detail { align: center middle; }
    Detail > VerticalScroll {
        width: 90%; max-width: 120; height: auto; max-height: 90%;
        background: #101214; color: #e8e8e8; border: round #56B4E9; padding: 0 1;
    }
    Detail Static { width: 100%; height: auto; }
    """

    def __init__(self, owner: LoopvizApp, number: int) -> None:
        super().__init__()
        self._owner = owner
        self._number = number
        self._drawn = 0
        self._body = Static()
        self._scroll = VerticalScroll(self._body)
        if not owner.palette.unicode:
            self._scroll.styles.border = ("ascii", "#56B4E9")

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        yield self._scroll

    def on_mount(self) -> None:
        """Fill it."""
        request = self._owner.timeline.requests.get(self._number)
        if request is not None:
            self._scroll.border_title = Text(words.headline(request))
        self._scroll.border_subtitle = "esc closes"
        self.follow()

    def follow(self) -> None:
        """Show the request as it is now; a few times a second is enough for reading."""
        request = self._owner.timeline.requests.get(self._number)
        now = now_ns()
        if request is None or now - self._drawn < _REFRESH:
            return
        if self._drawn and request.ended:
            return
        self._drawn = now
        owner = self._owner
        moment = owner.view.now
        parts: list[RenderableType] = [detail_table(request, owner.timeline, moment, owner.palette)]
        where = longest_where(request, moment)
        if where is not None:
            parts += [Text(), excerpt(where, owner.source.source_lines(where.file), owner.palette)]
        self._body.update(Group(*parts))

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self._scroll.scroll_relative(y=lines, animate=False)


def detail_table(request: Request, timeline: Timeline, now: int, palette: Palette) -> Table:
    """Every segment of the request up to `now`: start, duration, state, and where."""
    table = Table(box=None, expand=True, show_footer=True, padding=(0, 1), header_style=palette.text("dim"))
    end = request.done if request.done is not None and request.done <= now else now
    before = [s for s in request.history(now) if s.start < end]
    after = [s for s in request.history(now) if s.start >= end]
    total = sum(s.end - s.start for s in before)
    dropped = total < end - request.start
    table.add_column("from", justify="right", footer="sum", no_wrap=True)
    table.add_column("for", justify="right", footer=Text(_exact(end - request.start)), no_wrap=True)
    table.add_column("state", footer=Text("the latency" if request.done else "so far"), no_wrap=True)
    table.add_column("where", ratio=1)
    if dropped or len(before) > _MOST:
        table.add_row(
            "", "", Text("older segments are not listed; the sum includes them", palette.text("dim")), ""
        )
    for segment in before[-_MOST:]:
        _add(table, segment, request, timeline, palette)
    if after:
        table.add_row("", "", Text("after the response", palette.text("dim")), "")
        for segment in after[-_MOST:]:
            _add(table, segment, request, timeline, palette)
    if request.error:
        table.add_row("", "", Text("error", palette.text("alarm")), Text(words.printable(request.error)))
    return table


def longest_where(request: Request, now: int) -> Where | None:
    """The line at which the request has spent most of its time."""
    known = [segment for segment in request.history(now) if segment.where is not None]
    return max(known, key=lambda segment: segment.end - segment.start).where if known else None


def excerpt(where: Where, lines: Sequence[str], palette: Palette, around: int = 3) -> Text:
    """The line in its surroundings, marked; nothing where its file cannot be read."""
    text = Text()
    first = max(1, where.line - around)
    for number, line in enumerate(lines[first - 1 : where.line + around], first):
        here = number == where.line
        mark = ("▶" if palette.unicode else ">") if here else " "
        style = palette.text("title" if here else "dim")
        shown = words.printable(line.rstrip().expandtabs(4))
        text.append(f"{mark}{number:>5}  {shown if palette.unicode else words.ascii_only(shown)}\n", style)
    return text


def _add(table: Table, segment: Segment, request: Request, timeline: Timeline, palette: Palette) -> None:
    length = segment.end - segment.start
    code = BLOCK if segment.state is State.RUNNING and length >= timeline.threshold else CODES[segment.state]
    character, style = palette.cell(code, code)
    name, colour = palette.name(code)
    lane = timeline.workers.get(segment.thread)
    where = []
    if lane is not None:
        where.append(lane.name)
    if segment.where is not None:
        where.append(f"{words.line(segment.where)} {words.printable(segment.where.function, 60)}")
        if segment.where.calls:
            where.append(words.printable(segment.where.calls, 60))
    table.add_row(
        _exact(segment.start - request.start),
        _exact(length),
        Text.assemble((character * 2, style), " ", (name, colour)),
        Text(" · ".join(where) if palette.unicode else " | ".join(where)),
    )


def _exact(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"
