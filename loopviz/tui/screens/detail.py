"""One request, opened: its segments and those of its child tasks, and the code of the longest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import BindingType

from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.model import Where
from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.pointed import longest_where
from loopviz.tui.screens.box import ScrollBox
from loopviz.tui.screens.breakdown import detail_table

__all__ = ["Detail", "excerpt"]

_REFRESH = 200_000_000
"""Between two updates (ns): a few in a second are enough for reading."""


class Detail(ScrollBox):
    """The detail of a request; it is updated until the request has ended."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("request")
    CSS = "Detail > VerticalScroll { width: 90%; max-width: 120; max-height: 90%; }"

    def __init__(self, picture: Picture, number: int) -> None:
        keys = picture.keys
        offered = (("request.edit", "editor"), ("request.help", "help"), ("request.close", "closes"))
        hint = "  ".join(f"{keys.shown(id_)} {what}" for id_, what in offered)
        super().__init__(picture.palette, hint)
        self._picture = picture
        self._number = number
        self._drawn = 0
        self._known = 0
        """The moment up to which it was drawn, if it has ended."""

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

    async def action_edit(self) -> None:
        """Open the request's line in the editor."""
        await self.run_action("app.edit")
        if self._picture.view.notice:  # the picture is not drawn while a box is open
            self.box.border_subtitle = Text(self._picture.view.notice)

    def follow(self, now: int) -> None:
        """Show the request as it is at the moment of the picture."""
        picture = self._picture
        request = picture.timeline.requests.get(self._number)
        if request is None or now - self._drawn < _REFRESH:
            return
        children = picture.timeline.children(self._number)
        moment = picture.view.now
        ended = request.ended and all(child.end is not None for child in children)
        over = max([request.since, *(child.end or moment for child in children)])
        known = min(moment, over) if ended else 0
        if self._drawn and known and known == self._known:
            return  # nothing of it changes any more, unless another moment is shown
        self._drawn, self._known = now, known
        parts: list[RenderableType] = [detail_table(request, picture.timeline, moment, picture.palette)]
        where = longest_where([request], moment)
        if where is not None:
            parts += [Text(), excerpt(where, picture.source.source_lines(where.file), picture.palette)]
        self.body.update(Group(*parts))


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
