"""Health probes: ten requests a second at a trivial endpoint, as a load balancer sends them."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from loopviz import __version__
from loopviz.clock import NS, now_ns
from loopviz.errors import InputError
from loopviz.stream.events import HEALTH, PROBING, Event
from loopviz.stream.marked import HEADER, PROBE

__all__ = ["MOST_OUTSTANDING", "PERIOD", "Prober", "checked_path"]

PERIOD: Final = 100_000_000
"""Between two probes (ns)."""
MOST_OUTSTANDING: Final = 20
"""While so many probes have no answer, no more are sent."""
_MOST_BYTES: Final = 65_536
"""An answer that is longer counts as complete."""
_REFUSED: Final = "no connection"
_SAFE: Final = "/?&=%:@!$'()*+,;~-._[]"
_OVERSLEPT: Final = 50_000_000
"""A thread that runs so much later (ns) than it asked for did not get the GIL, or was stopped."""
_FAILS: Final = 400
"""A status from here on is a failure, as for most load balancers."""


def checked_path(path: str) -> str:
    """The path of an endpoint as it is sent. Raises `InputError` if it is none."""
    if not path.startswith("/") or path.startswith("//") or any(sign.isspace() for sign in path):
        raise InputError(f"--health {path!r} is no path.\nIt begins with a slash: --health /healthz.")
    return quote(path, safe=_SAFE, errors="surrogateescape")  # an argument need not be UTF-8


@dataclass(slots=True, eq=False)
class _Outstanding:
    """A probe that has no answer yet."""

    sent: int
    sock: socket.socket
    answer: bytearray = field(default_factory=bytearray)
    connected: bool = False
    unsure: bool = False
    """Whether it was found to be answered when this thread had not run for a while."""


class Prober:
    """Sends probes in a thread of its own until it is stopped.

    `base_url` is where the server listens, `timeout` is in seconds, `secret` marks the probes for the server,
    and `emit` takes the events. A probe is sent every `PERIOD`, whether or not those before are answered, on
    a connection of its own, as HAProxy and Kubernetes do it.
    """

    def __init__(
        self, base_url: str, path: str, timeout: float, secret: str, emit: Callable[[Event], None]
    ) -> None:
        parts = urlsplit(base_url)
        self.path = path
        self.timeout = timeout
        self._address = parts.hostname or "127.0.0.1", parts.port or 80
        self._limit = round(timeout * NS)
        self._late = f"no answer within {timeout:g} s"
        self._request = (
            f"GET {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nuser-agent: loopviz/{__version__} (health)\r\n"
            f"accept: */*\r\nconnection: close\r\n{HEADER}: {secret}-{PROBE}\r\n\r\n"
        ).encode("ascii")
        self._emit = emit
        self._outstanding: dict[socket.socket, _Outstanding] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loopviz health", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._emit((now_ns(), PROBING, self.path, self._limit))
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what has no answer is not waited for. Returns at once."""
        self._ended.set()
        self._wake.close()
        if self._thread.ident is not None:
            self._thread.join(0.5)

    def _run(self) -> None:
        self._selector.register(self._woken, selectors.EVENT_READ)
        due = now_ns()
        while not self._ended.is_set():
            now = now_ns()
            if now >= due:
                # One that could not be sent in time, as this thread could not run, is not sent later.
                due = max(due + PERIOD, now + PERIOD // 2)
                if len(self._outstanding) < MOST_OUTSTANDING:
                    self._send()
            self._look(0)
            self._expire(now)
            oldest = min((probe.sent for probe in self._outstanding.values()), default=due)
            self._look(min(due, oldest + self._limit))
        for probe in list(self._outstanding.values()):
            self._close(probe)
        self._selector.close()
        self._woken.close()
        self._emit((now_ns(), PROBING, "", 0))

    def _look(self, until: int) -> None:
        """Wait for what comes, until then (ns); 0: only look."""
        wait = max(0, until - now_ns()) if until else 0
        ready = self._selector.select(wait / NS)
        overslept = bool(until) and now_ns() - until > _OVERSLEPT
        if overslept:
            ready = self._selector.select(0)
        for key, _ in ready:
            probe = self._outstanding.get(key.fileobj)  # type: ignore[call-overload]
            if probe is not None:
                probe.unsure |= overslept
                self._go_on(probe)

    def _send(self) -> None:
        """Open a connection, and send a probe when it is there."""
        sent = now_ns()
        self._emit((sent, HEALTH, sent, None, None, ""))
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # no file descriptor is left
            self._emit((now_ns(), HEALTH, sent, None, 0, error.strerror or _REFUSED))
            return
        probe = self._outstanding[sock] = _Outstanding(sent, sock)
        try:
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(self._address)
            self._selector.register(sock, selectors.EVENT_WRITE)
        except OSError:
            self._fail(probe, _REFUSED)

    def _go_on(self, probe: _Outstanding) -> None:
        """Its connection is there, or something has come on it."""
        try:
            if not probe.connected:
                if probe.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self._fail(probe, _REFUSED)
                    return
                probe.connected = True
                probe.sock.send(self._request)  # a few hundred bytes into an empty buffer
                self._selector.modify(probe.sock, selectors.EVENT_READ)
                return
            data = probe.sock.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._fail(probe, _REFUSED if not probe.connected else "the connection was reset")
            return
        probe.answer += data
        if not data or len(probe.answer) >= _MOST_BYTES:
            self._answered(probe)

    def _answered(self, probe: _Outstanding) -> None:
        took = now_ns() - probe.sent
        status = _status(bytes(probe.answer[:32]))
        if took > self._limit and probe.unsure:
            self._close(probe)  # it may have come in time, while this thread could not run
        elif took > self._limit:
            self._fail(probe, self._late)
        elif not status:
            self._fail(probe, "the connection was closed without an answer")
        elif status >= _FAILS:
            self._close(probe)
            self._emit((now_ns(), HEALTH, probe.sent, took, 0, f"status {status}"))
        else:
            self._close(probe)
            self._emit((now_ns(), HEALTH, probe.sent, took, 1, ""))

    def _expire(self, now: int) -> None:
        """Give up the probes whose time is over, unless their answer has just come."""
        for probe in [probe for probe in self._outstanding.values() if now - probe.sent >= self._limit]:
            self._fail(probe, self._late)

    def _fail(self, probe: _Outstanding, why: str) -> None:
        self._close(probe)
        self._emit((now_ns(), HEALTH, probe.sent, None, 0, why))

    def _close(self, probe: _Outstanding) -> None:
        self._outstanding.pop(probe.sock, None)
        with suppress(KeyError, ValueError):
            self._selector.unregister(probe.sock)
        probe.sock.close()


def _status(head: bytes) -> int:
    """The status of an answer; 0 if it is none."""
    version, _, rest = head.partition(b" ")
    digits = rest[:3]
    return int(digits) if version.startswith(b"HTTP/1.") and len(digits) == 3 and digits.isdigit() else 0
