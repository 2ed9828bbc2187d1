"""What `faulthandler` writes of the stacks of all threads, as CPython 3.11 to 3.14 write it. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Frame", "Stack", "parse"]

_THREAD = re.compile(r"(Current thread|Thread) 0x([0-9a-f]+)(?: \[.*\])? \(most recent call first\):$")
_FRAME = re.compile(r'  File (?:"(.*)"|\?\?\?), line (\d+|\?\?\?)(?: in (.*))?$')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


class Frame(NamedTuple):
    """A frame; the line is 0 where it is not known, and texts are empty."""

    file: str
    line: int
    function: str
    """Its name, without those of the class or the function around it."""


class Stack(NamedTuple):
    """The stack of a thread."""

    ident: int
    """As `threading.get_ident`."""
    current: bool
    """Whether the thread has written all of this itself."""
    frames: tuple[Frame, ...]
    """The innermost first, at most 100."""
    collecting: bool = False
    """Whether it collects garbage (3.14)."""


def parse(text: str) -> list[Stack]:
    """The stacks in a text, which may end anywhere. Lines that are not known are skipped."""
    stacks: list[Stack] = []
    frames: list[Frame] | None = None
    head: tuple[int, bool] = (0, False)
    collecting = False

    def end() -> None:
        if frames is not None:
            stacks.append(Stack(*head, tuple(frames), collecting))

    for line in text.splitlines():
        if found := _THREAD.match(line):
            end()
            head = int(found[2], 16), found[1] == "Current thread"
            frames, collecting = [], False
        elif frames is None:
            continue
        elif found := _FRAME.match(line):
            file, number, function = found.groups()
            at = int(number) if number.isdigit() else 0
            frames.append(Frame(_unescaped(file or ""), at, _unescaped(function or "")))
        elif line == "  Garbage-collecting":
            collecting = True
        elif line and not line.startswith("  "):  # the C stack of 3.14
            end()
            frames = None
    end()
    return stacks


def _unescaped(text: str) -> str:
    """A text as it was: all but ASCII is written as an escape, but a backslash is not."""
    if text == "???":
        return ""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), text)
