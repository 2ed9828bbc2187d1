"""WebSockets: the hooks on uvicorn's protocols for them.

uvicorn runs a WebSocket as a task of a protocol's ``run_asgi``. To loopviz the whole connection is one
request: it begins when it is read, and ends when the connection or its task does, whichever is first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.classes import Hook
from loopviz.probe.state import ATTRIBUTE, ProbeState
from loopviz.stream.events import CLOSED, MESSAGE, RESPONDED, STATUS

__all__ = ["Connection", "make_connection_lost", "make_receive", "make_refuse", "make_send"]

_ACCEPTED = 101
_REFUSED = 403
_FAILED = 500
_NO_CODE = 1005  # RFC 6455: the close frame has no code


class Connection:
    """What the probe knows of a WebSocket; an attribute of its protocol."""

    __slots__ = ("closed", "request", "state", "status")

    def __init__(self, state: ProbeState, request: int) -> None:
        self.state = state
        self.request = request
        self.status = 0
        """The status of the answer to the handshake; 0 before it."""
        self.closed = False
        """Whether its close code has been reported."""

    def answer(self, status: int) -> None:
        """The handshake is answered."""
        if not self.status:
            self.status = status
            self.state.emit((clock(), STATUS, self.request, status))

    def close(self, code: object) -> None:
        """It is closed by the application, or the application learns that it is closed."""
        if self.status == _ACCEPTED and not self.closed:
            self.closed = True
            self.state.emit((clock(), CLOSED, self.request, code if isinstance(code, int) else _NO_CODE))


def _connection(state: ProbeState, protocol: Any) -> Connection | None:
    found = getattr(protocol, ATTRIBUTE, None)
    return found if isinstance(found, Connection) and found.state is state else None


def make_send(state: ProbeState, original: Hook) -> Callable[[Any, Any], Awaitable[None]]:
    """A protocol's `send` that reports the answer to the handshake, messages, and the close code."""
    transport_name = compat.TRANSPORT

    def look(protocol: Any, message: Any) -> None:
        connection = _connection(state, protocol)
        transport = getattr(protocol, transport_name, None)
        if connection is None or (transport is not None and transport.is_closing()):
            return  # nothing is sent any more
        match message["type"]:
            case "websocket.send":
                state.emit((clock(), MESSAGE, connection.request, "sent", _size(message)))
            case "websocket.accept":
                connection.answer(_ACCEPTED)
            case "websocket.close":
                connection.close(message.get("code", 1000))  # if it was accepted
                connection.answer(_REFUSED)  # if it was not
            case "websocket.http.response.start":
                connection.answer(int(message["status"]))

    def send(self: Any, message: Any) -> Awaitable[None]:
        try:
            look(self, message)
        except Exception as error:  # a malformed message: uvicorn reports it
            state.failed("send", error)
        sent: Awaitable[None] = original(self, message)
        return sent

    return send


def make_receive(state: ProbeState, original: Hook) -> Callable[[Any], Awaitable[Any]]:
    """A protocol's `receive` that reports what the application has got."""

    async def receive(self: Any) -> Any:
        message = await original(self)
        try:
            connection = _connection(state, self)
            if connection is not None:
                if message["type"] == "websocket.receive":
                    state.emit((clock(), MESSAGE, connection.request, "received", _size(message)))
                elif message["type"] == "websocket.disconnect":
                    connection.close(message.get("code"))
        except Exception as error:
            state.failed("receive", error)
        return message

    return receive


def make_refuse(state: ProbeState, original: Hook) -> Hook:
    """The method by which the protocol answers for an application that does not."""

    def refuse(self: Any, *args: Any, **options: Any) -> Any:
        try:
            connection = _connection(state, self)
            if connection is not None:
                connection.answer(_FAILED)
        except Exception as error:
            state.failed("refuse", error)
        return original(self, *args, **options)

    return refuse


def make_connection_lost(state: ProbeState, original: Hook) -> Callable[[Any, Exception | None], None]:
    """A protocol's `connection_lost` that reports the end of an answered handshake's connection."""

    def connection_lost(self: Any, exc: Exception | None) -> None:
        try:
            connection = _connection(state, self)
            if connection is not None and connection.status:
                state.emit((clock(), RESPONDED, connection.request))
        except Exception as error:
            state.failed("connection_lost", error)
        original(self, exc)

    return connection_lost


def _size(message: Any) -> int:
    """Bytes of a message."""
    data = message.get("bytes")
    if data is not None:
        return len(data)
    text: str = message.get("text") or ""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
