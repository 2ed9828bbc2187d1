"""What a recording costs: to write, to open, and to keep in memory.

Run by hand: ``python tests/benchmarks/recordings.py``. It makes recordings of a million events such
as a busy server would leave, of several kinds, opens them as ``loopviz replay`` does, and prints the
time to the first events and to the last, and the memory of the loaded timeline for each event.
"""

from __future__ import annotations

import argparse
import gc
import platform
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.recording import Header, Recorder
from loopviz.recording.replay import Replay
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.source import Environment

US = 1_000
MS = 1_000_000
START = 5_000_000_000_000
FRAME = 33 * MS
ENVIRONMENT = Environment("0", "3.13.0", "CPython", True, "asyncio", "0", "0", "0", "0", "Linux")


def quick(n: int, t: int) -> Iterator[Event]:
    """An ``async def`` that awaits nothing."""
    yield (t, ev.SENT, n, "GET", "/quick")
    yield (t + 90 * US, ev.ITERATION)
    yield (t + 100 * US, ev.READ, n, "GET", "/quick", t + 60 * US)
    yield (t + 110 * US, ev.TASK, n, 0, n, f"Task-{n}")
    yield (t + 200 * US, ev.STATUS, n, 200)
    yield (t + 210 * US, ev.RESPONDED, n)
    yield (t + 215 * US, ev.RAN, n, t + 110 * US, t + 120 * US, None, 0)
    yield (t + 216 * US, ev.IDLE)
    yield (t + 400 * US, ev.RECEIVED, n, 200, None)


def sleeps(n: int, t: int) -> Iterator[Event]:
    """An ``async def`` that awaits a sleep of 50 ms."""
    due = t + 50 * MS
    yield (t, ev.SENT, n, "GET", "/sleeps")
    yield (t + 90 * US, ev.ITERATION)
    yield (t + 100 * US, ev.READ, n, "GET", "/sleeps", t + 60 * US)
    yield (t + 110 * US, ev.TASK, n, 0, n, f"Task-{n}")
    yield (t + 200 * US, ev.RAN, n, t + 110 * US, t + 120 * US, "Future", due)
    yield (t + 201 * US, ev.IDLE)
    yield (t + 30 * MS, ev.AWAITS, n, "/srv/app.py", 12, "sleeps")
    yield (due + 50 * US, ev.ITERATION)
    yield (due + 100 * US, ev.STATUS, n, 200)
    yield (due + 110 * US, ev.RESPONDED, n)
    yield (due + 120 * US, ev.RAN, n, due + 55 * US, due + 60 * US, None, 0)
    yield (due + 121 * US, ev.IDLE)
    yield (due + 400 * US, ev.RECEIVED, n, 200, None)


def thread(n: int, t: int) -> Iterator[Event]:
    """A ``def`` that sleeps for 20 ms in a worker thread."""
    done, worker = t + 21 * MS, 2 + n % 40
    yield (t, ev.SENT, n, "GET", "/thread")
    yield (t + 90 * US, ev.ITERATION)
    yield (t + 100 * US, ev.READ, n, "GET", "/thread", t + 60 * US)
    yield (t + 110 * US, ev.TASK, n, 0, n, f"Task-{n}")
    yield (t + 150 * US, ev.TOKENS, 40, 1 + n % 40, 0)
    yield (t + 210 * US, ev.RAN, n, t + 110 * US, t + 120 * US, "Future", 0)
    yield (t + 211 * US, ev.IDLE)
    yield (t + 260 * US, ev.CALL, n, n, n, worker, "/srv/app.py", 30, "thread")
    yield (t + 20 * MS, ev.CPU, worker, 50 * US * n)
    yield (done, ev.RETURN, n)
    yield (done + 50 * US, ev.ITERATION)
    yield (done + 90 * US, ev.TOKENS, 40, n % 40, 0)
    yield (done + 100 * US, ev.STATUS, n, 200)
    yield (done + 110 * US, ev.RESPONDED, n)
    yield (done + 120 * US, ev.RAN, n, done + 10 * US, done + 60 * US, None, 0)
    yield (done + 121 * US, ev.IDLE)
    yield (done + 400 * US, ev.RECEIVED, n, 200, None)


