"""A file that is written by a thread of its own: a disk that fills up or hangs stops nothing else."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

__all__ = ["Outlet", "write_all"]


class Outlet:
    """Takes bytes at any speed, and writes them to an open file, which it closes.

    `error` is why it does no longer write: an `OSError`, such as the one of a full disk, or
    `FileNotFoundError` if the file was deleted. What was written before it is in the file.
    """

    def __init__(self, file: int, path: Path) -> None:
        self.waiting = 0
        """Bytes that were taken and are not written yet."""
        self.error: OSError | None = None
        self._file = file
        self._path = path
        self._parts: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._last = False
        # A daemon: a disk that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="loopviz recording", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Write this soon."""
        if data and self.error is None:
            with self._changed:
                self._parts.append(data)
                self.waiting += len(data)
                self._changed.notify()

    def close(self, patience: float) -> bool:
        """Close the file when all is written; whether that was so within `patience` seconds."""
        with self._changed:
            self._last = True
            self._changed.notify()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while data := self._next():
                write_all(self._file, data)
                self._require_file()
                with self._changed:
                    self.waiting -= len(data)
        except OSError as error:
            self.error = error
            with suppress(OSError):
                os.close(self._file)
        else:
            try:
                os.close(self._file)  # on some file systems, only this says that the disk is full
            except OSError as error:
                self.error = error
        with self._changed:
            self._parts.clear()

    def _next(self) -> bytes:
        """All that waits, as soon as there is something; nothing at the end."""
        with self._changed:
            while not self._parts and not self._last:
                self._changed.wait()
            data = b"".join(self._parts)
            self._parts.clear()
            return data

    def _require_file(self) -> None:
        """Raise `FileNotFoundError` if the file was deleted: what is written would be lost."""
        if os.fstat(self._file).st_nlink:
            return
        try:
            there = os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError:
            there = False
        if not there:  # some file systems count no links
            raise FileNotFoundError(None, "the file was deleted")


def write_all(file: int, data: bytes) -> None:
    """Write all of it. Raises `OSError`."""
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
