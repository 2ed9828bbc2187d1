"""Opens mutated recordings, which must do no harm.

Run by hand, in an hour at most on one core::

    python -m tests.fuzz_recordings --count 100000
    python -m tests.fuzz_recordings --commands 1000

The first reads them in this process. The second gives them to the program itself, one process for each:
`replay` in a pseudo-terminal, and `export` to each format. Both give the same results for the same
``--seed``. Inputs that break a rule are written to a folder; those found so far are in
`tests.test_recording` and `tests.test_hostile_recordings`. Inputs that are large, or made to be slow, are in
`tests.worst_recordings`.

The rules: a file is refused in two lines at most, or it is read to its end or to its damage, which is
reported in one line. What was read can be summed up, exported to every format and drawn in every size,
without an exception: JSON is strict, SVG is XML, a page and a table can be parsed, and no text has a
character that controls a terminal. Nothing takes long, and no process takes much memory.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

from rich.cells import cell_len
from rich.console import Console

from loopviz.cli.report import print_report
from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.export import FORMATS, Caption, Framing, Material
from loopviz.export.table import COLUMNS
from loopviz.model import Timeline
from loopviz.recording import Header, Recorder, ScenarioSnapshot
from loopviz.recording.replay import Replay
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream.events import Event
from loopviz.stream.source import Environment
from loopviz.tui.places import next_change, next_place
from loopviz.tui.pointed import longest_where
from loopviz.tui.scene import Facts, Scene
from loopviz.tui.screens.breakdown import detail_table
from loopviz.tui.screens.detail import excerpt
from loopviz.tui.view import SORTS, View
from tests.mutations import Mutator

ENVIRONMENT = Environment("0", "3.13.0", "CPython", True, "asyncio", "0", "0", "0", "0", "Linux")
SCENARIO = ScenarioSnapshot(
    "mine", "a title", "what to expect", "u", 8, 1.0, "yours", "GET", "/mine", "mine.py", "app = None\n"
)
SEEDS = Path(__file__).parent / "data" / "recordings"
"""Recordings of the scenarios of the catalogue, with few requests each."""
SLOW = 10.0
"""Seconds that no small file may take."""
SIZES = ((80, 24), (120, 36), (200, 60), (20, 5), (1, 1), (37, 3))


class Broken(Exception):  # noqa: N818 - a rule is broken, not the program
    """A rule was broken; says which."""


def recorded(path: Path, batches: list[tuple[int, list[Event]]], *, started: int | None = None) -> Path:
    """Write a recording of these batches: when they were taken in, and the events."""
    first = min((event[0] for _, events in batches for event in events), default=1)
    header = Header(
        ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, started or first, (SCENARIO,), (("a", "b"),)
    )
    path.unlink(missing_ok=True)
    recorder = Recorder(path, header)
    for seen, events in batches:
        recorder.write(events, seen)
    recorder.close()
    return path


# -- the rules ---------------------------------------------------------------------------------


def look(path: Path, *, exports: bool = False, draws: bool = False) -> str:
    """Read all of a file as the program does; return the outcome. Raises `Broken`."""
    began = time.monotonic()
    try:
        replay = Replay(path)
    except InputError as error:
        lines = str(error).splitlines()
        if not 1 <= len(lines) <= 2 or not all(line.isprintable() for line in lines):
            raise Broken(f"a message of {len(lines)} lines: {error!r}") from None
        return "refused"
    timeline = replay.timeline()
    _check_timeline(replay, timeline)
    if exports:
        for form, (_, make) in FORMATS.items():
            CHECKS[form]("".join(make(material(replay, timeline), Framing())))
    if draws:
        drawn(replay, timeline)
    if time.monotonic() - began > SLOW:
        raise Broken(f"it took {time.monotonic() - began:.1f} s")
    if replay.damage is None:
        return "read"
    if len(replay.damage.splitlines()) != 1 or not replay.damage.isprintable():
        raise Broken(f"a damage of several lines: {replay.damage!r}")
    return "damaged"


def _check_timeline(replay: Replay, timeline: Timeline) -> None:
    strict(json.dumps(replay.summary(timeline), allow_nan=False))
    for request in timeline.requests.values():
        (request.method + request.path + str(request.error)).encode()
        if sum(request.totals.values()) < 0:
            raise Broken("time runs backwards")
        if any(segment.end < segment.start for segment in request.history(timeline.last)):
            raise Broken("a segment ends before it begins")


def read_and_draw(path: str) -> str:
    """What ``loopviz replay`` does with a file, without a terminal; the damage, and how long a frame took."""
    replay = Replay(path)
    timeline = replay.timeline()
    facts = Facts(replay.environment, replay.mode, replay.address, replay.scenarios, replay.blind)
    scene, slowest = Scene(Palette("colour"), facts), 0.0
    first, last = timeline.began, timeline.last
    for now in (first, (first + last) // 2, last - 1, last):
        began = time.thread_time()
        _draw(scene, timeline, View(now=now, behind=last - now if now < last else None), 120, 36)
        slowest = max(slowest, time.thread_time() - began)
    return f"{replay.damage}: a frame takes {slowest:.2f} s"


def material(replay: Replay, timeline: Timeline) -> Material:
    """What is exported of a recording."""
    name = replay.scenarios[0].name if len(replay.scenarios) == 1 else replay.recording.path.name
    known = [Caption(s.title, s.expect, s.file, s.path, s.source) for s in replay.recording.header.scenarios]
    return Material(
        timeline, name, asdict(replay.environment), replay.threads, replay.recording.dropped, replay.blind,
        caption=known[0] if known else None,
    )  # fmt: skip


def strict(text: str) -> Any:
    """The value of a JSON text. Raises `Broken` for numbers that JSON has not."""

    def no_constant(name: str) -> NoReturn:
        raise Broken(f"{name} is no JSON")

    return json.loads(text, parse_constant=no_constant)


def _harmless(text: str) -> None:
    """Raises `Broken` if a character could control a terminal, or turn a text around."""
    for line in text.split("\n"):
        if not line.replace("\t", "").isprintable():
            wrong = next(c for c in line if not c.isprintable() and c != "\t")
            raise Broken(f"an export has the character {wrong!r}")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.data = ""
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.inside = tag == "script" and ("id", "data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.data += data


def _check_page(text: str) -> None:
    _harmless(text)
    page = _Page()
    page.feed(text)
    page.close()
    strict(page.data)
    if page.tags["script"] != 2 or page.tags["svg"] + page.tags["img"] > 2:
        raise Broken(f"a page with other elements: {page.tags}")


def _check_trace(text: str) -> None:
    _harmless(text)
    for event in strict(text)["traceEvents"]:
        if event.get("ts", 0) < 0 or event.get("dur", 0) < 0:
            raise Broken(f"a negative time in the trace: {event}")


def _check_table(text: str) -> None:
    _harmless(text)
    for row in csv.reader(io.StringIO(text), strict=True):
        if len(row) != len(COLUMNS):
            raise Broken(f"a row of {len(row)} cells")
        if any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row):
            raise Broken(f"a formula in {row}")


def _check_picture(text: str) -> None:
    _harmless(text)
    ET.fromstring(text)
    if len(text) > 4_000_000:
        raise Broken(f"a picture of {len(text)} characters")


def _check_summary(text: str) -> None:
    _harmless(text)
    strict(text)


CHECKS: dict[str, Callable[[str], None]] = {
    "perfetto": _check_trace, "svg": _check_picture, "html": _check_page, "csv": _check_table,
    "json": _check_summary,
}  # fmt: skip


def drawn(replay: Replay, timeline: Timeline) -> None:
    """Draw the picture at several moments and in all sizes, and what can be opened. Raises `Broken`."""
    facts = Facts(replay.environment, replay.mode, replay.address, replay.scenarios, replay.blind)
    first, last = timeline.began, timeline.last
    moments = (first, (first + last) // 2, last)
    for palette in (Palette("colour"), Palette("ascii")):
        scene = Scene(palette, facts)
        for number, (width, height) in enumerate(SIZES):
            for now in moments:
                view = View(now=now, behind=last - now if now < last else None, sort=SORTS[number % 3])
                _draw(scene, timeline, view, width, height)
        view = View(now=last, behind=0, words="get #")
        view.fit(first, last, last)
        _draw(scene, timeline, view, 120, 36)
        view.see((first + last) // 2, last)
        view.zoom(1, last)
        view.point(timeline, 1)
        _draw(scene, timeline, view, 80, 24)
    for direction in (1, -1):
        for now in moments:
            place = next_place(timeline, now, direction)
            change = next_change(timeline.arrivals, now, direction, last)
            for what in (place, change):
                if what is not None and not what.what.isprintable():
                    raise Broken(f"a place with the name {what.what!r}")
    shown = list(timeline.requests.values())[:4]
    console = Console(file=io.StringIO(), width=100, highlight=False, force_terminal=False)
    palette = Palette("colour")
    for request in shown:
        console.print(detail_table(request, timeline, last, palette))
        if (where := longest_where([request], last)) is not None:
            console.print(excerpt(where, replay.source_lines(where.file), palette))
    nothing = ScenarioFile("x", Path("x.py"), Scenario(title="x", expect="x"), None, "GET", "/x")
    scenario = replay.scenarios[0] if replay.scenarios else nothing
    print_report(console, palette, timeline, scenario, requests=len(shown), threads=replay.threads)
    _harmless(console.file.getvalue())  # type: ignore[attr-defined]


def _draw(scene: Scene, timeline: Timeline, view: View, width: int, height: int) -> None:
    frame = scene.compose(timeline, view, width, height)
    if len(frame) != height:
        raise Broken(f"a frame of {len(frame)} lines in place of {height}")
    for line in frame:
        shown = "".join(segment.text for segment in line)
        if not shown.isprintable():
            raise Broken(f"a line with control characters: {shown!r}")
        if cell_len(shown) != width:
            raise Broken(f"a line of {cell_len(shown)} cells in place of {width}: {shown!r}")


# -- in this process ---------------------------------------------------------------------------


def seeds() -> list[bytes]:
    """Valid, uncompressed recordings to start from."""
    from tests.test_timeline_properties import simulate

    found = [gzip.decompress(path.read_bytes()) for path in sorted(SEEDS.glob("*.lvr.gz"))]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            events = simulate(Random(number)).events
            batches = []
            for i in range(0, len(events), 40):
                part = events[i : i + 40]
                batches.append((max(event[0] for event in events[: i + 40]) + 20_000_000, part))
            found.append(recorded(Path(folder, "seed.lvr"), batches).read_bytes())
    return found


def inputs(count: int, seed: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Mutated recordings and their numbers, from `first` on."""
    mutator = Mutator(seeds())
    for number in range(first, first + count):
        yield number, mutator.make(Random(f"{seed} {number}"))


