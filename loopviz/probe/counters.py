"""What a thread waits for while it does not run: a free core, or (at most) the GIL.

Linux counts both for every thread: how long it could have run and had no core, and how often it went to
sleep. A thread that waits for the GIL wakes up after each switch interval, to ask for it again, so the
number of its sleeps limits how long it can have waited for the GIL: half a second of `time.sleep` is one
sleep, half a second of waiting for the GIL is a hundred; fewer on a machine that is stopped again and
again, since it wakes everybody up late.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from loopviz.clock import NS

__all__ = ["ThreadWaits", "own_sleeps", "switch_interval"]

_RUSAGE_THREAD: Final = getattr(resource, "RUSAGE_THREAD", None)
_SLEEPS = b"\nvoluntary_ctxt_switches:"
_ASLEEP = b"\nState:\tS"


def switch_interval() -> int:
    """How long a thread that waits for the GIL sleeps at a time, if it is woken up in time (ns)."""
    return int(sys.getswitchinterval() * NS)


def own_sleeps() -> int:
    """How often the calling thread has gone to sleep; -1 where that is not known."""
    if resource is None or _RUSAGE_THREAD is None:
        return -1
    return resource.getrusage(_RUSAGE_THREAD).ru_nvcsw


class ThreadWaits:
    """Reads one thread's counters; its files stay open, which makes a reading three times as fast."""

    def __init__(self, native: int) -> None:
        """`native` is the thread's number in the operating system."""
        self._schedule = _open(f"/proc/self/task/{native}/schedstat")
        self._status = _open(f"/proc/self/task/{native}/status")

    def core(self) -> int:
        """How long the thread could have run, but no core was free (ns); 0 where that is not known.

        On a busy machine, Linux 6.12 and later may count a sleep as well, when it is over: a thread that goes
        to sleep stays in the queue until it would have had its turn.
        """
        counted = _read(self._schedule, 100).split()
        return int(counted[1]) if len(counted) > 1 else 0

    def sleeps(self) -> int:
        """How often it has gone to sleep; -1 where that is not known."""
        return self.state()[0]

    def state(self) -> tuple[int, bool]:
        """How often it has gone to sleep, as `sleeps`, and whether it sleeps now."""
        status = _read(self._status, 4_000)
        found = status.partition(_SLEEPS)[2].split(maxsplit=1)
        return int(found[0]) if found else -1, _ASLEEP in status

    def close(self) -> None:
        """Close the files; later readings have nothing."""
        files, self._schedule, self._status = (self._schedule, self._status), None, None
        for file in files:
            if file is not None:
                with contextlib.suppress(OSError):
                    _opening()[1](file)


def _open(path: str) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        number = _opening()[0](path.encode(), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    return number if number >= 0 else None


@cache
def _opening() -> tuple[Callable[[bytes, int], int], Callable[[int], object]]:
    """`os.open` and `os.close`, with the GIL kept, as `_pread`."""
    try:
        import ctypes  # noqa: PLC0415 - only where a probe is installed

        library = ctypes.PyDLL(None)
        begin, end = library.open, library.close
        begin.argtypes, end.argtypes = [ctypes.c_char_p, ctypes.c_int], [ctypes.c_int]
    except (ImportError, OSError, AttributeError):
        return os.open, os.close
    else:
        return begin, end


@cache
def _pread() -> Callable[[int, int], bytes]:
    """`os.pread` from the beginning of a file, with the GIL kept: to get it back could take long."""
    try:
        import ctypes  # noqa: PLC0415 - only where a probe is installed

        function = ctypes.PyDLL(None).pread
        function.restype = ctypes.c_ssize_t
        function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
    except (ImportError, OSError, AttributeError):
        return lambda file, size: os.pread(file, size, 0)

    def pread(file: int, size: int) -> bytes:
        found = ctypes.create_string_buffer(size)
        count = function(file, found, size, 0)
        return found.raw[: max(0, count)]

    return pread


def _read(file: int | None, size: int) -> bytes:
    if file is None:
        return b""
    try:
        return _pread()(file, size)
    except OSError:  # closed by the application, or the thread has ended
        return b""
