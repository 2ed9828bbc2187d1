"""When a request's bytes came in: the hook on the HTTP protocol's `data_received`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.arrival import arrival
from loopviz.probe.state import ProbeState
from loopviz.probe.transports import next_data
from loopviz.stream.blind import WEBSOCKETS

__all__ = ["ON_CONNECTIONS", "came_in", "make_data_received", "pipelines", "protocol_of"]

_READ = "_loopviz_read"
"""The attribute of a cycle that waits for the one before it: when it was read, and came (ns)."""
_PIECES = "_loopviz_pieces"
"""The attribute of a protocol whose client pipelines: what its parser keeps back, or None."""
ON_CONNECTIONS = _READ, _PIECES


class _Pieces:
    """What a connection has received and not parsed yet, in pieces: where each ends, and when it came."""

    __slots__ = ("ends", "total")

    def __init__(self) -> None:
        self.total = 0
        self.ends: list[tuple[int, int]] = []

    def add(self, size: int, read: int, left: int) -> None:
        """`size` bytes were read at `read`, and `left` bytes are not parsed."""
        self.total += size
        parsed = self.total - left
        self.ends = [piece for piece in (*self.ends, (self.total, read)) if piece[0] > parsed]

    def read_at(self, left: int) -> int:
        """When the last byte was read of what is parsed, with `left` bytes to go; 0 if it is not known."""
        parsed = self.total - left
        return next((read for end, read in self.ends if end >= parsed), 0)


def make_data_received(
    state: ProbeState,
    original: Callable[[Any, bytes], None],
    unseen: Callable[[], None],
    blind: Callable[[str, str], None],
) -> Callable[[Any, bytes], None]:
    """A protocol's `data_received` that notes when the bytes came in.

    `unseen()` is called if a task was made for a request, and no request has ever been recognised;
    `blind(what, why)` reports what cannot be seen.
    """
    websocket_class = compat.WEBSOCKET_CLASS

    def look(protocol: Any, data: bytes, read: int) -> None:
        """After the protocol has read the bytes."""
        _keep(protocol, len(data), read)
        if state.unrecognised and not state.request_seen:
            if _is_upgrade(data):  # its tasks are no request's
                state.unrecognised = ""
            else:
                unseen()
        follower = protocol_of(protocol)
        if follower is not protocol and type(follower) is getattr(protocol, websocket_class, None):
            serves = getattr(follower, "run_asgi", None)
            if getattr(serves, "__qualname__", "") not in compat.WEBSOCKETS:
                name = type(follower).__name__
                blind(WEBSOCKETS, f"{name} of {compat.installed('uvicorn')} was not recognised")

    def data_received(self: Any, data: bytes) -> None:
        if state.sending:
            next_data(state, getattr(self, compat.TRANSPORT, None))
        read = state.read = clock()
        try:
            original(self, data)
        finally:
            state.read = 0
            try:
                look(self, data, read)
            except Exception as error:
                state.failed("read", error)

    return data_received


def protocol_of(holder: Any) -> Any:
    """The protocol that serves the connection of a cycle, or of a protocol; None if it is not known."""
    transport = getattr(holder, compat.TRANSPORT, None)
    return transport.get_protocol() if transport is not None else None


def _keep(protocol: Any, size: int, read: int) -> None:
    """Note when the bytes came in of requests that wait for the response before them: pipelining."""
    waiting = getattr(protocol, compat.PIPELINE, None)
    if waiting is not None:
        for cycle, *_ in waiting:
            if not hasattr(cycle, _READ):
                # With one waiting already, the protocol had stopped reading.
                setattr(cycle, _READ, (read, arrival(protocol) if hasattr(protocol, _PIECES) else 0))
                setattr(protocol, _PIECES, None)
        return
    left = compat.held_back(protocol)
    pieces: _Pieces | None = getattr(protocol, _PIECES, None)
    if pieces is None:
        if not left:
            return
        pieces = _Pieces()
        setattr(protocol, _PIECES, pieces)
    pieces.add(size, read, left)


def came_in(cycle: Any) -> tuple[int, int]:
    """When the request of a cycle was read that had to wait for the response before it (ns); else 0.

    And when it had reached the machine before, or 0 where that is unknown.
    """
    read: tuple[int, int] | None = getattr(cycle, _READ, None)
    if read is not None:
        return read
    protocol = protocol_of(cycle)
    pieces: _Pieces | None = getattr(protocol, _PIECES, None)
    return (pieces.read_at(compat.held_back(protocol)) if pieces is not None else 0), 0


def pipelines(cycle: Any) -> bool:
    """Whether the client of a cycle has sent a request before it had the response to the one before.

    Then uvicorn stops reading now and then, and bytes wait in the kernel although the loop is free.
    """
    return hasattr(protocol_of(cycle), _PIECES)


def _is_upgrade(data: bytes) -> bool:
    """Whether these bytes ask for another protocol, as a WebSocket does."""
    return b"\nupgrade:" in data.lower()
