"""What a program wrote to a terminal, drawn up to any point: the screen as text, and with its colours."""

from __future__ import annotations

import re
import time

import pyte

from docs.film import BACKGROUND, TEXT, Cell
from tests.terminal import Terminal

__all__ = ["Player", "Projector"]

_FRAME_END = b"\x1b[?2026l"
_UNKNOWN = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Sequences that pyte would print instead of skipping."""


class Player(Terminal):
    """The program in a terminal, and when it wrote what."""

    def __init__(self, *arguments: str, columns: int, rows: int) -> None:
        super().__init__(*arguments, columns=columns, rows=rows)
        self.marks: list[tuple[float, int]] = []
        """Times, and how many bytes had been written at each."""

    def play(self, seconds: float) -> None:
        """Let the program run."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.pump(min(0.02, max(0.001, until - time.monotonic())))
            self.marks.append((time.monotonic(), len(self.output)))

    def play_until(self, pattern: str, seconds: float = 10) -> bool:
        """Let the program run until a line of the screen matches this; whether one did in this time."""
        until = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text(), re.MULTILINE)) and time.monotonic() < until:
            self.play(0.2)  # drawing the screen takes a moment of a core that the program needs
        return bool(found)

    def written(self, moment: float) -> int:
        """How many bytes of whole frames had been written at that time."""
        size = max((size for at, size in self.marks if at <= moment), default=0)
        return self.output.rfind(_FRAME_END, 0, size) + len(_FRAME_END)


class Projector:
    """Draws what was written, up to any point, in order."""

    def __init__(self, output: bytes, columns: int, rows: int) -> None:
        self._output = output
        self._drawn = 0
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)

    def draw(self, until: int) -> None:
        """Draw everything up to this byte."""
        part = self._output[self._drawn : until].decode("utf-8", "replace")
        self._stream.feed(_UNKNOWN.sub("", part))
        self._drawn = max(self._drawn, until)

    def text(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self._screen.display]

    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """The screen with its colours."""
        columns, buffer = range(self._screen.columns), self._screen.buffer
        return tuple(tuple(_cell(buffer[y][x]) for x in columns) for y in range(self._screen.lines))


def _cell(char: pyte.screens.Char) -> Cell:
    ink, fill = _hex(char.fg, TEXT), _hex(char.bg, BACKGROUND)
    if char.reverse:
        ink, fill = fill, ink
    if char.data == " ":  # it has no ink: so that blanks of all colours are the same
        return Cell(" ", TEXT, fill)
    return Cell(char.data, ink, fill, char.bold)


def _hex(colour: str, default: str) -> str:
    return f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else default
