"""How a process has ended, as the events say it."""

from __future__ import annotations

import signal

__all__ = ["how_ended"]


def how_ended(code: int) -> str:
    """The exit code of a process in words: ``SIGKILL`` or ``exit code 1``. A signal's code is negative."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
