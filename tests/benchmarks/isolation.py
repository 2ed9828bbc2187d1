"""What a server process of its own is worth, and what it costs, beside bare uvicorn.

Run by hand: ``python tests/benchmarks/isolation.py``, all parts or some: ``--part screen --part latency``.
Everything is the real program in a pseudo-terminal. The two that are compared are measured in turns, in one
run, so that a noisy machine disturbs both alike. What should be reached is printed beside each figure.

``screen``: frames per second, the longest gap between two frames, the time until the line is shown that holds
the loop, and the time until ``q`` has ended the program, while a regular expression keeps the GIL, and
while four threads compute. ``latency``: a foreign client that keeps its connection. ``start``: from the
command to the first frame, beside the time that uvicorn needs until it serves.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import platform
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from tests.terminal import Terminal

APP = """
import os
import re
import time

from fastapi import FastAPI

app = FastAPI()
LONG = "a" * int(os.environ.get("BENCHMARK_LENGTH", "20")) + "b"


@app.get("/hog")
async def hog():
    re.match("(a+)+$", LONG)  # keeps the GIL
    return "done"


@app.get("/compute")
def compute():
    end = time.perf_counter() + 6
    while time.perf_counter() < end:
        pass
    return "done"


@app.get("/x")
async def x():
    return {"ok": True}
"""
HOG_LINE = 1 + APP[: APP.index("re.match")].count("\n")
_FRAME, _QUERY = b"\x1b[?2026h", b"\x1b[?2026$p"
_ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=$]*[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Watched(Terminal):
    """The program in a terminal; it is noted when it draws."""

    frame_times: list[float]

    def __init__(self, *arguments: str, folder: Path, environment: dict[str, str] | None = None) -> None:
        super().__init__(*arguments, folder=folder, environment=environment)
        self.frame_times = []

    def pump(self, seconds: float) -> None:
        """As before; each frame has the time at which its first byte was read."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                return
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # it has ended
                return
            seen = max(0, len(self.output) - len(_FRAME) + 1)
            self.output += data
            self.frame_times += [time.monotonic()] * self.output[seen:].count(_FRAME)
            if _QUERY in data:
                self.press("\x1b[?2026;2$y")

    def since(self, began: float, ended: float) -> tuple[float, float]:
        """Frames per second, and the longest gap (s), between two times."""
        times = [began, *(t for t in self.frame_times if began <= t <= ended), ended]
        gaps = [after - before for before, after in pairwise(times)]
        return (len(times) - 2) / (ended - began), max(gaps)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def get(port: int, path: str, timeout: float = 60) -> int:
    """One request on a connection of its own; its status."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def serves(port: int) -> bool:
    """Whether a request is answered."""
    try:
        return get(port, "/x", 1) == 200
    except (OSError, http.client.HTTPException):
        return False


def await_serving(port: int, pump: Callable[[float], None], seconds: float = 30) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + seconds
    while not serves(port):
        assert time.monotonic() < until, "it does not serve"
        pump(0.05)


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Do it in a thread; what it raises does not matter, since the server is ended in the middle of it."""

    def run() -> None:
        with contextlib.suppress(Exception):
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def hog_length(seconds: float) -> int:
    """How many characters keep the regular expression busy for so long on this machine."""
    length = 18
    while True:
        began = time.perf_counter()
        re.match("(a+)+$", "a" * length + "b")
        if (took := time.perf_counter() - began) > 0.1:
            while took < seconds:
                took *= 2
                length += 1
            return length
        length += 1


def goal(value: float, limit: float, unit: str, *, least: bool = False) -> str:
    """A figure, what it should be, and whether it is."""
    good = value >= limit if least else value <= limit
    sign = ">=" if least else "<="
    return f"{value:7.2f} {unit:4} ({sign} {limit:g}){'' if good else '  MISSED'}"


# -- the screen ------------------------------------------------------------------------------------


def screen(folder: Path, mode: str, seconds: float) -> None:
    """The screen while the GIL is kept, and while four threads compute."""
    length = hog_length(seconds + 2)
    for what, requests, pattern in (
        ("a regular expression keeps the GIL", ["/hog"], rf"main\.py:{HOG_LINE}\b".encode()),
        ("four threads compute", ["/compute"] * 4, None),
    ):
        port = free_port()
        environment = {"BENCHMARK_LENGTH": str(length)}
        arguments = ("run", "main:app", mode, "--port", str(port))
        with Watched(*arguments, folder=folder, environment=environment) as program:
            await_serving(port, program.pump)
            program.pump(1.0)
            before = len(program.output)
            began = time.monotonic()
            for path in requests:
                in_background(partial(get, port, path))
            shown = None
            while time.monotonic() - began < seconds:
                program.pump(0.02)
                if (
                    shown is None
                    and pattern
                    and re.search(pattern, _ESCAPES.sub(b"", program.output[before:]))
                ):
                    shown = time.monotonic() - began
            rate, gap = program.since(began + 0.1, time.monotonic())
            program.press("q")
            try:
                left = program.wait(30)
            except AssertionError:
                left = 30.0
        print(f"{mode}: {what}")
        print(f"    frames      {goal(rate, 30 * 0.97, '/s', least=True)}")
        print(f"    longest gap {goal(1e3 * gap, 100, 'ms')}")
        if pattern:
            print(f"    its line    {goal(1e3 * (shown or seconds), 500, 'ms')}")
        print(f"    q           {goal(left, 1.5, 's')}", flush=True)


