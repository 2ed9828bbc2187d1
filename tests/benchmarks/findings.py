"""Precision and recall of the findings: over the catalogue, and over other applications whose truth is known.

Run by hand: ``python -m tests.benchmarks.findings [NAME...] [--cases FOLDER] [--times N]``. Every scenario is
measured with its own number of requests, in a process of its own. It must yield the finding that it declares,
once, and no other; one that declares none must yield none. A case is a scenario file, perhaps with a client
of its own, ``drive(host, port)``; what is to be found in it is in `CASES`. ``--keep FOLDER`` keeps recordings
of the runs. Exit code 1 if precision or recall over the catalogue is below 1.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.experiment.measure import Course, Run, conduct, measure
from loopviz.findings import Finding
from loopviz.findings.table import of_burst, of_time
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.session import Session
from loopviz.recording import Place
from loopviz.scenario import ScenarioFile, find, read

LONGEST = 90.0
"""The longest time that one process is waited for (s)."""
UPSTREAM = 8991
"""Where some cases expect a server that answers after 0.4 s."""
GIVEN_UP = 40.0
"""After this time (s), a run without an end is looked at as far as it has come."""

CLIENT = """
import runpy, sys
runpy.run_path(sys.argv[1])["drive"](sys.argv[2], int(sys.argv[3]))
"""
"""The client of a case, in a process of its own."""

CASES: dict[str, tuple[str, ...]] = {
    "cancelled_call": ("pool-exhausted",),
    "eighty_ms": ("short-steps",),
    "fresh_context": ("blocking-call",),
    "gil_convoy": ("computing-in-threads",),
    "gil_thread": ("gil-kept",),
    "jinja_file": ("blocking-call",),
    "jsondumps": ("blocking-call",),
    "mixed_kind": ("blocking-call",),
    "own_executor": ("pool-exhausted",),
    "queue_worker": ("background-work",),
    "running_as_ready": ("background-work",),
    "slow_reader_big": ("client-wait",),
    "socket_victim": ("blocking-call",),
    "task_factory_wrap": ("blocking-call",),
    "threadsafe_victim": ("blocking-call",),
    "yield_deps": ("slow-dependency",),
}
"""What is to be found in a case, by the name of its file; in any other, nothing, unless it declares it."""


# -- one run, in a process of its own --------------------------------------------------------------


def lines(file: str) -> list[str]:
    """The lines of a source file; none if it cannot be read."""
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


@contextmanager
def given_up_later() -> Iterator[threading.Event]:
    """An event that is set after a while: a run without an end is ended."""
    event = threading.Event()
    timer = threading.Timer(GIVEN_UP, event.set)
    timer.start()
    try:
        yield event
    finally:
        timer.cancel()


class Late(BaseHTTPRequestHandler):
    """The server that some cases call."""

    def do_GET(self) -> None:
        """Answer after 0.4 s."""
        time.sleep(0.4)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def driven(file: ScenarioFile, keep: Place | None) -> Run:
    """The run of a case that has a client of its own, in another process."""

    def act(course: Course) -> None:
        done: Future[None] = Future()
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(file.file), *course.session.address.rsplit(":", 1)],
            stdout=sys.stderr,  # the last line of the output is the result
        )

        def wait() -> None:
            client.wait()
            done.set_result(None)

        threading.Thread(target=wait, daemon=True).start()
        course.follow([done], 1)

    session = Session([file], threads=40, loop="asyncio")
    return conduct(session, file, 1, act, output=keep, interruption=given_up_later())


def found_in(run: Run) -> list[Finding]:
    """What is found in a run: in its burst, or in all that other clients sent."""
    timeline, now = run.timeline, run.interrupted or run.timeline.last
    gil = run.environment.gil
    burst = timeline.newest_burst(now)
    if burst is not None:
        return of_burst(timeline, burst, lines, now=now, gil=gil, dropped=run.vitals.dropped)
    requests = timeline.requests.values()
    start, end = min(r.start for r in requests), max(r.done or now for r in requests)
    return of_time(timeline, start, end, lines, gil=gil, dropped=run.vitals.dropped)


def one(path: str, kept: str | None) -> None:
    """Measure one scenario, and print what is found as JSON."""
    keep = None if kept is None else Place(kept, force=True)
    with Workspace():
        (file,) = read([Path(path)])
        if "def drive(" in file.file.read_text(encoding="utf-8"):
            run = driven(file, keep)
        else:
            run = measure(file, output=keep, interruption=given_up_later())
        print(json.dumps([[f.id, f.what, f.lost / 1e9] for f in found_in(run)]), flush=True)


# -- all of them -----------------------------------------------------------------------------------


def look(path: Path, keep: Path | None) -> list[Any] | None:
    """What is found in one scenario, measured in a process of its own; None if that failed."""
    command = [sys.executable, "-m", __spec__.name, "--one", str(path)]
    if keep is not None:
        command += ["--keep", str(keep / f"{path.stem}.jsonl.gz")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return None
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("["):
        print(done.stderr[-2_000:], file=sys.stderr)
        return None
    return list(json.loads(last))


class Score:
    """How many findings were right, wrong and missing."""

    def __init__(self) -> None:
        self.right: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()

    def add(self, ids: list[str], expected: tuple[str, ...]) -> bool:
        """Count what was found; returns whether it is what was to be found."""
        seen, wanted = Counter(ids), Counter(expected)
        self.right += seen & wanted
        self.wrong += seen - wanted
        self.missing += wanted - seen
        return seen == wanted

    @property
    def precision(self) -> float:
        """Which part of what was found was to be found."""
        return self._part(self.wrong)

    @property
    def recall(self) -> float:
        """Which part of what was to be found was found."""
        return self._part(self.missing)

    def _part(self, other: Counter[str]) -> float:
        all_ = self.right.total() + other.total()
        return self.right.total() / all_ if all_ else 1.0

    def show(self, of: str) -> None:
        """Print precision and recall, and the findings of each kind."""
        print(f"\n{of}: precision {self.precision:.3f}, recall {self.recall:.3f}")
        for name in sorted({*self.right, *self.wrong, *self.missing}):
            right, wrong, missing = self.right[name], self.wrong[name], self.missing[name]
            print(f"  {name:22} right {right:2}  wrong {wrong:2}  missing {missing:2}")


def scored(files: list[tuple[Path, tuple[str, ...]]], keep: Path | None) -> Score:
    """Look at each file, and compare with what is to be found in it."""
    score = Score()
    for path, expected in files:
        found = look(path, keep)
        if found is None:
            print(f"{path.stem:22} could not be measured")
            continue
        right = score.add([id_ for id_, _, _ in found], expected)
        said = "; ".join(f"{id_} ({lost:.2f} s)" for id_, _, lost in found) or "nothing"
        print(f"{path.stem:22} {'' if right else 'WRONG: '}{said}", flush=True)
        if not right:
            print(f"{'':22} to be found: {', '.join(expected) or 'nothing'}")
            for _, what, _ in found:
                print(f"{'':22}   {what}")
    return score


def declared(path: Path) -> tuple[str, ...]:
    """What is to be found in a file. It is not executed here: it may need what is not installed."""
    if path.stem in CASES:
        return CASES[path.stem]
    found = re.search(r'^    finding="([a-z-]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    return () if found is None else (found[1],)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios or cases to look at; all if none is given")
    parser.add_argument("--cases", type=Path, help="a folder of other applications")
    parser.add_argument("--times", type=int, default=1, help="how often")
    parser.add_argument("--keep", type=Path, help="a folder for recordings")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.names[0], options.keep and str(options.keep))
        return 0
    if options.keep:
        options.keep.mkdir(exist_ok=True)

    def chosen(paths: list[Path]) -> list[tuple[Path, tuple[str, ...]]]:
        return [(path, declared(path)) for path in paths if not options.names or path.stem in options.names]

    worst = 1.0
    for _ in range(options.times):
        with Workspace():  # scenarios are read without executing them, and say where they would write
            files = chosen([path for path in find() if not any(f.missing for f in read([path]))])
        score = scored(files, options.keep)
        score.show("catalogue")
        worst = min(worst, score.precision, score.recall)
        if options.cases:
            upstream = ThreadingHTTPServer(("127.0.0.1", UPSTREAM), Late)
            threading.Thread(target=upstream.serve_forever, daemon=True).start()
            paths = sorted(options.cases.glob("*.py"))
            paths = [path for path in paths if "scenario = Scenario(" in path.read_text(encoding="utf-8")]
            scored(chosen(paths), options.keep).show("cases")
            upstream.shutdown()
            upstream.server_close()
    return 0 if worst == 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
