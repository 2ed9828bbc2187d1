"""What cannot be seen here, and why. A source reports it, and every view says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["IDLE", "KEEPER", "REQUESTS", "SOCKETS", "TASKS", "WEBSOCKETS", "Blind", "nothing_visible"]

TASKS: Final = "tasks and their steps"
"""`Blind.what` where no task is visible. Then no request is visible either."""
REQUESTS: Final = "requests"
"""`Blind.what` where no request is visible."""
IDLE: Final = "the loop's idle time and its callbacks outside tasks"
"""`Blind.what` where the loop's iterations are not visible."""

WEBSOCKETS: Final = "WebSockets"
"""`Blind.what` where no WebSocket is visible, or none can be served."""
SOCKETS: Final = "when data came for a task while the loop was busy"
"""`Blind.what` where sockets cannot be asked: such a task counts as ready only when the loop has looked."""
KEEPER: Final = "the line of C code that keeps the GIL, while it does"
"""`Blind.what` where a process cannot be asked for its stacks while it executes no Python."""


class Blind(NamedTuple):
    """Something that a source cannot see, and why."""

    what: str
    why: str


def nothing_visible(blind: Iterable[tuple[str, str]]) -> str | None:
    """A sentence that says why no request can be seen; None where requests are visible.

    A picture or a figure without this sentence would say that nothing has happened.
    """
    for what, why in blind:
        if what == TASKS:
            return f"Not visible here: {what}, and so requests. {why[:1].upper()}{why[1:]}."
        if what == REQUESTS:
            return f"Not visible here: {what}. {why[:1].upper()}{why[1:]}."
    return None
