"""Files that the user names: nothing is overwritten unasked, and no disk stops the program."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from loopviz import cli
from loopviz.cli.destination import require_replaceable
from loopviz.errors import InputError
from loopviz.export import FORMATS
from loopviz.paths import is_file, is_folder
from loopviz.recording import Header, History, Place, Recorder, outlet, write
from loopviz.recording.replay import Replay
from loopviz.stream.events import Event
from tests.fuzz_recordings import ENVIRONMENT, SCENARIO, recorded
from tests.streams import ZERO, accepted, end, ns, responded, sent, suspend, wake
from tests.test_cli import QUICK

if sys.platform == "win32":
    pytest.skip("there are no pipes with names", allow_module_level=True)

import resource

from tests.terminal import ROOT, Terminal

HEADER = Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, ZERO, (SCENARIO,))
LIFE = [*accepted(), suspend(3), wake(8), responded(10), end(11)]
NAMES = ["a.lvr", "a.lvr.gz"]


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A scenario that leaves a file beside it when it is executed."""
    file = tmp_path / "quick.py"
    executed = str(tmp_path / "executed")
    source = QUICK.replace("requests=3", "requests=3, key='u'")
    file.write_text(f"from pathlib import Path\nPath({executed!r}).touch()\n{source}")
    return file


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A short recording."""
    return recorded(tmp_path / "run.jsonl", [(ns(50), LIFE)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said when these arguments are refused."""
    capsys.readouterr()
    assert cli.main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert 1 <= len(err.splitlines()) <= 2
    return err


def loopviz(*arguments: object, out: IO[str] | int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "-m", "loopviz", *map(str, arguments)],
        cwd=ROOT, text=True, timeout=60, check=False, stdout=out, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """No file may become larger, as on a disk that is full; Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def complete(path: Path) -> bool:
    """Whether a recording can be read to its end."""
    replay = Replay(path)
    replay.timeline()
    return replay.damage is None


def noticed(recorder: Recorder) -> str | None:
    """Why the recorder has failed, once it has noticed."""
    recorder.write([], ns(60_000))
    return recorder.failed


def wait_for(condition, seconds: float = 20.0) -> None:
    """Wait until it is true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def burst(number: int) -> list[Event]:
    """Five hundred requests that are sent a little later than those of the number before."""
    return [sent(number * 600 + i, number * 500 + i + 1) for i in range(500)]


@pytest.mark.parametrize("name", ["", "x" * 300, "ä" * 180, "a\0b", "file/x", f"{'x' * 300}/x"])
def test_a_name_that_no_file_can_have_is_neither_file_nor_folder(tmp_path, name):
    """Whether there is such a file, or such a folder, is answered without an error."""
    (tmp_path / "file").touch()
    assert is_file(tmp_path / "file")
    assert not is_file(tmp_path / name)
    assert is_folder(tmp_path / name) is (not name)


# -- where a recording may be ------------------------------------------------------------------


def nobody_may_write(folder: Path) -> Path:
    """A path at which neither root nor anybody else can create a file."""
    return Path("/sys/kernel/a.lvr")


