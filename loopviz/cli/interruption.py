"""Ctrl+C and SIGTERM as a question: what was seen so far is reported before the program ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interruption"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ONE = 0.2
"""Signals within this time (s) are one: ``uv run`` may pass on what the terminal has sent already."""


class Interruption:
    """A context manager. While it is entered, the first Ctrl+C or SIGTERM only sets `asked`.

    The second one ends the program at once, as both do outside of it. Enter it on the main thread.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.code = 0
        """The exit code that the signal asks for: 130 or 143; 0 if there was none."""
        self._asked_at = 0.0
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> threading.Event:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # as a shell's job in the background has it
                self._before[number] = before
                signal.signal(number, self._take)
        return self.asked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.code:
            self.code, self._asked_at = 128 + number, now
            self.asked.set()
        elif now - self._asked_at > _ONE:
            self._restore()
            os.kill(os.getpid(), number)
