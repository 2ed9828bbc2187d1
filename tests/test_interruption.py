"""`loopviz record` of what never ends: Ctrl+C and SIGTERM print what was seen."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from loopviz.recording.replay import Replay
from tests.terminal import ROOT, Terminal
from tests.test_cli import QUICK

ENDLESS = """
import asyncio, itertools, sys, threading
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()
numbers = itertools.count()

@app.get("/endless")
KIND endless():
    first = next(numbers) == 0
    print("served", file=sys.stderr, flush=True)
    if first:
        return "an answer"
    WAIT

scenario = Scenario(title="endless", expect="nothing", requests=3)
"""

WAITS = {
    "awaits": ("async def", "await asyncio.Event().wait()"),
    "blocks": ("async def", "threading.Event().wait()"),
    "threads": ("def", "threading.Event().wait()"),
}


def endless(folder: Path, wait: str) -> Path:
    """A scenario whose first request is answered, and no other."""
    kind, statement = WAITS[wait]
    file = folder / "endless.py"
    file.write_text(ENDLESS.replace("KIND", kind).replace("WAIT", statement), encoding="utf-8")
    return file


def interrupted(number: int, served: int, *arguments: str, folder: Path) -> tuple[int, str, str, float]:
    """The exit code, both outputs and the time that it took, of a command that is sent the signal.

    It is sent half a second after so many requests were served.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "loopviz", *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    enough = threading.Event()

    def read() -> None:
        assert child.stderr is not None
        for line in child.stderr:
            lines.append(line)
            if sum(each.count("served") for each in lines) >= served:
                enough.set()

    reader = threading.Thread(target=read)
    try:
        reader.start()
        assert enough.wait(30), lines
        time.sleep(0.5)
        asked = time.monotonic()
        child.send_signal(number)
        assert child.stdout is not None
        out = child.stdout.read()
        code = child.wait(20)
        took = time.monotonic() - asked
    finally:
        child.kill()
        child.wait()
        reader.join()
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            pipe.close()
    return code, out, "".join(lines), took


def helpers(folder: Path) -> list[str]:
    """The folders of workspaces that were left behind."""
    return [path.name for path in folder.glob("loopviz-*")]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("wait", WAITS)
def test_an_interrupted_run_is_reported(tmp_path, wait, loop):
    """Ctrl+C prints the summary: what has no answer has no end, and its states reach up to then."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    file = endless(tmp_path, wait)
    served = 2 if wait == "blocks" else 3
    code, out, err, took = interrupted(
        signal.SIGINT, served, "record", str(file), "--json", "--loop", loop, folder=tmp_path
    )
    assert code == 130
    assert took < 8
    assert "Traceback" not in err
    document: dict[str, Any] = json.loads(out)
    assert document["interrupted"] is True
    without = [request for request in document["requests"] if request["done_s"] is None]
    assert len(document["requests"]) == 3
    assert len(without) == 2
    states = [max(request["states"], key=request["states"].get) for request in without]
    assert (
        sorted(states)
        in {
            "awaits": [["awaiting", "awaiting"]],
            "blocks": [["queued", "running"], ["ready", "running"]],
            "threads": [["in_thread", "in_thread"]],
        }[wait]
    )
    for request in without:
        assert request["latency_s"] is None
        lasted = document["makespan_s"] - request["sent_s"]
        assert sum(request["states"].values()) == pytest.approx(lasted, rel=0.01)
        assert request["segments"][-1]["end_s"] == pytest.approx(document["makespan_s"], rel=0.01)
    open_blocks = [block for block in document["loop"]["blocks"] if block["end_s"] is None]
    assert [len(block["victims"]) for block in open_blocks] == ([1] if wait == "blocks" else [])
    assert helpers(tmp_path) == []


def test_sigterm_reports_as_well(tmp_path):
    """SIGTERM does what Ctrl+C does, as text here, with the code 143; the recording can be replayed."""
    file, recording = endless(tmp_path, "awaits"), tmp_path / "a.lvr"
    code, out, err, _ = interrupted(
        signal.SIGTERM, 3, "record", str(file), "-o", str(recording), folder=tmp_path
    )
    assert code == 143
    line = file.read_text().splitlines().index("    await asyncio.Event().wait()") + 1
    assert "2 of 3 requests without an answer" in out
    assert len(re.findall(rf"#[123]: awaiting for .* at endless\.py:{line}", out)) == 2
    assert "events are in" in err
    replayed = Replay(recording).timeline()
    assert sum(request.done is None for request in replayed.requests.values()) == 2
    assert helpers(tmp_path) == []


def test_a_run_that_ends_was_not_interrupted(tmp_path, capsys):
    """A run with all answers says so in its document, and leaves the signals as they were."""
    from loopviz import cli

    file = tmp_path / "quick.py"
    file.write_text(QUICK)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert cli.main(["record", str(file), "--json"]) == 0
    assert "interrupted" not in json.loads(capsys.readouterr().out)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_interrupted_comparison_says_so(tmp_path):
    """Ctrl+C in a comparison prints that it was interrupted, and no figures."""
    file = endless(tmp_path, "awaits")
    code, out, err, _ = interrupted(
        signal.SIGINT, 3, "compare", str(file), "async", "--requests", "3", folder=tmp_path
    )
    assert (code, out) == (130, "")
    assert "loopviz: interrupted" in err
    assert "Traceback" not in err


def test_long_waiting_shows_what_can_be_done(tmp_path):
    """On a terminal, a long wait says how many have no answer, and what Ctrl+C does."""
    with Terminal("record", str(endless(tmp_path, "awaits")), "--ascii") as terminal:
        terminal.expect(r"2 of 3 still without an answer after \d+ s; Ctrl\+C reports what was seen", 40)
        terminal.press("\x03")
        terminal.wait(20)
        assert terminal.exit_code == 130
        said = r"interrupted .* after the first request, 2 of 3 requests without an answer"
        assert re.search(said, terminal.text())
        assert terminal.modes() == terminal.modes_before
        assert "still without an answer" not in terminal.text()


def test_the_second_signal_ends_it_at_once():
    """While the first signal is being answered, the second one interrupts. Handlers are restored."""
    code = (
        "import os, signal, time\n"
        "from loopviz.cli.interruption import Interruption\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(3))\n"
        "interruption = Interruption()\n"
        "try:\n"
        "    with interruption as asked:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"  # passed on: the same Ctrl+C
        "        print(asked.is_set(), interruption.code)\n"
        "        time.sleep(0.4)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('at once')\n"
        "with Interruption():\n"
        "    pass\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.split("\n") == ["True 130", "at once", ""]
    assert done.returncode == 3
