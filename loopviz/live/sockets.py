"""The socket on which a server listens, and its address."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

from loopviz.errors import InputError

__all__ = ["bind", "named", "reached"]

_ADVICE: Final = "Give one of this machine, or 0.0.0.0 for all of them, or leave it out for 127.0.0.1."


def named(sock: socket.socket) -> str:
    """The address of a socket as it is written: ``127.0.0.1:8000`` or ``[::1]:8000``."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reached(host: str, port: int) -> str:
    """The URL at which a client on this machine reaches a server that is bound to this address."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is asked for, not bound
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


def bind(host: str, port: int) -> socket.socket:
    """A socket for the server, made before anything is drawn, so that an error can be read."""
    # With the protocol named, asyncio sends answers at once (TCP_NODELAY). Without it, a client that keeps
    # its connection waits for its own delayed acknowledgement: 40 ms a request.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform == "win32":  # there, SO_REUSEADDR would let another program take the port as well
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)  # now, so that a request can connect before uvicorn has started
    except (TypeError, UnicodeError):  # no name is written so
        sock.close()
        raise InputError(f"--host {host} is no address.\n{_ADVICE}") from None
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"Port {port} of {host} is in use.\nUse another --port, or leave it out for a free one."
            ) from None
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise InputError(
                f"--host {host} is no address of this machine: {error.strerror}.\n{_ADVICE}"
            ) from None
        raise InputError(
            f"Port {port} of {host} cannot be used: {error.strerror}.\n"
            "Use another --port, or leave it out for a free one."
        ) from None
    return sock
