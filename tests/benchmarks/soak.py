"""How loopviz holds out: an hour of requests, thousands of open connections, thousands of requests at once.

Run by hand: ``python tests/benchmarks/soak.py`` takes five minutes, ``--minutes 60`` an hour. The program
runs in a real pseudo-terminal, and a foreign client, a process of its own, asks it. What must be reached is
printed beside what was measured, and the exit code is 1 if something was missed:

- *steady*: `--rate` requests a second for `--minutes`. Resident memory grows by less than 1 MB after the
  first sixth (the slope of a line fitted by least squares, times the time), there are 29 frames a second or
  more, and no event is lost.
- *crowd*: `--connections` connections are open, then `--burst` requests are fired at once, all recorded. The
  recording has every request that the client has sent, with the client's status, and no latency in it is
  longer than what the client has measured. The program is left within two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from tests.terminal import ROOT, Terminal

SCENARIO = """
import asyncio
import time

from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/async")
async def waits():
    await asyncio.sleep(0.005)
    return {"ok": True}

@app.get("/def")
def in_a_thread():
    time.sleep(0.002)
    return {"ok": True}

scenario = Scenario(title="one that awaits, one in a thread", expect="no waiting")
"""
PATHS = ("/async", "/async", "/async", "/def")
FRAMES, GROWTH_MB, LEAVING = 29.0, 1.0, 2.0
IDLE = 3.0
"""Seconds after which a connection is not used again: uvicorn closes it after 5."""
EVERY = 10.0
"""Seconds between two readings of the memory."""


# -- the foreign client ------------------------------------------------------------------------------


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    """Ask once on a connection; the status."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1])


