"""What the kernel has of a response that the client has not taken yet (Linux).

While the server has the socket, an ioctl returns how many bytes have not left yet. A socket that the server
has closed goes on sending without any file, and a client on the same machine has a socket, too: these are
found by the connection's addresses, as ``ss`` does (sock_diag(7)).
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

try:
    from fcntl import ioctl
except ImportError:  # Windows
    ioctl = None  # type: ignore[assignment]

__all__ = ["Addresses", "Found", "Sockets", "addresses", "unsent"]

_SIOCOUTQNSD = 0x894B
"""The bytes that have not been sent yet, of linux/sockios.h. Not SIOCOUTQ: that counts what has been sent
and is not acknowledged, and a receiver may delay an acknowledgement by 40 ms."""
_LINUX = sys.platform == "linux" and ioctl is not None

_NETLINK: int = getattr(socket, "AF_NETLINK", 16)
_SOCK_DIAG = 4
_BY_FAMILY, _REQUEST, _ERROR = 20, 1, 2  # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_QUEUES = struct.Struct("=II")  # idiag_rqueue and idiag_wqueue in struct inet_diag_msg
_ALL_STATES, _NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
# States of tcp_states.h.
_ESTABLISHED, _FIN_WAIT1, _CLOSE_WAIT, _LAST_ACK, _CLOSING = 1, 4, 8, 9, 11

Addresses: TypeAlias = tuple[int, tuple[str, int], tuple[str, int]]
"""The address family of a connection, its address here, and the other one."""


def unsent(sock: Any) -> int:
    """How many bytes of an open socket have not left yet; 0 where that is unknown."""
    if not _LINUX or sock is None or (file := sock.fileno()) < 0:
        return 0
    try:
        return int.from_bytes(ioctl(file, _SIOCOUTQNSD, b"\0\0\0\0"), sys.byteorder)
    except OSError:  # no TCP socket
        return 0


def is_writable(sock: Any) -> bool:
    """Whether the kernel takes more bytes for a connection."""
    poller = getattr(select, "poll", None)
    if poller is None:
        return False
    polled = poller()
    polled.register(sock.fileno(), select.POLLOUT)
    return any(event & select.POLLOUT for _, event in polled.poll(0))


def addresses(sock: Any) -> Addresses | None:
    """By which the kernel finds the connection; None where it cannot."""
    if not _LINUX or sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        return sock.family, sock.getsockname()[:2], sock.getpeername()[:2]
    except OSError:  # closed, or never connected
        return None


class Found(NamedTuple):
    """A socket, whether its program has it or has closed it."""

    state: int
    unread: int
    """Bytes that its program has not read; an end of the stream counts as one."""
    unacknowledged: int
    """Bytes that the other side has not acknowledged."""

    @property
    def sends(self) -> bool:
        """Whether the kernel still sends what the program has written."""
        return bool(self.unacknowledged) and self.state in (
            _ESTABLISHED, _FIN_WAIT1, _CLOSE_WAIT, _LAST_ACK, _CLOSING,
        )  # fmt: skip

    @property
    def reads(self) -> bool:
        """Whether its program has something left to read."""
        return self.unread > 1 and self.state in (_ESTABLISHED, _CLOSE_WAIT)


class Sockets:
    """Asks the kernel for sockets, while the `with` block lasts. Raises OSError where it does not answer."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._netlink is not None:
            self._netlink.close()

    def find(self, connection: Addresses, *, other: bool = False) -> Found | None:
        """The socket of a connection here, or the `other` side's if that is on this machine, too."""
        family, here, there = connection
        if other:
            here, there = there, here
        asked = (
            struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)  # struct inet_diag_req_v2
            + struct.pack("!HH", here[1], there[1])
            + socket.inet_pton(family, here[0]).ljust(16, b"\0")
            + socket.inet_pton(family, there[0]).ljust(16, b"\0")
            + bytes(4)
            + _NO_COOKIE
        )
        if self._netlink is None:
            self._netlink = socket.socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
            self._netlink.settimeout(0.1)
        self._netlink.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked)
        answer = self._netlink.recv(4096)
        if _HEADER.unpack_from(answer)[1] == _ERROR:
            return None
        return Found(answer[_HEADER.size + 1], *_QUEUES.unpack_from(answer, _HEADER.size + 56))
