"""Servers in processes of their own, to which loopviz attaches, and what they say of themselves."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from loopviz.live.attach.reach import reach
from loopviz.live.attached import Attached
from loopviz.model import Timeline

ROOT = Path(__file__).parent.parent

APPLICATION = '''
import asyncio, gc, os, signal, sys, threading, time
{prepared}

def names(owner):
    return {{name: id(value) for name, value in vars(owner).items() if not name.startswith("__")}}

def opened(number):
    """What a file is. The import of ctypes leaves one of libffi's on some systems."""
    try:
        return os.readlink("/proc/self/fd/" + number)
    except OSError:
        return "closed by now: libffi"

def state():
    """All that a probe could leave behind."""
    loop = asyncio.get_running_loop()
    classes = [Protocol, RequestResponseCycle, FlowControl]
    if "anyio" in sys.modules:
        from anyio._backends._asyncio import AsyncIOBackend, CapacityLimiter
        classes += [AsyncIOBackend, CapacityLimiter]
    return {{
        "loop": sorted(vars(loop)),
        "selector": sorted(vars(loop._selector)),
        "classes": [sorted(names(kind).items()) for kind in classes],
        "threads": sorted(t.name for t in threading.enumerate() if not t.name.startswith("AnyIO")),
        "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
        "tasks": [
            name
            for task in asyncio.all_tasks()
            for name in ("_loopviz", "_loopviz_handle")
            if hasattr(task, name)
        ],
        "connections": sorted({{name for p in gc.get_objects() if type(p) is Protocol for name in vars(p)}}),
        "files": len([name for name in map(opened, os.listdir("/proc/self/fd")) if "libffi" not in name]),
        "path": sys.path,
        "meta": [str(finder) for finder in sys.meta_path],
        "handle": sorted(kind.__name__ for kind in asyncio.Handle.__subclasses__() if gc.collect() >= 0),
        "modules": sorted(name for name in sys.modules if name.split(".")[0] == "loopviz"),
    }}

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

async def forever():
    while True:
        await asyncio.sleep(0.03)

waiting = None

async def app(scope, receive, send):
    global waiting
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                waiting = asyncio.create_task(forever())
            await send({{"type": message["type"] + ".complete"}})
            if message["type"] == "lifespan.shutdown":
                waiting.cancel()
                return
    path, body = scope["path"], b"fine"
    if path == "/state":
        import json
        gc.collect()
        body = json.dumps(state()).encode()
    elif path == "/objects":
        gc.collect()
        body = str(len(gc.get_objects())).encode()
    elif path == "/block":
        time.sleep(float(scope["query_string"] or b"0.2"))
    elif path == "/sleep":
        await asyncio.sleep(float(scope["query_string"] or b"0.05"))
    elif path == "/thread":
        from anyio.to_thread import run_sync
        await run_sync(time.sleep, 0.03)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": body}})
'''


UVICORN = (
    "uvicorn", "served:app", "--port", "{port}", "--log-level", "warning",
    "--loop", "asyncio", "--http", "h11",
)  # fmt: skip


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def until(holds: Callable[[], Any], why: str, patience: float = 20.0) -> Any:
    """Wait until something is true; its value."""
    end = time.monotonic() + patience
    while not (value := holds()):
        assert time.monotonic() < end, why
        time.sleep(0.02)
    return value


def get(port: int, path: str) -> bytes:
    """The answer to a request on a connection of its own."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("GET", path, headers={"connection": "close"})
        return client.getresponse().read()


class Server:
    """A server in a process of its own. `place` is where it opens its door; without it, it has none.

    `command` is in place of uvicorn's; ``{port}`` in it is the port.
    """

    def __init__(
        self,
        folder: Path,
        place: Path | None,
        *options: str,
        command: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        prepared = f"import loopviz; loopviz.watch({str(place)!r})" if place is not None else ""
        (folder / "served.py").write_text(APPLICATION.format(prepared=prepared))
        self.place = place
        self.port = free_port()
        command = [
            sys.executable,
            "-m",
            *(part.format(port=self.port) for part in command or UVICORN),
            *options,
        ]
        # The package is found although a test runs in another folder.
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.problems = b""

    def __enter__(self) -> Self:
        try:
            until(self._answers, "the server did not start")
        except AssertionError:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.problems = self.process.communicate(timeout=10)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def _answers(self) -> bool:
        assert self.process.poll() is None, (
            self.process.stderr and self.process.stderr.read()
        ) or "it has ended"
        try:
            return self.get("/") == b"fine"
        except OSError:
            return False

    def get(self, path: str) -> bytes:
        """The answer to a request on a connection of its own."""
        return get(self.port, path)

    def state(self) -> dict[str, Any]:
        """What the process says of itself, when the connections of before are closed."""
        found: dict[str, Any] = json.loads(self.get("/state"))
        return found

    def door(self) -> Path:
        """Its socket."""
        assert self.place is not None
        return self.place / f"loopviz-{os.getuid()}" / f"{self.pid}.sock"


@contextlib.contextmanager
def attached(target: object) -> Iterator[Attached]:
    """A view of a server; the loop is watched when this begins."""
    reached = reach(str(target))
    view = Attached((reached.connection, reached.pid))
    view.start()
    try:
        view.wait()
        yield view
    finally:
        view.stop()


def sees(view: Attached, timeline: Timeline, path: str, count: int = 1) -> bool:
    """Whether so many requests for a path have been seen, and are over."""
    timeline.feed(view.drain())
    return sum(r.path == path and r.done is not None for r in list(timeline.requests.values())) >= count


class Load:
    """Requests on keep-alive connections, one after the other, while the `with` block lasts."""

    def __init__(self, port: int, clients: int = 3) -> None:
        self.port = port
        self.answered = 0
        self.failed: list[str] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]

    def _run(self, number: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        paths = ["/sleep?0.01", "/", "/thread", "/sleep?0.03"]
        turn = number
        while not self._ends.is_set():
            turn += 1
            try:
                client.request("GET", paths[turn % len(paths)])
                answer = client.getresponse()
                if answer.read() != b"fine" or answer.status != 200:
                    self.failed.append(f"{answer.status}")
                self.answered += 1
            except Exception as error:
                self.failed.append(repr(error))
                client.close()
        client.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(20)


def stop_now(process: int) -> None:
    """Stop a process, as ctrl+z does."""
    os.kill(process, signal.SIGSTOP)
