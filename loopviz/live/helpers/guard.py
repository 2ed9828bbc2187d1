"""The guard: a small process that ends just after loopviz, and cleans up.

`loopviz.live.helpers.guards` starts two of them as plain scripts, without site-packages. Each waits for the
line ``done`` on its standard input, or for the end of its parent (loopviz was killed). Then it kills every
process that belongs to the session, and removes the session's folder. Two, because whatever kills loopviz may
have killed one of them before.

A process belongs to the session if the session's token is in its environment. A process that was forked
without a new program has no new environment: it writes its number to the guard's standard input, which it has
inherited.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

__all__ = ["DONE", "MARK", "ORDER", "Cleaner", "main"]

MARK = "LOOPVIZ_SESSION"
"""The environment variable that marks a session's processes."""
ORDER = "LOOPVIZ_GUARD"
"""The environment variable with what a guard is to do: a JSON document, see `Cleaner`."""
DONE = b"done"
"""The line with which loopviz asks for cleaning up."""

_PERIOD = 0.25
"""How often the parent is checked (s). End of file is not enough: forked workers hold the pipe too."""
_IDLE = 4
"""After so many periods psutil is imported: then the start is over, and the end has no time for it."""
_PATIENCE = 2.0
"""How long is spent on killing (s)."""
_MOST = 1_000
"""Forked processes that are remembered; when there are more, those that have ended are forgotten."""

_TRACKER = "multiprocessing.resource_tracker"
"""It ends by itself after the last process that it serves; those print warnings if it is killed."""


@dataclass
class Cleaner:
    """Finds and kills what belongs to a session."""

    parent: int
    """The process id of loopviz. It is given, because loopviz may have ended before it is asked for here."""
    token: str
    folder: str
    libraries: str
    """Where psutil is."""
    forked: dict[int, float] = field(default_factory=dict)
    """The processes that have reported themselves, and when each was created."""

    def report(self, pid: int) -> None:
        """A process says that it was forked from loopviz."""
        processes = self.processes()
        with suppress(processes.Error):
            self.forked[pid] = processes.Process(pid).create_time()
        if len(self.forked) > _MOST:
            self.forked = {pid: born for pid, born in self.forked.items() if self._is(pid, born)}

    def processes(self) -> Any:
        """Import psutil, which takes as long as all the rest of a guard's start."""
        if self.libraries not in sys.path:
            sys.path.append(self.libraries)
        import psutil  # noqa: PLC0415 - see above

        return psutil

    def kill(self) -> int:
        """Kill what does not end by itself; how many processes that were."""
        return sum(map(self._kill, self.found(all_of_it=False)))

    def kill_all(self) -> None:
        """Kill what is left, other guards included."""
        for process in self.found(all_of_it=True):
            self._kill(process)

    def _kill(self, process: psutil.Process) -> bool:
        with suppress(self.processes().Error):
            process.kill()
        return True

    def found(self, *, all_of_it: bool) -> list[psutil.Process]:
        """The session's processes, but loopviz and this one.

        `all_of_it` includes other guards and multiprocessing's resource trackers.
        """
        psutil = self.processes()
        mine = {os.getpid(), self.parent}
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it has just ended, or belongs to another user
                if process.pid not in mine and self._belongs(process, all_of_it=all_of_it):
                    found.append(process)
        return found

    def _belongs(self, process: psutil.Process, *, all_of_it: bool) -> bool:
        if os.name == "posix" and process.uids().real != os.getuid():
            return False
        if process.pid in self.forked and self._is(process.pid, self.forked[process.pid]):
            return True
        environment = process.environ()
        if environment.get(MARK) != self.token:
            return all_of_it and self.token in environment.get(ORDER, "")
        return all_of_it or _TRACKER not in " ".join(process.cmdline())

    def _is(self, pid: int, born: float) -> bool:
        """Whether it is still the process that has reported itself, and is alive."""
        psutil = self.processes()
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            return bool(process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE)
        return False

    def remove_folder(self) -> None:
        """Remove the session's folder; what is still being written is removed on the next attempt."""
        for _ in range(20):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not Path(self.folder).exists():
                break
            time.sleep(0.02)

    def clean_up(self, seconds: float = _PATIENCE) -> None:
        """Kill, repeatedly until nothing is left, and remove the folder."""
        until = time.monotonic() + seconds
        while self.kill() and time.monotonic() < until:
            time.sleep(0.02)
        self.remove_folder()


class _Input:
    """The guard's standard input: what forked processes and loopviz write to it."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._unread = b""
        self.ended = False
        """Whether no process holds the other end."""

    def wait(self, seconds: float) -> bool:
        """Wait for something to read, and read it; whether loopviz is done."""
        if os.name == "posix" and not select.select([0], [], [], seconds)[0]:
            return False
        data = os.read(0, 1 << 16)
        self.ended = not data
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            if line.isdigit():
                self._cleaner.report(int(line))
        return DONE in lines or self.ended


def main() -> None:
    """Wait for the end of the session, and clean up."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they are sent to loopviz
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    cleaner = Cleaner(**json.loads(os.environ[ORDER]))
    written = _Input(cleaner)
    periods = 0
    while os.name != "posix" or os.getppid() == cleaner.parent:
        if written.wait(_PERIOD):
            break
        periods += 1
        if periods == _IDLE:
            cleaner.processes()
    asked = os.name != "posix" or os.getppid() == cleaner.parent
    cleaner.clean_up()
    if not asked:
        _finish(cleaner, written)


def _finish(cleaner: Cleaner, written: _Input) -> None:
    """Kill what was forked at the last moment, and then what should have ended by itself."""
    until = time.monotonic() + _PATIENCE / 4
    while not written.ended and time.monotonic() < until:
        written.wait(0.02)
        cleaner.kill()
    while cleaner.found(all_of_it=True) and time.monotonic() < until:
        time.sleep(0.02)
    cleaner.remove_folder()
    cleaner.kill_all()


if __name__ == "__main__":
    main()
