"""What depends on how Textual works inside, or replaces a part of it. No other module does.

Each entry says in which version of Textual this was seen, and what to use when that changes.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress
from typing import Any, Literal

from rich.segment import Segment
from textual import events
from textual._context import active_message_pump
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.color import Color
from textual.command import CommandPalette
from textual.dom import DOMNode, NoScreen
from textual.driver import Driver
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme
from textual.widget import Widget
from textual.widgets import OptionList

from loopviz.draw import words
from loopviz.tui.aside import Aside

__all__ = [
    "AsciiFilter",
    "Commands",
    "StripWidget",
    "closed_already",
    "dismiss_once",
    "drawn_on",
    "end_on_signals",
    "forgive_late_input",
    "ignore_old_sizes",
    "literal",
    "native_colours",
]


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


class Commands(CommandPalette):
    """The command palette, which may be closed before it is mounted.

    That of Textual 8.2.8 then looks for the screen below it, and ends the program with `IndexError`. It also
    has an id, and so cannot be opened again until the one before has been removed: `DuplicateIds`. A click
    that is handled when the terminal has become smaller ends it with `NoWidget`.
    """

    def _on_mount(self, event: events.Mount) -> None:
        if not self.is_current:
            event.prevent_default()  # the method of the base class is called unless this is

    def _on_click(self, event: events.Click) -> None:  # type: ignore[override]
        if not self.region.contains(event.screen_x, event.screen_y):
            event.prevent_default()


def literal(text: str) -> str:
    """A text as the command palette takes it: it reads titles and help as markup.

    Textual 8.2.8 has no setting for plain text there. Its own ``escape`` leaves some brackets, with which the
    palette raises `MarkupError`. A backslash before every bracket is read as that bracket, whatever is
    before it.
    """
    return text.replace("[", "\\[")


def native_colours(theme: Theme) -> Theme:
    """The theme, whose colours are those of the terminal, by number.

    A theme of Textual 8.2.8 has a field for that, which one of 8.2.0 does not have and does not need. Its
    style sheets then use names that only its own themes of this kind have. Not needed once the field is in
    every version that is supported, and the names are documented.
    """
    own = BUILTIN_THEMES.get("ansi-dark") or BUILTIN_THEMES["textual-ansi"]
    theme.variables = own.variables | theme.variables
    if hasattr(theme, "ansi"):
        theme.ansi = True
    return theme


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
                # Until the first event of a size, Textual asks standard output, which is kept aside.
                self._size: tuple[int, int] | None = super()._get_terminal_size()

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


def closed_already(app: App[int]) -> bool:
    """Whether what is being handled was meant for a screen that is not on top any more.

    A screen of Textual 8.2.8 that gets two clicks or keys at once closes itself twice, and so the screen
    below, or ends the program with `ScreenStackError`. Not needed once the second ``dismiss`` does nothing.
    """
    handler = active_message_pump.get(None)
    if not isinstance(handler, DOMNode) or handler is app:
        return False
    try:
        return handler.screen is not app.screen
    except NoScreen:
        return True


_dismissed = Screen.dismiss


def dismiss_once() -> None:
    """Dismiss a screen only while it is on top.

    A screen of Textual 8.2.8 reports its result before it is closed. If another screen has come on top
    meanwhile, it stays open (see `closed_already`), and its second result ends the program with
    `InvalidStateError`. Not needed once the second ``dismiss`` does nothing.
    """

    def dismiss(self: Screen[Any], result: object = None) -> AwaitComplete:
        on_top = self.app.screen_stack[-1:] == [self]
        return _dismissed(self, result) if on_top else AwaitComplete()

    Screen.dismiss = dismiss  # type: ignore[method-assign]


_clicked = OptionList._on_click
_turned_page = OptionList._move_page


def forgive_late_input() -> None:
    """Ignore a click on an option that is not in its list any more, and pages of a list without room.

    A list of Textual 8.2.8 may become shorter between a click and its handling, as the palette's does;
    that ends the program with `IndexError`. So does a page key with `KeyError` before the list has been laid
    out, as in a terminal of one column. Not needed once it looks how many options and lines there are.
    """

    async def click(self: OptionList, event: events.Click) -> None:
        option = event.style.meta.get("option")
        if option is None or option < self.option_count:
            await _clicked(self, event)

    def move_page(self: OptionList, direction: Literal[-1, 1]) -> None:
        with suppress(LookupError):
            _turned_page(self, direction)

    OptionList._on_click = click  # type: ignore[method-assign]
    OptionList._move_page = move_page  # type: ignore[method-assign]


_screen_resized = Screen._screen_resized


def ignore_old_sizes() -> None:
    """Lay a screen out at the size that the terminal has now only.

    A screen of Textual 8.2.8 that is laid out posts its size to itself. When two sizes of the terminal follow
    each other closely, so do these, and each undoes the other, for ever: keys are not handled any more. Not
    needed once a screen posts no size that it was given.
    """

    def resized(self: Screen[Any], size: Size) -> None:
        if size == self.app.size:
            _screen_resized(self, size)

    Screen._screen_resized = resized  # type: ignore[method-assign]