def fuzz(
    count: int, seed: int, folder: Path, *, first: int = 0, every: int = 10, keep: Path | None = None
) -> Counter[str]:
    """Read that many mutated recordings; return the outcomes. Raises `Broken` unless `keep` is given.

    One in `every` is exported to all formats, and drawn.
    """
    outcomes: Counter[str] = Counter()
    path = folder / "input.lvr"
    for number, data in inputs(count, seed, first):
        path.write_bytes(data)
        whole = number % every == 0
        try:
            outcome = look(path, exports=whole, draws=whole)
        except Exception as error:
            if keep is None:
                raise Broken(f"input {number} of seed {seed}: {error!r}") from error
            outcome = f"BROKEN by {type(error).__name__}"
            if outcomes[outcome] < 20:
                (keep / f"broken-{seed}-{number}.lvr").write_bytes(data)
                traceback.print_exc()
                print(f"That was input {number}.", file=sys.stderr, flush=True)
        outcomes[outcome] += 1
        if number % 5_000 == 4_999:
            print(f"{number + 1:,}: {dict(outcomes)}", file=sys.stderr, flush=True)
    return outcomes


# -- the program itself ------------------------------------------------------------------------


class Cost:
    """The most that one process took."""

    def __init__(self) -> None:
        self.seconds: tuple[float, int] = (0.0, 0)
        """Of CPU time, and the input's number."""
        self.memory: tuple[int, int] = (0, 0)
        """kB, and the input's number."""

    def add(self, usage: Any, number: int) -> None:
        """Another process has ended."""
        self.seconds = max(self.seconds, (usage.ru_utime + usage.ru_stime, number))
        self.memory = max(self.memory, (usage.ru_maxrss, number))


