"""A signal to one thread of another process."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import cache

__all__ = ["send"]

_TGKILL = {"x86_64": 234, "aarch64": 131, "riscv64": 131}


def send(pid: int, thread: int, signal: int) -> bool:
    """Send a signal to the thread with this number in the operating system; False if that fails.

    Where threads cannot be chosen, one that the operating system chooses gets it, mostly the main thread.
    """
    direct = _direct()
    if direct is not None and thread:
        return direct(pid, thread, signal) == 0
    try:
        os.kill(pid, signal)
    except OSError:
        return False
    return True


@cache
def _direct() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes  # noqa: PLC0415 - only when a process does not answer

        library = ctypes.CDLL(None)
        if hasattr(library, "tgkill"):
            function = library.tgkill
            return lambda pid, thread, signal: int(function(pid, thread, signal))
        number = _TGKILL.get(platform.machine())
        syscall = library.syscall
    except (ImportError, OSError, AttributeError):
        return None
    return None if number is None else lambda *given: int(syscall(number, *given))
