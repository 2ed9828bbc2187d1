"""Wakes from outside the loop's thread: when a thread or a socket made a task able to run.

Another thread wakes a task by ``loop.call_soon_threadsafe(callback)``, and a socket by the callback of its
reader. Both callbacks have to wait while the loop is busy. They are marked here with the time from which
they could have run; the hook on `call_soon` takes that time for the tasks that they wake or create.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable, Iterable
from contextvars import Context
from threading import get_ident
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.state import ATTRIBUTE, ProbeState, Trace, put_on
from loopviz.stream.events import LATE_WAKE

__all__ = ["LATE", "MOST_FOLLOW", "Marked", "SocketTimes", "hook_threadsafe", "woken_late"]

LATE = 4_000_000
"""A wake that the loop notices later than this (ns) is reported with its true time."""
MOST_FOLLOW = 5
"""A callback that follows from a cause through more callbacks than this is taken for a loop of callbacks of
the program's own: what it wakes is woken when it runs."""
_LATE_SOCKET = 10_000_000
"""Sockets are asked after an iteration that was longer than this (ns)."""
_MOST_SOCKETS = 200
"""How many are asked after one iteration: each takes some microseconds."""
_TCP_INFO = getattr(socket, "TCP_INFO", None)
# struct tcp_info of linux/tcp.h: the state, ..., and tcpi_last_data_recv, the 12th of the 32-bit fields.
_LAST_DATA_RECV = slice(52, 56)
_WITH_DATA = frozenset({1, 4, 5, 8})  # established, fin-wait-1, fin-wait-2, close-wait
_RESOLUTION = 4_000_000


class Marked:
    """A callback that could have run since `at` (ns), or the callback that follows from one.

    Everything but its call is that of the callback itself, so that asyncio's messages and its debug log
    name the callback.
    """

    # Names that no callback has, since those of the callback are to be seen.
    __slots__ = ("__wrapped__", "loopviz_at", "loopviz_follows", "loopviz_handle", "loopviz_state")

    def __init__(
        self,
        state: ProbeState,
        callback: Callable[..., Any],
        at: int,
        handle: Any = None,
        *,
        follows: int = 0,
    ) -> None:
        self.__wrapped__ = callback
        self.loopviz_state = state
        self.loopviz_handle = handle
        self.loopviz_at = at
        self.loopviz_follows = follows

    def __call__(self, *args: Any) -> Any:
        """Call it, with the tasks that it wakes woken at `at`."""
        state, callback, handle = self.loopviz_state, self.__wrapped__, self.loopviz_handle
        if handle is not None:
            compat.change_callback(handle, self, callback)
            self.loopviz_handle = None
        outer, follows = state.cause, state.follows
        state.cause, state.follows = self.loopviz_at, self.loopviz_follows
        try:
            return callback(*args)
        finally:
            state.cause, state.follows = outer, follows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return self.__wrapped__.__class__

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __eq__(self, other: object) -> bool:
        return bool(self.__wrapped__ == other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)


def woken_late(state: ProbeState, trace: Trace) -> int:
    """The time at which the running callback's cause has woken the task; reported if it was long ago."""
    at = state.cause
    now = clock()
    if now - at > LATE:
        state.emit((now, LATE_WAKE, trace.number, at))
    return at


def hook_threadsafe(state: ProbeState) -> dict[str, Callable[..., Any]]:
    """The method to put on the loop, by name."""
    call_soon_threadsafe: Callable[..., asyncio.Handle] = state.loop.call_soon_threadsafe
    mine = get_ident()

    def probed_call_soon_threadsafe(
        callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        # What the loop's own thread schedules could not have run earlier.
        if get_ident() != mine and callable(callback):
            now = clock()
            callback = Marked(state, callback, now)
            if args and state.has_been_busy(now, LATE):
                _will_wake(state, args[0], now)
        handle = call_soon_threadsafe(callback, *args, context=context)
        if state.loop.get_debug():
            compat.leave_out_hooks(handle)
        return handle

    return {"call_soon_threadsafe": probed_call_soon_threadsafe}


def _will_wake(state: ProbeState, argument: Any, now: int) -> None:
    """Report whom a callback will wake that is given a future, while the loop has no time for it."""
    try:
        for task in compat.tasks_waiting(argument) if compat.is_future(argument) else ():
            trace: Trace | None = put_on(task, ATTRIBUTE)
            if trace is not None and trace.since:
                state.emit((now, LATE_WAKE, trace.number, now))
    except Exception as error:
        state.failed("threadsafe", error)


class SocketTimes:
    """Asks the sockets that are readable after a long iteration since when they are."""

    def __init__(self, state: ProbeState) -> None:
        self._state = state

    @staticmethod
    def visible(loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the kernel and this kind of loop can be asked."""
        return _TCP_INFO is not None and compat.has_readers(loop)

    def mark(self, ready: Iterable[tuple[selectors.SelectorKey, int]], looked: int, now: int) -> None:
        """Mark the readers in `ready`: the loop looked at `looked`, and then not before `now` (ns)."""
        if now - looked < _LATE_SOCKET:
            return
        try:
            asked = 0
            for key, events in ready:
                reader = key.data[0] if events & selectors.EVENT_READ else None
                callback = None if reader is None else compat.reader_callback(reader)
                if callback is None or type(callback) is Marked:
                    continue
                at = _readable_since(key.fd, now)
                if looked - _RESOLUTION < at < now - LATE:
                    marked = Marked(self._state, callback, max(at, looked), reader)
                    compat.change_callback(reader, callback, marked)
                asked += 1
                if asked == _MOST_SOCKETS:
                    break
        except Exception as error:
            self._state.failed("sockets", error)


def _readable_since(fd: int, now: int) -> int:
    """When the latest data of a TCP connection arrived (ns), or 0 if it has none or is none."""
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)
    except OSError:
        return 0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO or 0, _LAST_DATA_RECV.stop)
    except OSError:  # no TCP connection: a pipe, or the loop's own pair of sockets
        return 0
    finally:
        sock.detach()  # it is not ours to close
    if len(info) < _LAST_DATA_RECV.stop or info[0] not in _WITH_DATA:
        return 0
    return now - int.from_bytes(info[_LAST_DATA_RECV], "little") * 1_000_000
