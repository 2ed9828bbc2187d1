"""The layout of a black box: memory that a watched process shares with the program that shows it.

While C code keeps the GIL, the process can send nothing. What it has noted here can be read all the same:
the step that is being executed, the steps before it, and the newest events that say whose they are. Nothing
in here allocates or waits: a step costs two notes of 60 to 110 ns, an event about 400 ns.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, Protocol

from loopviz.stream import events as ev
from loopviz.stream.events import Event

__all__ = [
    "BEGUN", "DONE", "EVENT", "EVENTS", "EVENTS_AT", "KEPT", "RAN", "SIZE", "STEPS", "STEPS_AT", "SUSPENDED",
    "THREAD", "THREADS", "THREADS_AT", "YIELDED", "Box",
]  # fmt: skip

BEGUN: Final = Struct("2q")
"""At 0: the task whose step began last, and when. It has ended if the step is among those below."""
THREAD: Final = Struct("2q")
"""A thread: its number, and its number in the operating system."""
THREADS: Final = 240
THREADS_AT: Final = 64
RAN: Final = Struct("6q")
"""A step that has ended: its task, woken, began, ended, how (one of the three below), and due."""
DONE: Final = 0
YIELDED: Final = 1
SUSPENDED: Final = 2
STEPS: Final = 1_024
STEPS_AT: Final = THREADS_AT + THREADS * THREAD.size
EVENTS: Final = 512
EVENT: Final = 1_024
"""The most bytes of an event."""
EVENTS_AT: Final = STEPS_AT + STEPS * RAN.size
SIZE: Final = EVENTS_AT + EVENTS * EVENT

KEPT: Final = frozenset({
    ev.READ, ev.BEHIND, ev.STATUS, ev.RAISED, ev.RESPONDED, ev.SENDING, ev.WRITABLE, ev.ABANDONED, ev.CLOSED,
    ev.TASK, ev.WAKE, ev.LATE_WAKE, ev.STEP, ev.YIELD, ev.END, ev.AWAITS_TASK, ev.CLIENT_WAIT,
    ev.TOKEN_WAIT, ev.TOKENS, ev.POOL, ev.POOL_CALL, ev.SUBMIT, ev.CALL, ev.AWAITS_CALL, ev.RETURN, ev.RESULT,
    ev.THREAD,
})  # fmt: skip
"""The kinds of events that are noted: those that decide the states of requests."""


class Box(Protocol):
    """What the probe needs of a black box."""

    memory: memoryview
    """All of it, as bytes."""

    def keep(self, event: Event) -> None:
        """Note an event of one of the kinds `KEPT`. Never raises."""

    def thread(self, number: int, native: int) -> None:
        """Note a thread: its number in events, and in the operating system. Never raises."""
