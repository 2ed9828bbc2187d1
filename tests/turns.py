"""Tests that run at the same time, in several processes, and tests that want the machine for themselves."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["turn"]


@contextlib.contextmanager
def turn(*, alone: bool, folder: Path | None = None) -> Iterator[None]:
    """Wait until the test may run: beside others, or `alone`. It holds for all runs of this user's tests.

    Two locks do it: the room is shared by those who run beside others, and the door is held while someone
    waits for the room. So a test that wants to be alone waits only for those that run already.
    On Windows nothing is locked: tests run one after the other there.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    folder = folder or Path(tempfile.gettempdir()) / f"loopviz-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "room").open("wb") as room:
        with (folder / "door").open("wb") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(door, fcntl.LOCK_UN)  # at once: a process that was forked may hold the file
        try:
            yield
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)