def pipe(folder: Path) -> Path:
    """A pipe that nobody reads."""
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def listening(folder: Path) -> Path:
    """A socket in the file system."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return folder / "socket"


def linked(folder: Path) -> Path:
    """A link to a folder."""
    (folder / "link").symlink_to(folder)
    return folder / "link"


def around(folder: Path) -> Path:
    """A link to itself."""
    (folder / "around").symlink_to("around")
    return folder / "around"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder, "it is a folder"),
        (lambda folder: folder / "none" / "a.lvr", "no such file"),
        (lambda folder: folder / ("a" * 300), "name too long"),
        (linked, "it is a folder"),
        (around, "symbolic links"),
        (pipe, "it is a pipe"),
        (listening, "it is a socket"),
        (lambda _: Path("/dev/null"), "it is a device"),
        (lambda _: "/dev/stdout", "is not a file"),
        (lambda _: "-", "is not a file"),
        (nobody_may_write, "read-only file system|permission denied|not permitted"),
    ],
)
def test_what_is_no_new_file_is_refused(tmp_path, make, why):
    """A folder, a pipe, a device, a link to one, and a place that is read-only: one line, and no waiting."""
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    for force in (False, True):
        with pytest.raises(InputError, match=why):
            Place(path, force=force)
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_file_is_recorded_over_only_with_force(quick, tmp_path, capsys):
    """Without --force nothing is executed; with it, a scenario that fails leaves the file as it was."""
    file, executed = tmp_path / "a.lvr", tmp_path / "executed"
    file.write_text("precious")
    said = refused(capsys, "record", quick, "-o", file)
    assert "a.lvr exists" in said
    assert "--force" in said
    assert not executed.exists()
    assert "the scenario itself" in refused(capsys, "record", quick, "-o", quick, "--force")
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    assert "ZeroDivisionError" in refused(capsys, "record", broken, "-o", file, "--force")
    assert "ZeroDivisionError" in refused(capsys, "record", broken, "-o", tmp_path / "b.lvr")
    assert file.read_text() == "precious"
    assert not (tmp_path / "b.lvr").exists()
    assert cli.main(["record", str(quick), "-o", str(file), "--force"]) == 0
    assert len(Replay(file).timeline().requests) == 3


def test_a_server_that_does_not_start_leaves_no_recording(quick, tmp_path, capsys):
    """When nothing was recorded, there is no file, and the next attempt is not refused."""
    lifespan = (
        "\n\ndef broken(app):\n    raise ValueError('no database')\n\napp.router.lifespan_context = broken\n"
    )
    quick.write_text(quick.read_text() + lifespan)
    assert "no database" in refused(capsys, "record", quick, "-o", tmp_path / "a.lvr")
    assert not (tmp_path / "a.lvr").exists()


def test_links_are_followed(tmp_path):
    """A recording at a link is where the link leads, also if that does not exist yet; the link stays."""
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(tmp_path / f"{name}.lvr")
    (tmp_path / "old.lvr").write_text("precious")
    with pytest.raises(InputError, match="exists"):
        Place(tmp_path / "old")
    for name in ("old", "new"):
        with Place(tmp_path / name, force=True) as place:
            Recorder(place, HEADER).close()
        assert (tmp_path / name).is_symlink()
        assert complete(tmp_path / f"{name}.lvr")


def test_one_recording_at_a_time_is_in_a_file(tmp_path):
    """While one loopviz writes a file, another one is refused, even with --force."""
    path = tmp_path / "a.lvr"
    recorder = Recorder(path, HEADER)
    recorder.write(LIFE, ns(50))
    with pytest.raises(InputError, match="exists"):
        Place(path)
    code = f"from loopviz.recording import Place; Place({str(path)!r}, force=True)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is being written by another loopviz" in other.stderr
    recorder.close()
    assert Replay(path).timeline().requests[1].done == ns(10)
    Place(path, force=True).discard()
    assert Replay(path).timeline().requests[1].done == ns(10)


# -- disks that fail while a recording is written ----------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_fitted_on_a_full_disk_can_be_read(tmp_path, name):
    """A disk that fills up ends the recording with one message; what is in the file is read."""
    said: list[str] = []
    recorder = Recorder(tmp_path / name, HEADER, said.append)
    with full_after(20_000):
        for number in range(100):
            recorder.write(burst(number), ns(600 * number + 600))
            time.sleep(0.001)
        wait_for(lambda: noticed(recorder) is not None)
        recorder.write(LIFE, ns(61_000))
        recorder.close()
    assert said == [f"{name} can no longer be written: file too large"]
    replay = Replay(tmp_path / name)
    assert 100 < len(replay.timeline().requests) < 50_000
    assert replay.damage is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_full_at_the_very_end_is_reported(tmp_path, name):
    """If only the last line does not fit, that is a failure too, and all events are read."""
    recorder = Recorder(tmp_path / name, HEADER)
    recorder.write(LIFE, ns(50))
    wait_for(lambda: len(Replay(tmp_path / name).timeline().requests) == 1)
    with full_after((tmp_path / name).stat().st_size):
        recorder.close()
    assert recorder.failed == f"{name} can no longer be written: file too large"
    assert Replay(tmp_path / name).timeline().requests[1].done == ns(10)


def test_a_disk_that_is_full_at_the_beginning_leaves_no_file(tmp_path):
    """If the header does not fit, the recording is refused, and there is no file."""
    with full_after(10), pytest.raises(InputError, match="cannot be written: file too large"):
        Recorder(tmp_path / "a.lvr", HEADER)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("vanish", ["file", "folder", "replaced"])
def test_a_recording_that_is_deleted_is_reported_once(tmp_path, vanish):
    """A file that nobody could read any more is not written on in silence."""
    said: list[str] = []
    folder = tmp_path / "folder"
    folder.mkdir()
    recorder = Recorder(folder / "a.lvr", HEADER, said.append)
    (folder / "a.lvr").unlink()
    if vanish == "replaced":
        (folder / "a.lvr").write_text("another")
    elif vanish == "folder":
        folder.rmdir()
    recorder.write(LIFE, ns(50))
    wait_for(lambda: noticed(recorder) is not None)
    recorder.close()
    assert said == ["a.lvr can no longer be written: the file was deleted"]


def test_a_recording_that_is_moved_is_complete_where_it_is(tmp_path, monkeypatch):
    """A recording goes on after it was moved; the end says so. A new working directory changes nothing."""
    monkeypatch.chdir(tmp_path)
    stays, moved = Recorder("b.lvr", HEADER), Recorder("a.lvr", HEADER)
    Path("a.lvr").rename("moved.lvr")
    monkeypatch.chdir("/")
    for recorder in (stays, moved):
        recorder.write(LIFE, ns(50))
        recorder.close()
    assert stays.failed is None
    assert moved.failed == "a.lvr can no longer be written: the file was moved or deleted"
    assert complete(tmp_path / "moved.lvr")


def test_a_disk_that_hangs_stops_nothing(tmp_path, monkeypatch):
    """Writing never waits; what does not fit into the memory that is set aside is counted, and said once."""
    said: list[str] = []
    recorder = Recorder(tmp_path / "a.lvr", HEADER, said.append)
    works, real = threading.Event(), outlet.write_all

    def hang(file: int, data: bytes) -> None:
        works.wait()
        real(file, data)

    monkeypatch.setattr(outlet, "write_all", hang)
    monkeypatch.setattr(write, "MOST_WAITING", 100_000)
    monkeypatch.setattr(write, "PATIENCE", 0.2)
    began = time.monotonic()
    for number in range(200):
        recorder.write(burst(number), ns(600 * number + 600))
    assert recorder._outlet is not None
    assert recorder._outlet.waiting < 250_000
    assert time.monotonic() - began < 10  # it would be for ever
    assert 50_000 < recorder.dropped < 100_000
    assert recorder.events + recorder.dropped == 100_000
    assert len(said) == 1
    assert "events are lost" in said[0]
    lost = recorder.dropped
    works.set()
    wait_for(lambda: recorder._outlet is not None and not recorder._outlet.waiting)
    recorder.write(burst(200), ns(600 * 201))
    works.clear()
    recorder.write(burst(201), ns(600 * 203))
    recorder.close(dropped=1)
    assert recorder.failed == "a.lvr can no longer be written: the disk does not respond"
    works.set()
    wait_for(
        lambda: Replay(tmp_path / "a.lvr").timeline() and (tmp_path / "a.lvr").read_bytes().endswith(b"}\n")
    )
    replay = Replay(tmp_path / "a.lvr")
    assert len(replay.timeline().requests) == 101_000 - lost
    assert replay.recording.dropped == lost + 1


@pytest.mark.parametrize(("name", "number"), [("a.lvr", signal.SIGHUP), ("a.lvr.gz", signal.SIGKILL)])
def test_what_was_recorded_before_a_signal_can_be_read(tmp_path, name, number):
    """A program that is killed while it records leaves all but the last half second."""
    file = tmp_path / "never.py"
    file.write_text(QUICK.replace("await asyncio.sleep(0.05)", "await asyncio.sleep(1000)"))
    child = subprocess.Popen(
        [sys.executable, "-m", "loopviz", "record", str(file), "-o", str(tmp_path / name)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: (tmp_path / name).exists() and (tmp_path / name).stat().st_size > 100, 40)
        wait_for(lambda: len(Replay(tmp_path / name).timeline().requests) == 3, 40)
        child.send_signal(number)
        assert child.wait(20) == -number
    finally:
        child.kill()
        child.wait()
    replay = Replay(tmp_path / name)
    assert len(replay.timeline().requests) == 3
    assert re.search("ended early|ends in the middle", replay.damage or "")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_the_picture_goes_on_when_the_disk_is_full(quick, tmp_path):
    """`run --record` says in the picture, and at the end, that the disk is full; q works, the code is 2."""
    file = tmp_path / "a.lvr"
    before = set(ROOT.iterdir())
    with Terminal("run", str(quick), "--record", str(file)) as terminal:
        terminal.expect("u quick", 40)
        terminal.press("u")
        while not Replay(file).timeline().requests:
            terminal.pump(0.1)
        resource.prlimit(terminal.pid, resource.RLIMIT_FSIZE, (file.stat().st_size + 500,) * 2)
        for _ in range(8):
            terminal.press("u")
            terminal.pump(0.2)
        terminal.expect("a.lvr can no longer be written: file too large", 20)
        frames = terminal.frames()
        resource.prlimit(terminal.pid, resource.RLIMIT_FSIZE, (100, 100))
        terminal.press("w")
        terminal.expect("lvr.gz: it cannot be written: file too large", 20)
        assert terminal.frames() > frames
        terminal.press("q")
        terminal.wait(20)
        assert terminal.exit_code == 2
        after = terminal.output.rpartition(b"\x1b[?1049l")[2]
    assert b"Traceback" not in terminal.output
    assert after.count(b"can no longer be written") == 1
    assert b"What was written until then can be read: loopviz replay" in after
    assert Replay(file).timeline().requests
    assert set(ROOT.iterdir()) == before
    with Terminal("run", str(quick), "--record", str(file)) as terminal:
        terminal.wait(20)
        assert terminal.exit_code == 2
        assert b"--force" in terminal.output
        assert b"\x1b[?1049h" not in terminal.output


# -- the last minutes --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_last_minutes_are_saved_whole_to_a_new_file(tmp_path, name):
    """They never replace a file, and where they do not fit there is no part of them."""
    history = History()
    for number in range(20):
        history.add(burst(number), ns(600 * number + 600))
    with full_after(20_000), pytest.raises(InputError, match="cannot be written: file too large"):
        history.save(tmp_path / name, HEADER)
    assert list(tmp_path.iterdir()) == []
    assert history.save(tmp_path / name, HEADER) == 10_000
    saved = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match="exists"):
        history.save(tmp_path / name, HEADER)
    assert (tmp_path / name).read_bytes() == saved
    assert [path.name for path in tmp_path.iterdir()] == [name]


# -- exports -----------------------------------------------------------------------------------


def export(recording: Path, *arguments: object) -> int:
    """Export as CSV."""
    return cli.main(["export", str(recording), "--to", "csv", *map(str, arguments)])


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_an_export_has_the_permissions_that_are_expected(recording, tmp_path):
    """A new file has those of the umask, a file that is replaced keeps its own; a link is followed."""
    before = os.umask(0o027)
    try:
        assert export(recording, "-o", tmp_path / "new.csv") == 0
    finally:
        os.umask(before)
    assert mode(tmp_path / "new.csv") == 0o640
    (tmp_path / "new.csv").chmod(0o604)
    (tmp_path / "link.csv").symlink_to("new.csv")
    (tmp_path / "nowhere.csv").symlink_to("created.csv")
    content, number = (tmp_path / "new.csv").read_bytes(), (tmp_path / "new.csv").stat().st_ino
    assert export(recording, "-o", tmp_path / "link.csv") == 0
    assert export(recording, "-o", tmp_path / "nowhere.csv") == 0
    assert mode(tmp_path / "new.csv") == 0o604
    assert (tmp_path / "new.csv").stat().st_ino != number
    assert (tmp_path / "new.csv").read_bytes() == (tmp_path / "created.csv").read_bytes() == content
    assert (tmp_path / "link.csv").is_symlink()
    names = ["created.csv", "link.csv", "new.csv", "nowhere.csv", "run.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_an_export_replaces_an_export_and_nothing_else(recording, tmp_path, capsys):
    """Any other file needs --force; the recording, and a scenario that it names, are never replaced."""
    notes = tmp_path / "notes.csv"
    notes.write_text("name,age\n")
    assert "--force" in refused(capsys, "export", recording, "--to", "csv", "-o", notes)
    assert notes.read_text() == "name,age\n"
    assert export(recording, "-o", notes, "--force") == 0
    assert export(recording, "-o", notes) == 0
    assert "--force" in refused(capsys, "export", recording, "--to", "svg", "-o", notes)
    assert notes.read_text().startswith("request,")
    (tmp_path / "empty").touch()
    assert export(recording, "-o", tmp_path / "empty") == 0
    capsys.readouterr()
    (tmp_path / "same").hardlink_to(recording)
    for same in (recording, tmp_path / "same"):
        assert "itself" in refused(capsys, "export", recording, "--to", "csv", "-o", same, "--force")
    source = tmp_path / "scenario.py"
    source.touch()
    text = recording.read_text().replace(f'"file": "{SCENARIO.file}"', f'"file": "{source}"')
    assert str(source) in text
    recording.write_text(text)
    assert "a scenario" in refused(capsys, "export", recording, "--to", "csv", "-o", source, "--force")


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_of_each_format_is_known_as_one(recording, tmp_path, form):
    """An export replaces an earlier one without --force: each format is recognised by how it begins."""
    target = tmp_path / "again"
    for _ in range(2):
        assert cli.main(["export", str(recording), "--to", form, "-o", str(target)]) == 0
    require_replaceable(target, form, {}, force=False)
    target.write_text("something else")
    with pytest.raises(InputError, match=f"no earlier export as {form}"):
        require_replaceable(target, form, {}, force=False)


def test_a_name_that_was_not_given_is_a_new_one(recording, tmp_path, monkeypatch, capsys):
    """On a terminal, without -o, no file is replaced that happens to have the name."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    (tmp_path / "run.csv").write_text("mine")
    assert export(recording) == export(recording) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        str(tmp_path / "run-2.csv"),
        str(tmp_path / "run-3.csv"),
    ]
    assert (tmp_path / "run.csv").read_text() == "mine"


