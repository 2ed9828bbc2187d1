"""Recordings that are made to take as much time and memory as a recording can.

``python -m tests.worst_recordings --share 0.1`` writes each with a tenth of the events that are read at most,
gives it to the program, and prints the CPU time and the memory of the process. Everything beyond the limits
is cut off, so a share of 1 is the worst there is. ``docs/recording.md`` names the results.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from loopviz.recording import Header
from loopviz.recording.read import MOST_EVENTS
from tests.fuzz_recordings import ENVIRONMENT, SCENARIO
from tests.streams import MS, ZERO

Events = Iterator[tuple[Any, ...]]
_IN_A_LINE = 2_000
LINE = "/srv/app.py", 7, "handle"


def write(path: Path, events: Events, count: int, *, zipped: bool = False, ends: int = 0) -> Path:
    """Write a recording of the first `count` of these events, in their order."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    head = Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, ZERO, (SCENARIO,)).line()
    seen, left = ZERO, iter(islice(events, count))
    with path.open("wb") as file:

        def put(data: bytes) -> None:
            file.write(squeeze.compress(data) if zipped else data)

        put(head)
        while part := list(islice(left, _IN_A_LINE)):
            seen = max(seen, *(event[0] for event in part))
            put(json.dumps([seen, *part], separators=(",", ":")).encode() + b"\n")
        put(b'{"end":true,"events":0,"dropped":0,"blind":[]}\n')
        if zipped:
            file.write(squeeze.flush())
    return path


def _opened(number: int, t: int = ZERO) -> Events:
    """Requests that never end, each with a task."""
    for n in range(1, number + 1):
        yield (t, "read", n, "GET", "/", 0)
        yield (t, "task", n, 0, n, "handle")


def _from(t: int, step: int) -> Iterator[int]:
    while True:
        yield t
        t += step


def steps(n: int) -> Events:
    """A usual server: requests of some steps each."""
    for number, t in enumerate(_from(ZERO, MS), 1):
        yield (t, "read", number, "GET", "/items", 0)
        yield (t, "task", number, 0, number, "handle")
        yield (t + 10_000, "ran", number, t, t + 1_000, "Future", 0)
        yield (t + 100_000, "ran", number, t + 50_000, t + 60_000, None, 0)
        yield (t + 100_000, "status", number, 200)
        yield (t + 100_001, "responded", number)


def same_moment(n: int) -> Events:
    """All steps at the same moment."""
    yield from _opened(1)
    while True:
        yield (ZERO + MS, "ran", 1, ZERO, ZERO + 1, "Future", 0)


def requests(n: int) -> Events:
    """Requests that never end."""
    yield from _opened(n)


