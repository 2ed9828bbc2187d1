"""A recording instead of a server: the same summary, the same screen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.errors import InputError
from loopviz.experiment.measure import measure
from loopviz.model import Timeline
from loopviz.recording.replay import Replay
from loopviz.scenario import find, read
from tests.fuzz_recordings import recorded
from tests.streams import MS, accepted, end, ns, responded, sent, suspend, wake
from tests.test_cli import QUICK, loopviz, refuses

LIFE = [*accepted(), suspend(3), wake(8), responded(10), end(11)]


@pytest.fixture
def quick(tmp_path):
    """A scenario's file that takes little time."""
    file = tmp_path / "quick.py"
    file.write_text(QUICK)
    return str(file)


@pytest.mark.parametrize("name", ["a.lvr", "a.lvr.gz"])
def test_a_recording_tells_the_summary_that_was_printed(tmp_path, quick, name):
    """`record --json -o FILE` prints the summary, and FILE leads to the same one, to the last digit."""
    file = tmp_path / name
    done = loopviz("record", quick, "--json", "-o", str(file))
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    replay = Replay(file)
    assert replay.summary(replay.timeline()) == printed
    assert replay.damage is None
    assert f"{replay.recording.events} events are in {file}" in done.stderr
    assert len(printed["requests"]) == 3


def test_a_scenario_explains_itself_elsewhere(tmp_path, quick):
    """A recording has the scenario's facts and the text of its file, and never executes it."""
    file = tmp_path / "a.lvr"
    measure(read(find(quick))[0], output=str(file))
    Path(quick).unlink()
    replay = Replay(file)
    replay.stop()
    (scenario,) = replay.scenarios
    assert (scenario.name, scenario.facts.title, scenario.path, scenario.app) == (
        "quick",
        "a quick one",
        "/quick",
        None,
    )
    assert replay.sources["quick"] == QUICK


def test_it_stands_in_for_a_server(tmp_path):
    """It is a source that is not live; it refuses what needs a server, and says why."""
    replay = Replay(recorded(tmp_path / "a.lvr", [(ns(50), LIFE)]))
    replay.start()
    replay.wait()
    assert not replay.live
    assert replay.mode == "recording"
    assert (replay.address, replay.threads, replay.blind) == ("127.0.0.1:1", 40, [("a", "b")])
    assert replay.present() == ns(0)
    events = replay.drain()
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    assert replay.present() == ns(11)
    replay.set_threads(3)
    with pytest.raises(InputError, match="mine cannot be fired"):
        replay.fire(replay.scenarios[0], 8)
    with pytest.raises(InputError, match="there is no server"):
        replay.reload(replay.scenarios[0])
    with pytest.raises(InputError, match="already a recording"):
        replay.save(tmp_path / "b.lvr")
    assert replay.drain() == []
    assert replay.ended
    assert replay.vitals().events == len(events)
    assert replay.stop()


def test_a_long_recording_comes_in_pieces(tmp_path):
    """One call returns a small part of the events, to draw in between, and nothing is lost."""
    batches = [(ns(i), [sent(i, n) for n in range(i * 500 + 1, i * 500 + 501)]) for i in range(100)]
    replay = Replay(recorded(tmp_path / "a.lvr.gz", batches))
    sizes = []
    while not replay.ended:
        sizes.append(len(replay.drain()))
    assert sum(sizes) == 50_000
    assert max(sizes) <= 2_000
    assert len(sizes) > 2


def test_all_of_it_is_kept():
    """The timeline of a recording discards nothing because it is old."""
    hour = 3_600_000
    line, whole = Timeline(), Timeline(whole=True)
    for timeline in (line, whole):
        for number in range(1, 8):
            at = number * hour
            timeline.feed([(e[0] + ns(at) - ns(0), *e[1:]) for e in LIFE if e[1] != "sent"])
            timeline.feed(
                [(ns(at + 20), "sent", number, "GET", "/"), (ns(at + 30), "received", number, 200, None)]
            )
            timeline.prune(timeline.last + 400_000 * MS)
    assert len(line.requests) == 0
    assert len(whole.requests) == 7


