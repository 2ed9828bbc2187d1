"""A box over the picture, whose text scrolls."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from loopviz.draw.look import Palette

__all__ = ["FRAME", "ScrollBox"]

FRAME = "background: $background; border: round $accent; padding: 0 1;"
"""The style of every box."""


class ScrollBox(ModalScreen[None]):
    """A text in a box that is as high as the text, up to the height of the screen."""

    DEFAULT_CSS = f"""
    ScrollBox {{ align: center middle; }}
    ScrollBox > VerticalScroll {{ color: $foreground; height: auto; {FRAME} }}
    ScrollBox > VerticalScroll.-ascii {{ border: ascii $accent; }}
    ScrollBox Static {{ width: 100%; height: auto; }}
    """

    def __init__(self, palette: Palette, subtitle: str) -> None:
        super().__init__()
        self.body = Static()
        self.box = VerticalScroll(self.body)
        self.box.border_subtitle = Text(subtitle)  # a key may be a bracket
        if not palette.unicode:
            self.box.add_class("-ascii")

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        yield self.box

    def on_mount(self) -> None:
        """Draw the text anew when the theme changes."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.redraw())

    def redraw(self) -> None:
        """Draw the text in the colours that the palette has now."""

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.box.scroll_relative(y=lines, animate=False)
