"""Requests, from the first byte read to the last byte sent: the hooks on uvicorn.

uvicorn's protocols run each request as a task of ``RequestResponseCycle.run_asgi``. That object
holds the ASGI scope before the application runs, and sends every message, the 500 of a crashed
application included; so the application needs no middleware, and a running server can be probed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import CodeType
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe.selector import LONG
from loopviz.probe.state import ATTRIBUTE, State
from loopviz.stream.events import RAISED, READ, RESPONDED, STATUS

__all__ = ["HEADER", "ExceptionNames", "make_adopt", "make_data_received"]

HEADER = "x-loopviz-request"
"""The header by which loopviz's own load tells the server a request's number."""

_NAME = HEADER.encode()
_TCP_INFO = getattr(socket, "TCP_INFO", None)
# struct tcp_info of linux/tcp.h: 8 bytes, then 32-bit fields; tcpi_last_data_recv is the 12th.
_LAST_DATA_RECV = slice(52, 56)
_RECENT = 100_000_000  # ns; a new connection takes some iterations until it is read


def make_send(
    state: State, original: Callable[[Any, Any], Awaitable[None]]
) -> Callable[[Any, Any], Awaitable[None]]:
    """A cycle's `send` that notes the head of the response.

    On the class, since an attribute `send` of every cycle would keep the cycle alive in a circle, and
    would take the interpreter's short cuts from all the others of its attributes.
    """
    emit, nobody = state.emit, (None, 0)

    def send(self: Any, message: Any) -> Awaitable[None]:
        try:
            if message["type"] == "http.response.start":
                probe, request = getattr(self, ATTRIBUTE, nobody)
                if probe is state:  # other servers' cycles are of this class too
                    emit((clock(), STATUS, request, int(message["status"])))
        except Exception as error:  # a malformed message: uvicorn will say so
            state.failed("send", error)
        return original(self, message)

    return send


def make_adopt(
    state: State, numbers: Iterator[int], token: str, replace: Callable[[Any, str, Any], None]
) -> Callable[[object], int]:
    """`adopt(coroutine)`: announce the request that a new task serves; its number, or 0.

    `numbers` numbers the requests of foreign clients, `token` marks our own load's header, and
    `replace(owner, name, value)` puts a hook on a class until the probe is removed.
    """
    emit = state.emit
    prefix = token.encode() + b"-"
    # Whether a coroutine's code is that of run_asgi. By identity: a code object's hash is computed
    # from all of its instructions, each time. The code is kept alive, so that its id stays its own.
    known: dict[int, tuple[bool, CodeType]] = {}
    hooked: set[type] = set()

    def responded(original: Callable[..., None], request: int, *args: Any) -> None:
        emit((clock(), RESPONDED, request))
        original(*args)

    def own_number(headers: list[tuple[bytes, bytes]]) -> int:
        for name, value in headers:
            if name == _NAME and value.startswith(prefix):
                return int(value[len(prefix) :])
        return 0

    def adopt(coro: object) -> int:
        code = getattr(coro, "cr_code", None)
        if code is None:
            return 0
        request = known.get(id(code))
        if request is None:
            request = (code.co_qualname == "RequestResponseCycle.run_asgi", code)
            if len(known) < 10_000:
                known[id(code)] = request
        if not request[0]:
            return 0
        try:
            cycle = coro.cr_frame.f_locals["self"]  # type: ignore[attr-defined]
            scope = cycle.scope
            read = state.read or clock()
            number = own_number(scope["headers"])
            arrived = 0
            if not number:
                number = next(numbers)
                arrived = _arrival(state, cycle, read)
            emit((read, READ, number, scope["method"], scope["path"], arrived))
            kind = type(cycle)
            if kind not in hooked:
                hooked.add(kind)
                replace(kind, "send", make_send(state, kind.send))
            setattr(cycle, ATTRIBUTE, (state, number))
            cycle.on_response = partial(responded, cycle.on_response, number)
            return number
        except Exception as error:
            state.failed("request", error)
            return 0

    return adopt


def _arrival(state: State, cycle: Any, read: int) -> int:
    """When a foreign client's request reached this machine (ns), or 0 where nobody can tell.

    Asked only if the loop was busy of late, and for long enough that the answer can matter.
    """
    if _TCP_INFO is None or (read - state.looked < LONG and read - state.slow > _RECENT):
        return 0
    sock = cycle.transport.get_extra_info("socket")
    if sock is None:
        return 0
    info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _LAST_DATA_RECV.stop)
    waited = int.from_bytes(info[_LAST_DATA_RECV], "little") * 1_000_000
    return clock() - waited if waited > LONG else 0


def make_data_received(state: State, original: Callable[[Any, bytes], None]) -> Callable[[Any, bytes], None]:
    """A protocol's `data_received` that notes when the bytes came in."""
    running = asyncio._get_running_loop
    loop = state.loop

    def data_received(self: Any, data: bytes) -> None:
        if running() is not loop:
            original(self, data)
            return
        state.read = clock()
        try:
            original(self, data)
        finally:
            state.read = 0

    return data_received


class ExceptionNames(logging.Handler):
    """Sees the exceptions that an application lets out, where uvicorn reports them."""

    def __init__(self, state: State) -> None:
        super().__init__(logging.ERROR)
        self.state = state

    def emit(self, record: logging.LogRecord) -> None:
        """Note the exception of the request whose task reports it; never raises."""
        try:
            error = record.exc_info[1] if record.exc_info else None
            if error is None or asyncio._get_running_loop() is not self.state.loop:
                return
            task = asyncio.current_task()
            # `trace_of`, since an eager task has no trace of its own yet in its first step.
            trace = self.state.trace_of(task) if task is not None else None
            if trace is not None and trace.request:
                message = str(error)[:200]
                self.state.emit((clock(), RAISED, trace.request, type(error).__name__, message))
        except Exception as failure:
            self.state.failed("exception", failure)
