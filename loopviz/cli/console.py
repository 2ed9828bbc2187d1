"""What the commands print with: palette, console and progress."""

from __future__ import annotations

import argparse
import os
import sys

from rich.console import Console

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.words import ascii_only

__all__ = ["console_for", "has_terminal", "palette_for", "show_progress", "shown"]


def palette_for(options: argparse.Namespace) -> Palette:
    """The palette that ``--ascii``, NO_COLOR and the output's encoding ask for."""
    no_colour = bool(os.environ.get("NO_COLOR"))
    if options.ascii or not _takes_unicode(sys.stdout.encoding):
        return Palette("ascii", colour=not no_colour)
    return Palette("mono" if no_colour else "colour")


def console_for(palette: Palette) -> Console:
    """A console on standard output for reports in this palette."""
    return Console(no_color=not palette.colour, highlight=False, soft_wrap=True)


def shown(text: str, palette: Palette) -> str:
    """The text without control characters, and in ASCII where the palette asks for it."""
    safe = printable(text, len(text))
    return safe if palette.unicode else ascii_only(safe)


def show_progress(text: str) -> None:
    """Show progress on standard error, on one line that is removed by an empty text."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{printable(text)}")
        sys.stderr.flush()


def has_terminal() -> bool:
    """Whether standard input and standard output are a terminal, as the screen needs."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _takes_unicode(encoding: str | None) -> bool:
    try:
        "▚·µ…".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
