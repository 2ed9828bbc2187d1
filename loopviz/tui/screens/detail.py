"""One request, opened: every segment with its duration and its source line, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.binding import BindingType

from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.linking import linked_style
from loopviz.draw.look import Palette
from loopviz.draw.raster import code_of
from loopviz.draw.safe import printable
from loopviz.model import Request, Segment, Timeline, Where
from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.screens.box import ScrollBox

__all__ = ["Detail", "detail_table"]

_MOST = 500
"""At most this many segments are listed: the newest."""
_REFRESH = 200_000_000
"""Between two updates (ns): a few in a second are enough for reading."""


class Detail(ScrollBox):
    """The detail of a request; it is updated until the request has ended."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("request")
    CSS = "Detail > VerticalScroll { width: 90%; max-width: 120; max-height: 90%; }"

    def __init__(self, picture: Picture, number: int) -> None:
        keys = picture.keys
        hint = f"{keys.shown('request.help')} help  {keys.shown('request.close')} closes"
        super().__init__(picture.palette, hint)
        self._picture = picture
        self._number = number
        self._drawn = 0

    def on_mount(self) -> None:
        """Fill it."""
        request = self._picture.timeline.requests.get(self._number)
        if request is not None:
            self.box.border_title = Text(words.headline(request))
        self.follow(now_ns())

    def redraw(self) -> None:
        """Draw it in the colours that the palette has now."""
        self._drawn = 0
        self.follow(now_ns())

    async def action_help(self) -> None:
        """Open the help; the keys of the program do not work while a box is open."""
        await self.run_action("app.help")

    def follow(self, now: int) -> None:
        """Show the request as it is at the moment of the picture."""
        picture = self._picture
        request = picture.timeline.requests.get(self._number)
        if request is None or now - self._drawn < _REFRESH:
            return
        if self._drawn and request.ended:
            return
        self._drawn = now
        moment = picture.view.now
        parts: list[RenderableType] = [detail_table(request, picture.timeline, moment, picture.palette)]
        where = longest_where(request, moment)
        if where is not None:
            parts += [Text(), excerpt(where, picture.source.source_lines(where.file), picture.palette)]
        self.body.update(Group(*parts))


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
    if request.websocket is not None:
        code = "" if request.websocket.code is None else f", {words.closed(request.websocket)}"
        table.add_row("", "", Text("messages", palette.text("dim")), words.messages(request.websocket) + code)
    if request.error:
        table.add_row("", "", Text("error", palette.text("alarm")), Text(printable(request.error)))
    return table


def longest_where(request: Request, now: int) -> Where | None:
    """The source line of the longest of the request's segments that have one."""
    known = [segment for segment in request.history(now) if segment.where is not None]
    return max(known, key=lambda segment: segment.end - segment.start).where if known else None


def excerpt(where: Where, lines: Sequence[str], palette: Palette, around: int = 3) -> Text:
    """The line, marked, with the lines around it; empty where its file cannot be read."""
    text = Text()
    first = max(1, where.line - around)
    for number, line in enumerate(lines[first - 1 : where.line + around], first):
        here = number == where.line
        mark = ("▶" if palette.unicode else ">") if here else " "
        style = palette.text("title" if here else "dim")
        shown = printable(line.rstrip().expandtabs(4))
        text.append(f"{mark}{number:>5}  {shown if palette.unicode else words.ascii_only(shown)}\n", style)
    return text


def _add(table: Table, segment: Segment, request: Request, timeline: Timeline, palette: Palette) -> None:
    length = segment.end - segment.start
    code = code_of(segment.state, length, timeline.threshold)
    character, style = palette.cell(code, code)
    name, colour = palette.name(code)
    lane = timeline.workers.get(segment.thread)
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
    table.add_row(
        _exact(segment.start - request.start),
        _exact(length),
        Text.assemble((character * 2, style), " ", (name, colour)),
        Text(" · " if palette.unicode else " | ").join(where),
    )


def _exact(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"
