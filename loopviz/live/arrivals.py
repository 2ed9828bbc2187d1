"""Arrivals at a steady rate: when the next request is due, whether or not those before it are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Arrivals"]

_BACKLOG = 1.0
"""What is due for longer than this (s) is not sent any more: the sender could not run meanwhile."""


class Arrivals:
    """Calls `send` so many times a second, on an event loop and in its thread.

    Each call has a moment of its own, counted from the one before: a call that comes late does not delay the
    next ones. What is late is sent at once, up to a second's worth; the rest is not sent, and `missed` is
    called with how many that are.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, send: Callable[[], None], missed: Callable[[int], None]
    ) -> None:
        self._loop = loop
        self._send = send
        self._missed = missed
        self._interval = 0.0
        self._due: float | None = None
        """When the next one is due, by the loop's clock (s); None while nothing is sent."""
        self._timer: asyncio.TimerHandle | None = None

    def change(self, per_second: float) -> None:
        """Send so many a second from now on; 0 sends no more. The first one is sent at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        if per_second <= 0:
            self._due = None
            return
        interval = 1 / per_second
        self._due = now if self._due is None else max(now, self._due - self._interval + interval)
        self._interval = interval
        self._turn()

    def _turn(self) -> None:
        """Send what is due, and wait for the next one."""
        now, interval, due = self._loop.time(), self._interval, self._due
        if due is None:
            return
        if now - due > _BACKLOG:
            left_out = int((now - due - _BACKLOG) / interval)
            due += left_out * interval
            if left_out:
                self._missed(left_out)
        while due <= now:
            self._send()
            due += interval
        self._due = due
        self._timer = self._loop.call_at(due, self._turn)
