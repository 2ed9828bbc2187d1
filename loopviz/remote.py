"""What runs in a worker process around a watched call: it reports when the call begins and ends.

A worker process imports nothing else of loopviz, so this module imports as little as possible. A report
is a datagram to the process that watches: sending one never waits, and the call's result does not depend
on it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from time import monotonic_ns, process_time_ns
from typing import Any, TypeAlias

__all__ = ["REPORT", "SECRET", "Recipient", "run"]

SECRET = 16
"""Length of the secret by which a recipient recognises its own reports (bytes)."""
REPORT = Struct(f"!{SECRET}s6Q")
"""Secret, call, process id, its first report, its CPU time, begin, end (0: not yet); times in ns."""
Recipient: TypeAlias = tuple[int, bytes]
"""The port on the loopback interface, and the secret."""

_mine: tuple[int, int, socket.socket] | None = None


def run(recipient: Recipient, call: int, func: Callable[..., Any], /, *args: Any) -> Any:
    """Run in the worker process in place of `func`."""
    began = monotonic_ns()
    _report(recipient, call, began, 0)
    try:
        return func(*args)
    finally:
        _report(recipient, call, began, monotonic_ns())


def _report(recipient: Recipient, call: int, began: int, ended: int) -> None:
    """Send a report; one that cannot be sent is lost."""
    global _mine  # noqa: PLW0603 - one socket for a process
    port, secret = recipient
    with suppress(Exception):
        pid = os.getpid()
        if _mine is None or _mine[0] != pid:  # a forked process has its parent's
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.setblocking(False)
            sender.bind(("127.0.0.1", 0))  # else it would take datagrams on every interface
            _mine = pid, monotonic_ns(), sender
        report = REPORT.pack(secret, call, pid, _mine[1], process_time_ns(), began, ended)
        _mine[2].sendto(report, ("127.0.0.1", port))
