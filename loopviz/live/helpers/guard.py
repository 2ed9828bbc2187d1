"""The guard: a small process that outlives loopviz by a moment, and clears up after it.

Started by `loopviz.live.helpers.workspace` as a plain script, with nothing but the standard library. It
waits for a byte on its standard input (loopviz is done) or for the end of its parent (loopviz was
killed). Then it kills every process that belongs to the session, and removes the session's folder.

A process belongs to the session if its environment carries the session's token, or, having been
forked without a new program and so without a new environment, if it holds the guard's own pipe.
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
"""How often the parent is looked at (s). End of file would not do: forked workers hold the pipe too."""

_TRACKER = b"multiprocessing.resource_tracker"
"""It ends by itself, after the last of those for which it keeps count; if it is killed, they complain."""


def main(parent: str, token: str, folder: str) -> None:
    """Wait for the end of the session, and clear up.

    The parent's number is handed over: asked for here, it may be gone already.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they are meant for loopviz
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if os.name == "posix":
        while os.getppid() == int(parent) and not select.select([0], [], [], _PERIOD)[0]:
            pass
    else:
        os.read(0, 1)
    clear_up(token, folder)


def clear_up(token: str, folder: str) -> None:
    """Kill what belongs to the session, again until nothing is left, and remove its folder."""
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
        return []  # no Linux: the helpers watch their own standard input
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
    except OSError:  # it has just ended, or is not ours
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
