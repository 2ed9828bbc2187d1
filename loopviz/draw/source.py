"""The lines of a source file: as the recording carries them, or as they are on this machine."""

from __future__ import annotations

import linecache
import stat
from collections.abc import Sequence
from pathlib import Path

from loopviz.model import Timeline

__all__ = ["MOST", "lines_of"]

MOST = 2_000_000
"""A file that has more bytes is not read: it is no source file that a person reads."""


def lines_of(timeline: Timeline, file: str) -> Sequence[str]:
    """The lines of the file without their ends, the first at 0; empty if it cannot be read.

    What a stream of events carries comes first: a recording may be of another machine. A file is read once;
    `linecache` also knows source code that is in no file.
    """
    carried = timeline.sources.of(file)
    if carried is not None:
        return carried
    if not file:
        return ()
    if file not in linecache.cache and not _can_be_read(file):
        return ()
    try:
        return [line.rstrip("\r\n") for line in linecache.getlines(file)]
    except (OSError, ValueError, MemoryError):
        return ()


def _can_be_read(file: str) -> bool:
    """Whether it is a file, and no device or pipe: what a recording names may be anything."""
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size <= MOST
