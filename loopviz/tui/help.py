"""The legend and the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from loopviz.draw.look import APPEARANCES, Palette
from loopviz.draw.words import printable
from loopviz.stream.source import Source

if TYPE_CHECKING:
    from textual.app import ComposeResult

__all__ = ["KEYS", "Help"]

KEYS = (
    ("tab", "the list of scenarios: type to filter, enter fires"),
    ("v", "compare scenarios: the same load on each, side by side"),
    ("m", "claims: predict, then reveal"),
    ("+  -", "more or fewer requests at once"),
    ("]  [", "more or fewer tokens for worker threads, at once"),
    ("space", "freeze the picture, or go on; events are collected meanwhile"),
    ("left right", "move in time by a tenth of the picture (h, l); with shift by all of it"),
    ("z  Z", "show less or more time, from 1 ms to 5 min (ctrl and the wheel)"),
    ("f", "fit the request that is pointed at, or the last burst"),
    ("home end", "the first event; the present"),
    ("n  N", "next or previous block, token wait, error or late frame"),
    (".  ,", "step to the next or previous change of state: a debugger for the event loop"),
    ("<  >  '", "move the time cursor; leave a second one, to measure a distance"),
    ("/", "filter the rows by path, status, state or #number; esc shows all"),
    ("t", "sort the rows by arrival, latency or time lost"),
    ("r", "play the last burst back in slow motion: 1/100, 1/10, 1/4, 1, 4 times"),
    ("w", "write the last minutes to a file, for loopviz replay and export"),
    ("backspace", "undo the last navigation"),
    ("up down", "point at a request (k, j; page up, page down; the wheel)"),
    ("enter", "open the request that is pointed at: its segments and their sum"),
    ("esc", "close, or point at nothing"),
    ("x", "clear the requests that have ended"),
    ("ctrl+p", "all commands by name"),
    ("?", "this help"),
    ("q", "quit"),
)


class Help(ModalScreen[None]):
    """What the colours mean, what the keys do, and what cannot be seen here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "close"),
        Binding("down,j", "scroll_by(1)", "down", show=False),
        Binding("up,k", "scroll_by(-1)", "up", show=False),
    ]
    CSS = """
    Help { align: center middle; }
    Help > VerticalScroll {
        width: 78; max-width: 100%; height: auto; max-height: 100%;
        background: #101214; color: #e8e8e8; border: round #56B4E9; padding: 0 1;
    }
    Help Static { width: 100%; height: auto; }
    """

    def __init__(self, palette: Palette, source: Source) -> None:
        super().__init__()
        self._scroll = VerticalScroll(Static(_text(palette, source)))
        if not palette.unicode:
            self._scroll.styles.border = ("ascii", "#56B4E9")

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        self._scroll.border_title = "legend and keys"
        self._scroll.border_subtitle = "esc closes"
        yield self._scroll

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self._scroll.scroll_relative(y=lines, animate=False)


def _text(palette: Palette, source: Source) -> Group:
    legend = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    for row in APPEARANCES:
        character, style = palette.cell(row.code, row.code)
        name, colour = palette.name(row.code)
        legend.add_row(Text(character * 4, style), Text(name, colour), Text(row.meaning))
    keys = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    strong = palette.style("#56B4E9", bold=True)
    for file in source.scenarios:
        if file.facts.key:
            keys.add_row(
                Text(file.facts.key, strong), Text(printable(f"fire {file.name}: {file.facts.title}"))
            )
    for key, meaning in KEYS:
        keys.add_row(Text(key, strong), Text(meaning))
    parts: list[RenderableType] = [legend, Text(), keys]
    for what, why in source.blind:
        parts += [Text(), Text(printable(f"Not seen here: {what} ({why}).", 300), palette.text("alarm"))]
    return Group(*parts)
