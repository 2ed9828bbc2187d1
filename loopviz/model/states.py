"""The states of a request: at every instant of its life it is in exactly one.

This is the only list of the states. Its order is the order of a request's totals, in documents too.
"""

from enum import IntEnum, StrEnum

__all__ = ["DELAYED", "SUSPENDED", "Doing", "State"]


class State(StrEnum):
    """Where a request's time goes. The value is the name in the JSON summary."""

    QUEUED = "queued"
    """Sent by the client, not yet read by the server's loop."""
    RUNNING = "running"
    """A step of one of its tasks is executing on the loop."""
    AWAITING = "awaiting"
    """Suspended at an ``await``, and what it awaits is not done."""
    READY = "ready"
    """What it awaited is done, but the loop is busy with something else."""
    TOKEN_WAIT = "token_wait"  # noqa: S105 - AnyIO's token for a thread
    """Waiting for a worker thread."""
    IN_THREAD = "in_thread"
    """Executing in a worker thread."""
    IN_PROCESS = "in_process"
    """Executing in a worker process."""
    RECEIVING = "receiving"
    """Waiting for bytes of its body that the client has not sent yet."""
    SENDING = "sending"
    """Waiting until the client takes what has been sent of the response."""


DELAYED = frozenset({State.QUEUED, State.READY})
"""The states of a victim: it could run if the loop were free."""
SUSPENDED = frozenset({State.AWAITING, State.TOKEN_WAIT, State.RECEIVING, State.SENDING})
"""The states of a request whose tasks are all suspended: a timer that is due ends them."""


class Doing(IntEnum):
    """What a task is doing."""

    RUNNING = 0
    READY = 1
    THREAD_WAIT = 2
    """Waiting for a thread."""
    SUSPENDED = 3
    RECEIVING = 4
    """Waiting for the client's bytes."""
    SENDING = 5
    """Waiting until the client takes the response's."""
