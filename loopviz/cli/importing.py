"""While scenario files are imported: what is imported is shown, and the program can be left.

An import may take long, or never end, and while it is in C code no signal handler of Python runs.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from loopviz.cli.console import show_progress
from loopviz.live.session import leave

__all__ = ["importing"]

_PATIENCE = 1.0
"""Seconds of silence before progress is shown."""
_GRACE = 0.5
"""Seconds that an import has to end by the KeyboardInterrupt that a Ctrl+C raises in it."""


@contextmanager
def importing(
    keys: int = -1, prepared: Callable[[], object] | None = None
) -> Iterator[Callable[[Path], None]]:
    """Within it files are imported; call its result with each file before. Enter it on the main thread.

    After a second the file and the time are shown on standard error. Ctrl+C ends the program in any case. So
    does ``q``, read from the terminal `keys` unless that is -1, whose modes are restored at the end;
    `prepared` is called when they have been changed.
    """
    watch = _Watch(keys, prepared)
    watch.start()
    try:
        yield watch.reading
    finally:
        watch.end()


class _Watch:
    def __init__(self, keys: int, prepared: Callable[[], object] | None) -> None:
        self._keys = keys
        self._prepared = prepared
        self._file = ""
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._modes: list[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="loopviz importing", daemon=True)

    def start(self) -> None:
        # The C part of the signal handler writes to it at once, whatever the main thread does.
        with suppress(ValueError):  # not on the main thread
            self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread.start()

    def reading(self, path: Path) -> None:
        self._file, self._began = path.name, time.monotonic()

    def end(self) -> None:
        with suppress(ValueError):
            signal.set_wakeup_fd(self._before)
        self._ended.set()
        with suppress(OSError):
            os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _run(self) -> None:
        shown = False
        while not self._ended.is_set():
            sources = [self._read, *([self._keys] if self._modes else [])]
            ready = select.select(sources, [], [], 0.25)[0]
            if (
                self._read in ready
                and signal.SIGINT in os.read(self._read, 64)
                and not self._ended.wait(_GRACE)
            ):
                self._leave(130, "interrupted")
            if self._keys in ready and set(os.read(self._keys, 64)) & set(b"qQ"):
                self._leave(0, "")
            waited = time.monotonic() - self._began
            if waited > _PATIENCE and not self._ended.is_set():
                self._take_keys()
                shown = True
                show_progress(
                    f"importing {self._file}, {waited:.0f} s; {'q' if self._modes else 'Ctrl+C'} leaves"
                )
        if shown:
            show_progress("")
        self._restore()

    def _take_keys(self) -> None:
        """Let single keys be read. Not at once, so that what is typed early is there for the screen."""
        if self._keys < 0 or self._modes is not None:
            return
        import termios

        with suppress(termios.error):
            modes = termios.tcgetattr(self._keys)
            self._modes = list(modes)
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self._keys, termios.TCSANOW, modes)
            if self._prepared is not None:
                self._prepared()

    def _restore(self) -> None:
        if self._modes is not None:
            import termios

            with suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSANOW, self._modes)

    def _leave(self, code: int, why: str) -> None:
        show_progress("")
        self._restore()
        if why:
            print(f"loopviz: {why}", file=sys.stderr)
        leave(code)
