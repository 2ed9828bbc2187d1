"""What cannot be seen here, and why. A source reports it, and every view says it."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["IDLE", "REQUESTS", "TASKS", "Blind"]

TASKS: Final = "tasks and their steps"
"""`Blind.what` where no task is visible. Then no request is visible either."""
REQUESTS: Final = "requests"
"""`Blind.what` where no request is visible."""
IDLE: Final = "the loop's idle time and its callbacks outside tasks"
"""`Blind.what` where the loop's iterations are not visible."""


class Blind(NamedTuple):
    """Something that a source cannot see, and why."""

    what: str
    why: str
