"""A folder of scenarios with a file that cannot be read: it is listed as that, and the others work."""

from __future__ import annotations

import json

import httpx
import pytest

from loopviz import cli
from loopviz.errors import InputError
from loopviz.live.session import Session
from loopviz.scenario import read

GOOD = (
    "from fastapi import FastAPI\nfrom loopviz.scenario import Scenario\napp = FastAPI()\n"
    "scenario = Scenario(title='good', expect='It answers.')\n"
    "@app.get('/good')\nasync def good():\n    return 'good'\n"
)
BAD = "from loopviz.scenario import Scenario\n1 / 0\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with a good file, a bad one, and one that is no Python."""
    for name, text in {"good": GOOD, "bad": BAD, "worse": "x = (\n"}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_list_has_the_bad_files_with_their_errors(folder, capsys):
    """`loopviz scenarios` names the error of each, with its line, and lists the others as always."""
    assert cli.main(["scenarios", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("bad.py:2: ZeroDivisionError" in line and "cannot be read" in line for line in lines)
    assert any("worse.py:1: syntax error" in line for line in lines)
    assert any("It answers." in line for line in lines)
    assert cli.main(["scenarios", str(folder), "--json"]) == 0
    listed = {entry["name"]: entry["lacking"] for entry in json.loads(capsys.readouterr().out)["scenarios"]}
    assert listed["good"] is None
    assert "ZeroDivisionError" in listed["bad"]


@pytest.mark.parametrize("isolate", [False, True])
def test_the_others_are_served(folder, isolate):
    """A bad file cannot be fired, for the reason that is listed; the good one is."""
    files = {file.name: file for file in read(sorted(folder.glob("*.py")), tolerant=True)}
    session = Session(list(files.values()), isolate=isolate)
    try:
        session.start()
        session.wait()
        session.fire(files["good"], 2).result(20)
        with pytest.raises(InputError, match="ZeroDivisionError"):
            session.fire(files["bad"], 1)
        assert httpx.get(f"http://{session.address}/good").json() == "good"
    finally:
        session.stop()


def test_nothing_but_bad_files_is_an_error(folder, capsys):
    """A single bad file is refused, as is a folder in which there is nothing else."""
    (folder / "good.py").unlink()
    assert cli.main(["scenarios", str(folder)]) == 2
    assert "bad.py:2: ZeroDivisionError" in capsys.readouterr().err
    assert cli.main(["scenarios", str(folder / "bad.py")]) == 2
    assert "bad.py:2: ZeroDivisionError" in capsys.readouterr().err