def test_scenarios_that_share_a_name_or_a_key_are_listed_once(tmp_path):
    """Names and keys are unambiguous, even if those in the file are not."""
    file = recorded(tmp_path / "a.lvr", [(ns(50), LIFE)])
    header, *rest = file.read_text().splitlines()
    document = json.loads(header)
    one = document["scenarios"][0]
    document["scenarios"] = [one, one, one | {"name": "other"}, one | {"name": "third", "key": "q"}]
    file.write_text("\n".join([json.dumps(document), *rest, ""]))
    replay = Replay(file)
    replay.stop()
    assert [(f.name, f.facts.key) for f in replay.scenarios] == [("mine", "u"), ("third", None)]


# -- the command line --------------------------------------------------------------------------


def test_replay_refuses_a_file_that_is_not_a_recording(tmp_path, capsys):
    """Two lines and exit code 2, before any screen is drawn."""
    file = tmp_path / "a.lvr"
    file.write_text("hello\n")
    assert "not a loopviz recording" in refuses(capsys, "replay", str(file))
    assert "cannot be read" in refuses(capsys, "replay", str(tmp_path / "nothing"))
    assert "not a file" in refuses(capsys, "replay", str(tmp_path))


def test_replay_needs_a_terminal(tmp_path):
    """Without a terminal, it exits with code 2 and names `loopviz export`."""
    file = recorded(tmp_path / "a.lvr", [(ns(50), LIFE)])
    done = loopviz("replay", str(file))
    assert done.returncode == 2
    assert "loopviz export" in done.stderr


def test_record_refuses_a_file_that_cannot_be_written(quick, capsys):
    """A path that cannot be written is refused before the server starts."""
    assert "cannot be written" in refuses(capsys, "record", quick, "-o", "/nowhere/a.lvr")


def test_a_recording_that_fails_midway_is_reported_after_the_run(quick, tmp_path, monkeypatch, capsys):
    """The run is reported; the exit code says that the file is incomplete."""
    from loopviz.recording import Recorder

    def fail(self, events, seen):
        if self.failed is None:
            self._fail(OSError(28, "No space left on device"))

    monkeypatch.setattr(Recorder, "write", fail)
    assert cli.main(["record", quick, "-o", str(tmp_path / "a.lvr")]) == 2
    out, err = capsys.readouterr()
    assert "GET /quick 200" in out
    assert "a.lvr can no longer be written: no space left on device" in err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_what_the_screen_records_can_be_replayed(quick, tmp_path):
    """`run --record`, a burst, q; then `replay` shows the burst, and no escape sequence gets through."""
    from tests.terminal import Terminal

    file = tmp_path / "a.lvr.gz"
    hostile = tmp_path / "hostile.py"
    hostile.write_text(QUICK.replace('title="a quick one"', 'title="\\x1b[5mblink", key="u"'))
    with Terminal("run", str(hostile), "--record", str(file)) as terminal:
        terminal.expect(r"u hostile", 60)
        terminal.press("u")
        terminal.expect(r"/quick .* 200", 60)
        terminal.press("q")
        terminal.wait(60)
    replay = Replay(file)
    assert len(replay.timeline().requests) == 3
    assert replay.damage is None
    with Terminal("replay", str(file)) as terminal:
        terminal.expect(r"/quick .* 200", 60)
        terminal.press("q")
        terminal.wait(60)
        assert b"\x1b[5m" not in terminal.output


def test_replay_never_executes_what_was_recorded(tmp_path):
    """A scenario's text in a recording is text."""
    file = recorded(tmp_path / "a.lvr", [(ns(50), LIFE)])
    trap = tmp_path / "trap"
    file.write_text(file.read_text().replace("app = None", f"open({str(trap)!r}, 'w')"))
    code = (
        "import sys; from loopviz.recording.replay import Replay; r = Replay(sys.argv[1]);"
        " r.summary(r.timeline())"
    )
    subprocess.run([sys.executable, "-c", code, file], check=True, timeout=30)
    assert not trap.exists()
