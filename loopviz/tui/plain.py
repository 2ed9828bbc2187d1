"""ASCII for what Textual draws itself: borders, scroll bars, ticks, the command palette."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from loopviz.draw import words

__all__ = ["Plain"]


class Plain(LineFilter):
    """Replaces every character outside ASCII, after a widget has been drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as wide as before."""
        return [Segment(words.ascii_only(text), style, control) for text, style, control in segments]
