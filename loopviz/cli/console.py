"""What the commands print with: palette, console and progress."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

from loopviz.draw.look import Depth, Palette
from loopviz.draw.safe import printable
from loopviz.draw.theme import Theme
from loopviz.draw.themes import DARK, TERMINAL, theme_named
from loopviz.draw.words import ascii_only
from loopviz.errors import InputError

__all__ = [
    "console_for",
    "palette_for",
    "require_terminal",
    "screen_palette",
    "show_progress",
    "shown",
    "without_progress",
]

_FAMILIES = re.compile(
    r"(alacritty|ansi|contour|cygwin|eterm|foot|ghostty|gnome|hterm|iterm2?|kitty|konsole|linux|mintty|mlterm"
    r"|ms-terminal|nsterm|putty|rio|rxvt|screen|st|teraterm|terminator|tmux|vt[1-5]\d\d|vte|warp|wezterm|xterm)"
    r"([-.+].*)?",
    re.IGNORECASE,
)
"""Names of terminals that can show the screen, for where the terminfo database has no entry."""


_quiet = threading.Event()
"""Set while no progress is to be shown."""


def palette_for(options: argparse.Namespace) -> Palette:
    """The palette for reports that ``--ascii``, NO_COLOR, the terminal and the output's encoding ask for."""
    return _palette(options, TERMINAL)


def screen_palette(options: argparse.Namespace) -> Palette:
    """The palette for the screen: the same, in the theme of ``--theme`` or LOOPVIZ_THEME.

    Raises `InputError` if there is no such theme.
    """
    named = options.theme if options.theme is not None else os.environ.get("LOOPVIZ_THEME") or None
    return _palette(options, theme_named(named) if named is not None else DARK)


def _palette(options: argparse.Namespace, theme: Theme) -> Palette:
    no_colour = bool(os.environ.get("NO_COLOR"))
    if options.ascii or not _takes_unicode(sys.stdout.encoding):
        return Palette("ascii", theme, depth=_depth(), colour=not no_colour)
    return Palette("mono" if no_colour else "colour", theme, depth=_depth())


def _depth() -> Depth:
    """How many colours the terminal has, by COLORTERM and TERM, as Rich and Textual find out."""
    system = Console(force_terminal=True).color_system
    depths: dict[str | None, Depth] = {"standard": "16", "windows": "16", "256": "256"}
    return depths.get(system, "truecolor")


def console_for(palette: Palette) -> Console:
    """A console on standard output for reports in this palette."""
    return Console(no_color=not palette.colour, highlight=False, soft_wrap=True)


def shown(text: str, palette: Palette) -> str:
    """The text without control characters, and in ASCII where the palette asks for it."""
    safe = printable(text, len(text))
    return safe if palette.unicode else ascii_only(safe)


@contextmanager
def without_progress() -> Iterator[None]:
    """Show no progress meanwhile: it is written over what stands on its line."""
    _quiet.set()
    try:
        yield
    finally:
        _quiet.clear()


def show_progress(text: str) -> None:
    """Show progress on standard error, on one line that is removed by an empty text."""
    if sys.stderr.isatty() and not _quiet.is_set():
        sys.stderr.write(f"\r\x1b[K{printable(text)}")
        sys.stderr.flush()


def require_terminal(without: str) -> None:
    """Raise `InputError` unless the screen can be shown here; `without` says what to use instead.

    Input and output must be a terminal, which TERM names. It must be able to place the cursor, by ECMA-48.
    Standard error may be a file: what the application writes there is shown at the end.
    """
    names = {"standard input": sys.__stdin__, "standard output": sys.__stdout__}
    redirected = [name for name, stream in names.items() if stream is None or not stream.isatty()]
    if redirected:
        raise InputError(f"The picture needs a terminal, and {redirected[0]} is none.\n{without}")
    if os.name != "posix":
        return
    name = os.environ.get("TERM", "")
    if not name:
        raise InputError(
            "The picture needs a terminal that can place the cursor, and TERM is not set.\n"
            f"Set it to the terminal's kind, such as TERM=xterm-256color. {without}"
        )
    if not _places_cursor(name):
        raise InputError(
            f"The picture needs a terminal that can place the cursor; TERM={name} is not known to do that.\n"
            f"If it can, set TERM to what it really is, such as xterm-256color. {without}"
        )


def _places_cursor(name: str) -> bool:
    with suppress(ImportError):
        import curses

        with suppress(curses.error):  # there is no entry for it, or no database
            curses.setupterm(name, 1)
            return (curses.tigetstr("cup") or b"").startswith(b"\x1b[")
    return _FAMILIES.fullmatch(name) is not None


def _takes_unicode(encoding: str | None) -> bool:
    try:
        "▚·µ…".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
