"""What a foreign client that keeps its connection waits for an answer, under loopviz and under bare uvicorn.

Run by hand: ``python tests/benchmarks/keep_alive.py``. Both servers run at the same time, each in a process
of its own, and serve the same application. One client asks them in turns, so that a noisy machine
disturbs both alike. The last line is what counts: the ratio of the medians.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import platform
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.live.session import Session
from loopviz.scenario import ScenarioFile, read

FRAME = 1 / 30
SCENARIO = """
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/x")
async def handler():
    return {"ok": True}

scenario = Scenario(title="an answer at once", expect="no waiting")
"""


def _scenario() -> ScenarioFile:
    """The application that both serve."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "keep_alive_app.py")
        path.write_text(SCENARIO, encoding="utf-8")
        (file,) = read([path])
    return file


def serve_bare(control: Connection, loop: str) -> None:
    """Serve with uvicorn as its command line does, until the parent says so."""
    config = uvicorn.Config(_scenario().app, port=0, loop=loop, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    control.send(server.servers[0].sockets[0].getsockname()[1])
    control.recv()


def serve_watched(control: Connection, loop: str) -> None:
    """Serve with loopviz, whose events are read 30 times a second, until the parent says so."""
    session = Session([_scenario()], loop=loop)
    session.start()
    session.wait()
    control.send(int(session.address.rpartition(":")[2]))
    while not control.poll(FRAME):
        session.drain()
    session.stop()


class Asked:
    """One server, the connection to it, and how long its answers took (s)."""

    def __init__(self, serve: Callable[[Connection, str], None], loop: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, loop), daemon=True)
        self._process.start()
        self._connection = http.client.HTTPConnection("127.0.0.1", self._control.recv(), timeout=10)
        self._local: object = None
        self.times: list[float] = []

    def ask(self) -> None:
        """One request. The connection must be the one before."""
        began = time.perf_counter()
        self._connection.request("GET", "/x")
        answer = self._connection.getresponse()
        body = answer.read()
        self.times.append(time.perf_counter() - began)
        assert (answer.status, body) == (200, b'{"ok":true}')
        assert isinstance(self._connection.sock, socket.socket)
        here = self._connection.sock.getsockname()
        assert self._local in {None, here}, "the connection was not kept"
        self._local = here

    def end(self) -> None:
        """End the server."""
        self._connection.close()
        self._control.send(None)
        self._process.join(1)
        self._process.kill()


def report(title: str, times: list[float]) -> float:
    """Print a line of the table; the median (s)."""
    middle = statistics.median(times)
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"{title:14} {1e3 * middle:8.3f} {1e3 * p95:8.3f} {1e3 * max(times):8.3f}", flush=True)
    return middle


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000, help="to each server [%(default)s]")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio", help="[%(default)s]")
    args = parser.parse_args()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("uvicorn", "fastapi"))
    print(f"Python {platform.python_version()}, {versions}, {args.loop}; {args.requests} requests to each\n")
    bare, watched = Asked(serve_bare, args.loop), Asked(serve_watched, args.loop)
    try:
        for _ in range(50):  # the first ones load code
            for server in (bare, watched):
                server.ask()
                server.times.clear()
        for turn in range(args.requests):
            for server in (bare, watched) if turn % 2 else (watched, bare):
                server.ask()
    finally:
        bare.end()
        watched.end()
    print(f"{'latency in ms':14} {'median':>8} {'p95':>8} {'longest':>8}")
    ratio = 1 / report("bare uvicorn", bare.times) * report("loopviz", watched.times)
    print(f"\nratio of the medians: {ratio:.2f}")


if __name__ == "__main__":
    main()
