"""One who watches a process: what is sent to it, without ever waiting for it."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from loopviz.wire.frames import Decoder, Message, encode

__all__ = ["Viewer"]

_OUTBOX: Final = 8 << 20
"""Bytes that wait for a viewer; beyond that its events are dropped."""
_PIECE: Final = 1 << 16


class Viewer:
    """The connection to a viewer. Used by the reporter's thread only.

    What does not go out at once waits in an outbox. If that is full, events are dropped and counted: a viewer
    that does not read delays nothing.
    """

    def __init__(self, sock: socket.socket, gone: Callable[[], None] | None = None) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._decoder = Decoder()
        self._outbox: deque[bytes] = deque()
        self._waiting = 0
        self.gone = gone
        """Called once when it has closed its end."""
        self.dropped = 0
        """Events that it was not sent."""

    @property
    def full(self) -> bool:
        """Whether events for it are dropped now."""
        return self._waiting > _OUTBOX

    def send(self, message: Message) -> None:
        """Send a message, or keep it for later."""
        self.put(encode(message))

    def put(self, frame: bytes) -> None:
        """The same for a message that is encoded already."""
        self._outbox.append(frame)
        self._waiting += len(frame)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it is taken now. Raises OSError if it is gone."""
        while self._outbox:
            frame = self._outbox[0]
            try:
                sent = self._sock.send(frame)
            except BlockingIOError:
                return
            self._waiting -= sent
            if sent == len(frame):
                self._outbox.popleft()
            else:
                self._outbox[0] = frame[sent:]

    def receive(self) -> Iterator[Message]:
        """What it has sent. Raises OSError if it is gone, or `WireError` if it is no viewer."""
        while True:
            try:
                data = self._sock.recv(_PIECE)
            except BlockingIOError:
                return
            if not data:
                raise ConnectionResetError("the viewer has closed its end")
            yield from self._decoder.feed(data)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()
