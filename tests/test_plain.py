"""``--plain`` and ``--narrate``: the sentences as the commands print them, in pipes and in a terminal."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loopviz.cli import main
from loopviz.cli.orders import Lines, complain
from loopviz.cli.voice import facts_of
from loopviz.draw.words import ascii_only
from tests.terminal import ROOT, Terminal

LOOPVIZ = [sys.executable, "-m", "loopviz"]
NAP = """
import asyncio
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/nap")
async def nap():
    await asyncio.sleep(0.3)


scenario = Scenario(
    title="nap", expect="All at once.", key="y", requests=3, seconds=0.3, makespan=lambda load: 0.3
)
"""
OWN = """
import os
import time
from fastapi import FastAPI

app = FastAPI()


@app.get("/held")
async def held():
    time.sleep(0.3)


@app.get("/die")
async def die():
    os._exit(3)
"""


class Program:
    """A command with pipes; it never outlives the test."""

    def __init__(self, *arguments: str, folder: Path = ROOT, stdin: int | None = subprocess.PIPE) -> None:
        self.child = subprocess.Popen(
            [*LOOPVIZ, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.out = b""

    def type(self, text: str) -> None:
        """Write a line to its standard input."""
        assert self.child.stdin is not None
        self.child.stdin.write(f"{text}\n".encode())
        self.child.stdin.flush()

    def wait_for(self, text: str, within: float = 30.0) -> str:
        """Read until the text was written; what was written so far."""
        assert self.child.stdout is not None
        until = time.monotonic() + within
        while text not in self.out.decode():
            ready, _, _ = select.select([self.child.stdout], [], [], max(0.0, until - time.monotonic()))
            read = os.read(self.child.stdout.fileno(), 65_536) if ready else b""
            assert read, f"{text!r} is not in:\n{self.out.decode()}{self._errors() if not ready else ''}"
            self.out += read
        return self.out.decode()

    def _errors(self) -> str:
        self.child.kill()
        assert self.child.stderr is not None
        return self.child.stderr.read().decode()

    def end(self, number: int | None = None) -> tuple[int, str, str]:
        """Send it a signal, and wait for its end: the exit code, what it has written, and its errors."""
        if number is not None:
            self.child.send_signal(number)
        out, err = self.child.communicate(timeout=30)
        return self.child.returncode, (self.out + out).decode(), err.decode()


@contextmanager
def program(*arguments: str, folder: Path = ROOT, stdin: int | None = subprocess.PIPE) -> Iterator[Program]:
    """Run a command."""
    running = Program(*arguments, folder=folder, stdin=stdin)
    try:
        yield running
    finally:
        running.child.kill()
        running.child.wait()
        for pipe in (running.child.stdin, running.child.stdout, running.child.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def plain(text: str) -> bool:
    """Whether no character of it controls a terminal."""
    return all(character.isprintable() or character == "\n" for character in text)


@pytest.fixture
def nap(tmp_path):
    """A scenario that takes a third of a second."""
    file = tmp_path / "nap.py"
    file.write_text(NAP, encoding="utf-8")
    return file


def test_lines_of_standard_input_are_keys(nap):
    """A letter fires its scenario, a number changes how many; what is unknown is refused; q quits."""
    with program("run", "--plain", str(nap)) as running:
        running.wait_for("watches")
        for line in ("2", "y", "wait", "nonsense", "t 5", "nap 4", "wait", "r", "?", "q"):
            running.type(line)
        code, out, err = running.end()
    assert code == 0, err
    assert "From now on: 2 at once.\n" in out
    assert "nap: 2 requests to GET /nap were sent: 1 and 2. The thread limit is 40.\n" in out
    assert "The thread limit is 5.\n" in out
    assert "nap: 4 requests to GET /nap were sent: 3 to 6. The thread limit is 5.\n" in out
    assert "Expected: 0.3 s. All at once.\n" in out
    assert out.count(" Done: ") == 2
    assert "y: nap, nap\n" in out
    assert "loopviz: 'nonsense' is no key and no scenario here.\n? lists them.\n" in err
    assert "No repair of nap is served here." in err
    assert plain(out + err)


def test_without_standard_input_it_tells_what_others_send(tmp_path):
    """It runs until a signal, says what others send while it happens, and ends with its server."""
    (tmp_path / "main.py").write_text(OWN, encoding="utf-8")
    with program("run", "--plain", "main:app", folder=tmp_path, stdin=subprocess.DEVNULL) as running:
        said = running.wait_for("watches main:app at ").splitlines()
        address = said[0].split(" at ")[1].split(",")[0]
        with urllib.request.urlopen(f"http://{address}/held", timeout=20) as answer:
            assert answer.status == 200
        running.wait_for("GET /held, was answered with 200")
        code, out, err = running.end(signal.SIGTERM)
    assert code == 0, err
    assert "Type" not in out
    assert "0.000 s  Request 1, GET /held, has arrived.\n" in out
    assert "has held the event loop for" in out
    assert out.endswith("ms.\n")
    assert plain(out + err)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{address}/held", timeout=5)


def test_routes_are_fired_by_number_and_by_line_and_a_dead_server_ends_it(tmp_path):
    """Of an application a number is a route; when its process has ended, so has the narration."""
    (tmp_path / "main.py").write_text(OWN, encoding="utf-8")
    with program("run", "--plain", "main.py", "--requests", "1", folder=tmp_path) as running:
        running.wait_for("watches")
        for line in ("9", "1", "wait", "n 2", "GET /held?x=1", "wait", "GET /die"):
            running.type(line)
        code, out, err = running.end()
    assert code == 1
    assert "0.000 s  Request 1, GET /held, was sent. The thread limit is 40.\n" in out
    assert "2 requests to GET /held?x=1 were sent: 2 and 3." in out
    assert "'9' is not a number from 1 to 2." in err
    assert "The server's process has ended: exit code 3." in out.splitlines()[-1]
    assert "failed after" in out


def test_a_closed_pipe_ends_it(nap):
    """When the reader of standard output goes, it ends, although there is nothing to say."""
    with program("run", "--plain", str(nap)) as running:
        running.wait_for("watches")
        assert running.child.stdout is not None
        running.child.stdout.close()
        assert running.child.wait(20) == 1
        assert running.child.stderr is not None
        assert running.child.stderr.read() == b""


def test_in_a_terminal_there_is_not_one_escape_byte(nap):
    """Lines are typed and read in a terminal as in a pipe; the end of input ends it."""
    terminal = Terminal("run", "--plain", str(nap), environment={"TERM": "dumb"})
    with terminal:
        terminal.expect("q quits")
        terminal.press("y\n")
        terminal.expect("Done: 3 requests")
        terminal.press("\x04")
        terminal.wait(20)
        assert terminal.exit_code == 0
    assert b"\x1b" not in terminal.output
    assert b"0.000 s  nap: 3 requests to GET /nap were sent: 1 to 3." in terminal.output


def test_a_recording_gives_the_text_of_the_run_itself(capsys, tmp_path, monkeypatch):
    """`record --narrate` and `replay --plain` print the same; in ASCII where the stream has no more."""
    file = tmp_path / "run.loopviz.gz"
    assert main(["record", "blocking", "--requests", "2", "--narrate", "-o", str(file)]) == 0
    live = capsys.readouterr().out
    assert live.startswith(
        "0.000 s  blocking: 2 requests to GET /blocking were sent: 1 and 2. The thread limit is 40.\n"
    )
    assert main(["replay", "--plain", str(file)]) == 0
    assert capsys.readouterr().out == live
    written = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
        assert main(["replay", "--plain", str(file)]) == 0
        assert written.getvalue().decode("ascii").splitlines() == [
            ascii_only(line) for line in live.splitlines()
        ]


def test_with_json_the_sentences_are_on_standard_error(nap, capsys):
    """Standard output remains one JSON document."""
    assert main(["record", str(nap), "--narrate", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["scenario"] == "nap"
    assert "nap: 3 requests to GET /nap were sent: 1 to 3." in err
    assert "makespan" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--plain", "--freeze-on", "error"), "--freeze-on needs the picture."),
        (("run", "--plain", "nowhere.py"), "nowhere.py"),
        (("replay", "--plain", "pyproject.toml"), "pyproject.toml"),
    ],
)
def test_what_cannot_be_told_is_refused(capsys, arguments, says):
    """Errors are as elsewhere: one or two lines, and exit code 2."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert not out
    assert says in err
    assert len(err.splitlines()) <= 2


