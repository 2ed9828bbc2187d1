"""The guard: a small process that ends just after loopviz, and cleans up.

`loopviz.live.helpers.workspace` starts it as a plain script, with the standard library only. It waits for
a byte on its standard input (loopviz is done) or for the end of its parent (loopviz was killed). Then it
kills every process that belongs to the session, and removes the session's folder.

A process belongs to the session if the session's token is in its environment. A process that was forked
without a new program has no new environment: it belongs to the session if it holds the guard's pipe.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

MARK = "LOOPVIZ_SESSION"
"""The environment variable that marks a session's processes."""

_PERIOD = 0.25
"""How often the parent is checked (s). End of file is not enough: forked workers hold the pipe too."""

_TRACKER = b"multiprocessing.resource_tracker"
"""It ends by itself after the last process that it serves; those print warnings if it is killed."""


def main(parent: str, token: str, folder: str) -> None:
    """Wait for the end of the session, and clean up.

    The parent's number is an argument, because the parent may have ended before it is read here.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they are sent to loopviz
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if os.name == "posix":
        while os.getppid() == int(parent) and not select.select([0], [], [], _PERIOD)[0]:
            pass
    else:
        os.read(0, 1)
    clean_up(token, folder)


def clean_up(token: str, folder: str) -> None:
    """Kill what belongs to the session, repeatedly until nothing is left, and remove its folder."""
    mark = f"{MARK}={token}".encode()
    pipe = f"pipe:[{os.fstat(0).st_ino}]"
    for _ in range(40):
        found = [pid for pid in _processes() if _belongs(pid, mark, pipe)]
        for pid in found:
            _kill(pid)
        if not found:
            break
        time.sleep(0.02)
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            break
        time.sleep(0.02)


def _processes() -> list[int]:
    proc = Path("/proc")
    if not (proc / "self" / "environ").exists():
        return []  # not Linux: the helpers watch their own standard input
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]


def _belongs(pid: int, mark: bytes, pipe: str) -> bool:
    if pid in (os.getpid(), os.getppid()):
        return False
    process = Path("/proc") / str(pid)
    try:
        if process.stat().st_uid != os.getuid() or _TRACKER in (process / "cmdline").read_bytes():
            return False
        if mark in (process / "environ").read_bytes().split(b"\0"):
            return (process / "stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
        return any(_leads_to(entry, pipe) for entry in (process / "fd").iterdir())
    except OSError:  # it has just ended, or belongs to another user
        return False


def _leads_to(entry: Path, pipe: str) -> bool:
    try:
        return str(entry.readlink()) == pipe
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
