"""Comparisons and sweeps: who wins, by what factor, and where the knee is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.claims import Burst
from loopviz.draw.story import story
from loopviz.experiment import sweep
from loopviz.experiment.bench import Bench
from loopviz.experiment.sweep import SweepPoint, knee
from loopviz.model import State, Timeline
from loopviz.model.comparison import Entry, winner
from loopviz.model.sample import Sample, Seen, percentile, sampled
from loopviz.model.summary import summarise
from loopviz.scenario import ScenarioFile, read
from tests import streams
from tests.streams import ns

pytestmark = pytest.mark.alone

WAITS = """
import asyncio, time
from fastapi import FastAPI, Response
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/NAME")
KIND NAME(response: Response):
    response.headers["x-process-time"] = "0.05"
    SLEEP
    return "done"

scenario = Scenario(title="NAME", expect="soon", requests=3, seconds=0.05)
"""


def write(folder: Path, name: str, kind: str = "async def", sleep: str = "await asyncio.sleep(0.05)") -> str:
    """A scenario file of that name."""
    text = WAITS.replace("NAME", name).replace("KIND", kind).replace("SLEEP", sleep)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return str(folder / f"{name}.py")


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """It awaits for 50 ms."""
    return write(tmp_path, "quick")


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """It blocks for 200 ms."""
    return write(tmp_path, "slow", sleep="time.sleep(0.2)")


def entry(name: str, makespan: float, error: str | None = None) -> Entry:
    """An entry with one request of that length."""
    return Entry(name, Sample((Seen(name, makespan, error=error),), makespans=(makespan,)))


# -- pure --------------------------------------------------------------------------------------


def test_percentiles_are_by_nearest_rank():
    """A percentile is always one of the values, as the nearest rank defines it."""
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(values, p) for p in (5, 30, 40, 50, 95, 100)] == [15, 20, 20, 35, 50, 50]
    assert percentile([7.0], 50) == 7.0
    assert percentile([], 50) == 0.0


def test_the_fastest_wins_by_its_distance_to_the_next():
    """The factor is the second's makespan over the winner's."""
    won = winner([entry("a", 8.0), entry("b", 1.0), entry("c", 2.0)])
    assert (won.scenario, won.factor) == ("b", 2.0)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.05), (0.010, 0.030)])
def test_within_the_noise_there_is_no_winner(a, b):
    """Less than a tenth, or less than 30 ms, is no win; the factor is then that of the whole spread."""
    won = winner([entry("a", a), entry("b", b)])
    assert won.scenario is None
    assert won.factor == round(b / a, 2)


def test_a_run_that_fails_cannot_win():
    """A run with failed requests does not win, however fast it was."""
    won = winner([entry("a", 0.1, "status 500"), entry("b", 1.0), entry("c", 2.0)])
    assert won.scenario == "b"
    assert winner([entry("a", 0.1, "status 500"), entry("b", 1.0)]).scenario is None


def one(status: int | None, *, own: bool) -> Timeline:
    """A timeline with one request that was answered like this after 10 ms, or never if there is no status."""
    begun = [streams.sent(0)] if own else []
    begun += [streams.read(1), streams.made(1), streams.step(2), streams.suspend(3)]
    if status is None:
        return streams.timeline(begun, [streams.idle(4)])
    ended = [streams.status(9, status), streams.responded(10), streams.end(10)]
    return streams.timeline(begun, ended, [streams.received(11, 1, status)] if own else [])


@pytest.mark.parametrize(
    ("status", "own", "why"),
    [
        (200, True, None), (399, True, None), (404, True, "status 404"), (500, True, "status 500"),
        (200, False, None), (404, False, None), (503, False, "status 503"),
    ],
)  # fmt: skip
def test_what_has_failed(status, own, why):
    """From 400 on, what loopviz has sent has failed; of another client's requests, what has 500 or more.

    The request, its sample and the sentences agree.
    """
    line = one(status, own=own)
    request = line.requests[1]
    assert (request.failed, request.failure) == (why is not None, why)
    assert sampled(line, [1], {}, threads=40).errors == (() if why is None else (why,))
    assert ("1 failed" in " ".join(story(line, ns(20))[1])) == (why is not None)


def test_without_an_answer():
    """A request that is still being served has not failed; in a finished measurement it has."""
    line = one(None, own=True)
    assert not line.requests[1].failed
    assert sampled(line, [1], {}, threads=40).errors == ("no answer",)


def test_the_longest_wait_for_a_thread_is_one_wait():
    """Of two waits of 40 and 30 ms, record, report and compare give the longest one, not their sum."""
    line = streams.timeline(
        streams.accepted(),
        [streams.token_wait(3), streams.suspend(10), streams.wake(50), streams.step(51)],
        [streams.token_wait(52), streams.suspend(60), streams.wake(90), streams.step(91)],
        [streams.status(92, 200), streams.responded(93), streams.end(93)],
    )
    (seen,) = sampled(line, [1], {}, threads=40).requests
    assert seen.states[State.TOKEN_WAIT] == pytest.approx(0.070)
    summary = summarise(line, scenario="x", environment={}, limit=40)
    assert seen.token_wait == summary["threadpool"]["max_token_wait_s"] == pytest.approx(0.040)


def steps(**throughput: float) -> list[SweepPoint]:
    """Steps by hand: n10=100.0 is 100 requests per second with 10 of them concurrent."""
    return [SweepPoint(int(name[1:]), 10, rate, 0.1, 0.1, 0) for name, rate in throughput.items()]


def test_the_knee_is_where_throughput_stops_growing():
    """The knee is the first step above which twice the load gives less than 1.25 times the throughput."""
    bend = knee(steps(n10=100.0, n20=200.0, n40=390.0, n80=400.0), 40)
    assert bend is not None
    assert (bend.concurrency, bend.at_tokens) == (40, True)
    bend = knee(steps(n5=10.0, n10=19.0, n20=20.0, n50=20.0), 40)
    assert bend is not None
    assert (bend.concurrency, bend.at_tokens) == (10, False)
    assert knee(steps(n10=100.0, n20=190.0, n50=450.0), 40) is None


def test_a_knee_between_two_points_is_the_thread_limits():
    """With points at 20 and 50, a thread limit of 40 has its knee at 50, the first point above it."""
    bend = knee(steps(n10=10.0, n20=20.0, n50=40.0, n100=40.0), 40)
    assert bend is not None
    assert (bend.concurrency, bend.at_tokens) == (50, True)


# -- measured ----------------------------------------------------------------------------------


def files(*paths: str) -> list[ScenarioFile]:
    """The scenarios in these files."""
    return read([Path(path) for path in paths])


def test_several_bursts_share_a_server(quick, slow):
    """Bursts with offsets meet on one server: a later request waits for one that blocks."""
    with Bench(files(quick, slow)) as bench:
        both = bench.fire(Burst("slow", 2), Burst("quick", 3, after=0.05))
        alone = bench.fire(Burst("quick", 3))
    late = both.of("quick")
    assert [len(both.of(name).requests) for name in ("slow", "quick")] == [2, 3]
    assert late.kept_waiting > 0.2
    assert all(seen.sent > 0 for seen in late.requests)
    assert alone.kept_waiting < 0.15
    assert len(alone.requests) == 3


def test_so_many_are_concurrent(quick):
    """With `at_once`, requests go in waves, and what each answer says of its time is heard."""
    (file,) = files(quick)
    with Bench([file]) as bench:
        sample = bench.fire(Burst(file.name, 6, at_once=2))
    assert len(sample.requests) == 6
    assert sample.errors == ()
    assert 0.14 < sample.makespan < 1.0
    assert {seen.timed for seen in sample.requests} == {0.05}
    for seen in sample.requests:
        # in the middle: at its end, the client can have its answer before the server has finished
        middle = seen.sent + seen.latency / 2
        concurrent = sum(other.sent <= middle < other.sent + other.latency for other in sample.requests)
        assert concurrent <= 2
        assert sum(seen.states.values()) == pytest.approx(seen.latency, abs=2e-6)
        assert seen.states[State.AWAITING] > 0.03


def test_a_comparison_as_json(capsys, quick, slow):
    """The JSON document has both runs with their figures and summaries, and who won by what factor."""
    assert cli.main(["compare", quick, slow, "--requests", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["version"]) == ("loopviz-comparison", 1)
    assert (document["requests"], document["threads"]) == (2, 40)
    assert document["environment"]["python"]
    first, second = document["runs"]
    assert (first["scenario"], second["scenario"]) == ("quick", "slow")
    assert first.keys() >= {
        "makespan_s", "latency_p50_s", "latency_p95_s", "max_lag_s", "max_token_wait_s", "threads_used",
        "errors",
    }  # fmt: skip
    assert second["makespan_s"] >= 0.39
    assert second["latency_p50_s"] < second["latency_p95_s"] <= second["makespan_s"]
    assert second["summary"]["format"] == "loopviz-summary"
    assert document["winner"] == "quick"
    assert document["factor"] > 1.5


def test_a_comparison_as_text(capsys, quick, slow):
    """The text has a bar for each, its figures, and the winner's name."""
    assert cli.main(["compare", slow, quick, "--ascii"]) == 0
    out, err = capsys.readouterr()
    assert out.isascii()
    assert err == ""
    assert "3 requests at once to each, thread limit 40" in out
    bars = {line.split()[0]: line.count("#") for line in out.splitlines() if "#" in line}
    assert bars["slow"] > bars["quick"] > 0
    assert "quick wins: slow took" in out


