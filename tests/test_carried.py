"""The source files that a recording carries."""

from __future__ import annotations

import json
import linecache

from loopviz.draw.source import lines_of
from loopviz.model import Timeline
from loopviz.model.limits import MAX_TEXT
from loopviz.recording.carried import Carried
from loopviz.recording.read import open_recording
from loopviz.recording.replay import timeline_for_replay
from loopviz.recording.write import Recorder
from loopviz.sources import lines_in
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.test_recording import HEADER


def test_a_recording_carries_the_files_that_its_lines_are_in(tmp_path):
    """Each file is carried once, and is read back as it was when it was first named, also if it is gone."""
    source = tmp_path / "own.py"
    source.write_text("import time\n\nasync def blocking():\n    time.sleep(2)  # ünïcode\n")
    recorder = Recorder(tmp_path / "a.lvr", HEADER)
    line = (str(source), 4, "blocking", "time.sleep")
    recorder.write([(10, ev.HOLDS, 1, 5, *line), (30, ev.HOLDS, 1, 5, *line)], 40)
    recorder.close()
    source.unlink()
    timeline = Timeline()
    for batch in open_recording(tmp_path / "a.lvr").batches():
        timeline.feed(batch)
    assert timeline.sources.of(str(source)) == [
        "import time", "", "async def blocking():", "    time.sleep(2)  # ünïcode",
    ]  # fmt: skip
    assert list(timeline.sources) == [str(source)]


def test_a_long_file_is_carried_in_parts(tmp_path):
    """Together the parts are the file, and each is short enough for a reader."""
    source = tmp_path / "long.py"
    lines = [f"value_{number} = {'x' * (number % 90)!r}" for number in range(5_000)]
    source.write_text("\n".join(lines))
    parts = list(Carried().of([(1, ev.AWAITS, 1, str(source), 7, "f")]))
    timeline = Timeline()
    timeline.feed(parts)
    assert len(parts) > 1
    assert all(len(json.dumps(part)) < 1 << 16 for part in parts)
    assert timeline.sources.of(str(source)) == lines


def test_library_code_is_not_carried(tmp_path):
    """A file of Python's or of an installed package is there on other machines, unless it has the handler."""
    installed = tmp_path / "site-packages" / "package.py"
    installed.parent.mkdir()
    installed.write_text("pass\n")
    events: list[Event] = [
        (1, ev.AWAITS, 1, json.__file__, 7, "f"),
        (2, ev.AWAITS, 1, str(installed), 1, "f"),
    ]
    assert not list(Carried().of(events))
    handler: list[Event] = [(3, ev.HANDLER, 1, str(installed), 1, "f")]
    assert [event[1] for event in Carried().of(handler)] == [ev.SOURCE]


def test_a_recording_opens_no_file_that_it_does_not_carry(tmp_path):
    """A replay shows the text that was recorded, or none: what a recording names may be any file."""
    secret = tmp_path / "secret.py"
    secret.write_text("password\n")
    Recorder(tmp_path / "a.lvr", HEADER).close()
    recording = open_recording(tmp_path / "a.lvr")
    recording.close()
    timeline = timeline_for_replay(recording.header)
    assert list(lines_of(timeline, str(secret))) == []
    (scenario,) = HEADER.scenarios
    assert list(lines_of(timeline, scenario.file)) == scenario.source.split("\n")
    assert list(lines_of(Timeline(), str(secret))) == ["password"]


def test_a_file_of_the_systems_is_not_read():
    """It is a file, but has no size: it may have no end, or tell what is no source code."""
    assert list(lines_in("/proc/self/environ")) == []


def test_a_loader_that_raises_has_no_lines(monkeypatch):
    """Source code that is in no file may be known to a loader of the application's, which may do anything."""

    def lines() -> str:
        raise LookupError("no source today")

    monkeypatch.setitem(linecache.cache, "<made>", (lines,))
    assert list(lines_in("<made>")) == []


def test_a_recording_carries_the_file_that_the_server_has():
    """In a container it is another one than the file of this name here."""
    events: list[Event] = [(1, ev.AWAITS, 1, "/app/main.py", 7, "f")]
    found = list(Carried(lambda file: [f"# {file}", "pass"]).of(events))
    assert found == [(1, ev.SOURCE, "/app/main.py", 1, "# /app/main.py\npass")]


def test_only_files_are_read(tmp_path):
    """What a recording names may be a folder, a device, or no path at all: it has no lines."""
    for name in (str(tmp_path), "/dev/zero", "", "a\0b", "x" * 5_000):
        assert list(lines_in(name)) == []


def test_what_a_recording_says_to_carry_is_bounded():
    """A small archive may have many long texts: they are not all kept."""
    timeline = Timeline()
    text = "\n".join(["x" * 1_000] * 60)
    for number in range(400):
        timeline.feed([(1, ev.SOURCE, f"{number % 100}.py", 1 + 60 * (number // 100), text)])
    kept = sum(len(line) for file in timeline.sources for line in timeline.sources.of(file) or ())
    assert 0.9 * MAX_TEXT < kept < MAX_TEXT
