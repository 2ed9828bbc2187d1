"""Opens mutated recordings, which must do no harm.

Run by hand: ``python -m tests.fuzz_recordings --inputs 100000``. Inputs that break a rule are written
to a folder; those found so far are in `tests.test_recording`. The rules: a file is refused in two lines at
most, or it is read to its end or to its damage, which is reported in one line. There is never an
unexpected exception, and a small file never takes much time or holds many events.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from loopviz.errors import InputError
from loopviz.recording import Header, Recorder, ScenarioSnapshot
from loopviz.recording.replay import Replay
from loopviz.stream.events import Event
from loopviz.stream.source import Environment

ENVIRONMENT = Environment("0", "3.13.0", "CPython", True, "asyncio", "0", "0", "0", "0", "Linux")
SCENARIO = ScenarioSnapshot(
    "mine", "a title", "what to expect", "p", 8, 1.0, "yours", "GET", "/mine", "mine.py", "app = None\n"
)
SLOW = 10.0
"""Seconds that no small file may take."""
_HOSTILE: list[Any] = [
    0, -1, 1, 1 << 31, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63), 10**30, 1e308, 0.5, True, None, [], {},
    "", "\x1b[2J", "\ud800", "x" * 70_000, "\U0001f600" * 10, "loop", "ran", "sent", [[[[]]]], float("nan"),
    float("inf"), {"end": True}, [1, "idle"], "\x00", "../../etc/passwd", 5_000_000_000_000,
]  # fmt: skip


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


def look(path: Path) -> str:
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
    json.dumps(replay.summary(timeline)).encode()
    for request in timeline.requests.values():
        (request.method + request.path + str(request.error)).encode()
        if sum(request.totals.values()) < 0:
            raise Broken("time runs backwards")
    if time.monotonic() - began > SLOW:
        raise Broken(f"it took {time.monotonic() - began:.1f} s")
    if replay.damage is None:
        return "read"
    if len(replay.damage.splitlines()) != 1 or not replay.damage.isprintable():
        raise Broken(f"a damage of several lines: {replay.damage!r}")
    return "damaged"


def mutate(random: Random, seeds: list[bytes]) -> bytes:
    """A recording that has been changed at random."""
    data = random.choice(seeds)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        data = random.choice(_MUTATIONS)(random, data, seeds)
    way = random.random()
    if way < 0.15:
        data = gzip.compress(data, 1, mtime=0)
        if way < 0.10:
            data = random.choice((_flip, _truncate, _splice))(random, data, seeds)
    return data


def _flip(random: Random, data: bytes, seeds: list[bytes]) -> bytes:
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 10))):
        if found:
            found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found)


def _truncate(random: Random, data: bytes, seeds: list[bytes]) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _splice(random: Random, data: bytes, seeds: list[bytes]) -> bytes:
    other = random.choice(seeds)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _insert(random: Random, data: bytes, seeds: list[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    part = random.choice(
        (b"\n", b"\x00", b"[" * 5_000, b'"', b"\x1b[2J", b"9" * 5_000, b"{}\n", b"[]\n", b"\xff")
    )
    return data[:at] + part + data[at:]


def _lines(random: Random, data: bytes, seeds: list[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        i, j = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(3):
            case 0:
                del lines[i]
            case 1:
                lines.insert(j, lines[i])
            case _:
                lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def _value(random: Random, data: bytes, seeds: list[bytes]) -> bytes:
    """Replace one value in the JSON of one line."""
    lines = data.split(b"\n")
    i = random.randrange(len(lines))
    try:
        document = json.loads(lines[i])
    except (ValueError, RecursionError):
        return data
    here = document
    for _ in range(random.randrange(1, 5)):
        inner = list(here.values()) if isinstance(here, dict) else here if isinstance(here, list) else []
        inner = [value for value in inner if isinstance(value, list | dict) and value]
        if not inner:
            break
        here = random.choice(inner)
    if not isinstance(here, list | dict) or not here:
        return data
    at = random.choice(list(here)) if isinstance(here, dict) else random.randrange(len(here))
    before = here[at]
    match random.randrange(5):
        case 0 if isinstance(here, list):
            here.insert(at, random.choice(_HOSTILE))
        case 1:
            del here[at]
        case 2 if type(before) is int:
            here[at] = before + random.choice((-1, 1, 10**9, -(10**9), 10**14, -(10**14)))
        case _:
            here[at] = random.choice(_HOSTILE)
    try:
        lines[i] = json.dumps(document).encode()
    except (ValueError, RecursionError):
        return data
    return b"\n".join(lines)


_MUTATIONS = (_flip, _truncate, _splice, _insert, _lines, _value, _value, _value, _value)


def seeds() -> list[bytes]:
    """Valid, uncompressed recordings to start from."""
    from tests.test_timeline_properties import simulate

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(12):
            events = simulate(Random(number)).events
            batches = []
            for i in range(0, len(events), 40):
                part = events[i : i + 40]
                batches.append((max(event[0] for event in events[: i + 40]) + 20_000_000, part))
            found.append(recorded(Path(folder, "seed.lvr"), batches).read_bytes())
    return found


def fuzz(inputs: int, seed: int, folder: Path, *, keep: Path | None = None) -> Counter[str]:
    """Read that many mutated recordings; return the outcomes. Raises `Broken` unless `keep` is given."""
    found = seeds()
    outcomes: Counter[str] = Counter()
    path = folder / "input.lvr"
    for number in range(inputs):
        data = mutate(Random(f"{seed} {number}"), found)
        path.write_bytes(data)
        try:
            outcome = look(path)
        except Exception as error:
            if keep is None:
                raise Broken(f"input {number} of seed {seed}: {error!r}") from error
            outcome = f"BROKEN by {type(error).__name__}"
            if outcomes[outcome] < 20:
                (keep / f"broken-{seed}-{number}.lvr").write_bytes(data)
                traceback.print_exc()
        outcomes[outcome] += 1
    return outcomes


def main() -> int:
    """Fuzz, and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="[%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for what breaks the rules [here]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(args.inputs, args.seed, Path(folder), keep=args.keep)
    print(dict(outcomes))
    return int(any(outcome.startswith("BROKEN") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
