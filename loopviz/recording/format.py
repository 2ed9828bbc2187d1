"""What all of a recording's format shares: its name and version, its limits, and its one error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loopviz.stream.events import Event

__all__ = [
    "FORMAT", "LARGEST", "LONGEST_LINE", "LONGEST_TEXT", "VERSION", "FormatError", "shortened", "well_formed",
]  # fmt: skip

FORMAT: Final = "loopviz-recording"
VERSION: Final = 1
LONGEST_LINE: Final = 1 << 22
"""Bytes of a line."""
LONGEST_TEXT: Final = 1 << 16
"""Characters of a text in an event."""
LARGEST: Final = (1 << 63) - 1
"""The largest integer in an event."""


class FormatError(Exception):
    """The text is not part of a recording; the message says why, in a few words."""


def well_formed(text: str, longest: int) -> str:
    """At most `longest` characters of the text, with unpaired surrogates replaced."""
    return text[:longest].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shortened(event: Sequence[Any]) -> Event:
    """The event, with its texts cut to the length that a reader accepts."""
    cut: tuple[Any, ...] = tuple(value[:LONGEST_TEXT] if isinstance(value, str) else value for value in event)
    return cut
