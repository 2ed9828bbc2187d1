"""A server process for `tests.silent`: applications that keep the GIL, a probe, and a reporter.

Arguments: the files of the black box, the pipe for stacks, the connection and the listening socket.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from loopviz.agent.blackbox import BlackBox
from loopviz.agent.stacks import Stacks
from loopviz.probe import Probe
from loopviz.stream.buffer import Buffer
from loopviz.wire import encode

app = FastAPI()
TEXT = "a" * 26 + "b"


@app.get("/regex")
async def regex(n: int = 26) -> None:
    """Keep the loop and the GIL."""
    re.match(r"(a+)+$", "a" * n + "b")


@app.get("/thread")
def in_thread(n: int = 26) -> None:
    """Keep the GIL in a worker thread."""
    re.match(r"(a+)+$", "a" * n + "b")


@app.get("/sum")
async def add() -> None:
    """Keep the GIL without a Python frame of a library's."""
    sum(range(60_000_000))


@app.get("/asleep")
async def asleep() -> None:
    """Keep the GIL in C code that sleeps."""
    ctypes.PyDLL(None).usleep(900_000)


@app.get("/thread-asleep")
def thread_asleep() -> None:
    """The same in a worker thread."""
    ctypes.PyDLL(None).usleep(900_000)


@app.get("/foreign")
async def foreign() -> None:
    """Keep the GIL in a thread that does nothing for the server."""
    threading.Thread(target=regex_of_its_own, daemon=True).start()


def regex_of_its_own() -> None:
    """Keep the GIL for a second or two."""
    time.sleep(0.2)
    re.match(r"(a+)+$", TEXT)


@app.get("/callback")
async def callback() -> None:
    """Keep the GIL in a callback."""
    asyncio.get_running_loop().call_later(0.1, re.match, r"(a+)+$", TEXT)


@app.get("/computes")
async def computes() -> None:
    """Compute in Python, which passes the GIL on."""
    end = time.thread_time() + 1
    while time.thread_time() < end:
        pass


@app.get("/await")
async def awaits(s: float = 0.5) -> None:
    """Do not hold the loop."""
    await asyncio.sleep(s)


@app.get("/quick")
async def quick() -> None:
    """Do nothing."""


async def serve(box: int, pipe: int, connection: int, listening: int) -> None:
    """Serve until the connection is closed."""
    black_box = BlackBox(box)
    os.close(box)
    stacks = Stacks(pipe)
    buffer = Buffer(box=black_box)
    probe = Probe(buffer, secret="s", own={__file__})
    config = uvicorn.Config(app, loop="asyncio", http="h11", log_config=None, access_log=False)
    config.load()
    server = uvicorn.Server(config)
    probe.install(config.http_protocol_class)
    wire = socket.socket(fileno=connection)
    reporter = threading.Thread(target=report, args=(wire, buffer, probe, server, stacks), daemon=True)
    reporter.start()
    while not reporter.native_id:
        await asyncio.sleep(0.001)
    hello: dict[str, Any] = {
        "signal": stacks.signal,
        "no_signal": stacks.why,
        "loop_thread": threading.get_native_id(),
        "reporter": reporter.native_id,
        "own": [__file__],
    }
    wire.sendall(encode(("hello", hello)))
    await server.serve(sockets=[socket.socket(fileno=listening)])


def report(wire: socket.socket, buffer: Buffer, probe: Probe, server: uvicorn.Server, stacks: Stacks) -> None:
    """Send the events every 16 ms."""
    time.sleep(0.1)
    with suppress(OSError):
        while stacks.intact():
            wire.sendall(encode(("events", buffer.drain(), probe.failures)))
            time.sleep(0.016)
    server.should_exit = True


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:5])))
