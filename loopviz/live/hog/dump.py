"""What `faulthandler` writes of the stack of a thread, as CPython 3.11 to 3.14 write it. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Frame", "parse"]

_STACK = "Stack (most recent call first):"
_FRAME = re.compile(r'  File (?:"(.*)"|\?\?\?), line (\d+|\?\?\?)(?: in (.*))?$')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


class Frame(NamedTuple):
    """A frame; the line is 0 where it is not known, and texts are empty."""

    file: str
    line: int
    function: str
    """Its name, without those of the class or the function around it."""


def parse(text: str) -> list[Frame]:
    """The frames of the first stack in a text, the innermost first, at most 100.

    The text may end anywhere. Lines that are not known are skipped.
    """
    frames: list[Frame] | None = None
    for line in text.splitlines():
        if frames is None:
            frames = [] if line == _STACK else None
        elif found := _FRAME.match(line):
            file, number, function = found.groups()
            at = int(number) if number.isdigit() else 0
            frames.append(Frame(_unescaped(file or ""), at, _unescaped(function or "")))
        elif line and not line.startswith("  "):  # the C stack of 3.14, or another answer
            break
    return frames or []


def _unescaped(text: str) -> str:
    """A text as it was: all but ASCII is written as an escape, but a backslash is not."""
    if text == "???":
        return ""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), text)
