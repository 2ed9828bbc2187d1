"""A server that has not ended is waited for before the next one is measured, or named."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from loopviz import scenario
from loopviz.claims import Burst
from loopviz.cli import main
from loopviz.experiment import alone
from loopviz.experiment.alone import Cancelled
from loopviz.experiment.bench import Bench
from loopviz.experiment.lab import Lab
from loopviz.experiment.measure import measure
from loopviz.model import Request
from loopviz.scenario import ScenarioFile
from loopviz.tui.screens.lineup import Lineup
from tests.served import serving

pytestmark = [pytest.mark.slow, pytest.mark.alone]

LEAVES = """
import time
from fastapi import BackgroundTasks, FastAPI
from loopviz.scenario import Scenario
app = FastAPI()

async def mail():
    time.sleep({seconds})

@app.get("/leaves")
async def leaves(background: BackgroundTasks):
    background.add_task(mail)
    return "ok"

scenario = Scenario(title="t", expect="e", seconds=0.1, requests=1)
"""
THREADS = """
import time
from fastapi import FastAPI
from loopviz.scenario import Scenario
app = FastAPI()

@app.get("/threads")
def threads():
    time.sleep(0.2)
    return "ok"

scenario = Scenario(title="t", expect="e", seconds=0.2, requests=4)
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A scenario that leaves a blocking background task, and one whose work is done in threads."""
    leaves, threads = tmp_path / "leaves.py", tmp_path / "threads.py"
    leaves.write_text(LEAVES.format(seconds=5.0))
    threads.write_text(THREADS)
    return leaves, threads


def read(*paths: Path) -> list[ScenarioFile]:
    """The scenarios in these files."""
    return list(scenario.read(list(paths)))


def test_a_comparison_waits_for_a_server_that_has_not_ended(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second scenario is measured after the first one's server has ended, and its states are right."""
    leaves, threads = files
    began = time.monotonic()
    assert main(["compare", str(leaves), str(threads), "--requests", "1", "--json"]) == 0
    assert time.monotonic() - began > 5.0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    measured = requests_of(document["runs"][1])
    assert measured
    for request in measured:
        states = request["states"]
        assert 0.15 < states["in_thread"] < 0.6
        assert states["awaiting"] < 0.1


def requests_of(found: Any) -> list[dict[str, Any]]:
    """The requests in a document, wherever they are."""
    if isinstance(found, dict):
        if isinstance(found.get("requests"), list):
            return list(found["requests"])
        return [request for value in found.values() for request in requests_of(value)]
    if isinstance(found, list):
        return [request for value in found for request in requests_of(value)]
    return []


def test_a_server_that_does_not_end_is_named(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the limit nothing is measured beside it: the error names the scenario, and what to do."""
    leaves, threads = files
    monkeypatch.setattr(alone, "LONGEST_END", 0.3)
    try:
        assert main(["compare", str(leaves), str(threads), "--requests", "1"]) == 2
        out, err = capsys.readouterr()
        assert "threads  " not in out  # what was measured before is printed
        assert re.search("The server of leaves was asked to end, and still runs after [0-3] s", err)
        assert "background task" in err
        assert main(["compare", "--sweep", "1,2", str(threads), str(threads)]) == 2
        assert "The server of leaves" in capsys.readouterr().err
    finally:
        monkeypatch.setattr(alone, "LONGEST_END", 30.0)
        (quick,) = read(threads)
        with Bench([quick]) as bench:  # waits until it has ended, so that no other test runs beside it
            assert bench.fire(Burst("threads", 1)).errors == ()


def test_waiting_is_shown_and_can_be_cancelled(files: tuple[Path, Path]) -> None:
    """The user sees which server is waited for, and can give up; then nothing has been started."""
    leaves, threads = files
    first, second = read(leaves, threads)
    measure(first, requests=1)
    said: list[str] = []
    cancelled = threading.Event()

    def progress(text: str) -> None:
        said.append(text)
        cancelled.set()

    bench = Bench([second], progress=progress, cancelled=cancelled)
    with pytest.raises(Cancelled), bench:
        pytest.fail("it was measured")
    assert said[0].startswith("waiting until the server of leaves has ended, ")
    assert said[-1] == ""
    assert not any(thread.name == "loopviz client" for thread in threading.enumerate())
    measure(second, requests=1)


def test_a_laboratory_waits_for_one_that_was_left(files: tuple[Path, Path], tmp_path: Path) -> None:
    """An experiment that is cancelled, as by `esc` in the claims, is waited for by the next one."""
    _, threads = files
    slow = tmp_path / "slow.py"
    slow.write_text(
        LEAVES.format(seconds=2.0)
        .replace("background.add_task(mail)", "time.sleep(2.5)")
        .replace("/leaves", "/slow")
    )
    left = threading.Event()
    first, second = read(slow, threads)
    began = threading.Event()

    def leave() -> None:
        with (
            pytest.raises(Cancelled),
            Bench([first], cancelled=left, tap=lambda _: began.set()) as bench,
        ):
            bench.fire(Burst("slow", 1))

    leaving = threading.Thread(target=leave)
    leaving.start()
    assert began.wait(10)
    time.sleep(0.3)
    left.set()
    with Bench([second]) as bench:
        assert not any(
            thread.name == "loopviz server" and thread is not bench_thread(bench) for thread in servers()
        )
        sample = bench.fire(Burst("threads", 2))
    leaving.join(10)
    assert sample.errors == ()
    assert sample.threads_used == 2


def servers() -> list[threading.Thread]:
    """The servers' threads."""
    return [thread for thread in threading.enumerate() if thread.name == "loopviz server"]


def bench_thread(bench: Bench) -> threading.Thread:
    """The thread of a bench's server."""
    return serving(bench._session).server._thread


def test_measurements_one_after_the_other_wait_for_nothing(files: tuple[Path, Path]) -> None:
    """Servers that end are no reason to wait, and nothing is said."""
    _, threads = files
    (quick,) = read(threads)
    said: list[str] = []
    for _ in range(2):
        measure(quick, requests=1, progress=said.append)
    assert set(said) <= {""}
    assert isinstance(Lab(), Lab)


# -- the screen that compares ----------------------------------------------------------------------


def lineups(ended: bool) -> tuple[Lineup, Lineup, Request]:
    """Two runs of a comparison on one server: the first is answered, and perhaps still runs."""
    request = Request(8, "GET", "/slow", 1_000, own=True)
    request.ended = ended
    file: Any = None
    before, after = Lineup(file), Lineup(file)
    before.requests, before.over, before.fired = [request], True, 1_000
    return before, after, request


def test_the_next_run_waits_until_the_one_before_has_ended() -> None:
    """A scenario is not fired while a request of the one before still runs on the server."""
    before, after, request = lineups(ended=False)
    assert not after.may_fire([before], 10_000_000_000)
    assert after.waits_for == "#8 GET /slow"
    request.ended = True
    assert after.may_fire([before], 12_000_000_000)
    assert after.waits_for == ""


def test_a_run_that_would_be_measured_beside_another_is_named() -> None:
    """After the limit it is not measured, and what still runs is said."""
    before, after, _ = lineups(ended=False)
    assert not after.may_fire([before], 10_000_000_000)
    assert not after.may_fire([before], 39_000_000_000)
    assert not after.over
    assert not after.may_fire([before], 41_000_000_000)
    assert after.over
    assert after.fired is not None
    assert after.failure == "Not measured: #8 GET /slow still runs, and this would be measured beside it."