# -- latency ---------------------------------------------------------------------------------------


class Asked:
    """A server, one connection to it, and how long its answers took (s)."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.times: list[float] = []

    def ask(self, until: float) -> None:
        """Requests one after the other until then."""
        while time.perf_counter() < until:
            began = time.perf_counter()
            self._connection.request("GET", "/x")
            answer = self._connection.getresponse()
            answer.read()
            self.times.append(time.perf_counter() - began)
            assert answer.status == 200
            time.sleep(0.002)  # a client that thinks: else it is the bottleneck, not the server

    def percentile(self, share: float) -> float:
        """So many of the answers took no longer (s)."""
        return sorted(self.times)[int(len(self.times) * share)]


@contextlib.contextmanager
def bare(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The same application under uvicorn."""
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port), *options]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
            process.kill()


def pumping(program: Terminal) -> Callable[[], None]:
    """Read what the program writes, in a thread; the function ends that."""
    over = threading.Event()

    def pump() -> None:
        while not over.is_set():
            program.pump(0.1)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    return end


def latency(folder: Path, mode: str, slices: int) -> None:
    """A foreign keep-alive client, in slices of half a second, here and there in turns."""
    ours, theirs = free_port(), free_port()
    options = ("--no-access-log", "--loop", "asyncio")
    with (
        bare(folder, theirs, *options),
        bare(folder, (again := free_port()), *options),
        Watched("run", "main:app", mode, "--port", str(ours), *options, folder=folder) as program,
    ):
        for port in (ours, theirs, again):
            await_serving(port, program.pump)
        program.pump(2.0)
        end = pumping(program)
        clients = {"loopviz": Asked(ours), "uvicorn": Asked(theirs), "uvicorn, again": Asked(again)}
        for client in clients.values():
            client.ask(time.perf_counter() + 0.5)  # the first requests load code
            client.times.clear()
        order = list(clients.values())
        for _ in range(slices):
            for client in order:
                client.ask(time.perf_counter() + 0.5)
                time.sleep(0.15)
            order.append(order.pop(0))
        end()
        program.press("q")
        with contextlib.suppress(AssertionError):
            program.wait(5)
    print(f"a foreign keep-alive client, {mode}: latency in ms")
    for name, client in clients.items():
        figures = " ".join(f"{1e3 * client.percentile(share):8.3f}" for share in (0.5, 0.95, 0.99))
        print(f"    {name:15} {figures}   ({len(client.times)} requests)")
    for share in (0.5, 0.95):
        there = clients["uvicorn"].percentile(share)
        ratio = clients["loopviz"].percentile(share) / there
        noise = clients["uvicorn, again"].percentile(share) / there
        name = f"p{100 * share:.0f}"
        print(f"    {name:4} ratio {goal(ratio, 1.15, '')}; uvicorn against itself {noise:.2f}", flush=True)


# -- start -----------------------------------------------------------------------------------------


def start(folder: Path, mode: str, times: int) -> None:
    """From the command to the first frame, and until it serves."""
    frames, serving, uvicorn = list[float](), list[float](), list[float]()
    for _ in range(times + 1):
        port = free_port()
        began = time.monotonic()
        with bare(folder, port):
            await_serving(port, _nap)
            uvicorn.append(time.monotonic() - began)
        port = free_port()
        began = time.monotonic()
        with Watched("run", "main:app", mode, "--port", str(port), folder=folder) as program:
            end = pumping(program)
            await_serving(port, _nap)
            serving.append(time.monotonic() - began)
            time.sleep(0.5)
            end()
            frames.append((program.frame_times or [began + 99])[0] - began)
            program.press("q")
            with contextlib.suppress(AssertionError):
                program.wait(5)
    for figures in (frames, serving, uvicorn):
        del figures[0]  # reads files for the first time
    there = statistics.median(uvicorn)
    print(f"from the command, {mode}: medians of {times}")
    print(f"    uvicorn serves      {there:7.2f} s")
    for name, figures in (("the first frame", frames), ("loopviz serves", serving)):
        middle = statistics.median(figures)
        print(f"    {name:19} {middle:7.2f} s    ratio {goal(middle / there, 1.3, '')}", flush=True)


def _nap(seconds: float) -> None:
    time.sleep(min(seconds, 0.01))


# -- all -------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = ("screen", "latency", "start")
    parser.add_argument("--part", action="append", choices=parts, help="all of them, without this option")
    parser.add_argument("--mode", default="--isolate", help="[%(default)s], or --in-thread for comparison")
    parser.add_argument(
        "--seconds", type=float, default=5, help="how long the screen is watched [%(default)s]"
    )
    parser.add_argument("--slices", type=int, default=20, help="of latency [%(default)s]")
    parser.add_argument("--times", type=int, default=7, help="how often it is started [%(default)s]")
    args = parser.parse_args()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("uvicorn", "fastapi", "textual"))
    print(f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "main.py").write_text(APP, encoding="utf-8")
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")  # as what is installed is compiled
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        chosen = args.part or parts
        if "screen" in chosen:
            screen(folder, args.mode, args.seconds)
        if "latency" in chosen:
            latency(folder, args.mode, args.slices)
        if "start" in chosen:
            start(folder, args.mode, args.times)


if __name__ == "__main__":
    main()
