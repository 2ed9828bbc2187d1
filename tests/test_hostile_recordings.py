"""Recordings that were found by `tests.fuzz_recordings` and `tests.worst_recordings`, and the limits."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from xml.etree import ElementTree as ET

import pytest

from loopviz.cli import conversion
from loopviz.cli.main import main
from loopviz.draw.look import BLOCK
from loopviz.draw.raster import map_codes
from loopviz.export import FORMATS, Framing, Material
from loopviz.model import Timeline
from loopviz.model.limits import WHOLE
from loopviz.recording import read
from loopviz.recording.read import open_recording
from loopviz.recording.replay import Replay
from loopviz.stream import events as ev
from loopviz.stream.events import Event, expand
from tests import fuzz_recordings, worst_recordings
from tests.fuzz_recordings import look, recorded
from tests.mutations import Mutator
from tests.streams import MS, ns

CENTURIES = 9 * 10**18
ONE: list[Event] = [
    (ns(1), ev.READ, 1, "GET", "/", 0),
    (ns(1), ev.TASK, 1, 0, 1, "handle"),
    (ns(3), ev.RAN, 1, ns(1), ns(2), "Future", 0),
]

# -- what was found ----------------------------------------------------------------------------


def test_a_request_that_arrived_centuries_ago_is_drawn(tmp_path):
    """The axis of a picture has marks however much time it shows."""
    t = CENTURIES
    events: list[Event] = [(t, ev.READ, 1, "GET", "/", 1), (t + MS, ev.RESPONDED, 1)]
    path = recorded(tmp_path / "a.lvr", [(t + MS, events)])
    assert look(path, exports=True, draws=True) == "read"


def test_a_pool_that_has_no_number_can_be_waited_for(tmp_path):
    """A story is written about a wait for a pool, whatever its number is."""
    events: list[Event] = [
        (ns(0), ev.POOL, 0, "executor", "pool", 2),
        *ONE,
        (ns(4), ev.STEP, 1),
        (ns(4), ev.SUBMIT, 7, 1, 1),
        (ns(4), ev.POOL_CALL, 7, 1, 0),
        (ns(5), ev.YIELD, 1, "Future", 0),
        (ns(900), ev.ITERATION),
    ]
    assert look(recorded(tmp_path / "a.lvr", [(ns(900), events)]), draws=True) == "read"


def test_a_block_before_the_map_leaves_the_map_as_wide_as_it_was():
    """A recording may be longer than the map of everything shows: a block before it is left out."""
    line = Timeline(whole=True)
    line.feed([*expand(ONE), (ns(10), ev.STEP, 1), (ns(300), ev.YIELD, 1, "Future", 0)])
    line.feed(
        [(ns(900_000), ev.ITERATION), (ns(900_000), ev.STEP, 1), (ns(900_300), ev.YIELD, 1, "Future", 0)]
    )
    assert len(line.blocks) == 2
    codes = map_codes(line, ns(900_100), 50 * MS, 40)
    assert len(codes) == 40
    assert codes == BLOCK * 5 + "0" * 35


# -- limits of memory and time -----------------------------------------------------------------


def test_what_is_held_back_is_bounded(tmp_path, monkeypatch):
    """More events at one moment than a program can have measured are damage."""
    many: list[Event] = [(ns(1), ev.ITERATION)] * 500
    path = recorded(tmp_path / "a.lvr", [(ns(1), many), (ns(2), many), (ns(3), many)])
    assert look(path) == "read"
    monkeypatch.setattr(read, "_MOST_HELD", 1_200)
    replay = Replay(path)
    replay.timeline()
    assert "more than 1,200 events in less than 50 ms" in str(replay.damage)


def test_what_is_passed_on_at_once_is_bounded(tmp_path):
    """A million events of the same moment come in small pieces, all of them."""
    path = worst_recordings.write(tmp_path / "a.lvr", worst_recordings.same_moment(0), 10_000)
    sizes = [len(events) for events in open_recording(path).batches()]
    assert sum(sizes) == 3 * 10_000 - 4  # a step is three events
    assert max(sizes) <= 2_000


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of which reading is given up in the middle."""
    monkeypatch.setattr(read, "_PATIENCE", 0.0)
    monkeypatch.setattr(read, "_PATIENCE_EACH", 1e-9)
    path: Path = worst_recordings.write(tmp_path / "a.lvr", worst_recordings.steps(0), 20_000)
    return path


