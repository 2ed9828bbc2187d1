"""The states of a request: at every instant of its life it is in exactly one."""

from enum import StrEnum

__all__ = ["SUFFERING", "State"]


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
    TOKEN_WAIT = "token_wait"  # noqa: S105 - a token for a thread
    """It wants a worker thread, and has to wait for one."""
    IN_THREAD = "in_thread"
    """Executing in a worker thread."""
    IN_PROCESS = "in_process"
    """Executing in a worker process."""


SUFFERING = frozenset({State.QUEUED, State.READY})
"""The states of a victim: it could run, were the loop free."""
