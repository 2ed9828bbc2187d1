"""Notices when the machine stands still: the times that a test measures then are the machine's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["Stalls"]

_LONG = 0.05
"""Seconds that a core stands still, in all, from which a test may fail because of it."""
_TICK = 0.01
_WATCH = f"""
import os, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {{int(sys.argv[1])}})
parent, last = os.getppid(), time.monotonic()
print(last, 0, flush=True)
while os.getppid() == parent:
    time.sleep({_TICK})
    now = time.monotonic()
    if now - last > 3 * {_TICK}:
        print(now, now - last - {_TICK}, flush=True)
    last = now
"""
_CORES = 8
"""How many cores are watched at most."""


class Stalls:
    """A small process on each core, which reports when it does not get the core in time."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="loopviz-stalls-", ignore_cleanup_errors=True)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
        self.processes: list[subprocess.Popen[bytes]] = []
        for core in cores[:_CORES]:
            with (Path(self._folder.name) / str(core)).open("wb") as file:
                command = [sys.executable, "-ISc", _WATCH, str(core)]
                self.processes.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, start_new_session=True)
                )
        files = list(Path(self._folder.name).iterdir())
        while not all(f.stat().st_size for f in files) and all(p.poll() is None for p in self.processes):
            time.sleep(_TICK)
        self.forget()

    def forget(self) -> None:
        """What happened until now does not count."""
        self._since = time.monotonic()

    def long(self) -> bool:
        """Whether a core has stood still since then for so long that a test may fail because of it."""
        time.sleep(3 * _TICK)  # until the processes have written
        return any(self._stood_still(path) > _LONG for path in Path(self._folder.name).iterdir())

    def _stood_still(self, path: Path) -> float:
        """For how long a core did (s)."""
        lines = (line.split() for line in path.read_text().splitlines())
        return sum(float(lasted) for t, lasted in lines if float(t) > self._since)

    def close(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.kill()
            process.wait()
        self._folder.cleanup()
