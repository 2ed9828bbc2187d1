"""A box over the picture, whose text scrolls."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from loopviz.draw.look import ACCENT, BACKGROUND, TEXT, Palette

__all__ = ["FRAME", "ScrollBox"]

FRAME = f"background: {BACKGROUND}; border: round {ACCENT}; padding: 0 1;"
"""The style of every box."""


class ScrollBox(ModalScreen[None]):
    """A text in a box that is as high as the text, up to the height of the screen."""

    DEFAULT_CSS = f"""
    ScrollBox {{ align: center middle; }}
    ScrollBox > VerticalScroll {{ color: {TEXT}; height: auto; {FRAME} }}
    ScrollBox Static {{ width: 100%; height: auto; }}
    """

    def __init__(self, palette: Palette, subtitle: str) -> None:
        super().__init__()
        self.body = Static()
        self.box = VerticalScroll(self.body)
        self.box.border_subtitle = subtitle
        if not palette.unicode:
            self.box.styles.border = ("ascii", ACCENT)

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        yield self.box

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.box.scroll_relative(y=lines, animate=False)
