"""Writes to the terminal in a thread: a terminal that does not read delays nothing else."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

if sys.platform != "win32":
    import termios

__all__ = ["Output"]

_BACKLOG = 1 << 20
"""Characters; when more than that wait, the terminal has not read for a while."""
_BEHIND = 12
"""Texts that wait when the next frame had better not be drawn: four frames, a tenth of a second."""
_PIECE = 1 << 14
_LOOK = 0.1
"""Seconds between two looks at whether the rest is still wanted."""
_BROKEN_OFF = "\x18\x1b\\"
"""Ends whatever sequence the terminal has got only a part of."""


class Output:
    """Takes text for the terminal at once, and writes it when the terminal takes it.

    What is queued when too much waits is discarded as a whole, and what comes until the terminal has caught
    up as well; then `lost()` is called in the thread that writes: everything is to be drawn again.
    """

    def __init__(self, file: int, lost: Callable[[], object]) -> None:
        self._file, self._blocking = _own_file(file)
        self._lost = lost
        self._changed = threading.Condition()
        self._queue: deque[str] = deque()
        self._waiting = 0
        self._writing = False
        self._skipping = False
        self._unwanted = False
        self._ended = False
        self._gone = False
        self._thread = threading.Thread(target=self._run, name="loopviz output", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> bool:
        """Whether the terminal has yet to take earlier frames."""
        return self._skipping or len(self._queue) > _BEHIND

    def write(self, text: str) -> None:
        """Write a text that the terminal can understand alone."""
        with self._changed:
            if self._ended or self._skipping:
                return
            if self._waiting > _BACKLOG:
                self._skipping = True
                self._clear()
            else:
                self._queue.append(text)
                self._waiting += len(text)
            self._changed.notify_all()

    def discard(self) -> None:
        """Forget what is queued; what is being written is completed. From now on nothing is skipped."""
        with self._changed:
            self._clear()
            self._skipping = False

    def drain(self, seconds: float) -> None:
        """Wait until the terminal has taken everything; else the rest replaces what it has not read yet."""
        with self._changed:
            if self._changed.wait_for(lambda: not (self._queue or self._writing), seconds):
                return
            rest = _BROKEN_OFF + "".join(self._queue)
            self._clear()
            self._unwanted = True
            self._changed.wait_for(lambda: not self._writing, 3 * _LOOK)
            self._unwanted = False
            if self._writing or self._blocking:
                return
        _discard_unread(self._file)
        with suppress(OSError):
            os.write(self._file, rest.encode(errors="replace"))

    def close(self) -> None:
        """Write no more. A text that the terminal does not take is given up."""
        with self._changed:
            self._ended = self._unwanted = True
            self._clear()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(3 * _LOOK)

    def _clear(self) -> None:
        self._queue.clear()
        self._waiting = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._skipping or self._ended)
                if self._ended:
                    break
                caught_up = not self._queue
                if caught_up:
                    self._skipping = False
                    text = ""
                else:
                    text = self._queue.popleft()
                    self._waiting -= len(text)
                    self._writing = True
            if caught_up:
                self._lost()
                continue
            self._write(text.encode(errors="replace"))
            with self._changed:
                self._writing = False
                self._changed.notify_all()
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._gone and not self._unwanted:
            try:
                rest = rest[os.write(self._file, rest[:_PIECE]) :]
            except BlockingIOError:
                _wait_for_room(self._file)
            except OSError:  # it has hung up
                self._gone = True


def _own_file(file: int) -> tuple[int, bool]:
    """A descriptor for the same terminal, and whether writing to it can block.

    O_NONBLOCK belongs to the open file, which the shell and other programs share: so it is opened once more.
    """
    with suppress(OSError, AttributeError):  # no such name here, as in some containers; not on Windows
        again = os.open(os.ttyname(file), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        if os.path.samestat(os.fstat(again), os.fstat(file)):
            return again, False
        os.close(again)
    return os.dup(file), True


def _wait_for_room(file: int) -> None:
    poll = getattr(select, "poll", None)
    if poll is not None:
        poller = poll()
        poller.register(file, select.POLLOUT)
        if any(event & select.POLLOUT for _, event in poller.poll(1000 * _LOOK)):
            return
    time.sleep(_LOOK / 10)


def _discard_unread(file: int) -> None:
    if sys.platform != "win32":
        with suppress(termios.error):
            termios.tcflush(file, termios.TCOFLUSH)