def _fed(data: bytes, *, blocks: bool = True) -> tuple[Lines, int]:
    """The lines of a pipe in the place of standard input, and the end that is written to."""
    reading, writing = os.pipe()
    os.set_blocking(reading, blocks)
    os.write(writing, data)
    lines = Lines()
    lines._kept = reading
    threading.Thread(target=lines._read, daemon=True).start()
    return lines, writing


def test_lines_are_read_no_faster_than_they_are_followed():
    """What writes without end, such as `yes`, has to wait: its lines are not kept in memory."""
    lines, writing = _fed(b"y\n" * 3_000)
    time.sleep(0.2)
    assert lines._lines.qsize() == 1_000
    os.close(writing)
    found: list[str] = []
    until = time.monotonic() + 20
    while not lines.over and time.monotonic() < until:
        new = lines.new()
        assert len(new) <= 1_000
        found += new
        time.sleep(0.01)
    assert found == ["y"] * 3_000 + [""]


def test_standard_input_that_does_not_block_is_not_at_its_end():
    """Another program may have set it so for the terminal that both have."""
    lines, writing = _fed(b"", blocks=False)
    time.sleep(0.3)
    assert lines.new() == []
    assert not lines.over
    os.write(writing, b"b\n")
    until = time.monotonic() + 20
    while not (found := lines.new()) and time.monotonic() < until:
        time.sleep(0.01)
    assert found == ["b"]
    os.close(writing)


def test_the_name_of_a_scenario_in_a_recording_opens_no_file(tmp_path):
    """It may be a path: that of a pipe would be waited for, for ever."""
    os.mkfifo(tmp_path / "pipe.py")
    name = str(tmp_path / "pipe")
    source: Any = SimpleNamespace(sources={name: "text"}, scenarios=[])
    assert facts_of(source)(name) is None


def test_what_is_wrong_has_no_control_character(capsys):
    """It may name files, and what is in them."""
    complain("The file \x1b[2J.toml is broken.\nIts requests are not used.")
    said = capsys.readouterr().err
    assert said == "loopviz: The file \\x1b[2J.toml is broken.\nIts requests are not used.\n"
