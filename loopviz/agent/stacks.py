"""Stacks for the viewer: a signal at which a thread writes its own stack into a pipe.

`faulthandler` does that in C, in the signal's handler, so the answer comes although C code keeps the GIL. The
thread that is asked writes nothing of other threads: one that gets the GIL meanwhile would change its frames
while they are read, and that can end the process.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Stacks"]

_FIELDS = ("SigBlk", "SigIgn", "SigCgt")
_ROOM = 1 << 20
"""Bytes that the pipe has room for, where that can be set: a thread has up to 100 frames."""


class Stacks:
    """Has the stack of a thread written when `signal` comes to it; made and closed in any thread."""

    def __init__(self, pipe: int) -> None:
        """`pipe` is the end of a pipe that is written to; it does not block from now on."""
        self.signal = 0
        """0 if there is none."""
        self.why = ""
        """Why there is none."""
        if not Path("/proc/self/task").is_dir():
            self.why = "this platform does not say which thread computes"
            return
        register = getattr(faulthandler, "register", None)
        if register is None:
            self.why = "faulthandler has no signals on this platform"
            return
        number = _free()
        if number is None:
            self.why = "the application uses every signal that could be used for it"
            return
        try:
            _prepare(pipe)
            register(number, file=pipe, all_threads=False, chain=False)
        except (OSError, RuntimeError, ValueError) as error:
            self.why = f"faulthandler could not be registered ({error})"
            return
        self.signal = number

    def intact(self) -> bool:
        """Whether the signal may still be sent: the application has not begun to use it, for good.

        Cheap: to be asked several times a second.
        """
        if self.signal and signal.getsignal(self.signal) is not signal.SIG_DFL:
            self.signal = 0
            self.why = "the application has begun to use the signal that was free"
        return bool(self.signal)

    def close(self) -> None:
        """The signal is free again."""
        if self.intact():
            with suppress(OSError, RuntimeError, ValueError):
                faulthandler.unregister(self.signal)  # type: ignore[attr-defined,unused-ignore]
        self.signal = 0


def _candidates() -> list[int]:
    """Signals that applications hardly use. SIGINFO does no harm where nobody handles it."""
    last, first = getattr(signal, "SIGRTMAX", 0), getattr(signal, "SIGRTMIN", 0)
    names = ("SIGINFO", "SIGUSR2", "SIGUSR1")
    others: list[Any] = [getattr(signal, name, None) for name in names]
    return [*range(last - 1, first + 1, -1), *(int(number) for number in others if number is not None)]


def _free() -> int | None:
    used = _used()
    for number in _candidates():
        if not used >> (number - 1) & 1 and signal.getsignal(number) is signal.SIG_DFL:
            return number
    return None


def _used() -> int:
    """A bit for each signal that this process blocks, ignores or handles, by the operating system."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    masks = 0
    for line in status.splitlines():
        name, _, mask = line.partition(":")
        if name in _FIELDS:
            masks |= int(mask, 16)
    return masks


def _prepare(pipe: int) -> None:
    os.set_blocking(pipe, False)
    os.set_inheritable(pipe, False)
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - only there

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _ROOM)
