"""What a probe cannot see, and why."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["REQUESTS", "TASKS", "Blind"]

TASKS: Final = "tasks and their steps"
"""`Blind.what` where no task is visible: then neither is a request."""
REQUESTS: Final = "requests"
"""`Blind.what` where no request is visible."""


class Blind(NamedTuple):
    """Something that this probe cannot see here, and why."""

    what: str
    why: str
