"""What a server pays for `loopviz.watch()` while nobody looks, and while somebody does.

Run by hand: ``python tests/benchmarks/attach.py``. Three servers run at the same time, each in a process of
its own: a bare uvicorn, one that has called `watch`, and a second bare one, which shows the noise. One client
asks them in turns, so that a noisy machine disturbs all alike. What counts is the server's CPU time for a
request in the fastest quarter of short slices, as a ratio; ``--viewer`` measures under a viewer as well.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from tests.attaching import Server, attached, until


def slice_of(server: Server, requests: int) -> float:
    """CPU time of the server for each request of a slice (µs)."""
    process = psutil.Process(server.pid)

    def used() -> float:
        # The clock of all threads of the process, in nanoseconds; see clock_getcpuclockid(3).
        if sys.platform == "linux":
            return time.clock_gettime((~process.pid << 3) | 2)
        times = process.cpu_times()
        return float(times.user + times.system)

    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as client:
        client.connect()
        before = used()
        for _ in range(requests):
            client.request("GET", "/")
            client.getresponse().read()
        return (used() - before) / requests * 1e6


def ratios(servers: list[Server], pairs: int, requests: int) -> list[tuple[float, float]]:
    """Of each server but the first: CPU time of a request in fast slices, over the first one's, and in µs."""
    taken: list[list[float]] = [[] for _ in servers]
    for turn in range(pairs + 1):
        for place in range(len(servers)):  # none of them twice in a row: its caches would be warm
            used = slice_of(servers[place], requests)
            if turn:  # the first slice warms up
                taken[place].append(used)
    # Other programs take time away in caches and never give any: the fast slices are the undisturbed ones.
    fast = [statistics.quantiles(sorted(each)[: len(each) // 4], n=2)[0] for each in taken]
    return [(mine / fast[0], mine) for mine in fast[1:]]


def used_by_others(server: Server) -> int:
    """CPU time that the threads of a server but its main thread have used (ns); 0 where it is not known."""
    used = 0
    for path in Path(f"/proc/{server.pid}/task").glob("*/schedstat"):
        if path.parent.name != str(server.pid):
            used += int(path.read_text().split()[0])
    return used


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="how many slices each server is measured for")
    parser.add_argument("--requests", type=int, default=200, help="requests in a slice")
    parser.add_argument("--viewer", action="store_true", help="measure under a viewer as well")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = root / "s"
        place.mkdir()
        bare, watched, again = (
            stack.enter_context(Server(root / name, place if name == "watched" else None))
            for name in ("bare", "watched", "again")
        )

        def measure(when: str) -> None:
            (ratio, used), (noise, _) = ratios([bare, watched, again], options.pairs, options.requests)
            print(f"{when:22} {ratio:.3f} of bare uvicorn ({used:.0f} µs a request); noise {noise:.3f}")

        before = used_by_others(watched)
        measure("watch(), nobody looks:")
        print(f"CPU time of the thread of watch() meanwhile: {used_by_others(watched) - before} ns")
        with attached(watched.door()):
            if options.viewer:
                measure("while a viewer looks:")
        until(lambda: "loopviz reporter" not in watched.state()["threads"], "it is still watched")
        measure("after it has gone:")


if __name__ == "__main__":
    main()
