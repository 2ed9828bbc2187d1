"""Notices when the machine stands still or is too busy: what a test measures then is the machine."""

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
_BUSY = 0.3
"""The share of a test's time in which something waits for a core, from which it may fail because of that."""
_PRESSURE = Path("/proc/pressure/cpu")
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
    """A small process on each core, which reports when it does not get the core in time.

    Where Linux counts it, also how long something has waited for a core.
    """

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
        self._since, self._waited = time.monotonic(), _waited()

    def long(self) -> bool:
        """Whether a core has stood still, or was waited for, so long since then that a test may fail."""
        waited = _waited() - self._waited
        if waited > max(_LONG, _BUSY * (time.monotonic() - self._since)):
            return True
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


def _waited() -> float:
    """For how long something has waited for a core since the machine was started (s); 0 if not known."""
    try:
        return int(_PRESSURE.read_text().split()[4].removeprefix("total=")) / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0
