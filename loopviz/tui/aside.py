"""What the observed program reads and writes, kept away from the terminal while the picture is on it.

A line that the program prints would be drawn over the picture, and a key that it reads would be missing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from loopviz.draw.safe import printable
from loopviz.draw.words import count
from loopviz.tui.lifeline import Lifeline

__all__ = ["Aside"]

_LOOK: Final = 0.05
"""How often the size of what was written is looked at (s)."""
_MOST: Final = 1 << 20
"""Bytes that are kept before the older ones are forgotten."""
_KEPT: Final = 1 << 17
"""Bytes that are then left."""
_SHOWN: Final = 200
"""Lines that are shown at the end."""
_WIDTH: Final = 2_000
"""Characters of a line that are shown."""


class Aside:
    """Has the terminal for the screen, and gives the observed program something else.

    From `read_nothing` on its standard input is empty. From `take` to `release` what it writes to file
    descriptors 1 and 2, so far as they are the terminal, goes into a file in memory (a temporary one where
    there is no Linux). The program never waits for it. Without a terminal, and on Windows, nothing is done.
    """

    def __init__(self) -> None:
        self._input = self._output = self._file = -1
        self._kept: dict[int, int] = {}
        self._forgotten = 0
        self._ended = threading.Event()
        self._lifeline: Lifeline | None = None

    def read_nothing(self) -> None:
        """Give the program an empty standard input; the terminal remains for the screen."""
        if os.name != "posix" or self._input >= 0 or not os.isatty(0):
            return
        self._input = os.dup(0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self._file = _memory()
        self._lifeline = Lifeline(self._input, self._file)

    @property
    def keys(self) -> int:
        """The terminal, to read keys from; -1 without one."""
        return self._input

    @property
    def files(self) -> tuple[int, int] | None:
        """The terminal's file descriptors, to read and to write; None if they are the standard ones."""
        return (self._input, self._output) if self._kept else None

    def hold(self, *, screen: bool) -> None:
        """The terminal has its modes now, which are restored if the program is killed."""
        if self._lifeline is not None:
            self._lifeline.hold(screen=screen)

    def take(self) -> None:
        """Keep what the program writes from now on."""
        taken = [number for number in (1, 2) if os.isatty(number)]
        if self._input < 0 or self._kept or not taken:
            return
        self._output = os.dup(2 if 2 in taken else 1)
        _flush()
        for number in taken:
            self._kept[number] = os.dup(number)
            os.dup2(self._file, number)
        threading.Thread(target=self._forget, name="loopviz output", daemon=True).start()

    @contextmanager
    def terminal(self) -> Iterator[None]:
        """Within it, the standard streams that Python has kept are the terminal; for whom `take` has."""
        if self._output < 0:
            yield
            return
        before = sys.__stdin__, sys.__stdout__, sys.__stderr__
        output = _stream(self._output, "w")
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = _stream(self._input, "r"), output, output  # type: ignore[misc]
        try:
            yield
        finally:
            sys.__stdin__, sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]

    def use(self) -> None:
        """Let what is printed go the way of all that the program writes, not to the screen's library."""
        if self._kept:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__

    @property
    def written(self) -> int:
        """How many bytes the program has written."""
        return 0 if self._file < 0 else self._forgotten + os.fstat(self._file).st_size

    def release(self) -> None:
        """The screen is closed: give the terminal back to the program. Nothing happens the second time."""
        if self._lifeline is not None:
            self._lifeline.dismiss()
            self._lifeline = None
        _flush()
        while self._kept:
            number, kept = self._kept.popitem()
            os.dup2(kept, number)
            os.close(kept)
        self._ended.set()

    def lines(self) -> tuple[list[str], bool]:
        """The last lines that the program has written, as they are; whether there were more before them."""
        if not self.written:
            return [], False
        size = os.fstat(self._file).st_size
        begin = max(size - _KEPT, 0)
        text = os.pread(self._file, _KEPT, begin).decode(errors="replace")
        return text.splitlines(), bool(begin or self._forgotten)

    def last_words(self) -> list[str]:
        """The last lines that the program has written, safe to print; before them, how many are missing."""
        lines, earlier = self.lines()
        if not lines:
            return []
        more = len(lines) > _SHOWN or earlier
        shown = [printable(line, _WIDTH) for line in lines[-_SHOWN:]]
        head = "The application has written" + (f" (the last {count(len(shown), 'line')}):" if more else ":")
        return [head, *shown]

    def _forget(self) -> None:
        """Keep the file small, whatever is written."""
        while not self._ended.wait(_LOOK):
            with suppress(OSError):
                size = os.fstat(self._file).st_size
                if size > _MOST:
                    last = os.pread(self._file, _KEPT, size - _KEPT)
                    os.ftruncate(self._file, 0)  # what is written from now on is appended to nothing
                    os.write(self._file, last)
                    self._forgotten += size - len(last)


def _memory() -> int:
    """A file that has no name."""
    if hasattr(os, "memfd_create"):
        with suppress(OSError):
            number = os.memfd_create("loopviz output", os.MFD_CLOEXEC)
            path = f"/proc/self/fd/{number}"
            with suppress(OSError):
                appending = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
                os.close(number)
                return appending
            os.close(number)
    number, path = tempfile.mkstemp(prefix="loopviz-")
    os.close(number)
    number = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    Path(path).unlink()
    return number


def _stream(number: int, mode: str) -> TextIOWrapper[Any]:
    return TextIOWrapper(open(number, mode + "b", closefd=False), encoding="utf-8", errors="replace")


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