def export_in_a_process(path: Path, form: str, out: Path) -> tuple[str, Any]:
    """``loopviz export``: the outcome, and what it cost. Raises `Broken`."""
    errors = out.with_suffix(".stderr")
    code, usage = _run(
        [sys.executable, "-m", "loopviz", "export", str(path), "--to", form, "-o", str(out)], errors
    )
    said = errors.read_text(encoding="utf-8", errors="strict")
    if "Traceback" in said or code not in {0, 2}:
        raise Broken(f"exit code {code}: {said[-2_000:]}")
    if not 1 <= len(said.splitlines()) <= 3 or not all(line.isprintable() for line in said.split("\n")):
        raise Broken(f"it says {said!r}")
    if code:
        if out.exists():
            raise Broken("it was refused, and there is an export")
        return "refused", usage
    CHECKS[form](out.read_text(encoding="utf-8"))
    out.unlink()
    return "damaged" if "damaged" in said else "exported", usage


def _run(command: list[str], errors: Path) -> tuple[int, Any]:
    """Run a process; its exit code, and what it took."""
    began = time.monotonic()
    with errors.open("wb") as stream, Path(os.devnull).open("rb+") as nothing:
        actions = [
            (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
            (os.POSIX_SPAWN_DUP2, nothing.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, stream.fileno(), 2),
        ]
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    if time.monotonic() - began > 6 * SLOW:
        raise Broken(f"it took {time.monotonic() - began:.1f} s")
    return os.waitstatus_to_exitcode(status), usage


def replay_in_a_terminal(path: Path) -> str:
    """``loopviz replay`` in a pseudo-terminal, until `q` is pressed. Raises `Broken`."""
    from tests.terminal import Terminal

    with Terminal("replay", str(path), columns=90, rows=28) as terminal:
        until = time.monotonic() + 6 * SLOW
        while not terminal.frames() and terminal.exit_code is None and time.monotonic() < until:
            try:
                terminal.pump(0.05)
                terminal.wait(0.01)
            except (AssertionError, OSError):
                pass
        if terminal.exit_code is None:
            terminal.pump(0.2)
            terminal.press("q")
            terminal.wait(6 * SLOW)
            outcome = "shown"
        else:
            outcome = "refused"
        said = terminal.output
        if b"Traceback" in said or terminal.exit_code != (2 if outcome == "refused" else 0):
            raise Broken(f"exit code {terminal.exit_code}: {said[-2_000:]!r}")
    return outcome


def run_commands(count: int, seed: int, folder: Path, keep: Path, first: int = 0) -> Counter[str]:
    """Give that many mutated recordings to the program: a tenth to `replay`, the others to `export`."""
    outcomes: Counter[str] = Counter()
    cost = Cost()
    forms = list(FORMATS)
    for number, data in inputs(count, seed, first):
        path = folder / f"input-{number}.lvr"
        path.write_bytes(data)
        command = "replay" if number % 10 == 0 else forms[number % len(forms)]
        try:
            if command == "replay":
                outcome = replay_in_a_terminal(path)
            else:
                outcome, usage = export_in_a_process(path, command, folder / "out")
                cost.add(usage, number)
        except Exception:
            outcome = "BROKEN"
            (keep / f"broken-{seed}-{number}-{command}.lvr").write_bytes(data)
            traceback.print_exc()
            print(f"That was input {number}, {command}.", file=sys.stderr, flush=True)
        path.unlink()
        outcomes[f"{command} {outcome}"] += 1
        if number % 100 == 99:
            print(f"{number + 1:,}: {dict(outcomes)}", file=sys.stderr, flush=True)
    print(f"At most {cost.seconds[0]:.1f} s of CPU time (input {cost.seconds[1]}),")
    print(f"and {cost.memory[0] / 1024:.0f} MB of memory (input {cost.memory[1]}).")
    return outcomes


def main() -> int:
    """Fuzz, and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=0, help="how many to read in this process")
    parser.add_argument("--commands", type=int, default=0, help="how many to give to the program")
    parser.add_argument("--every", type=int, default=10, help="one in so many is drawn, too [%(default)s]")
    parser.add_argument("--first", type=int, default=0, help="number of the first one [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for what breaks the rules [here]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(
            args.count, args.seed, Path(folder), first=args.first, every=args.every, keep=args.keep
        )
        if args.commands:
            outcomes += run_commands(args.commands, args.seed, Path(folder), args.keep, args.first)
    print(dict(outcomes))
    return int(any("BROKEN" in outcome for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
