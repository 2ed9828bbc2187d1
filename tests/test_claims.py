"""Claims: criteria that decide by numbers alone, and verdicts that change when the facts change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.claims import CLAIMS, Answer, Burst, Experiment, Machine, Trial, decide, run_claim
from loopviz.errors import NotVisibleError
from loopviz.experiment.lab import Lab
from loopviz.experiment.measure import Cancelled
from loopviz.live.helpers.workspace import Workspace
from loopviz.model import State
from loopviz.model.sample import Sample, Seen
from loopviz.scenario import builtin_folder, find

pytestmark = pytest.mark.alone

TRUE, FALSE, DEPENDS, UNDECIDED = Answer.TRUE, Answer.FALSE, Answer.DEPENDS, Answer.UNDECIDED
BY_ID = {claim.id: claim for claim in CLAIMS}


def sample(
    makespan: float | tuple[float, ...] = 1.0,
    requests: int = 1,
    *,
    of: str = "it",
    waits: float = 0.0,
    latency: float | None = None,
    lag: float = 0.001,
    used: int = 0,
    token_wait: float = 0.0,
    timed: float | None = None,
) -> Sample:
    """A measurement with these numbers."""
    makespans = makespan if isinstance(makespan, tuple) else (makespan,)
    took = makespans[0] if latency is None else latency
    states = {State.READY: waits}
    seen = tuple(Seen(of, took, 0.0, states, None, timed, token_wait) for _ in range(requests))
    return Sample(seen, 40, makespans, lag, used)


def others(waits: float, latency: float = 1.0, lag: float = 0.001, done: float = 1.0) -> Sample:
    """Async requests beside three that compute, block or run a task."""
    async_ = sample(1.0, 4, of="async", waits=waits, latency=latency)
    return Sample((*async_.requests, *sample(done, 3, of="work").requests), 40, (done,), lag)


CASES = [
    ("def-one-at-a-time", {"one": sample(1.0), "many": sample(1.02, 8, used=8)}, FALSE),
    ("def-one-at-a-time", {"one": sample(1.0), "many": sample(8.1, 8, used=1)}, TRUE),
    ("def-one-at-a-time", {"one": sample(1.0), "many": sample(4.0, 8, used=2)}, DEPENDS),
    ("def-blocks-others", {"alone": others(0), "beside": others(0.002, 1.01)}, FALSE),
    ("def-blocks-others", {"alone": others(0), "beside": others(1.0, 2.0, 1.0)}, TRUE),
    ("def-blocks-others", {"alone": others(0), "beside": others(0.05, 1.5, 0.2)}, DEPENDS),
    ("async-is-faster", {"def": sample(1.002), "async": sample(1.0)}, FALSE),
    ("async-is-faster", {"def": sample(2.0), "async": sample(1.0)}, TRUE),
    (
        "async-serves-more",
        {"few def": sample(1.0), "few async": sample(1.0), "many def": sample(2.0), "many async": sample()},
        DEPENDS,
    ),
    (
        "async-serves-more",
        {"few def": sample(2.0), "few async": sample(1.0), "many def": sample(2.0), "many async": sample()},
        TRUE,
    ),
    (
        "async-serves-more",
        {"few def": sample(1.0), "few async": sample(1.0), "many def": sample(1.1), "many async": sample()},
        FALSE,
    ),
    ("time-sleep-stops-everyone", {"alone": others(0), "beside": others(1.9, 2.9, 1.0)}, TRUE),
    ("time-sleep-stops-everyone", {"alone": others(0), "beside": others(0.001)}, FALSE),
    ("sync-calls-are-safe", {"time.sleep": sample(lag=1.0), "a file": sample(lag=0.01)}, FALSE),
    ("sync-calls-are-safe", {"time.sleep": sample(lag=0.01), "a file": sample(lag=0.01)}, TRUE),
    ("sync-calls-are-safe", {"time.sleep": sample(lag=0.06), "a file": sample(lag=0.01)}, DEPENDS),
    ("to-thread-repairs", {"on the loop": sample(2.0, lag=1.0), "in a thread": sample(1.0)}, TRUE),
    ("to-thread-repairs", {"on the loop": sample(2.0), "in a thread": sample(2.0, lag=1.0)}, FALSE),
    ("to-thread-repairs", {"on the loop": sample(1.0), "in a thread": sample(1.0)}, DEPENDS),
    ("fastapi-makes-it-async", {"def": sample(used=8), "async": sample(used=0)}, FALSE),
    ("fastapi-makes-it-async", {"def": sample(used=0), "async": sample(used=0)}, TRUE),
    ("fastapi-makes-it-async", {"def": sample(used=8), "async": sample(used=8)}, DEPENDS),
    ("a-thread-for-each-task", {"async": sample(1.0, 8), "child tasks": sample()}, FALSE),
    ("a-thread-for-each-task", {"async": sample(1.0, 8, used=8), "child tasks": sample(used=10)}, TRUE),
    ("a-thread-for-each-task", {"async": sample(1.0, 8), "child tasks": sample(used=10)}, DEPENDS),
    ("async-uses-all-cores", {"one": sample(0.5), "many": sample(2.0, 4)}, FALSE),
    ("async-uses-all-cores", {"one": sample(0.5), "many": sample(1.0, 4)}, TRUE),
    ("async-uses-all-cores", {"one": sample(0.5), "many": sample(1.6, 4)}, DEPENDS),
    ("def-for-cpu", {"async def": others(0.9, done=1.5), "def": others(0.01, done=1.5)}, DEPENDS),
    ("def-for-cpu", {"async def": others(0.9, done=1.5), "def": others(0.01, done=0.8)}, TRUE),
    ("def-for-cpu", {"async def": others(0.9, done=1.5), "def": others(0.8, done=1.5)}, FALSE),
    (
        "threads-for-cpu",
        {
            "one python": sample(0.5), "many python": sample(2.1, 4),
            "one native": sample(0.5), "many native": sample(1.0, 4),
        },
        DEPENDS,
    ),
    (
        "threads-for-cpu",
        {
            "one python": sample(0.5), "many python": sample(1.0, 4),
            "one native": sample(0.5), "many native": sample(1.0, 4),
        },
        TRUE,
    ),
    (
        "threads-for-cpu",
        {
            "one python": sample(0.5), "many python": sample(2.1, 4),
            "one native": sample(0.5), "many native": sample(2.1, 4),
        },
        FALSE,
    ),
    ("executor-for-cpu", {"one": sample(0.5), "many": sample(2.1, 4)}, FALSE),
    ("executor-for-cpu", {"one": sample(0.5), "many": sample(1.0, 4)}, TRUE),
    ("processes-for-cpu", {"one": sample((0.5, 0.6), 2), "many": sample((1.0, 2.2), 8)}, TRUE),
    ("processes-for-cpu", {"one": sample((0.5, 0.6), 2), "many": sample((2.0, 2.2), 8)}, FALSE),
    ("sync-session-in-async", {"async def": sample(1.6, lag=0.8), "def": sample(0.8)}, FALSE),
    ("sync-session-in-async", {"async def": sample(0.02, lag=0.01), "def": sample(0.02)}, TRUE),
    ("sync-session-in-async", {"async def": sample(0.2, lag=0.05), "def": sample(0.1)}, DEPENDS),
    (
        "async-drivers-3-to-5",
        {"async driver": sample(1.0, 8), "blocking": sample(1.9, 8), "threads": sample(1.0, 8)},
        FALSE,
    ),
    (
        "async-drivers-3-to-5",
        {"async driver": sample(1.0, 8), "blocking": sample(4.0, 8), "threads": sample(1.0, 8)},
        DEPENDS,
    ),
    (
        "async-drivers-3-to-5",
        {"async driver": sample(1.0, 8), "blocking": sample(4.0, 8), "threads": sample(3.0, 8)},
        TRUE,
    ),
    ("gather-n-fold", {"in turn": sample(2.0), "together": sample(0.23)}, TRUE),
    ("gather-n-fold", {"in turn": sample(2.0), "together": sample(0.8)}, DEPENDS),
    ("gather-n-fold", {"in turn": sample(2.0), "together": sample(1.9)}, FALSE),
    ("background-tasks-are-free", {"sync task": others(0), "async task that blocks": others(0.9)}, DEPENDS),
    ("background-tasks-are-free", {"sync task": others(0), "async task that blocks": others(0)}, TRUE),
    ("background-tasks-are-free", {"sync task": others(1), "async task that blocks": others(1)}, FALSE),
    ("trivial-endpoints-def", {"def": sample(4e-4), "async def": sample(2e-4)}, FALSE),
    ("trivial-endpoints-def", {"def": sample(2e-4), "async def": sample(4e-4)}, TRUE),
    ("trivial-endpoints-def", {"def": sample(2e-4), "async def": sample(2.1e-4)}, DEPENDS),
    ("sync-dependencies-are-free", {"sync": sample(1.0, 60, used=40), "async": sample(0.5, 60)}, FALSE),
    ("sync-dependencies-are-free", {"sync": sample(0.5, 60), "async": sample(0.5, 60)}, TRUE),
    ("sync-dependencies-are-free", {"sync": sample(0.5, 60, used=60), "async": sample(0.5, 60)}, DEPENDS),
    (
        "asgi-beats-wsgi",
        {
            "few wsgi": sample(0.5, 4), "few asgi": sample(0.5, 4),
            "many wsgi": sample(1.5, 100), "many asgi": sample(0.5, 100),
        },
        TRUE,
    ),
    (
        "asgi-beats-wsgi",
        {
            "few wsgi": sample(0.5, 4), "few asgi": sample(0.5, 4),
            "many wsgi": sample(5.0, 100), "many asgi": sample(0.5, 100),
        },
        DEPENDS,
    ),
    (
        "asgi-beats-wsgi",
        {
            "few wsgi": sample(0.5, 4), "few asgi": sample(0.5, 4),
            "many wsgi": sample(0.6, 100), "many asgi": sample(0.5, 100),
        },
        FALSE,
    ),
    ("forty-threads-are-enough", {"as many": sample(1.0, 40), "more": sample(2, 60, token_wait=1)}, DEPENDS),
    ("forty-threads-are-enough", {"as many": sample(1.0, 40), "more": sample(1.0, 60)}, TRUE),
    (
        "forty-threads-are-enough",
        {"as many": sample(2.0, 40, token_wait=1.0), "more": sample(2.0, 60, token_wait=1.0)},
        FALSE,
    ),
    ("timers-see-the-wait", {"busy": sample(2.3, 2, timed=0.2)}, FALSE),
    ("timers-see-the-wait", {"busy": sample(2.3, 2, timed=2.29)}, TRUE),
    ("timers-see-the-wait", {"busy": sample(2.3, 2, timed=1.6)}, DEPENDS),
    ("timers-see-the-wait", {"busy": sample(2.3, 2)}, UNDECIDED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "samples", "answer"), CASES, ids=[f"{claim}-{answer.value}" for claim, _, answer in CASES]
)
def test_a_verdict_follows_from_the_numbers(claim, samples, answer):
    """Each answer of each claim follows from some measurement, and equal measurements give equal answers."""
    verdict = decide(BY_ID[claim], samples, Machine())
    assert verdict.answer is answer
    assert verdict == decide(BY_ID[claim], samples, Machine())
    assert verdict.why.endswith(".")
    assert (verdict.depends_on is not None) is (answer is DEPENDS)
    assert answer is UNDECIDED or len(verdict.figures) >= 2


def test_every_claim_can_come_out_either_way():
    """No claim's verdict is known before it is measured."""
    for claim in CLAIMS:
        answers = {answer for name, _, answer in CASES if name == claim.id}
        assert {TRUE, FALSE} <= answers, claim.id


