"""The upstream server, which scenarios call: ``/SECRET/sleep?seconds=1`` is answered after a second.

It is a process of its own, so that it costs the watched server nothing. It knows as much HTTP/1.1 as a
client needs: requests without a body, on connections that stay open. Run it as a plain script with the
number of a listening socket. It reads the secret from the first line of its standard input, and ends when
that ends. A request without the secret is answered by 403.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import os
import socket
import sys
import threading
from functools import partial
from urllib.parse import parse_qs, urlsplit

__all__ = ["main"]


async def serve(secret: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = _below(secret, head.split(b" ", 2)[1])
            if target is None:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                break
            url = urlsplit(target.decode("ascii"))
            status, seconds = "404 Not Found", 0.0
            if url.path == "/sleep":
                status, seconds = "200 OK", float(parse_qs(url.query).get("seconds", ["1"])[0])
                if not math.isfinite(seconds):
                    break
                await asyncio.sleep(seconds)
            body = json.dumps({"path": url.path, "slept": seconds}).encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError, IndexError):
        pass  # the client has disconnected, or its request is invalid
    finally:
        writer.close()


def _below(secret: bytes, target: bytes) -> bytes | None:
    """What follows the secret in the target of a request; None without the secret."""
    length = len(secret) + 1
    if hmac.compare_digest(target[:length], b"/" + secret) and target[length : length + 1] == b"/":
        return target[length:]
    return None


async def main(sock: socket.socket, secret: bytes) -> None:
    """Serve on `sock` until the process ends."""
    server = await asyncio.start_server(partial(serve, secret), sock=sock, backlog=2048)
    await server.serve_forever()


def _watch_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _secret() -> bytes:
    """The first line of the standard input."""
    read = b""
    while not read.endswith(b"\n"):
        more = os.read(0, 1024)
        if not more:
            os._exit(0)
        read += more
    return read.rstrip(b"\n")


if __name__ == "__main__":
    given = _secret()
    threading.Thread(target=_watch_parent, daemon=True).start()
    # With the protocol named, asyncio sends answers at once (TCP_NODELAY), also where it is not the default.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=int(sys.argv[1]))
    asyncio.run(main(listening, given))