def test_an_export_that_does_not_fit_leaves_what_was_there(recording, tmp_path, capsys):
    """On a full disk, or where it may not write, the file is as it was, and there is no other."""
    file = tmp_path / "a.csv"
    assert export(recording, "-o", file) == 0
    before = file.read_bytes()
    with full_after(100):
        said = refused(capsys, "export", recording, "--to", "csv", "-o", file)
        assert "file too large" in said
        assert "file too large" in refused(
            capsys, "export", recording, "--to", "csv", "-o", tmp_path / "b.csv"
        )
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "run.jsonl"]
    where = nobody_may_write(tmp_path)
    assert "cannot be written" in refused(capsys, "export", recording, "--to", "csv", "-o", where)


def test_a_file_that_is_write_protected_is_not_replaced(recording, tmp_path, capsys, monkeypatch):
    """Renaming would not ask for the permission to write it."""
    file = tmp_path / "a.csv"
    assert export(recording, "-o", file) == 0
    capsys.readouterr()
    number = file.stat().st_ino
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anything
    assert "permission denied" in refused(capsys, "export", recording, "--to", "csv", "-o", file)
    assert file.stat().st_ino == number


def test_an_export_to_a_pipe_needs_a_reader(recording, tmp_path, capsys):
    """Nobody is waited for: without a reader it is refused, with one it is all read."""
    path = pipe(tmp_path)
    assert os.strerror(errno.ENXIO).lower() in refused(capsys, "export", recording, "--to", "csv", "-o", path)
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, text=True) as reader:
        wait_for(lambda: export(recording, "-o", path) == 0)
        out, _ = reader.communicate(timeout=20)
    assert out.startswith("request,")
    assert len(out.splitlines()) > 3
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_standard_output_by_name_is_standard_output(recording, tmp_path):
    """/dev/stdout is written where it stands, and the number of bytes is right."""
    whole = loopviz("export", recording, "--to", "csv").stdout
    piped = loopviz("export", recording, "--to", "csv", "-o", "/dev/stdout")
    assert piped.stdout == whole
    assert piped.stderr == f"/dev/stdout: {len(whole.encode()):,} bytes\n"
    file = tmp_path / "out"
    file.write_text("before\n")
    with file.open("a") as out:
        loopviz("export", recording, "--to", "csv", "-o", "/dev/stdout", out=out)
    assert file.read_text() == f"before\n{whole}"
    assert stat.S_ISLNK(os.lstat("/dev/stdout").st_mode)