def test_a_crowded_machine_decides_no_speedup():
    """While another program uses the cores, a missing speed-up decides nothing; a measured one does."""
    crowded = Machine(parallel=1.1)
    slow = {"one": sample(0.5), "many": sample(2.0, 4)}
    verdict = decide(BY_ID["executor-for-cpu"], slow, crowded)
    assert verdict.answer is UNDECIDED
    assert "gained only 1.1 times" in verdict.why
    fast = {"one": sample(0.5), "many": sample(1.0, 4)}
    assert decide(BY_ID["executor-for-cpu"], fast, crowded).answer is TRUE


def test_failed_requests_decide_nothing():
    """A run with failed requests decides nothing, and the verdict says what failed."""
    failed = Sample((Seen("sync", 1.0, error="status 500"),), makespans=(1.0,))
    verdict = decide(BY_ID["async-is-faster"], {"def": failed, "async": sample()}, Machine())
    assert verdict.answer is UNDECIDED
    assert "1 of 1 requests failed in def: status 500" in verdict.why


class FakeLab:
    """A laboratory that must not be asked to measure."""

    def __init__(self, machine=None, missing=None):
        self._machine, self._missing = machine or Machine(), missing

    def missing(self, scenarios):
        """Why nothing can be run."""
        return self._missing

    def measure(self, experiment):
        """Fail: nothing may be measured."""
        raise AssertionError("nothing is measured that cannot decide")

    def machine(self, *, parallel=False):
        """The machine that was passed in."""
        return self._machine


