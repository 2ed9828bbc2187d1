"""The help: the keys of the screen from which it was opened, states, marks, the map and figures."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.binding import BindingType
from textual.widgets import Static

from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.keys import Context
from loopviz.tui.screens.box import ScrollBox
from loopviz.tui.screens.help_text import parts

__all__ = ["Help"]

_COLUMN = 66
"""The width of a column, where there are several (cells)."""
_MOST = 3


class Help(ScrollBox):
    """What the keys do, what the colours and marks mean, and what cannot be seen here.

    The keys of `context`, where it was opened, come first.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("help")
    CSS = """
    Help > VerticalScroll { width: 80; max-width: 100%; max-height: 100%; scrollbar-size: 1 1; }
    Help.-wide > VerticalScroll { width: 100%; max-width: 220; }
    Help Static { margin-bottom: 1; }
    Help Static:last-of-type { margin-bottom: 0; }
    """

    def __init__(self, picture: Picture, context: Context) -> None:
        super().__init__(picture.palette, "")
        self._picture = picture
        self._opened_from = context
        self.box.border_title = "help: legend and keys"
        self._sections: list[Static] = []
        self._columns = 1

    def on_mount(self) -> None:
        """Fill it, and say how far it scrolls."""
        super().on_mount()
        self.redraw()
        for what in ("scroll_y", "virtual_size", "size"):
            self.watch(self.box, what, self._say)

    def on_resize(self) -> None:
        """Use as many columns as there is room for."""
        columns = max(1, min(_MOST, self.app.size.width // _COLUMN))
        if columns != self._columns:
            self._columns = columns
            self.set_class(columns > 1, "-wide")
            self.redraw()

    def redraw(self) -> None:
        """Draw it in the colours that the palette has now."""
        picture = self._picture
        palette = picture.palette
        found = parts(palette, picture.source, picture.keys, picture.view, self._opened_from)
        shown: list[RenderableType] = [part.shown(palette) for part in found]
        if self._columns > 1:
            grid = Table.grid(padding=(0, 2), expand=True)
            places = range(self._columns)
            for _ in places:
                grid.add_column(ratio=1)
            columns = [[p.shown(palette) for p in found if min(p.column, places[-1]) == at] for at in places]
            grid.add_row(*(Group(*_apart(column)) for column in columns))
            shown = [grid]
        self._sections = [Static(each) for each in shown]
        self.box.remove_children()
        self.box.mount(*self._sections)
        self.box.scroll_home(animate=False)

    def _say(self) -> None:
        """The keys of the help, and how much of it is below."""
        keys = self._picture.keys
        below = self.box.max_scroll_y - self.box.scroll_offset.y
        said = [f"{keys.shown('help.close')} closes"]
        if self.box.max_scroll_y > 0:
            lines = f"{below} more lines below" if below != 1 else "1 more line below"
            scroll = f"{keys.shown('help.up', 'help.down')} scroll"
            said = [f"{scroll}, {lines}" if below > 0 else f"{scroll}, this is the end", *said]
            if len(self._sections) > 1:
                said.insert(0, f"{keys.shown('help.next-section')} next section")
        self.box.border_subtitle = Text("  ".join(said))

    def action_section(self, by: int) -> None:
        """Scroll to the next section (1), or to the previous one (-1)."""
        here = self.box.scroll_offset.y
        tops = [section.virtual_region.y for section in self._sections]
        found = [y for y in tops if (y > here if by > 0 else y < here)]
        if found:
            self.box.scroll_to(y=min(found) if by > 0 else max(found), animate=False)


def _apart(shown: list[Group]) -> list[RenderableType]:
    """The sections, with an empty line between them."""
    lines: list[RenderableType] = [each for section in shown for each in (Text(), section)]
    return lines[1:]