def test_a_comparison_with_failures_names_them(capsys, tmp_path, quick):
    """Failed requests are counted and reported, and no scenario wins against them."""
    broken = write(tmp_path, "broken", sleep="raise LookupError('gone')")
    assert cli.main(["compare", quick, broken]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 failed: LookupError" in out
    assert "No winner" in out


@pytest.mark.parametrize("kind", [[], ["--sweep", "1,2"]])
def test_what_was_measured_before_an_error_is_kept(capsys, monkeypatch, tmp_path, quick, kind):
    """A scenario that cannot start ends a comparison; those before it are printed, and the exit code is 2."""
    monkeypatch.setattr(sweep, "MOST", 8)
    dead = write(tmp_path, "dead")
    text = Path(dead).read_text(encoding="utf-8")
    stops = "async def stops(app):\n    raise OSError('no database')\n    yield\n"
    Path(dead).write_text(
        text.replace("app = FastAPI()", f"{stops}app = FastAPI(lifespan=stops)"), encoding="utf-8"
    )
    assert cli.main(["compare", quick, dead, quick, "--ascii", *kind]) == 2
    out, err = capsys.readouterr()
    assert "quick" in out
    assert "dead" not in out
    assert "no database" in err
    assert len(err.splitlines()) <= 2
    assert cli.main(["compare", quick, dead, "--json", *kind]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [run["scenario"] for run in document["runs"]] == ["quick"]
    assert "no database" in document["error"]


def test_what_cannot_be_compared_is_refused(capsys):
    """One scenario, or an unknown one, is an error of one or two lines."""
    for arguments, complaint in (
        (["compare", "sync"], "A comparison needs two scenarios"),
        (["compare", "sync", "asinc"], "Did you mean async?"),
        (["compare", "sync", "async", "--sweep", "1,2", "--requests", "3"], "Leave out --requests"),
    ):
        assert cli.main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert complaint in err
        assert len(err.splitlines()) <= 2
    for text in ("1", "0,5", "a,b"):
        with pytest.raises(SystemExit):
            cli.main(["compare", "sync", "async", "--sweep", text])
        assert "--sweep" in capsys.readouterr().err


@pytest.fixture
def threaded(tmp_path: Path) -> str:
    """It sleeps for 100 ms in a worker thread."""
    return write(tmp_path, "threaded", "def", "time.sleep(0.1)")


def test_a_sweep_finds_the_thread_limit(capsys, monkeypatch, threaded, quick):
    """With a thread limit of two, throughput of a def endpoint stops growing at two concurrent requests."""
    monkeypatch.setattr(sweep, "MOST", 24)
    arguments = ["compare", threaded, quick, "--sweep", "4,1,2", "--threads", "2"]
    assert cli.main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["version"], document["threads"]) == ("loopviz-sweep", 1, 2)
    first, second = document["runs"]
    assert [step["concurrency"] for step in first["steps"]] == [1, 2, 4]
    assert all(step["errors"] == 0 for run in (first, second) for step in run["steps"])
    assert first["knee"] == {"concurrency": 2, "at_tokens": True}
    assert second["steps"][-1]["throughput_rps"] > 1.5 * first["steps"][-1]["throughput_rps"]
    assert first["steps"][-1]["latency_p95_s"] > 1.3 * first["steps"][0]["latency_p95_s"]


def test_a_sweep_as_text(capsys, monkeypatch, quick, threaded):
    """The text has a table and a chart; without the chart's library, how to install it."""
    monkeypatch.setattr(sweep, "MOST", 8)
    arguments = ["compare", quick, threaded, "--sweep", "1,2", "--ascii"]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "concurrent" in out
    assert "o quick   x threaded" in out
    assert "pip install" not in out
    monkeypatch.setitem(sys.modules, "plotext", None)
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "pip install 'loopviz[charts]'" in out
    assert "concurrent" in out
    assert "threaded: " in out