def test_one_core_cannot_decide_about_two():
    """A claim about several cores is undecided on one, without a run, and says why."""
    for name in ("async-uses-all-cores", "threads-for-cpu", "executor-for-cpu", "processes-for-cpu"):
        verdict = run_claim(BY_ID[name], FakeLab(Machine(cores=1))).verdict
        assert verdict.answer is UNDECIDED
        assert "it needs 2 cores, and there is 1" in verdict.why


def test_a_missing_package_decides_nothing():
    """If a scenario cannot run, the claim is undecided, with the reason."""
    verdict = run_claim(BY_ID["asgi-beats-wsgi"], FakeLab(missing="flask needs a2wsgi")).verdict
    assert verdict.answer is UNDECIDED
    assert "flask needs a2wsgi" in verdict.why


def test_requests_that_cannot_be_seen_decide_nothing():
    """Where requests are not visible, the claim is undecided, with the reason and without the remedy."""

    class BlindLab(FakeLab):
        def measure(self, experiment):
            raise NotVisibleError("Not visible here: requests. A step was renamed.\nInstall another.")

    verdict = run_claim(BY_ID["async-is-faster"], BlindLab()).verdict
    assert verdict.answer is UNDECIDED
    assert verdict.why.endswith("not visible here: requests. A step was renamed.")