def test_a_recording_that_takes_too_long_is_read_up_to_there(slow):
    """The time that it takes to read a recording is bounded, and it is said where reading stopped."""
    replay = Replay(slow)
    timeline = replay.timeline()
    assert "it takes too long" in str(replay.damage)
    assert timeline.events < 20_000
    assert replay.ended


def test_an_export_that_takes_too_long_says_so(slow, tmp_path, capsys):
    """The part that was read is exported, and standard error says that it is a part."""
    out = tmp_path / "out.csv"
    assert main(["export", str(slow), "--to", "csv", "-o", str(out)]) == 0
    assert out.read_text().startswith("request,")
    assert "it takes too long" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["csv", "json", "html", "perfetto"])
def test_an_export_that_would_be_huge_is_refused(tmp_path, monkeypatch, capsys, form):
    """A recording that repeats long names a million times does not fill the disk."""
    path = worst_recordings.write(tmp_path / "a.lvr", worst_recordings.lines(0), 2_000)
    out = tmp_path / "out"
    monkeypatch.setattr(conversion, "_MOST_OUTPUT", 60_000)
    assert main(["export", str(path), "--to", form, "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert "GiB" in said
    assert len(said.splitlines()) <= 2
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_summary_is_written_one_request_after_the_other(tmp_path):
    """The document of an export is never in memory as a whole, and is the same as if it were."""
    path = worst_recordings.write(tmp_path / "a.lvr", worst_recordings.steps(0), 3_000)
    replay = Replay(path)
    line = replay.timeline()
    _, make = FORMATS["json"]
    pieces = list(make(Material(line, "a", limit=replay.threads), Framing()))
    whole = json.loads("".join(pieces))
    wanted = replay.summary(line)
    assert len(whole["requests"]) == 500
    assert whole["requests"] == json.loads(json.dumps(wanted["requests"]))
    assert whole["started_tasks"] == []


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("chain", 6_000), ("arrivals", 6_000), ("late_wakes", 8_000), ("gil", 8_000), ("gil_before", 8_000),
        ("receiving", 8_000), ("blocks", 8_000),
    ],
)  # fmt: skip
def test_what_an_event_may_look_at_is_bounded(name, count):
    """Events that concern thousands of things each do not take more than their share of time."""
    limits = replace(WHOLE, looks=200_000)
    line = Timeline(whole=True, limits=limits)
    events = list(expand(islice(worst_recordings.CASES[name](count), count)))
    began = time.thread_time()
    for i in range(0, len(events), 2_000):
        line.feed(events[i : i + 2_000])
    assert time.thread_time() - began < 8
    assert not line._shared.look()


# -- the fuzzer --------------------------------------------------------------------------------


def test_mutated_recordings_do_no_harm(tmp_path):
    """Mutations of real recordings are refused, or read, exported and drawn; see `tests.fuzz_recordings`."""
    outcomes = fuzz_recordings.fuzz(200, 7, tmp_path, every=20)
    assert {"refused", "damaged", "read"} == outcomes.keys()
    assert outcomes["read"] > 40


def test_the_mutator_is_deterministic():
    """The same seed makes the same bytes, so that what was found can be made again."""
    mutator = Mutator(fuzz_recordings.seeds()[:3])
    made = [mutator.make(Random(f"3 {number}")) for number in range(40)]
    assert made == [mutator.make(Random(f"3 {number}")) for number in range(40)]
    assert len(set(made)) > 30


@pytest.mark.parametrize("form", ["svg", "csv"])
def test_a_mutated_recording_is_given_to_the_program(tmp_path, form):
    """The command exports what it can read, and refuses the rest with exit code 2 and no traceback."""
    outcomes = set()
    for _, data in islice(fuzz_recordings.inputs(3, 11), 3):
        path = tmp_path / "a.lvr"
        path.write_bytes(data)
        outcomes.add(fuzz_recordings.export_in_a_process(path, form, tmp_path / "out")[0])
    assert outcomes <= {"refused", "damaged", "exported"}


def test_the_checks_of_the_fuzzer_can_fail():
    """An export that breaks a rule is found."""
    for form, text in [
        ("json", '{"a": NaN}'), ("svg", "<svg"), ("csv", "a,b\n"), ("html", "<script>\x1b</script>"),
        ("perfetto", '{"traceEvents": [{"ts": -1}]}'),
    ]:  # fmt: skip
        with pytest.raises((fuzz_recordings.Broken, ET.ParseError)):
            fuzz_recordings.CHECKS[form](text)
