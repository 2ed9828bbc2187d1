"""What Linux says of the threads of another process: /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Reading", "ThreadReading", "core", "read", "takes"]

_SLEEPS = "voluntary_ctxt_switches"


class ThreadReading(NamedTuple):
    """The counters of a thread."""

    used: int
    """CPU time (ns), as its CPU clock shows it, up to some milliseconds."""
    core: int
    """How long it could have run, but no core was free (ns)."""
    sleeps: int
    """How often it has gone to sleep."""
    runs: bool = False
    """Whether it has a core, or waits for one."""


class Reading(NamedTuple):
    """The counters of a process."""

    t: int
    stopped: bool
    """Whether it is stopped, as by SIGSTOP or a debugger."""
    threads: dict[int, ThreadReading]
    """By their numbers in the operating system."""


def read(pid: int, now: int) -> Reading | None:
    """A reading; None if the process has ended, or on a platform that has no /proc."""
    threads: dict[int, ThreadReading] = {}
    stopped = False
    try:
        numbers = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - numbers are wanted
    except OSError:
        return None
    for number in numbers:
        folder = Path("/proc", str(pid), "task", number)
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            status = _fields((folder / "status").read_text(encoding="utf-8", errors="replace"))
            state = status.get("State", "")[:1]
            if state in {"Z", "X"}:
                continue
            stopped = stopped or state in {"T", "t"}
            used, core = map(int, (folder / "schedstat").read_text(encoding="ascii").split()[:2])
            threads[int(number)] = ThreadReading(used, core, int(status.get(_SLEEPS, 0)), state == "R")
    return Reading(now, stopped, threads) if threads else None


def core(pid: int, thread: int) -> int:
    """How long a thread could have run, but no core was free (ns); 0 if that is not known."""
    try:
        return int(Path("/proc", str(pid), "task", str(thread), "schedstat").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def takes(pid: int, thread: int, signal: int) -> bool:
    """Whether a thread handles a signal: it could end the process, or wait for who asks for it."""
    try:
        file = Path("/proc", str(pid), "task", str(thread), "status")
        status = _fields(file.read_text(encoding="utf-8", errors="replace"))
        handled, blocked = int(status.get("SigCgt", "0"), 16), int(status.get("SigBlk", "0"), 16)
        return bool((handled & ~blocked) >> (signal - 1) & 1)
    except (OSError, ValueError):
        return False


def _fields(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