def test_the_claims_are_complete():
    """Each claim has an id, a question, a criterion and scenarios that exist."""
    assert len(CLAIMS) >= 22
    assert len(BY_ID) == len(CLAIMS)
    known = {path.stem for path in find()}
    for claim in CLAIMS:
        assert claim.claim.endswith(".")
        assert claim.question.endswith("?")
        assert claim.rule
        assert {*claim.scenarios, *claim.experiment.scenarios} <= known, claim.id
    said = " ".join(claim.claim for claim in CLAIMS).lower()
    for words in (
        "one request at a time", "holds up all other", "a request faster", "more requests at once",
        "def for cpu", "threads speed up", "run_in_executor", "processes speed up", "time.sleep",
        "any synchronous call", "every route", "task gets a thread", "several cores",
        "database session in async def", "3 to 5 times", "gather", "background tasks", "trivial endpoints",
        "wsgi", "sync dependencies", "40 threads", "timer middleware",
    ):  # fmt: skip
        assert words in said


# -- measured ----------------------------------------------------------------------------------


def test_a_doctored_scenario_flips_the_verdict(tmp_path):
    """With asyncio.sleep in place of time.sleep, 'time.sleep stops everyone' becomes false."""
    claim = BY_ID["time-sleep-stops-everyone"]
    with Workspace():
        honest = run_claim(claim, Lab()).verdict
        source = (builtin_folder() / "blocking.py").read_text(encoding="utf-8")
        assert "    time.sleep(1)" in source
        doctored = "import asyncio\n" + source.replace("    time.sleep(1)", "    await asyncio.sleep(1)")
        (tmp_path / "blocking.py").write_text(doctored, encoding="utf-8")
        flipped = run_claim(claim, Lab(folder=str(tmp_path))).verdict
    assert honest.answer is TRUE
    assert flipped.answer is FALSE


