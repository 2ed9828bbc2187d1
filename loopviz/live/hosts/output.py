"""What a process writes to its standard output and error."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final

if sys.platform == "linux":
    import fcntl

__all__ = ["KEPT", "Output"]

KEPT: Final = 2_000
"""Lines that are kept."""
_LONGEST: Final = 4_000
"""Bytes of a line that are kept."""
_PIECE: Final = 1 << 16
_ROOM: Final = 1 << 20
"""Bytes that the pipe holds, so that the process does not wait for the reader's rest."""
_REST: Final = 0.02
"""Seconds between two readings."""


class Output:
    """Reads a pipe in a thread until its other end is closed, so that the process never waits for it."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        if sys.platform == "linux":
            with suppress(OSError):  # more than this user may have
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _ROOM)
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._rest = b""
        self.written = 0
        """How many lines have been written so far."""
        self._thread = threading.Thread(target=self._run, name="loopviz output", daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """The last lines, with what has been written of the next one."""
        rest = [self._rest.decode(errors="replace")] if self._rest else []
        while True:
            try:
                return [*self._lines, *rest][-KEPT:]
            except RuntimeError:  # a line was added meanwhile
                continue

    def end(self) -> None:
        """Wait until all is read that a process has written which has ended; not for its children's."""
        self._thread.join(0.2)

    def _run(self) -> None:
        try:
            while data := os.read(self._pipe, _PIECE):
                if len(data) < _PIECE:  # not woken for every line: that would cost the server time as well
                    time.sleep(_REST)
                *lines, rest = (self._rest + data).split(b"\n")
                self._rest = rest[-_LONGEST:]
                for line in lines:
                    self._lines.append(line[:_LONGEST].decode(errors="replace").rstrip("\r"))
                self.written += len(lines)
        except OSError:
            pass
        os.close(self._pipe)
