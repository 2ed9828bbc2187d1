"""The upstream server, which scenarios call: ``/sleep?seconds=1`` is answered after a second.

It is a process of its own, so that it costs the watched server nothing. It knows as much HTTP/1.1 as a
client needs: requests without a body, on connections that stay open. Run it as a plain script with the
number of a listening socket; it ends when its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from urllib.parse import parse_qs, urlsplit

__all__ = ["main"]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            url = urlsplit(head.split(b" ", 2)[1].decode("ascii"))
            status, seconds = "404 Not Found", 0.0
            if url.path == "/sleep":
                status, seconds = "200 OK", float(parse_qs(url.query).get("seconds", ["1"])[0])
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


async def main(sock: socket.socket) -> None:
    """Serve on `sock` until the process ends."""
    server = await asyncio.start_server(serve, sock=sock, backlog=2048)
    await server.serve_forever()


def _watch_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_watch_parent, daemon=True).start()
    # With the protocol named, asyncio sends answers at once (TCP_NODELAY), also where it is not the default.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=int(sys.argv[1]))
    asyncio.run(main(listening))