async def _steady(port: int, rate: float, seconds: float) -> dict[str, object]:
    """Ask `rate` times a second, whatever the answers take, on as many connections as it needs."""
    free: list[tuple[float, tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = []
    statuses: Counter[str] = Counter()
    running: set[asyncio.Task[None]] = set()

    async def one(path: str) -> None:
        since, pair = free.pop() if free else (time.monotonic(), None)
        if pair is None or time.monotonic() - since > IDLE:
            if pair:
                pair[1].close()
            pair = await asyncio.open_connection("127.0.0.1", port)
        try:
            statuses[str(await _ask(*pair, path))] += 1
            free.append((time.monotonic(), pair))
        except (OSError, EOFError) as error:
            statuses[type(error).__name__] += 1
            pair[1].close()

    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * rate:
            task = asyncio.create_task(one(PATHS[sent % len(PATHS)]))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*running)
    return {"statuses": statuses}


async def _crowd(port: int, connections: int, burst: int) -> dict[str, object]:
    """Open `connections`, ask once on each, keep them; then `burst` requests on new connections at once."""
    statuses: Counter[str] = Counter()

    async def one(path: str, keep: list[asyncio.StreamWriter] | None) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            statuses[str(await _ask(reader, writer, path))] += 1
            if keep is None:
                writer.close()
            else:
                keep.append(writer)
        except (OSError, EOFError) as error:
            statuses[type(error).__name__] += 1

    kept: list[asyncio.StreamWriter] = []
    for _ in range(0, connections, 100):
        await asyncio.gather(*(one("/async", kept) for _ in range(100)))
    print("open", flush=True)
    await asyncio.sleep(3)
    began = time.monotonic()
    await asyncio.gather(*(one("/async", None) for _ in range(burst)))
    took = time.monotonic() - began
    return {"statuses": statuses, "open": len(kept), "burst_s": took}


# -- the program that is watched ---------------------------------------------------------------------


@dataclass(slots=True)
class Series:
    """What was read while the program ran."""

    began: float = field(default_factory=time.monotonic)
    at: list[float] = field(default_factory=list)
    """Seconds since the start of each reading."""
    resident: list[float] = field(default_factory=list)
    """Megabytes."""
    frames: list[float] = field(default_factory=list)
    """Frames a second since the last reading."""
    core: list[float] = field(default_factory=list)
    """The share of a core since the last reading."""

    def growth(self) -> float:
        """Megabytes that the fitted line grows by after the first sixth of the time."""
        late = [(t, m) for t, m in zip(self.at, self.resident, strict=True) if t > self.at[-1] / 6]
        mean_t = sum(t for t, _ in late) / len(late)
        mean_m = sum(m for _, m in late) / len(late)
        spread = sum((t - mean_t) ** 2 for t, _ in late)
        slope = sum((t - mean_t) * (m - mean_m) for t, m in late) / spread if spread else 0.0
        return slope * (late[-1][0] - late[0][0])


def _resident(pid: int) -> float:
    """The resident memory of a process (MB)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu(pid: int) -> float:
    """The CPU time of a process (s)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _client(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "client", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _port(terminal: Terminal) -> int:
    return int(terminal.expect(r"127\.0\.0\.1:(\d+)", 30)[1])


def _quiet(terminal: Terminal, seconds: float) -> None:
    """Let the program draw, and forget what it has drawn: an hour of it is no use to anyone."""
    terminal.pump(seconds)
    terminal.text()
    terminal.output = b""


def _steady_phase(file: Path, rate: float, minutes: float, log: Path | None) -> bool:
    """Ask for a long time; whether all is reached."""
    series = Series()
    with Terminal("run", str(file)) as terminal:
        client = _client("steady", _port(terminal), rate, minutes * 60)
        _quiet(terminal, 1)
        last, cpu = time.monotonic(), _cpu(terminal.pid)
        while client.poll() is None:
            drawn = 0
            while time.monotonic() - last < EVERY and client.poll() is None:
                terminal.pump(0.5)
                drawn += terminal.frames()
                terminal.output = b""
                screen = terminal.text()
            now, used = time.monotonic(), _cpu(terminal.pid)
            if now - last > EVERY / 2:
                series.at.append(now - series.began)
                series.resident.append(_resident(terminal.pid))
                series.frames.append(drawn / (now - last))
                series.core.append((used - cpu) / (now - last))
                if log:
                    last_ones = (series.at, series.resident, series.frames, series.core)
                    with log.open("a", encoding="utf-8") as out:
                        print(*(f"{numbers[-1]:.2f}" for numbers in last_ones), sep="\t", file=out)
            last, cpu = now, used
        answer = json.loads(client.communicate()[0])
        lost = int(re.search(r"(\d+) lost", screen)[1])  # type: ignore[index]
        terminal.press("q")
        left = terminal.wait(30)
    statuses = answer["statuses"]
    frames = sorted(series.frames)
    failed = sum(number for status, number in statuses.items() if status != "200")
    print(f"steady: {sum(statuses.values())} requests in {minutes:g} min, statuses {statuses}")
    print(f"  memory {series.resident[0]:.1f} MB at first, {series.resident[-1]:.1f} MB at the end;")
    print(f"  frames a second: 5 % of the readings are below {frames[len(frames) // 20]:.1f};")
    print(f"  share of a core: {sum(series.core) / len(series.core):.2f}")
    ok = [
        _check("memory grows after the first sixth (MB)", series.growth(), "<", GROWTH_MB),
        _check("frames a second, median", frames[len(frames) // 2], ">", FRAMES),
        _check("events lost", lost, "=", 0),
        _check("answers other than 200", failed, "=", 0),
        _check("seconds to leave", left, "<", LEAVING),
        _check("exit code", terminal.exit_code, "=", 0),
    ]
    return all(ok)


def _crowd_phase(file: Path, folder: Path, connections: int, burst: int) -> bool:
    """Thousands at once; whether all is reached."""
    recording = folder / "crowd.jsonl"
    with Terminal("run", str(file), "--record", str(recording)) as terminal:
        client = _client("crowd", _port(terminal), connections, burst)
        assert client.stdout
        while client.poll() is None:
            _quiet(terminal, 0.5)
        answer = json.loads(client.communicate()[0].splitlines()[-1])
        _quiet(terminal, 2)
        terminal.pump(1)
        screen = terminal.text()
        lost = int(re.search(r"(\d+) lost", screen)[1])  # type: ignore[index]
        terminal.press("q")
        left = terminal.wait(60)
    exported = subprocess.run(
        [sys.executable, "-m", "loopviz", "export", str(recording), "--to", "json", "-o", "-"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    requests = json.loads(exported.stdout)["requests"]
    statuses = Counter(str(r["status"]) for r in requests)
    unended = sum(1 for r in requests if r["done_s"] is None)
    longest = max(r["latency_s"] for r in requests if r["latency_s"] is not None)
    took = answer["burst_s"]
    print(f"crowd: {answer['open']} connections open, then {burst} requests at once in {took:.1f} s;")
    print(f"  statuses {answer['statuses']}")
    ok = [
        _check("requests recorded", len(requests), "=", sum(answer["statuses"].values())),
        _check("of them with status 200", statuses["200"], "=", answer["statuses"].get("200", 0)),
        _check("requests without an end", unended, "=", 0),
        _check("longest latency recorded (s)", longest, "<", took + 0.1),
        _check("events lost", lost, "=", 0),
        _check("seconds to leave", left, "<", LEAVING),
        _check("exit code", terminal.exit_code, "=", 0),
    ]
    return all(ok)


def _check(what: str, value: float | None, sign: str, wanted: float) -> bool:
    """Print what was measured beside what is wanted; whether it is reached."""
    assert value is not None
    reached = {"<": value < wanted, ">": value >= wanted, "=": value == wanted}[sign]
    print(f"  {what:40} {value:>10.6g}   {'' if reached else 'MISSED '}{sign} {wanted:g}")
    return reached


def main() -> None:
    """Run the phases, or be the client."""
    if sys.argv[1:2] == ["client"]:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        kind, port, *numbers = sys.argv[2:]
        first, second = map(float, numbers)
        if kind == "steady":
            print(json.dumps(asyncio.run(_steady(int(port), first, second))))
        else:
            print(json.dumps(asyncio.run(_crowd(int(port), int(first), int(second)))))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--burst", type=int, default=10_000)
    parser.add_argument("--only", choices=["steady", "crowd"])
    parser.add_argument("--log", type=Path, help="where each reading is appended")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # loopviz and the client inherit it
    print(
        f"loopviz {metadata.version('loopviz')}, Python {platform.python_version()}, {os.cpu_count()} cores"
    )
    ok = []
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "soak_app.py")
        file.write_text(SCENARIO, encoding="utf-8")
        if options.only != "crowd":
            ok.append(_steady_phase(file, options.rate, options.minutes, options.log))
        if options.only != "steady":
            ok.append(_crowd_phase(file, Path(name), options.connections, options.burst))
    sys.exit(not all(ok))


if __name__ == "__main__":
    main()
