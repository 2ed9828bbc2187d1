"""What the tests' worker processes run. Next to nothing is imported here, so that they start at once."""

from __future__ import annotations

import os
import threading
import time

unpicklable = threading.Lock()


def nap(seconds: float = 0.1) -> str:
    """Wait."""
    time.sleep(seconds)
    return "slept"


def compute(seconds: float) -> int:
    """Use the CPU for so long."""
    count = 0
    until = time.process_time() + seconds
    while time.process_time() < until:
        count += 1
    return count


def pid() -> int:
    """Which process runs it."""
    time.sleep(0.05)
    return os.getpid()


def fail() -> None:
    """Raise."""
    raise LookupError("nothing there")


def crash() -> None:
    """End the process without a word."""
    time.sleep(0.1)
    os._exit(3)


def give_lock() -> object:
    """Return what cannot be sent back."""
    return unpicklable
