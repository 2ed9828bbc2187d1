"""Recordings: what is written is what is read, and a file with any other content does no harm."""

from __future__ import annotations

import csv
import enum
import errno
import gzip
import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.errors import InputError
from loopviz.export.material import Material
from loopviz.export.table import table
from loopviz.model import Segment, State, Timeline, Where
from loopviz.model.segments import Segments
from loopviz.recording import Header, History, Recorder, outlet
from loopviz.recording.read import open_recording
from loopviz.recording.replay import Replay
from loopviz.stream import events as ev
from loopviz.stream.buffer import Reorder
from loopviz.stream.events import Event
from tests import fuzz_recordings
from tests.fuzz_recordings import ENVIRONMENT, SCENARIO, look, recorded
from tests.random_events import any_events
from tests.streams import MS, ZERO, accepted, end, iteration, ns, responded, sent, suspend, thread, wake
from tests.test_timeline_properties import simulate

ROOT = Path(__file__).parent.parent
HEADER = Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, ZERO, (SCENARIO,), (("a", "b"),))
LIFE = [*accepted(), suspend(3), wake(8), responded(10), end(11)]


def plain(path: Path) -> list[Any]:
    """The JSON values of a recording's lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def contents(line: Timeline) -> list[Any]:
    """Everything that a timeline knows about its requests and its loop."""
    now = line.last + MS
    return [
        [
            (
                r.id,
                r.method,
                r.path,
                r.start,
                r.status,
                r.error,
                r.done,
                r.received,
                r.history(now),
                dict(r.totals),
            )
            for r in line.requests.values()
        ],
        list(line.blocks),
        list(line.loop_spans(now)),
        [(lane.name, lane.busy, lane.cpu, list(lane.spans)) for lane in line.workers.values()],
        list(line.tokens),
        (line.idle, line.peak, line.events, line.last, line.lag_since(0), line.busy(ZERO, now)),
    ]


# -- what is written is what is read -----------------------------------------------------------

_batches = st.lists(
    st.tuples(st.integers(0, 60 * MS), st.lists(st.integers(0, 200), max_size=12)), max_size=12
)


@settings(max_examples=200)
@given(events=any_events, cuts=_batches, name=st.sampled_from(["a.lvr", "a.lvr.gz"]))
def test_any_events_are_read_as_they_were_written(tmp_path_factory, events, cuts, name):
    """For any events in any batches, the timeline of the recording is that of the originals."""
    path = tmp_path_factory.mktemp("any") / name
    batches, seen = [], 0
    for later, which in cuts:
        part = [events[i % len(events)] for i in which] if events else []
        seen = max(seen, *(event[0] for event in part), ZERO) + later
        batches.append((seen, part))
    recorded(path, batches, started=ZERO)
    recording = open_recording(path)
    assert [e for _, part in recording.raw() for e in part] == [e for _, part in batches for e in part]
    assert recording.damage is None
    assert recording.complete
    original, reorder = Timeline(whole=True), Reorder()
    joined: list[tuple[int, list[Event]]] = []
    for seen, part in batches:
        if part and joined and joined[-1][0] == seen:
            joined[-1][1].extend(part)
        elif part:
            joined.append((seen, list(part)))
    for seen, part in joined:
        original.feed(reorder.push(part, seen))
    original.feed(reorder.flush())
    assert contents(Replay(path).timeline()) == contents(original)


@settings(max_examples=60)
@given(number=st.integers(0, 1 << 32), size=st.integers(1, 200))
def test_whole_lives_are_read_as_they_were_written(tmp_path_factory, number, size):
    """The requests of a server are the same in a recording as in the timeline of the live server."""
    events = simulate(Random(number)).events
    path = tmp_path_factory.mktemp("lives") / "a.lvr.gz"
    batches, live, reorder = [], Timeline(), Reorder()
    seen = 0
    for i in range(0, len(events), size):
        part = events[i : i + size]
        seen = max(seen + 1, *(event[0] for event in part))
        batches.append((seen, part))
        live.feed(reorder.push(list(part), seen))
    live.feed(reorder.flush())
    assert contents(Replay(recorded(path, batches)).timeline()) == contents(live)


@given(
    st.lists(
        st.tuples(st.sampled_from(State), st.integers(0, 10**9), st.integers(0, 3), st.booleans()),
        max_size=40,
    )
)
def test_packed_segments_are_the_same(parts):
    """Packed segments are equal to the original ones, from either end, and more can be appended."""
    segments, start = Segments(), ZERO
    expected = []
    for state, length, number, known in parts:
        where = Where("a.py", number, "f") if known else None
        expected.append(Segment(state, start, start + length, number, where))
        segments.append(expected[-1])
        start += length
    segments.pack({})
    segments.pack({})
    assert list(segments) == expected
    assert list(reversed(segments)) == expected[::-1]
    assert len(segments) == len(expected)
    assert [segments[i] for i in range(len(expected))] == expected
    more = Segment(State.RUNNING, start, start + 1)
    segments.append(more)
    assert list(segments) == [*expected, more]


def test_the_header_says_what_was_recorded(tmp_path):
    """Environment, address, scenarios with their text, and what could not be seen are read back."""
    path = tmp_path / "a.lvr"
    Recorder(path, HEADER).close()
    with open_recording(path) as recording:
        assert recording.header == HEADER
    document, last = plain(path)
    assert (document["format"], document["version"]) == ("loopviz-recording", 1)
    assert document["scenarios"][0]["source"] == "app = None\n"
    assert last == {"end": True, "events": 0, "dropped": 0, "blind": []}


@pytest.mark.parametrize(("mode", "sorted_late"), [("in a thread", False), ("in a process of its own", True)])
def test_events_have_the_order_that_the_screen_gave_them(tmp_path, mode, sorted_late):
    """Those of another process come later; they were held back longer, and so they are when they are read."""
    path = tmp_path / "a.lvr"
    recorder = Recorder(path, Header(ENVIRONMENT, mode, "127.0.0.1:1", 40, ZERO))
    own: Event = sent(1)
    late: Event = (ns(0.5), ev.READ, 2, "GET", "/", 0)
    recorder.write([own], ns(30))
    recorder.write([late], ns(35))
    recorder.write([], ns(100))
    recorder.close()
    with open_recording(path) as recording:
        read = [event for batch in recording.batches() for event in batch]
    assert [event[0] for event in read] == ([late[0], own[0]] if sorted_late else [own[0], late[0]])


def test_what_is_found_unseen_later_is_in_the_last_line(tmp_path):
    """What could not be seen is known in full at the end; it is added to what the header said."""
    path = tmp_path / "a.lvr"
    Recorder(path, HEADER).close(blind=[*HEADER.blind, ("requests", "renamed")])
    with open_recording(path) as recording:
        assert recording.blind == list(HEADER.blind)
        assert list(recording.batches()) == []
        assert recording.blind == [*HEADER.blind, ("requests", "renamed")]


def test_a_recording_is_compressed_if_its_name_says_so(tmp_path):
    """.gz compresses; a reader looks at the content, whatever the name is."""
    path = recorded(tmp_path / "a.lvr.gz", [(ns(50), LIFE)])
    assert path.read_bytes().startswith(b"\x1f\x8b")
    moved = path.rename(tmp_path / "moved")
    assert Replay(moved).timeline().requests[1].done == ns(10)


@pytest.mark.parametrize("name", ["a.lvr", "a.lvr.gz"])
def test_the_documented_script_reads_it(tmp_path, name):
    """The ten lines in the documentation work as they stand."""
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/recording.md").read_text(), re.DOTALL)
    assert len(script.splitlines()) <= 10
    path = recorded(tmp_path / name, [(ns(50), LIFE)])
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, timeout=30, check=True
    )
    assert "3.13.0 {'sent': 1, " in done.stdout


@pytest.mark.parametrize("name", ["a.lvr", "a.lvr.gz"])
def test_a_crash_costs_half_a_second(tmp_path, name):
    """What was written is in the file half a second later, even if the recorder is never closed."""
    deadline = time.monotonic() + 10
    path = tmp_path / name
    recorder = Recorder(path, HEADER)
    recorder.write(LIFE, ns(50))
    recorder.write([], ns(600))
    while not (replay := Replay(path)).timeline().requests and time.monotonic() < deadline:
        time.sleep(0.01)  # a thread of its own writes it
    replay = Replay(path)
    assert replay.timeline().requests[1].done == ns(10)
    assert re.search("ended early|ends in the middle", replay.damage or "")
    recorder.close()


def test_texts_of_any_kind_and_length_are_read_whole_or_cut(tmp_path):
    """Control characters and emoji are read as written; unpaired surrogates and long texts do no harm."""
    texts = ["\x1b[2J", "\U0001f600é", "\ud800", "x" * 3_000_000]
    events: list[Event] = [(ns(i), ev.SENT, i, "GET", text) for i, text in enumerate(texts, 1)]
    replay = Replay(recorded(tmp_path / "a.lvr", [(ns(50), events)]))
    paths = [request.path for request in replay.timeline().requests.values()]
    assert replay.damage is None
    assert paths == ["\x1b[2J", "\U0001f600é", "\ufffd", "x" * 65_536]


def test_large_numbers_are_bounded(tmp_path):
    """A due time that is too large is cut to the largest integer; the rest is read."""
    due: Event = (ns(3), ev.YIELD, 1, "Future", 10**22)
    replay = Replay(recorded(tmp_path / "a.lvr", [(ns(50), [*accepted(), due])]))
    assert replay.timeline().requests[1].state is State.AWAITING
    assert replay.damage is None


def test_a_kind_of_a_later_version_is_skipped(tmp_path):
    """An event of an unknown kind is skipped, and is not damage."""
    later: Any = (ns(12), "telepathy", [1], {"a": 2})
    replay = Replay(recorded(tmp_path / "a.lvr", [(ns(50), [*LIFE, later])]))
    assert replay.timeline().requests[1].done == ns(10)
    assert replay.damage is None


# -- failing to write --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nowhere/at/all.lvr", "/", "/dev/full"])
def test_a_file_that_cannot_be_written_is_refused_at_once(path):
    """A missing folder, a folder, and a full disk are reported at the start."""
    if path == "/dev/full" and not Path(path).exists():
        pytest.skip("there is no full device here")
    with pytest.raises(InputError, match="cannot be written"):
        Recorder(path, HEADER)


def test_a_disk_that_fills_up_is_reported_once(tmp_path, monkeypatch):
    """The program continues; one line says that the recording has ended."""
    notices: list[str] = []
    recorder = Recorder(tmp_path / "a.lvr", HEADER, notices.append)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(outlet, "write_all", full)
        for i in range(5):
            recorder.write(LIFE, ns(1000 * i + 1000))
            time.sleep(0.05)
        recorder.close()
    assert notices == ["a.lvr can no longer be written: no space left on device"]
    assert recorder.failed == notices[0]


# -- the last minutes --------------------------------------------------------------------------


def test_the_last_minutes_are_kept(tmp_path):
    """Old and surplus events are discarded; threads that were reported once are still known."""
    history = History(most=100, age=300_000 * MS)
    history.add([thread(0, 1, "loop"), thread(0, 2)], ns(1))
    for i in range(50):
        history.add([sent(10 + i, i + 1), *[iteration(10 + i)] * 4], ns(10 + i))
    assert history.events == 100
    assert history.save(tmp_path / "a.lvr.gz", HEADER) == 102
    replay = Replay(tmp_path / "a.lvr.gz")
    line = replay.timeline()
    assert replay.damage is None
    assert list(line.requests) == list(range(31, 51))
    assert line.loop.number == 1
    assert list(line.workers) == [2]
    assert replay.recording.header.started == ns(40)
    history.add([sent(400_000, 99)], ns(400_000))
    assert history.events == 1


def test_a_recording_without_events_can_be_saved(tmp_path):
    """Saving the last minutes before anything has happened writes a valid recording."""
    assert History().save(tmp_path / "a.lvr", HEADER) == 0
    assert look(tmp_path / "a.lvr") == "read"


def test_last_minutes_that_cannot_be_written_are_refused(tmp_path):
    """A path that cannot be written raises `InputError`."""
    with pytest.raises(InputError, match="cannot be written"):
        History().save(tmp_path / "nowhere" / "a.lvr", HEADER)


# -- damage ------------------------------------------------------------------------------------


def damaged(tmp_path: Path, *lines: object, whole: bool = True) -> str:
    """The damage reported for a recording with these lines between a valid one and the last."""
    path = tmp_path / "a.lvr"
    good = recorded(tmp_path / "good.lvr", [(ns(50), LIFE)], started=ZERO).read_bytes().splitlines()
    bad = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join([*good[:2], *bad, *([good[2], b""] if whole else [])]))
    assert look(path) == "damaged"
    replay = Replay(path)
    assert replay.timeline().requests[1].done == ns(10)  # all before the damage is there
    assert replay.damage is not None
    assert replay.damage.startswith(("line 3, after 9 events: ", "line 4, after", "line 5, after"))
    return replay.damage


T = ns(60)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"not JSON", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[" + b"9" * 10_000 + b"]", "not JSON"),
        (b'[1, "\xff"]', "not JSON"),
        (7, "not a list"),
        ([], "not a list"),
        (["soon"], "not a list"),
        ([True], "not a list"),
        ([0], "out of range"),
        ([-T], "negative|out of range"),
        ([1 << 70], "out of range"),
        ([1], "no events"),
        ([1, [1, "idle"]], "backwards"),
        ([T, 7], "not a list"),
        ([T, []], "not a list"),
        ([T, [T]], "not a list"),
        ([T, {"t": 1}], "not a list"),
        ([T, [T, ["idle"]]], "not a list"),
        ([T, [T, "idle", 1]], "wrong fields"),
        ([T, [T, "sent", 1, "GET"]], "wrong fields"),
        ([T, [T, "sent", "1", "GET", "/"]], "wrong fields"),
        ([T, [T, "sent", 1.0, "GET", "/"]], "wrong fields"),
        ([T, [T, "sent", True, "GET", "/"]], "wrong fields"),
        ([T, [T, "sent", None, "GET", "/"]], "wrong fields"),
        (b'[%d,[NaN,"idle"]]' % T, "wrong fields"),
        ([T, [0, "idle"]], "out of range"),
        ([T, [-1, "idle"]], "negative|out of range"),
        ([T, [T + 2 * 10**9, "idle"]], "out of range"),
        ([T, [T, "wake", -1]], "negative"),
        ([T, [T, "fired", 1, "x", 1, 0, 40]], "'fired' has a count that is less than 1"),
        ([T, [T, "fired", 1, "x", 1, -3, 40]], "negative"),
        ([T, [T, "tokens", 4, -1, 0]], "negative"),
        ([T, [T, "ran", 1, 0, T + 1, None, 0]], "before it begins"),
        ([T, [T, "thread", 1, "loop\x1b[2J"]], "unknown role"),
        ([T + 10**17, [T + 10**17, "idle"]], "a month away"),
        ({"end": True}, "not a valid last line"),
        ({"end": 1, "dropped": 0}, "not a valid last line"),
        ({"end": True, "dropped": -1}, "not a valid last line"),
        ({"end": True, "dropped": 0, "blind": 3}, "no valid 'blind'"),
        ({"end": True, "dropped": 0, "blind": [["what"]]}, "no valid 'blind'"),
        (b"{", "not JSON"),
        ({"end": True, "events": 1, "dropped": 0}, "after the last line"),
    ],
)
def test_damage_is_reported_and_the_events_before_it_are_read(tmp_path, line, why):
    """Reading stops at a line that does not hold valid events, and says why."""
    assert re.search(why, damaged(tmp_path, line))


def test_a_line_that_is_too_long_is_never_held(tmp_path):
    """A line longer than any recording has is damage."""
    assert "too long" in damaged(tmp_path, b"[" + b" " * 5_000_000)


@pytest.mark.parametrize("size", range(0, 1000, 97))
def test_a_truncated_recording_opens_up_to_the_cut(tmp_path, size):
    """A file that is cut anywhere is refused, or read up to there."""
    whole = recorded(tmp_path / "a.lvr.gz", [(ns(50 + i), LIFE) for i in range(20)]).read_bytes()
    path = tmp_path / "cut.lvr.gz"
    path.write_bytes(whole[:size])
    assert look(path) in {"refused", "damaged"} or size >= len(whole)


def test_a_missing_last_line_is_reported(tmp_path):
    """Without its last line, a recording may be incomplete."""
    path = tmp_path / "a.lvr"
    path.write_bytes(b"".join(recorded(path, [(ns(50), LIFE)]).read_bytes().splitlines(keepends=True)[:2]))
    replay = Replay(path)
    replay.timeline()
    assert "ended early" in (replay.damage or "")


# -- other and hostile files -----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}",
        b"[]\n",
        b"null\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\x1f\x8b",
        b"\x1f\x8b" + bytes(100),
        gzip.compress(b"hello\n", mtime=0),
        gzip.compress(b"", mtime=0),
        b"PK\x03\x04" + bytes(100),
        b'{"format": "loopviz-summary", "version": 1}\n',
        b"\xef\xbb\xbf{}\n",
        b"[" * 100_000 + b"\n",
        b"\x00" * 10_000,
        b"x" * 5_000_000,
    ],
)
def test_another_file_is_refused(tmp_path, data):
    """A file that is not a recording is refused, in two lines at most."""
    path = tmp_path / "a.lvr"
    path.write_bytes(data)
    assert look(path) == "refused"


@pytest.mark.parametrize("version", [2, 0, "1", None, True, 10**30, "\x1b[2J"])
def test_an_unknown_version_is_refused(tmp_path, version):
    """A recording of another version is refused, and the message says why."""
    path = tmp_path / "a.lvr"
    document = json.loads(HEADER.line()) | {"version": version}
    path.write_text(json.dumps(document) + "\n")
    with pytest.raises(InputError, match=r"version .*this loopviz reads version 1"):
        open_recording(path)
    assert look(path) == "refused"


FIELDS = ("environment", "mode", "address", "threads", "started", "scenarios", "blind")
WRONG_VALUES: tuple[object, ...] = (None, 7.5, {}, [7], "", -1, 1 << 80)
MAY_BE_EMPTY = {"mode", "address"}


@pytest.mark.parametrize(
    ("field", "value"),
    [(f, v) for f in FIELDS for v in WRONG_VALUES if not (f in MAY_BE_EMPTY and v == "")],
)
def test_a_header_of_another_shape_is_refused(tmp_path, field, value):
    """Every field of the header is checked."""
    path = tmp_path / "a.lvr"
    document = json.loads(HEADER.line())
    path.write_text(json.dumps(document | {field: value}) + "\n")
    assert look(path) == "refused"
    del document[field]
    path.write_text(json.dumps(document) + "\n")
    assert look(path) == "refused"


def test_pipes_devices_and_folders_are_refused(tmp_path):
    """A pipe could block the reader, and a device may have no end."""
    pipe = tmp_path / "pipe"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        with pytest.raises(InputError, match="not a file"):
            open_recording(pipe)
    for path in (tmp_path, tmp_path / "nothing", Path("a\0b")):
        with pytest.raises(InputError):
            open_recording(path)


def test_a_bomb_takes_neither_memory_nor_time(tmp_path):
    """A small archive that holds gigabytes is refused before much of it is unpacked."""
    bombs = {"zeros": b"\0" * 1_000_000, "lines": b"[9]\n" * 250_000}
    for name, part in bombs.items():
        zipped = zlib.compressobj(9, zlib.DEFLATED, 31)
        data = zipped.compress(HEADER.line()) + b"".join(zipped.compress(part) for _ in range(30))
        path = tmp_path / name
        path.write_bytes(data + zipped.flush())
        tracemalloc.start()
        began = time.monotonic()
        assert look(path) == "damaged"
        assert time.monotonic() - began < 20
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
        tracemalloc.stop()
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "events",
    [
        [(T, ev.SENT, n, "GET", "/") for n in range(1, 60_000)],
        [(T, ev.THREAD, n, "worker") for n in range(60_000)],
        [*accepted(), *[(T, ev.HOLDS, 1, ns(2), "a.py", n, "f", "") for n in range(60_000)]],
        [*accepted(), *[(T, ev.CALL, n, 1, 1, n, "a.py", n, "f") for n in range(60_000)]],
        [*LIFE, *[e for n in range(30_000) for e in ((T, ev.READ, 1, "GET", "/", 0), (T, ev.RESPONDED, 1))]],
        [(T, ev.TASK, n, 0, 0, "x") for n in range(60_000)],
        [(T, ev.CPU, 1, n) for n in range(60_000)],
    ],
    ids=["requests", "threads", "lines", "calls", "revivals", "tasks", "clocks"],
)
def test_no_kind_of_event_makes_a_timeline_slow(tmp_path, events):
    """Reading a recording takes no more than its share of time if one kind of event fills it."""
    began = time.monotonic()
    assert look(recorded(tmp_path / "a.lvr", [(T, events)], started=ZERO)) == "read"
    assert time.monotonic() - began < 15


def test_many_batches_that_are_close_together_are_read_in_time(tmp_path):
    """Batches of one event each, a nanosecond apart, are not sorted again and again."""
    batches: list[tuple[int, list[Event]]] = [(T + i, [(T + i, ev.ITERATION)]) for i in range(60_000)]
    began = time.monotonic()
    assert look(recorded(tmp_path / "a.lvr", batches, started=ZERO)) == "read"
    assert time.monotonic() - began < 15


def test_a_slice_of_the_fuzzer(tmp_path):
    """Mutated recordings are refused, or read up to their damage; see `tests.fuzz_recordings`."""
    outcomes = fuzz_recordings.fuzz(800, 2024, tmp_path)
    assert {"refused", "damaged", "read"} == outcomes.keys()


# -- recordings of earlier versions ------------------------------------------------------------

BEFORE = ROOT / "tests" / "data" / "before"
"""Recordings of loopviz 0.1.0, before its packages were divided, and what that version exported from them."""


@pytest.mark.parametrize("name", ["blocking", "sync"])
def test_a_recording_of_version_1_written_before_is_read_to_the_same_document(name):
    """The summary and the table of an old recording are what the old program exported, and what was added."""
    replay = Replay(BEFORE / f"{name}.lvr.gz")
    line = replay.timeline()
    assert replay.damage is None
    assert replay.recording.complete
    old = json.loads((BEFORE / f"{name}.json").read_text())
    for segment in (s for request in old["requests"] for s in request["after_response"]):
        if segment["state"] == "running":
            del segment["where"]  # it was a line before the response
    assert _fields_of(old, replay.summary(line)) == old
    rows = list(csv.DictReader((BEFORE / f"{name}.csv").read_text().splitlines()))
    for row in rows:
        if row["after_response"] == "true" and row["state"] == "running":
            row |= {"file": "", "line": "", "function": ""}
    assert _fields_of(rows, list(csv.DictReader("".join(table(Material(line, name))).splitlines()))) == rows


def _fields_of(old: Any, new: Any) -> Any:
    """What `new` has in the fields that `old` has."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: _fields_of(old[name], new[name]) for name in old.keys() & new.keys()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_fields_of(*both) for both in zip(old, new, strict=True)]
    return new


def test_a_close_code_of_an_enumeration_is_kept(tmp_path):
    """An application may close a WebSocket with a number of a type of its own: it is a number like others."""

    class Closed(enum.IntEnum):
        REFUSED = 4008

    history = History()
    history.add([(ns(1), ev.CLOSED, 1, Closed.REFUSED)], ns(2))
    assert history.save(tmp_path / "a.lvr", HEADER) == 1
    (batch,) = open_recording(tmp_path / "a.lvr").batches()
    assert batch == [(ns(1), ev.CLOSED, 1, 4008)]
