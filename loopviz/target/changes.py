"""The Python files of a project that were saved, for ``--reload``."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["Changes"]

_EVERY: Final = 0.4
"""How often it looks (s)."""
_SHARE: Final = 20
"""It rests so many times as long as looking takes."""
_MOST: Final = 20_000
"""As many files are looked at."""
_PASSED_OVER: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


class Changes:
    """Looks at the Python files below some folders, in a thread of its own, from `start` on.

    Hidden folders and virtual environments are passed over. A file that is new has changed as well; one that
    is gone has not: an editor may be saving it.
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
        self._folders = sorted({Path(folder).resolve() for folder in folders})
        self._seen: dict[str, tuple[int, int]] = {}
        self._changed: list[Path] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="loopviz changes", daemon=True)

    def start(self) -> None:
        """Note how the files are now, and look at them from now on."""
        self._seen = dict(self._stamps())
        self._thread.start()

    def poll(self) -> list[Path]:
        """The files that were saved since the last call. Never waits."""
        with self._lock:
            changed, self._changed = self._changed, []
        return changed

    def look(self) -> None:
        """Look once."""
        now = dict(self._stamps())
        changed = [Path(name) for name, stamp in now.items() if self._seen.get(name) != stamp]
        self._seen |= now
        with self._lock:
            self._changed += [path for path in changed if path not in self._changed]

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            self.look()
            time.sleep(max(_EVERY, _SHARE * (time.monotonic() - began)))

    def _stamps(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """The files, with time (ns) and size."""
        left = _MOST
        for folder in self._folders:
            for place, within, names in os.walk(folder):
                within[:] = [name for name in within if not _is_passed_over(place, name)]
                for name in names:
                    if name.endswith(".py") and left:
                        left -= 1
                        file = os.path.join(place, name)  # noqa: PTH118 - there may be thousands
                        try:
                            status = os.stat(file)  # noqa: PTH116
                        except OSError:
                            continue
                        yield file, (status.st_mtime_ns, status.st_size)


def _is_passed_over(place: str, name: str) -> bool:
    return (
        name.startswith(".")
        or name in _PASSED_OVER
        or os.path.exists(os.path.join(place, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118
    )
