"""Loop iterations: the hook on the selector of asyncio's loop.

The loop sleeps only in ``selector.select``. uvloop has no selector, so its iterations cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe.state import OVERDUE, ProbeState
from loopviz.probe.transports import look
from loopviz.probe.wakes import SocketTimes
from loopviz.stream.events import IDLE, ITERATION

__all__ = ["LONG", "make_select"]

LONG = 4_000_000
"""How long an iteration must last to count as slow (ns); the resolution of TCP_INFO."""


def make_select(state: ProbeState, select: Callable[..., Any]) -> Callable[..., Any]:
    """A `select` that reports when the loop goes to sleep and when an iteration begins."""
    emit, sending = state.emit, state.sending
    sockets = SocketTimes(state) if SocketTimes.visible(state.loop) else None

    def probed_select(timeout: float | None = None) -> Any:
        nested = state.current
        if nested is not None:
            state.pause()
        now, looked = clock(), state.looked
        slow = now - looked > LONG
        if slow:
            state.slow = now
        if sending:
            look(state)
        if now > state.read_due:
            state.read_clocks(now, state.touched)
        if timeout == 0:
            ready = select(timeout)
        else:
            state.sleeping = True
            emit((now, IDLE))
            ready = select(timeout)
        now = state.touched = state.looked = clock()
        state.sleeping = False  # last: the sampler must not take the time asleep for a callback's
        if now - state.sampler_due > OVERDUE:
            state.released(now)
        if now > state.read_due:
            state.read_clocks(now, now)
        emit((now, ITERATION))
        if slow and looked and ready and sockets is not None:
            sockets.mark(ready, looked, now)
        if nested is not None:
            state.resume(nested)
        return ready

    return probed_select