def segments(n: int) -> Events:
    """Open requests with many segments each."""
    yield from _opened(n // 100)
    for t in _from(ZERO + MS, 100_000):
        for number in range(1, n // 100 + 1):
            yield (t + number, "ran", number, t + number - 2, t + number - 1, "Future", 0)


def tasks(n: int) -> Events:
    """Tasks that never end, of no request."""
    for number, t in enumerate(_from(ZERO, 1), 1):
        yield (t, "task", number, 0, 0, f"task {number}")


def chain(n: int) -> Events:
    """A chain of tasks that await each other, of which the first is awaited in turn by two others."""
    number = min(40_000, n // 3)
    yield from _opened(2)
    for one in range(3, number):
        yield (ZERO + 1, "task", one, 1 if one == 3 else one - 1, 1, "link")
    for t in _from(ZERO + MS, 1_000):
        yield (t, "awaits-task", 1, 3, 0)
        yield (t + 1, "awaits-task", 1, 3, 2)


def blocks(n: int) -> Events:
    """Blocks, with requests that each of them delays."""
    yield from _opened(min(40_000, n // 4))
    yield (ZERO, "iteration")
    for t in _from(ZERO + MS, 110 * MS):
        yield (t, "step", 1)
        yield (t + 105 * MS, "yield", 1, "Future", 0)


def arrivals(n: int) -> Events:
    """Blocks, and requests that have arrived before all of them."""
    yield (ZERO, "iteration")
    yield from _opened(1)
    t = ZERO
    for _ in range(n // 4):
        t += 110 * MS
        yield (t, "step", 1)
        yield (t + 105 * MS, "yield", 1, "Future", 0)
    for number in range(2, n):
        yield (t + 111 * MS, "read", number, "GET", "/", ZERO)


def late_wakes(n: int) -> Events:
    """Blocks, and wakes that were due before all of them."""
    yield (ZERO, "iteration")
    yield from _opened(1_000)
    t = ZERO
    for _ in range(n // 4):
        t += 110 * MS
        yield (t, "step", 1)
        yield (t + 105 * MS, "yield", 1, "Future", 0)
    while True:
        for number in range(2, 1_000):
            yield (t + 111 * MS, "late-wake", number, ZERO + number)


def gil(n: int) -> Events:
    """Times without the GIL, with requests that wait."""
    yield from _opened(min(40_000, n // 4))
    yield (ZERO, "iteration")
    for t in _from(ZERO + MS, 300 * MS):
        yield (t, "idle")
        yield (t + 200 * MS, "gil", t, 9, *LINE)
        yield (t + 250 * MS, "iteration")


def gil_before(n: int) -> Events:
    """Long spans, and times without the GIL before all of them."""
    yield (ZERO, "idle")
    hour = 3_600_000 * MS
    yield (ZERO + hour, "iteration")
    t = ZERO + hour
    for _ in range(n // 2):
        t += 6 * MS
        yield (t, "iteration")
    for number in range(n):
        yield (t, "gil", ZERO + hour - 6 * MS * (1 + number % 500_000), 9, *LINE)


def revivals(n: int) -> Events:
    """Requests that have ended, and begin again."""
    t = ZERO
    for number in range(1, 10_001):
        yield (t, "read", number, "GET", "/", 0)
        yield (t, "responded", number)
    while True:
        for number in range(1, 10_001):
            t += 1_000
            yield (t, "read", number, "GET", "/", 0)
            yield (t, "responded", number)


def receiving(n: int) -> Events:
    """A request with many tasks, one of which waits for bytes when the response begins."""
    yield from _opened(1)
    for one in range(2, min(40_000, n // 3)):
        yield (ZERO + 1, "task", one, 1, 1, "child")
    for t in _from(ZERO + MS, 1_000):
        yield (t, "client-wait", 2, "receiving")
        yield (t, "step", 2)
        yield (t + 1, "yield", 2, "Future", 0)
        yield (t + 2, "status", 1, 200)


def calls(n: int) -> Events:
    """A task with many calls that execute, and steps of it."""
    yield from _opened(1)
    for number in range(1, n // 4):
        yield (ZERO + 1, "submit", number, 1, 1)
        yield (ZERO + 2, "call", number, 1, 1, number % 9_000 + 1, *LINE)
    for t in _from(ZERO + MS, 1_000):
        yield (t, "step", 1)
        yield (t + 1, "yield", 1, "Future", 0)


def holders(n: int) -> Events:
    """Samples of many tasks of one request."""
    yield from _opened(1)
    for one in range(2, 40_000):
        yield (ZERO + 1, "task", one, 1, 1, "child")
    for t in _from(ZERO + MS, 1_000):
        for one in range(2, 40_000):
            yield (t, "awaited", one, "lock", f"{t}", one)


def texts(n: int) -> Events:
    """Long texts, all different."""
    for number, t in enumerate(_from(ZERO, MS), 1):
        yield (t, "read", number, "GET", f"/{number}" + "x" * 60_000, 0)
        yield (t, "task", number, 0, number, "y" * 60_000)


def lines(n: int) -> Events:
    """Requests that are each at a line with a long name, which an export repeats."""
    name = "/" + "x" * 60_000
    for number, t in enumerate(_from(ZERO, MS), 1):
        yield (t, "read", number, "GET", "/" + "p" * 900, 0)
        yield (t, "task", number, 0, number, "handle")
        for i in range(1, 60):
            now = t + 2_000 * i
            yield (now, "ran", number, now - 1_000, now - 500, "Future", 0)
            if i == 1:
                yield (now, "awaits", number, name, 7, "f" * 60_000)


def threads(n: int) -> Events:
    """Many threads, each with a call."""
    for number, t in enumerate(_from(ZERO, 1_000), 1):
        yield (t, "call", number, 0, 0, number % 20_000 + 1, *LINE)
        yield (t + 500, "return", number)


def long_time(n: int) -> Events:
    """Steps of a microsecond over thirty days."""
    yield from _opened(1)
    for t in _from(ZERO + MS, 30 * 86_400_000 * MS // n):
        yield (t, "ran", 1, t - 2_000, t - 1_000, "Future", 0)


def samples(n: int) -> Events:
    """Readings of CPU clocks, while the loop is blocked."""
    yield (ZERO, "thread", 1, "loop")
    yield from _opened(1)
    yield (ZERO, "step", 1)
    for t in _from(ZERO + MS, 1_000):
        yield (t, "cpu", 1, t - ZERO)
        yield (t, "waited", 1, 0, 0)
        yield (t, "switched", 1, 0)
        yield (t, "holds", 1, ZERO, "/srv/app.py", (t // 1_000) % 1_000, "handle", "")


def started(n: int) -> Events:
    """Tasks that requests start and do not await."""
    yield from _opened(1)
    for number, t in enumerate(_from(ZERO + MS, 1_000), 2):
        yield (t, "task", number, 1, 1, f"task {number}")
        yield (t, "awaits-task", 0, number, 0)


def pools(n: int) -> Events:
    """Pools, and tasks that wait for them."""
    for number in range(1, 9_000):
        yield (ZERO, "pool", number, "limiter", "", 1)
    for number, t in enumerate(_from(ZERO + MS, 1_000), 1):
        yield (t, "read", number, "GET", "/", 0)
        yield (t, "task", number, 0, number, "handle")
        yield (t, "pool-call", 0, number, number % 9_000 + 1)
        yield (t, "token-wait", number)
        yield (t + 1, "ran", number, t, t, "Future", 0)


CASES: dict[str, Callable[[int], Events]] = {
    case.__name__: case
    for case in (
        steps, same_moment, requests, segments, tasks, chain, blocks, arrivals, late_wakes, gil, gil_before,
        revivals, receiving, calls, holders, texts, lines, threads, long_time, samples, started, pools,
    )
}  # fmt: skip
FORMS = ("replay", "perfetto", "svg", "html", "csv", "json")


def cost(path: Path, form: str, limit: float) -> tuple[str, float, float]:
    """How it ended, the CPU time (s) and the memory (MB) of the process that reads it."""
    if form == "replay":
        read = "import sys; from tests.fuzz_recordings import read_and_draw as f; print(f(sys.argv[1]))"
        command = [sys.executable, "-c", read, str(path)]
    else:
        command = [sys.executable, "-m", "loopviz", "export", str(path), "--to", form, "-o", f"{path}.out"]
    out = path.with_suffix(".stderr")
    command = ["/bin/sh", "-c", f'ulimit -t {limit:.0f}; exec "$@"', "sh", *command]
    with out.open("wb") as stream:
        actions = [(os.POSIX_SPAWN_DUP2, stream.fileno(), 1), (os.POSIX_SPAWN_DUP2, stream.fileno(), 2)]
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    said = out.read_text(errors="replace").strip().splitlines() or [""]
    size = Path(f"{path}.out").stat().st_size / 1e6 if Path(f"{path}.out").exists() else 0
    Path(f"{path}.out").unlink(missing_ok=True)
    ended = f"{os.waitstatus_to_exitcode(status)}, {size:.0f} MB, {said[-1].rpartition(': ')[2][:70]}"
    return ended, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help=" ".join(CASES))
    parser.add_argument("--share", type=float, default=0.1, help="of the events that are read [%(default)s]")
    parser.add_argument("--forms", default="replay,html", help=f"of {','.join(FORMS)} [%(default)s]")
    parser.add_argument("--limit", type=float, default=100, help="seconds of CPU time [%(default)s]")
    args = parser.parse_args()
    count = int(MOST_EVENTS * args.share)
    for name in args.cases:
        with tempfile.TemporaryDirectory() as folder:
            most = 8_000 if name == "texts" else count  # half a gigabyte
            path = write(Path(folder, "worst.lvr"), CASES[name](count), min(count, most))
            size = path.stat().st_size / 1e6
            for form in args.forms.split(","):
                ended, seconds, memory = cost(path, form, args.limit)
                took = f"{form:<8} {seconds:6.1f} s {memory:6.0f} MB"
                print(f"{name:<12} {size:5.0f} MB {took}  {ended}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