def test_closed_streams_are_no_traceback(recording, tmp_path):
    """What should be written to a closed output is lost, with exit code 1; a file is written as ever."""

    def closed(*arguments: object, streams: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "loopviz"]
        return subprocess.run(
            [*command, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = closed("export", recording, "--to", "csv", streams=">&-")
    assert (done.returncode, done.stderr) == (1, "")
    done = closed("export", recording, "--to", "csv", "-o", tmp_path / "a.csv", streams="<&- >&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "a.csv").read_text().startswith("request,")
    done = closed("scenarios", streams=">&- <&-")
    assert (done.returncode, done.stderr) == (1, "")


ENDLESS = """
import sys
from loopviz import cli
from loopviz.export import FORMATS

def endless(*_):
    while True:
        print("begun", flush=True)
        yield "x" * 100_000

FORMATS["csv"] = (".csv", endless)
sys.exit(cli.main(["export", *sys.argv[1:], "--to", "csv"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_export_that_is_ended_leaves_what_was_there(recording, tmp_path, number):
    """SIGTERM, SIGHUP and Ctrl+C leave the file as it was, and no other one beside it."""
    file = tmp_path / "a.csv"
    assert export(recording, "-o", file) == 0
    before = file.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(recording), "-o", str(file)], stdout=subprocess.PIPE, cwd=ROOT
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"begun\n"
            assert child.stdout.readline() == b"begun\n"  # the first part is written
            assert len(list(tmp_path.iterdir())) == 3
            child.send_signal(number)
            child.stdout.read()
            assert child.wait(20) == 128 + number
        finally:
            child.kill()
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "run.jsonl"]
