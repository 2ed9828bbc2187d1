"""Requests, from the first byte read to the last byte sent: the hooks on uvicorn.

uvicorn's protocols run each request as a task of ``RequestResponseCycle.run_asgi``. That object
holds the ASGI scope before the application runs, and sends every message, the 500 of a crashed
application included; so the application needs no middleware, and a running server can be probed.
uvicorn's names are documented in `loopviz.probe.compat`.
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
from loopviz.probe import compat
from loopviz.probe.selector import LONG
from loopviz.probe.state import ATTRIBUTE, ProbeState
from loopviz.stream.events import RAISED, READ, RESPONDED, STATUS

__all__ = ["HEADER", "ExceptionNames", "make_adopt", "make_data_received", "unread"]

HEADER = "x-loopviz-request"
"""The header with the number of a request of loopviz's own client."""

_NAME = HEADER.encode()
_TCP_INFO = getattr(socket, "TCP_INFO", None)
# struct tcp_info of linux/tcp.h: 8 bytes, then 32-bit fields; tcpi_last_data_recv is the 12th.
_LAST_DATA_RECV = slice(52, 56)
_RECENT = 100_000_000  # ns; a new connection takes some iterations until it is read


def make_send(
    state: ProbeState, original: Callable[[Any, Any], Awaitable[None]]
) -> Callable[[Any, Any], Awaitable[None]]:
    """A cycle's `send` that reports the head of the response.

    It belongs on the class: an attribute `send` of every cycle would keep the cycle alive in a reference
    cycle, and would make access to all its other attributes slower.
    """
    emit, not_ours = state.emit, (None, 0)

    def send(self: Any, message: Any) -> Awaitable[None]:
        try:
            if message["type"] == "http.response.start":
                probe, request = getattr(self, ATTRIBUTE, not_ours)
                if probe is state:  # other servers' cycles are of this class too
                    emit((clock(), STATUS, request, int(message["status"])))
        except Exception as error:  # a malformed message: uvicorn reports it
            state.failed("send", error)
        return original(self, message)

    return send


def make_adopt(
    state: ProbeState,
    numbers: Iterator[int],
    secret: str,
    replace: Callable[[Any, str, Any], None],
    blind: Callable[[str, str], None],
) -> Callable[[object], int]:
    """`adopt(coroutine)`: announce the request that a new task serves; its number, or 0.

    `numbers` numbers the requests of other clients, `secret` marks the header of our own client,
    `replace(owner, name, value)` puts a hook on a class until the probe is removed, and
    `blind(what, why)` reports what cannot be seen.
    """
    emit = state.emit
    request_name, cycle_of, scope_name = compat.REQUEST, compat.cycle_of, compat.SCOPE
    send_name, response_name = compat.SEND, compat.ON_RESPONSE
    prefix = secret.encode() + b"-"
    # Whether a coroutine's code is that of run_asgi. By identity: a code object's hash is computed
    # from all of its instructions, each time. The code is kept alive, so that its id is not used again.
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

    def follow(cycle: Any, request: int) -> None:
        """Hook the response of a request."""
        kind = type(cycle)
        if kind not in hooked:
            hooked.add(kind)
            send = getattr(kind, send_name, None)
            if send is None:
                blind("the status of a response", _has_no(kind, send_name))
            else:
                replace(kind, send_name, make_send(state, send))
        setattr(cycle, ATTRIBUTE, (state, request))
        on_response = getattr(cycle, response_name, None)
        if on_response is None:
            blind("the end of a response", _has_no(kind, response_name))
        else:
            setattr(cycle, response_name, partial(responded, on_response, request))

    def adopt(coro: object) -> int:
        code = getattr(coro, "cr_code", None)
        if code is None:
            return 0
        request = known.get(id(code))
        if request is None:
            request = (code.co_qualname == request_name, code)
            if len(known) < 10_000:
                known[id(code)] = request
        if not request[0]:
            if state.read and not state.request_seen:
                state.unrecognised = f"a protocol ran {code.co_qualname}"
            return 0
        try:
            cycle = cycle_of(coro)
            scope = getattr(cycle, scope_name)
            read = state.read or clock()
            number = own_number(scope["headers"])
            arrived = 0
            if not number:
                number = next(numbers)
                arrived = _arrival(state, cycle, read)
            emit((read, READ, number, scope["method"], scope["path"], arrived))
        except Exception as error:
            state.failed("request", error)
            state.unrecognised = f"a request could not be read: {type(error).__name__}: {error}"
            return 0
        state.request_seen = True
        try:
            follow(cycle, number)
        except Exception as error:
            state.failed("request", error)
        return number

    return adopt


def _has_no(kind: type, name: str) -> str:
    return f"{kind.__name__} of {compat.installed('uvicorn')} has no {name}"


def unread(state: ProbeState) -> str:
    """Why a request that the server has answered was not recognised."""
    why = f"{compat.installed('uvicorn')} serves requests in a way that was not recognised"
    return f"{why} ({state.unrecognised})" if state.unrecognised else why


def _arrival(state: ProbeState, cycle: Any, read: int) -> int:
    """When another client's request reached this machine (ns), or 0 where that is unknown.

    Read only if the loop was busy recently, or another thread kept the GIL, for long enough that it can
    matter.
    """
    if _TCP_INFO is None or (
        read - state.looked < LONG
        and read - max(state.slow, state.late_at) > _RECENT
        and read - state.sampler_due < LONG
    ):
        return 0
    transport = getattr(cycle, compat.TRANSPORT, None)
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None:
        return 0
    info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _LAST_DATA_RECV.stop)
    waited = int.from_bytes(info[_LAST_DATA_RECV], "little") * 1_000_000
    return clock() - waited if waited > LONG else 0


def make_data_received(
    state: ProbeState, original: Callable[[Any, bytes], None], unseen: Callable[[], None]
) -> Callable[[Any, bytes], None]:
    """A protocol's `data_received` that notes when the bytes came in.

    `unseen()` is called if a task was made for a request, and no request has ever been recognised.
    """
    running = compat.running_loop
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
            if state.unrecognised and not state.request_seen and not _is_upgrade(data):
                unseen()

    return data_received


def _is_upgrade(data: bytes) -> bool:
    """Whether these bytes ask for another protocol, as a WebSocket does: its task is no request's."""
    return b"\nupgrade:" in data.lower()


class ExceptionNames(logging.Handler):
    """Sees the exceptions that an application lets out, where uvicorn logs them."""

    def __init__(self, state: ProbeState) -> None:
        super().__init__(logging.ERROR)
        self.state = state

    def emit(self, record: logging.LogRecord) -> None:
        """Report the exception of the request whose task logs it; never raises."""
        try:
            error = record.exc_info[1] if record.exc_info else None
            if error is None or compat.running_loop() is not self.state.loop:
                return
            task = asyncio.current_task()
            # `trace_of`, since an eager task has no trace of its own yet in its first step.
            trace = self.state.trace_of(task) if task is not None else None
            if trace is not None and trace.request:
                message = str(error)[:200]
                self.state.emit((clock(), RAISED, trace.request, type(error).__name__, message))
        except Exception as failure:
            self.state.failed("exception", failure)
