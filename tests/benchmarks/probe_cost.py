"""What watching costs: CPU time per request of a server with the probe, over the bare server's.

Run by hand: ``python tests/benchmarks/probe_cost.py``. One server process switches its probe on
and off, so that short bare and probed slices interleave (bare probed probed bare …) and a noisy
machine disturbs both alike; the median of the pairs' ratios is what counts. The CPU time is the
whole server process's: loop, sampler, and a reader that drains the buffer 30 times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import platform
import selectors
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import fastapi
import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.agent.blackbox import BlackBox
from loopviz.live.hog import Channel
from loopviz.probe import Probe
from loopviz.stream.buffer import Buffer

CONNECTIONS = 16
FRAME = 1 / 30
NOISE = "bare against itself"
ENDPOINTS = {
    "/async": "trivial async def",
    "/def": "trivial def",
    "/sleep": "5 ms sleep",
    "/steps": "20 loop steps",
}

app = fastapi.FastAPI()


@app.get("/async")
async def _async() -> dict[str, bool]:
    return {"ok": True}


@app.get("/def")
def _def() -> dict[str, bool]:
    return {"ok": True}


@app.get("/sleep")
async def _sleep() -> dict[str, bool]:
    await asyncio.sleep(0.005)
    return {"ok": True}


@app.get("/steps")
async def _steps() -> dict[str, bool]:
    for _ in range(20):
        await asyncio.sleep(0)
    return {"ok": True}


@dataclass
class Reading:
    """CPU times of the server process so far (ns)."""

    process: int
    sampler: int
    reader: int


class Server:
    """The server's side: uvicorn in a thread, and the reader of the probe's events."""

    def __init__(self, http: str, loop: str, *, box: bool = False) -> None:
        self.buffer = Buffer(box=BlackBox(Channel().box) if box else None)
        self.probe = Probe(self.buffer)
        self.kinds: Counter[str] | None = None
        self.reader_ns = self.sampler_ns = 0
        self._reading = threading.Event()
        self._config = uvicorn.Config(
            app, port=0, http=http, loop=loop, log_config=None, access_log=False, log_level="error"
        )
        self._server = uvicorn.Server(self._config)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        threading.Thread(target=self._read, daemon=True).start()
        gc.collect()
        gc.freeze()  # collections should depend on the requests, not on what has been imported

    def _serve(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve()

        with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
            runner.run(main())

    def _read(self) -> None:
        while True:
            self._reading.wait()
            time.sleep(FRAME)
            events = self.buffer.drain()
            if self.kinds is not None:
                self.kinds.update(event[1] for event in events)
            self.reader_ns = time.thread_time_ns()

    def watch(self, on: bool) -> None:
        """Install the probe, or remove it."""

        async def switch() -> None:
            if on:
                self.probe.install(self._config.http_protocol_class)
            else:
                self.sampler_ns += self.probe._sampler.cpu_ns if self.probe._sampler else 0
                self.probe.uninstall()

        asyncio.run_coroutine_threadsafe(switch(), self._loop).result()
        if on:
            self._reading.set()
        else:
            self._reading.clear()

    def reading(self) -> Reading:
        """CPU times so far."""
        sampler = self.sampler_ns
        if self._reading.is_set() and self.probe._sampler:
            sampler += self.probe._sampler.cpu_ns
        return Reading(time.process_time_ns(), sampler, self.reader_ns)

    def count(self, on: bool) -> Counter[str]:
        """Begin or end to count events by kind; what has been counted."""
        if on:
            self.kinds = Counter()
            return self.kinds
        time.sleep(2 * FRAME)  # the reader takes what is left
        kinds, self.kinds = self.kinds, None
        return kinds if kinds is not None else Counter()


def serve(control: Connection, http: str, loop: str, box: bool = False) -> None:
    """The server process: executes the commands of `control` until it is closed."""
    server = Server(http, loop, box=box)
    control.send(server.port)
    while (command := control.recv()) is not None:
        name, *args = command
        control.send(getattr(server, name)(*args))
    control.send((server.buffer.dropped, server.probe.failures))


class Client:
    """Keep-alive connections that each send the next request when they have their answer."""

    def __init__(self, port: int, path: str) -> None:
        self._address = ("127.0.0.1", port)
        self._request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        self._length = 0

    def __enter__(self) -> Self:
        self._selector = selectors.DefaultSelector()
        self._sockets = [socket.create_connection(self._address) for _ in range(CONNECTIONS)]
        for sock in self._sockets:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._length = self._length or self._answer_length(sock)
            self._selector.register(sock, selectors.EVENT_READ, [0])
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for sock in self._sockets:
            sock.close()

    def _answer_length(self, sock: socket.socket) -> int:
        sock.sendall(self._request)
        answer = b""
        while not answer.endswith(b'{"ok":true}'):
            answer += sock.recv(65536)
        return len(answer)

    def load(self, seconds: float) -> int:
        """Send requests for `seconds`; how many were answered, which is all of them."""
        end = time.monotonic() + seconds
        request, length, done, open_ = self._request, self._length, 0, len(self._sockets)
        for sock in self._sockets:
            sock.send(request)
        while open_:
            sending = time.monotonic() < end
            for key, _ in self._selector.select():
                received = key.data
                received[0] += len(key.fileobj.recv(65536))  # type: ignore[union-attr]
                if received[0] == length:
                    received[0] = 0
                    done += 1
                    if sending:
                        key.fileobj.send(request)  # type: ignore[union-attr]
                    else:
                        open_ -= 1
        return done


@dataclass
class Slice:
    """What one slice took per request (ns)."""

    process: float
    sampler: float
    reader: float
    requests: int


@dataclass
class Result:
    """The pairs of one endpoint, and where the difference comes from."""

    ratios: list[float]
    bare: list[Slice]
    probed: list[Slice]
    kinds: dict[str, float]
    """Events per request, by kind."""
    dropped: int
    failures: list[str]


class Bench:
    """One server process and the slices measured on it."""

    def __init__(self, args: argparse.Namespace, path: str) -> None:
        self._args = args
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, args.http, args.loop, args.box), daemon=True
        )
        self._process.start()
        self._client = Client(self._control.recv(), path)

    def _ask(self, *command: Any) -> Any:
        self._control.send(command)
        return self._control.recv()

    def _slice(self, on: bool) -> Slice:
        if on:
            self._ask("watch", True)
        try:
            # New connections, since uvloop looks a protocol's methods up once for each.
            with self._client as client:
                client.load(self._args.slice / 4)  # the interpreter adapts to what has changed
                before = self._ask("reading")
                done = client.load(self._args.slice)
                after = self._ask("reading")
        finally:
            if on:
                self._ask("watch", False)
        return Slice(
            (after.process - before.process) / done,
            (after.sampler - before.sampler) / done,
            (after.reader - before.reader) / done,
            done,
        )

    def _kinds(self) -> dict[str, float]:
        self._ask("watch", True)
        with self._client as client:
            client.load(self._args.slice / 4)
            time.sleep(3 * FRAME)
            self._ask("count", True)
            done = client.load(self._args.slice)
            kinds: Counter[str] = self._ask("count", False)
        self._ask("watch", False)
        return {kind: count / done for kind, count in kinds.most_common()}

    def run(self, *, second: bool) -> Result:
        """Measure pairs, whose `second` slice is probed or, to see the noise, bare as well."""
        self._slice(False), self._slice(second)
        bare: list[Slice] = []
        probed: list[Slice] = []
        for pair in range(self._args.pairs):
            order = (False, True) if pair % 2 == 0 else (True, False)
            for is_second in order:
                measured = self._slice(is_second and second)
                (probed if is_second else bare).append(measured)
        kinds = self._kinds() if second else {}
        self._control.send(None)
        dropped, failures = self._control.recv()
        self._process.join(5)
        ratios = [b.process / a.process for a, b in zip(bare, probed, strict=True)]
        return Result(ratios, bare, probed, kinds, dropped, failures)


def report(title: str, result: Result) -> None:
    """A line of the table."""
    low, middle, high = statistics.quantiles(result.ratios, n=4)
    bare = statistics.median(s.process for s in result.bare) / 1000
    probed = statistics.median(s.process for s in result.probed) / 1000
    requests = statistics.median(s.requests for s in result.bare)
    print(
        f"{title:22} {middle:5.3f}   {low:5.3f} to {high:5.3f}   {bare:8.1f} {probed:8.1f} {requests:9.0f}",
        flush=True,
    )
    if result.dropped or result.failures:
        print(f"  dropped {result.dropped}, failures {result.failures}")


def breakdown(title: str, result: Result) -> None:
    """Where each microsecond goes that the probe adds to a request."""

    def median(values: list[float]) -> float:
        return statistics.median(values) / 1000

    added = median([b.process - a.process for a, b in zip(result.bare, result.probed, strict=True)])
    sampler = median([s.sampler for s in result.probed])
    reader = median([s.reader for s in result.probed])
    hooks = added - sampler - reader
    events = sum(result.kinds.values())
    kinds = "  ".join(f"{kind} {count:.2f}" for kind, count in result.kinds.items() if count >= 0.005)
    print(
        f"{title}: +{added:.1f} us = hooks {hooks:.1f} + sampler {sampler:.1f} + reader {reader:.1f};"
        f" {events:.1f} events, {1000 * hooks / events:.0f} ns each\n    {kinds}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=24, help="pairs of slices for each line [%(default)s]")
    parser.add_argument("--slice", type=float, default=0.3, help="seconds of a slice [%(default)s]")
    parser.add_argument("--http", choices=["h11", "httptools"], default="h11", help="[%(default)s]")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio", help="[%(default)s]")
    parser.add_argument("--box", action="store_true", help="with a black box, as in a process of its own")
    parser.add_argument("--only", choices=["noise", *(path[1:] for path in ENDPOINTS)], action="append")
    args = parser.parse_args()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("uvicorn", "fastapi", "anyio"))
    print(f"Python {platform.python_version()}, {versions}, {args.http}, {args.loop};")
    print(f"{CONNECTIONS} connections, {args.pairs} pairs of {args.slice} s slices\n")
    print(f"{'':22} ratio   middle half       CPU us/request    requests")
    print(f"{'':22}                            bare   probed    a slice", flush=True)
    results = {}
    if not args.only or "noise" in args.only:
        report(NOISE, Bench(args, "/async").run(second=False))
    for path, title in ENDPOINTS.items():
        if not args.only or path[1:] in args.only:
            results[title] = Bench(args, path).run(second=True)
            report(title, results[title])
    print("\nWhere each microsecond goes, per request:")
    for title, result in results.items():
        breakdown(title, result)


if __name__ == "__main__":
    main()
