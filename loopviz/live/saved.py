"""Whether the source files of an application have been saved, for ``--reload``."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["Saved"]

_PERIOD: Final = 0.4
_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})
"""Folders with other files than the user's; so are those whose names begin with a dot."""
_MOST: Final = 20_000


class Saved:
    """Calls `changed` when a ``.py`` file in `folder`, or below, was saved, removed or added; in a thread.

    Files are looked at 2.5 times a second, or less often where that takes more than a hundredth of a core.
    """

    def __init__(self, folder: str, changed: Callable[[], object]) -> None:
        self._folder = folder
        self._changed = changed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loopviz reload", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _run(self) -> None:
        before = dict(self._files())
        rest = _PERIOD
        while not self._ended.wait(rest):
            began = time.thread_time()
            now = dict(self._files())
            rest = max(_PERIOD, 100 * (time.thread_time() - began))
            if now != before:
                before = now
                self._changed()

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """The files with their time (ns) and size."""
        count = 0
        for folder, folders, names in os.walk(self._folder):
            folders[:] = [f for f in folders if not f.startswith(".") and f not in _LEFT_OUT]
            for name in names:
                if name.endswith(".py"):
                    count += 1
                    if count > _MOST:
                        return
                    path = Path(folder, name)
                    try:
                        status = path.stat()
                    except OSError:
                        continue
                    yield str(path), (status.st_mtime_ns, status.st_size)