def test_equal_runs_are_run_once():
    """Two claims that need the same run share it."""
    lab = Lab()
    experiment = Experiment({"one": Trial((Burst("async"),))})
    first = lab.measure(experiment)["one"]
    began = time.monotonic()
    assert lab.measure(Experiment({"other": Trial((Burst("async"),))}))["other"] is first
    assert time.monotonic() - began < 0.5


def test_a_measurement_can_be_cancelled():
    """The user can cancel a measurement, and it ends soon."""
    cancelled = threading.Event()
    lab = Lab(cancelled=cancelled)
    threading.Timer(0.5, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        run_claim(BY_ID["time-sleep-stops-everyone"], lab)
    assert time.monotonic() - began < 6


def test_rounds_are_interleaved_and_joined(tmp_path):
    """With several rounds, the requests of all rounds count, except those of the warm-up."""
    shutil.copy(builtin_folder() / "trivial_async.py", tmp_path)
    experiment = Experiment({"a": Trial((Burst("trivial_async", 3, at_once=1),))}, rounds=4)
    measured = Lab(folder=str(tmp_path)).measure(experiment)["a"]
    assert len(measured.requests) == 12
    assert len(measured.makespans) == 4


def test_claims_as_json(capsys):
    """The JSON document has everything that the text has, and the criterion as well."""
    assert cli.main(["claims", "async-is-faster", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["version"]) == ("loopviz-claims", 1)
    assert document["environment"]["python"]
    (claim,) = document["claims"]
    assert claim.keys() == {
        "id", "claim", "question", "verdict", "depends_on", "why", "figures", "criterion", "scenarios",
    }  # fmt: skip
    assert (claim["id"], claim["verdict"], claim["depends_on"]) == ("async-is-faster", "false", None)
    assert all(figure.keys() == {"name", "value", "unit"} for figure in claim["figures"])


def test_claims_as_text(capsys):
    """The text has the verdict, the claim, the figures, the reason and the scenarios."""
    assert cli.main(["claims", "async-is-faster", "--ascii"]) == 0
    out, err = capsys.readouterr()
    assert out.isascii()
    assert err == ""
    assert out.startswith("FALSE          async makes a request faster.\n")
    assert "one def" in out
    assert "async-is-faster; scenarios: sync, async" in out
    assert "1 claims in" not in out
    assert "1 claim in" in out


def test_an_unknown_claim_is_answered_with_the_nearest(capsys):
    """For a misspelt id the message suggests the id that was probably meant."""
    assert cli.main(["claims", "async-is-fastr"]) == 2
    error = capsys.readouterr().err
    assert "Unknown claim: 'async-is-fastr'" in error
    assert "Did you mean async-is-faster?" in error


def test_a_folder_without_scenarios_is_refused(capsys, tmp_path):
    """A folder without scenarios is an error before anything is run."""
    assert cli.main(["claims", "async-is-faster", "--scenarios", str(tmp_path)]) == 2
    assert "contains no scenario" in capsys.readouterr().err


def test_the_claims_need_no_server():
    """Claims, criteria and verdicts can be imported without a server, a client or a terminal."""
    heavy = {"uvicorn", "fastapi", "httpx", "textual"}
    code = f"import sys, loopviz.claims; print(sorted({heavy!r} & sys.modules.keys()))"
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
