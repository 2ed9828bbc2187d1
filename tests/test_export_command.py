"""``loopviz export``: where it writes, what it says, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.cli import conversion as command
from loopviz.export import FORMATS
from loopviz.recording import Header, ScenarioSnapshot
from loopviz.stream.events import Event
from loopviz.stream.source import Environment
from tests.streams import ZERO, accepted, end, idle, iteration, responded, returns, suspend, wake
from tests.streams import call as calls

ROOT = Path(__file__).parent.parent
ENVIRONMENT = Environment("0", "3.13.0", "CPython", True, "asyncio", "0.1", "0.1", "0.1", "4.0", "Linux")
EVENTS: list[Event] = [
    *accepted(),
    calls(3),
    suspend(4),
    idle(5),
    returns(50),
    iteration(51),
    wake(51),
    responded(52),
    end(53),
    idle(54),
]


HEADER = Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, ZERO)


def write(
    file: Path, events: Sequence[Event] = EVENTS, *, whole: bool = True, header: Header = HEADER
) -> Path:
    """A recording of these events."""
    lines = [header.line().decode().strip()]
    lines += [json.dumps([event[0], list(event)]) for event in events]
    if whole:
        lines.append(json.dumps({"end": True, "dropped": 0}))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A short recording."""
    return write(tmp_path / "run.jsonl")


def refuses(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message with which these arguments are refused."""
    code: str | int | None
    try:
        code = cli.main(["export", *arguments])
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert 1 <= len(err.splitlines()) <= 2
    return err


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_goes_to_standard_output_where_that_is_no_terminal(recording, form):
    """Nothing but the export is written to a pipe, in UTF-8."""
    done = subprocess.run(
        [sys.executable, "-m", "loopviz", "export", str(recording), "--to", form],
        cwd=ROOT, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    text = done.stdout.decode("utf-8")
    begins = {
        "perfetto": '{"traceEvents"',
        "svg": "<svg",
        "html": "<!DOCTYPE html>",
        "csv": "request,",
        "json": "{",
    }
    assert text.startswith(begins[form])


def test_the_table_of_a_recording_is_that_of_its_events(recording, capsys):
    """From the file to the table: the states of the request, contiguous."""
    assert cli.main(["export", str(recording), "--to", "csv", "-o", "-"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["state"] for row in rows] == ["queued", "ready", "running", "in_thread", "ready", "ready"]
    assert all(a["end_s"] == b["start_s"] for a, b in pairwise(rows))
    assert rows[-1]["after_response"] == "true"


def test_the_summary_knows_what_the_recording_says_of_itself(recording, capsys):
    """Environment and thread limit come from the header."""
    assert cli.main(["export", str(recording), "--to", "json", "-o", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["environment"]["python"] == "3.13.0"
    assert document["threadpool"]["limit"] == 40
    assert document["requests"][0]["latency_s"] == 0.052


@pytest.mark.parametrize(
    ("name", "form", "wanted"),
    [
        ("run.jsonl", "svg", "run.svg"),
        ("run.jsonl.gz", "html", "run.html"),
        ("run", "perfetto", "run.perfetto.json"),
        ("a.b.lv", "csv", "a.b.csv"),
    ],
)
def test_on_a_terminal_a_file_beside_it_is_written(tmp_path, monkeypatch, capsys, name, form, wanted):
    """Its name has the format's suffix, and standard error says so."""
    file = tmp_path / name
    write(file)  # what a recording holds is seen, whatever its name says
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main(["export", str(file), "--to", form]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert (tmp_path / wanted).stat().st_size
    assert wanted in err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, wanted])


