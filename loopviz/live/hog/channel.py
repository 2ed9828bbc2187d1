"""What a process shares with the program that watches it, beside its connection: a black box and a pipe."""

from __future__ import annotations

import os
import tempfile

from loopviz.stream.blackbox import SIZE

__all__ = ["Channel"]


class Channel:
    """The files of both, made before the process starts, which inherits its ends."""

    def __init__(self) -> None:
        self.box = _memory()
        """The black box; for both."""
        self.pipe, self.writes = os.pipe()
        """The ends of the pipe for stacks: ours, and the one of the process."""

    @property
    def inherited(self) -> tuple[int, int]:
        """What the process is to inherit."""
        return self.box, self.writes

    def started(self) -> None:
        """The process has its end, so ours of it is closed."""
        os.close(self.writes)
        self.writes = -1

    def close(self) -> None:
        """Close everything."""
        for file in (self.box, self.pipe, self.writes):
            if file >= 0:
                os.close(file)
        self.box = self.pipe = self.writes = -1


def _memory() -> int:
    """A file that is memory only, where there are such files."""
    if hasattr(os, "memfd_create"):
        file: int = os.memfd_create("loopviz")
    else:
        with tempfile.TemporaryFile(prefix="loopviz-") as made:
            file = os.dup(made.fileno())
    os.ftruncate(file, SIZE)
    return file
