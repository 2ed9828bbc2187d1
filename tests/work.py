"""What the tests' worker processes run. This module imports little, so that they start fast."""

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
    """Compute until this much CPU time is used."""
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
    """End the process without a message."""
    time.sleep(0.1)
    os._exit(3)


def give_lock() -> object:
    """Return an object that cannot be pickled."""
    return unpicklable