def test_a_damaged_recording_is_exported_up_to_the_damage(tmp_path, capsys):
    """The readable part is exported, and standard error says that it is not all."""
    file = write(tmp_path / "cut.jsonl", whole=False)
    assert cli.main(["export", str(file), "--to", "csv", "-o", "-"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 7
    assert "damaged" in err
    assert len(err.splitlines()) == 1


def test_too_many_requests_are_said(recording, capsys, monkeypatch):
    """A recording that would not fit into memory is exported in part, not silently."""
    monkeypatch.setattr(command, "_MOST_REQUESTS", 0)
    assert cli.main(["export", str(recording), "--to", "csv", "-o", "-"]) == 0
    assert "too many requests" in capsys.readouterr().err


def test_a_window_is_in_seconds_since_the_first_request(recording, tmp_path):
    """The picture of a part has the part's axis."""
    out = tmp_path / "part.svg"
    assert (
        cli.main(
            ["export", str(recording), "--to", "svg", "--from", "0.01", "--until", "0.02", "-o", str(out)]
        )
        == 0
    )
    assert "From 0.010 s to 0.020 s: 1 request." in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("several", [False, True])
def test_a_picture_says_what_its_scenario_teaches(tmp_path, capsys, several):
    """Title, lesson and code are in the recording: of the scenario that was asked for, if it has several."""
    source = '@app.get("/")\nasync def root():\n    return "the code"\n'
    known = [
        ScenarioSnapshot("one", "a title", "A lesson.", "u", 8, 1.0, "own", "GET", "/", "one.py", source),
        ScenarioSnapshot("two", "another", "Nothing.", "t", 8, 1.0, "own", "GET", "/two", "two.py", ""),
    ]
    header = Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, ZERO, tuple(known[: 2 if several else 1]))
    file = write(tmp_path / "run.jsonl", header=header)
    assert cli.main(["export", str(file), "--to", "svg", "--ratio", "16:9", "-o", "-"]) == 0
    out = capsys.readouterr().out
    for wanted in (">one · a title<", ">A lesson.<", ">async def root():<", 'width="1600" height="900"'):
        assert wanted in out


def test_bad_arguments_are_refused(recording, tmp_path, capsys):
    """Arguments that cannot be used are refused in one or two lines, and nothing is written."""
    before = recording.read_bytes()
    file = str(recording)
    assert "no such file" in refuses(capsys, str(tmp_path / "none"), "--to", "csv")
    assert "invalid choice" in refuses(capsys, file, "--to", "pdf")
    assert "--to" in refuses(capsys, file)
    assert "the recording itself" in refuses(capsys, file, "--to", "svg", "-o", file)
    assert "is a folder" in refuses(capsys, file, "--to", "svg", "-o", str(tmp_path))
    assert "no such file" in refuses(capsys, file, "--to", "svg", "-o", str(tmp_path / "none" / "x.svg"))
    assert "csv always has everything" in refuses(capsys, file, "--to", "csv", "--from", "1")
    assert "nothing from 9 s" in refuses(capsys, file, "--to", "svg", "--from", "9")
    assert "nothing from 0.02 s" in refuses(capsys, file, "--to", "svg", "--from", "0.02", "--until", "0.01")
    assert "not a number" in refuses(capsys, file, "--to", "svg", "--from", "now")
    assert "0 or more" in refuses(capsys, file, "--to", "svg", "--from", "nan")
    for ratio in ("0:0", "16:0", "-16:9", "16", "99999999999999:1", "7:1", "1:4", "16:9:1", "x" * 300):
        assert "from 1:3 to 3:1, such as 16:9" in refuses(capsys, file, "--to", "svg", f"--ratio={ratio}")
    assert "no theme 'pink'" in refuses(capsys, file, "--to", "svg", "--theme", "pink")
    assert "csv has neither" in refuses(capsys, file, "--to", "csv", "--ratio", "16:9")
    assert "html has neither" in refuses(capsys, file, "--to", "html", "--theme", "light")
    other = tmp_path / "other"
    other.write_text("hello\n")
    assert "not a loopviz recording" in refuses(capsys, str(other), "--to", "csv")
    assert recording.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run.jsonl"]


def test_a_file_that_cannot_be_finished_leaves_what_was_there(recording, tmp_path, capsys, monkeypatch):
    """An export is written whole, or not at all."""

    def broken(*_: object) -> object:
        yield "half"
        raise OSError(28, "No space left on device")

    out = tmp_path / "out.csv"
    out.write_text("request,before")
    monkeypatch.setitem(FORMATS, "csv", (".csv", broken))
    assert "no space left" in refuses(capsys, str(recording), "--to", "csv", "-o", str(out))
    assert out.read_text() == "request,before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "run.jsonl"]
