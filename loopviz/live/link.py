"""The viewer's end of a connection to a watched process."""

from __future__ import annotations

import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from loopviz.errors import InputError
from loopviz.live.hog import EVERY
from loopviz.wire.frames import Decoder, Message, WireError, encode
from loopviz.wire.messages import CALL, REPLY

__all__ = ["Link"]

_PIECE: Final = 1 << 18


class Link:
    """Receives messages in a thread, and calls what the process offers.

    `heard` is called with every message that is no reply, and `over` once when the connection has ended, with
    what was wrong, or None; both in the link's thread. So is `look`, at least every `EVERY` seconds, after
    all that has come was received.
    """

    def __init__(
        self,
        sock: socket.socket,
        heard: Callable[[Message], None],
        over: Callable[[str | None], None],
        look: Callable[[], None] | None = None,
    ) -> None:
        self._sock = sock
        self._look = look
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)
        self._heard = heard
        self._over = over
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._calls: dict[int, Future[Any]] = {}
        self._ended = False
        self.last = time.monotonic()
        """When something was received last (s, of `time.monotonic`)."""
        self._thread = threading.Thread(target=self._run, name="loopviz link", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, name: str, *arguments: Any) -> Future[Any]:
        """Call something in the process; the future has its result, or an error."""
        number, future = next(self._numbers), Future[Any]()
        self._calls[number] = future
        self._send((CALL, number, name, arguments))
        if self._ended:
            self._fail()
        return future

    def post(self, name: str, *arguments: Any) -> None:
        """The same without a result."""
        self._send((CALL, 0, name, arguments))

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _send(self, message: Message) -> None:
        with self._sending, suppress(OSError):  # its end is noticed by the thread
            self._sock.sendall(encode(message))

    def _run(self) -> None:
        decoder, wrong = Decoder(), None
        try:
            while data := self._receive():
                self.last = time.monotonic()
                for message in decoder.feed(data):
                    if message[0] == REPLY:
                        self._reply(*message[1:])
                    else:
                        self._heard(message)
        except OSError:
            pass
        except WireError as error:
            wrong = str(error)
        self._ended = True
        self._selector.close()
        self._sock.close()
        self._fail()
        self._over(wrong)

    def _receive(self) -> bytes:
        """The next bytes; none at the end."""
        if self._look is not None:
            while not self._selector.select(EVERY):
                self._look()
        return self._sock.recv(_PIECE)

    def _reply(self, number: int, error: str | None, is_input: bool, result: Any) -> None:
        future = self._calls.pop(number, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(InputError(error) if is_input else RuntimeError(error))

    def _fail(self) -> None:
        """Nothing that was called is done any more."""
        for number in list(self._calls):
            self._reply(number, "The server's process has ended.", True, None)
