"""Processes that have ended although the run needs them. Times are nanoseconds."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Incident"]


class Incident(NamedTuple):
    """A helper process of loopviz, or a worker process of the application, has ended or was started again."""

    t: int
    thread: int
    """The lane of a worker process; 0 if it has none."""
    name: str
    """What a helper process is; empty for a worker process."""
    change: str
    """``ended``, ``restarted`` or ``given up``."""
    reason: str
