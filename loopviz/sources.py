"""The lines of source files on this machine."""

from __future__ import annotations

import linecache
import stat
from collections.abc import Sequence
from pathlib import Path

__all__ = ["MOST", "lines_in"]

MOST = 2_000_000
"""A file that has more bytes is not read: it is no source file that a person reads."""


def lines_in(file: str) -> Sequence[str]:
    """The lines of the file without their ends, the first at 0; empty if it cannot be read.

    It is read once. `linecache` also knows source code that is in no file.
    """
    if not file or (file not in linecache.cache and not _can_be_read(file)):
        return ()
    try:
        return [line.rstrip("\r\n") for line in linecache.getlines(file)]
    except Exception:  # where it is in no file, a loader of the application's may be asked for it
        return ()


def _can_be_read(file: str) -> bool:
    """Whether it is a file, and no device or pipe: what is named may be anything.

    Files that the system makes, as those in /proc, have no size, and may have no end.
    """
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and 0 < found.st_size <= MOST
