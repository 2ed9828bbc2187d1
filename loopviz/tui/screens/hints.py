"""The keys of a screen in its last lines: each with what it does, and where it can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw.look import Palette
from loopviz.tui.scene import Line

__all__ = ["Clickable", "Hint", "hint_lines"]

Clickable = tuple[int, int, str]
"""Columns from and to, and the action of a click there."""


class Hint(NamedTuple):
    """A key, or words only where `keys` is empty."""

    keys: str
    """As they are written; nothing is shown where the keymap has none."""
    words: str
    action: str = ""
    """What a click does."""


def hint_lines(palette: Palette, hints: Sequence[Hint], width: int) -> list[tuple[Line, list[Clickable]]]:
    """The hints in as few lines as have room for them; none of them is cut."""
    strong, dim = palette.style(palette.colours.accent, bold=True), palette.text("dim")
    lines: list[tuple[Line, list[Clickable]]] = [([], [])]
    at = 0
    for hint in hints:
        length = sum(cell_len(text) + 1 for text in (hint.keys, hint.words) if text) + 1
        if at and at + length > width:
            lines.append(([], []))
            at = 0
        line, clicks = lines[-1]
        if hint.keys:
            line.append(Segment(f" {hint.keys}", strong))
        line.append(Segment(f" {hint.words} ", dim))
        if hint.action:
            clicks.append((at, at + length, hint.action))
        at += length
    return lines
