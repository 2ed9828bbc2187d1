"""When bytes reached this machine that were read later: the kernel's word."""

from __future__ import annotations

import socket
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.selector import LONG

__all__ = ["arrival"]

_TCP_INFO = getattr(socket, "TCP_INFO", None)
# struct tcp_info of linux/tcp.h: 8 bytes, then 32-bit fields; tcpi_last_data_recv is the 12th.
_LAST_DATA_RECV = slice(52, 56)


def arrival(holder: Any) -> int:
    """When the latest bytes of a cycle's, or a protocol's, connection came (ns); 0 where that is unknown.

    It is unknown as well if that was less than `LONG` ago.
    """
    if _TCP_INFO is None:
        return 0
    transport = getattr(holder, compat.TRANSPORT, None)
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None:
        return 0
    info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _LAST_DATA_RECV.stop)
    waited = int.from_bytes(info[_LAST_DATA_RECV], "little") * 1_000_000
    return clock() - waited if waited > LONG else 0
