"""What depends on how Textual works inside, or replaces a part of it. No other module does.

Each entry says in which version of Textual this was seen, and what to use when that changes.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress
from typing import Any

from rich.segment import Segment
from textual.app import App
from textual.color import Color
from textual.driver import Driver
from textual.filter import LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from loopviz.draw import words
from loopviz.tui.aside import Aside

__all__ = ["AsciiFilter", "StripWidget", "drawn_on", "end_on_signals", "literal"]


class AsciiFilter(LineFilter):
    """Replaces every character outside ASCII, after a widget has been drawn.

    Textual 8.2.8 draws borders, scroll bars, ticks and the command palette with box characters and
    has no setting for ASCII. `App.get_line_filters` is public, but it is not documented that an app
    may add filters. A setting for ASCII, once there is one, replaces this class.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as wide as before."""
        return [Segment(words.ascii_only(text), style, control) for text, style, control in segments]


class StripWidget(Widget):
    """A widget whose lines are made by a subclass and kept in `strips`.

    Overrides ``render_lines``, which in Textual 8.2.8 goes through a cache of rendered lines: it never
    hits for a picture that moves, and costs more than the lines. The documented Line API
    (``render_line``, one line at a time) replaces it if ``render_lines`` is no longer called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strips: list[Strip] = []

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a region, cut to it."""
        x, y, width, height = crop
        strips = self.strips[y : y + height]
        strips += [Strip.blank(self.size.width)] * (height - len(strips))
        if x == 0 and width == self.size.width:
            return strips
        return [strip.crop(x, x + width) for strip in strips]


def literal(text: str) -> str:
    """A text as the command palette takes it: it reads titles and help as markup.

    Textual 8.2.8 has no setting for plain text there. Its own ``escape`` leaves some brackets, with which the
    palette raises `MarkupError`. A backslash before every bracket is read as that bracket, whatever is
    before it.
    """
    return text.replace("[", "\\[")


def end_on_signals(app: App[int]) -> None:
    """End in order on SIGTERM, SIGHUP, SIGQUIT and SIGINT: exit code 0, the terminal as it was before.

    Textual 8.2.8 handles none of them, and would leave the terminal in its own mode. Called while the
    application runs; not needed once Textual restores the terminal itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"):
        number = getattr(signal, name, None)
        if number is not None:
            with suppress(NotImplementedError, RuntimeError):  # not on Windows
                asyncio.get_running_loop().add_signal_handler(number, app.exit, 0)


def drawn_on(driver: type[Driver], aside: Aside) -> type[Driver]:
    """The driver, drawing on the terminal that `aside` keeps, which it gives back when the driver is closed.

    Textual 8.2.8 takes the terminal from Python's own copies of the standard streams, and asks the one of
    standard output for its size. Not needed once a driver can be given a terminal.
    """

    class Drawn(driver):  # type: ignore[misc, valid-type]
        """On the terminal that is kept."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            with aside.terminal():
                super().__init__(*arguments, **options)

        def _get_terminal_size(self) -> tuple[int, int]:
            with aside.terminal():
                size: tuple[int, int] = super()._get_terminal_size()
            return size

        def start_application_mode(self) -> None:
            super().start_application_mode()
            aside.hold(screen=True)

        def close(self) -> None:
            super().close()
            aside.release()

    return Drawn
