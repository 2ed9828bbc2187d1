"""How a process, or a request that was given up, has ended, as the events say it."""

from __future__ import annotations

import signal
from typing import Final

__all__ = ["GIVEN_UP", "how_ended"]

GIVEN_UP: Final = "given up"
"""The error of a request that loopviz's own client has given up because the user wanted it."""


def how_ended(code: int) -> str:
    """The exit code of a process in words: ``SIGKILL`` or ``exit code 1``. A signal's code is negative."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