def steps(n: int, t: int) -> Iterator[Event]:
    """An ``async def`` of twenty steps."""
    yield (t, ev.SENT, n, "GET", "/steps")
    yield (t + 100 * US, ev.READ, n, "GET", "/steps", t + 60 * US)
    yield (t + 110 * US, ev.TASK, n, 0, n, f"Task-{n}")
    for i in range(1, 20):
        at = t + i * 120 * US
        yield (at + 10 * US, ev.ITERATION)
        yield (at + 100 * US, ev.RAN, n, at, at + 20 * US, "", 0)
    t += 20 * 120 * US
    yield (t + 100 * US, ev.STATUS, n, 200)
    yield (t + 110 * US, ev.RESPONDED, n)
    yield (t + 120 * US, ev.RAN, n, t + 10 * US, t + 20 * US, None, 0)
    yield (t + 400 * US, ev.RECEIVED, n, 200, None)


def mixed(n: int, t: int) -> Iterator[Event]:
    """The others in turn."""
    return (quick, sleeps, thread, steps)[n % 4](n, t)


KINDS = {
    "quick": (quick, 600 * US),
    "sleeps": (sleeps, 900 * US),
    "thread": (thread, 1000 * US),
    "steps": (steps, 2600 * US),
    "mixed": (mixed, 1100 * US),
}


def stream(kind: str) -> Iterator[Event]:
    """Requests of a kind without end, one after the other begins."""
    make, apart = KINDS[kind]

    def block(first: int) -> Iterator[Event]:
        return merge(*(make(n, START + n * apart) for n in range(first, first + 100)), key=lambda e: e[0])

    yield (START, ev.THREAD, 1, "loop")
    for number in range(2, 42):
        yield (START, ev.THREAD, number, "worker")
    first = 1
    while True:
        yield from block(first)
        first += 100


def make(path: Path, kind: str, events: int) -> float:
    """Write a recording; the CPU time of the writing alone for each event (s)."""
    recorder = Recorder(path, Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, START))
    batch: list[Event] = []
    seen, cpu = START + FRAME, 0.0
    for event in islice(stream(kind), events):
        if event[0] > seen or len(batch) > 5_000:
            seen = max(seen, *(e[0] for e in batch))
            began = time.process_time()
            recorder.write(batch, seen)
            cpu += time.process_time() - began
            batch = []
            seen = max(event[0], seen) + FRAME
        batch.append(event)
    recorder.write(batch, max(seen, *(e[0] for e in batch)))
    recorder.close()
    return cpu / events


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events in a recording [%(default)s]")
    parser.add_argument("--only", choices=list(KINDS), action="append")
    parser.add_argument("--plain", action="store_true", help="not compressed")
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, {args.events:,} events\n")
    print("          write      size   first   all of it   memory")
    print("          us/event   MB     s       s           bytes/event", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.only or KINDS:
            path = Path(folder, f"{kind}.lvr" + ("" if args.plain else ".gz"))
            cost = make(path, kind, args.events)
            gc.collect()
            began = time.perf_counter()
            replay = Replay(path)
            first = replay.drain()
            to_first = time.perf_counter() - began
            timeline = replay.timeline()
            to_last = time.perf_counter() - began
            assert replay.damage is None, replay.damage
            del timeline, first
            gc.collect()
            tracemalloc.start()
            replay = Replay(path)
            timeline = replay.timeline()
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            per_event = kept / args.events
            size = path.stat().st_size / 1e6
            print(
                f"{kind:9} {cost * 1e6:8.2f} {size:6.1f} {to_first:7.3f} {to_last:9.1f} {per_event:10.0f}"
                f"    {len(timeline.requests):,} requests",
                flush=True,
            )


if __name__ == "__main__":
    main()
