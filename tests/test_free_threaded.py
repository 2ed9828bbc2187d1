"""Where the GIL is disabled, nothing is measured: loopviz says so at the start, and what to do."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.agent.agent import WATCH, Agent
from loopviz.cli import console
from loopviz.recording.replay import Replay
from loopviz.wire.frames import Decoder, encode
from loopviz.wire.messages import CALL, FAILED
from tests.test_cli import QUICK, refuses


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """A scenario's file."""
    file = tmp_path / "quick.py"
    file.write_text(QUICK)
    return str(file)


@pytest.fixture
def no_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter whose GIL is disabled."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(console, "require_terminal", lambda _: None)


@pytest.mark.usefixtures("no_gil")
@pytest.mark.parametrize("command", ["run", "record", "compare", "sweep", "claims"])
def test_without_the_gil_nothing_is_measured(capsys, quick, command):
    """Every command that measures is refused with exit code 2, in two lines, with the setting that helps."""
    arguments = {
        "run": ["run", quick],
        "record": ["record", quick],
        "compare": ["compare", quick, "async"],
        "sweep": ["compare", quick, "async", "--sweep", "1,2"],
        "claims": ["claims"],
    }[command]
    what, remedy = refuses(capsys, *arguments).strip().splitlines()
    assert "without the GIL" in what
    assert "PYTHON_GIL=1" in remedy
    assert "-X gil=1" in remedy


def test_recordings_are_read_without_the_gil(capsys, quick, tmp_path, monkeypatch):
    """A recording can be replayed and exported there, and scenarios can be listed."""
    recording = str(tmp_path / "a.lvr")
    assert cli.main(["record", quick, "-o", recording]) == 0
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    capsys.readouterr()
    assert Replay(recording).timeline().requests.keys() == {1, 2, 3}
    assert cli.main(["export", recording, "--to", "json", "-o", "-"]) == 0
    assert len(json.loads(capsys.readouterr().out)["requests"]) == 3
    assert cli.main(["scenarios", quick]) == 0


def test_a_server_without_the_gil_is_not_watched(monkeypatch):
    """An agent there refuses a viewer, with the reason and what helps; it installs nothing."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    mine, its = socket.socketpair()
    with mine:
        mine.sendall(encode((CALL, 0, WATCH, ())))
        Agent().visit(its)
        mine.settimeout(20)
        (message,) = Decoder().feed(mine.recv(4_096))
    assert message[0] == FAILED
    assert "without the GIL" in message[1]
    assert "PYTHON_GIL=1" in message[2]
