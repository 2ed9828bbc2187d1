"""The legend and the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.binding import BindingType

from loopviz.draw.look import APPEARANCES, Palette
from loopviz.draw.safe import printable
from loopviz.stream.source import Source
from loopviz.tui.bindings import bindings
from loopviz.tui.keymap import Keys
from loopviz.tui.keys import TABLE
from loopviz.tui.screens.box import ScrollBox

__all__ = ["Help"]


class Help(ScrollBox):
    """What the colours mean, what the keys do, and what cannot be seen here."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("help")
    CSS = "Help > VerticalScroll { width: 78; max-width: 100%; max-height: 100%; }"

    def __init__(self, palette: Palette, source: Source, keys: Keys) -> None:
        super().__init__(palette, f"{keys.shown('help.close')} closes")
        self.box.border_title = "legend and keys"
        self._shown = palette, source, keys
        self.redraw()

    def redraw(self) -> None:
        """Draw it in the colours that the palette has now."""
        self.body.update(_text(*self._shown))


def _text(palette: Palette, source: Source, keys: Keys) -> Group:
    legend = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    for row in APPEARANCES:
        character, style = palette.cell(row.code, row.code)
        name, colour = palette.name(row.code)
        legend.add_row(Text(character * 4, style), Text(name, colour), Text(row.meaning))
    table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    strong = palette.style(palette.colours.accent, bold=True)
    for file in source.scenarios:
        if file.facts.key:
            title = printable(f"fire {file.name}: {file.facts.title}")
            table.add_row(Text(file.facts.key, strong), Text(title))
    for section in TABLE:
        if section.context in ("picture", "app"):
            for each in section.rows:
                pressed, words = keys.line(each)
                if each.keys and pressed:
                    table.add_row(Text(pressed, strong), Text(words))
    parts: list[RenderableType] = [legend, Text(), table]
    for what, why in source.blind:
        parts += [Text(), Text(printable(f"Not visible here: {what} ({why}).", 300), palette.text("alarm"))]
    return Group(*parts)
