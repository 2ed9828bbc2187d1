"""What every part of the machine needs to draw itself: the moment, the pen, and who is selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.look import AFTER_BLOCK, BLOCK
from loopviz.draw.raster import after_response, code_of
from loopviz.model import Timeline
from loopviz.model.positions import Position
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.machine.row import Row
from loopviz.tui.scene.machine.stations import Place
from loopviz.tui.scene.pen import Hit, Pen
from loopviz.tui.view import View

__all__ = ["Sight", "waited"]


def waited(ns: int) -> str:
    """How long something has waited, with few digits, so that they can be read while they grow."""
    if ns >= 100 * NS:
        return f"{ns // NS} s"
    if ns >= NS // 10:
        return f"{ns // (NS // 10) / 10} s"
    return f"{ns // 10_000_000 * 10} ms" if ns >= 10_000_000 else "0 ms"


@dataclass(frozen=True, slots=True)
class Sight:
    """A moment of a timeline, and how it is drawn."""

    pen: Pen
    facts: Facts
    timeline: Timeline
    view: View
    owners: Mapping[int, int]
    """Of a row of a started task: the request that has started it."""

    @property
    def now(self) -> int:
        """The moment (ns)."""
        return self.view.moment

    def code(self, one: Position) -> str:
        """The code of its state, in the table of looks."""
        code = code_of(one.state, self.now - one.since, self.timeline.threshold)
        return after_response(code) if one.answered else code

    def chip(self, one: Position) -> Row:
        """It, in the colour and texture of its state: ``▚#12``; ``#12'`` for a task that it has started."""
        owner = self.owners.get(one.request, 0) if one.request < 0 else one.request
        tag = words.tag(owner) if one.request > 0 else f"{words.tag(owner) if owner else '#'}'"
        chosen = self.is_selected(one)
        return _chip(self.pen, self.pen.palette.theme.name, self.code(one), tag, owner, chosen)

    def is_selected(self, one: Position) -> bool:
        """Whether it is the request that is selected, or a task that this one has started."""
        cursor = self.view.cursor
        return cursor is not None and cursor == (
            one.request if one.request > 0 else self.owners.get(one.request)
        )

    def count(self, place: Place, style: Style | None = None) -> Row:
        """How many are there, and how long the first of them has been."""
        if not place:
            return Row(Segment("0", self.pen.dim))
        row = Row(Segment(f"{len(place)}", style or self.pen.title))
        row.say(f"{self.pen.separator}{waited(place.oldest(self.now))}", style or self.pen.text)
        return row


@lru_cache(maxsize=8_192)
def _chip(pen: Pen, _theme: str, code: str, tag: str, owner: int, selected: bool) -> Row:
    """The same row each time: it is added to others, and never changed."""
    palette = pen.palette
    texture, fill = palette.cell(code, code)
    style = palette.name(code)[1]
    if code == BLOCK:
        style = pen.alarm
    elif code.isupper() or code == AFTER_BLOCK:
        style = pen.dim
    if selected:
        style += Style(reverse=True, bold=True)
    row = Row(Segment(texture, fill), Segment(tag, style))
    if owner:
        row.hits.append((0, row.width, Hit(request=owner)))
    return row
