"""The scenarios' laws, as a recording of the real thing measures them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from loopviz.scenario import Load, builtin_folder, find, read
from tests.stalls import Stalls

pytestmark = [pytest.mark.slow, pytest.mark.alone]

ROOT = Path(__file__).parent.parent

RUNS = {
    "async": ("async",),
    "async, 100": ("async", "--requests", "100"),
    "async on uvloop": ("async", "--loop", "uvloop"),
    "sync": ("sync",),
    "sync, 4 threads": ("sync", "--threads", "4"),
    "blocking": ("blocking", "--requests", "4"),
    "cpu": ("cpu", "--requests", "3"),
}
STATES = {
    "queued",
    "running",
    "awaiting",
    "ready",
    "token_wait",
    "in_thread",
    "in_process",
    "receiving",
    "sending",
}

needs_uvloop = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")
every_run = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=needs_uvloop) if "uvloop" in n else n for n in RUNS]
)


@pytest.fixture(autouse=True)
def recorded_again(request: pytest.FixtureRequest) -> None:
    """A test that is run again looks at new runs."""
    if request.node.execution_count > 1:
        recording.cache_clear()


@cache
def recording(name: str) -> tuple[dict[str, Any], str]:
    """The document of a run, and what it wrote on standard error. Each run is made once.

    One that is made while the machine stands still is made again: a test that failed because of it would find
    the same document when it is run again, and so would those after it.
    """
    with closing(Stalls()) as stalls:
        for _ in range(3):
            stalls.forget()
            done = subprocess.run(
                [sys.executable, "-m", "loopviz", "record", *RUNS[name], "--json"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            if not stalls.long():
                break
    return json.loads(done.stdout), done.stderr


def document(name: str) -> dict[str, Any]:
    """The document of a run."""
    return recording(name)[0]


def about(seconds: float) -> Any:
    """As long as `seconds`, give or take what a busy machine adds."""
    return pytest.approx(seconds, abs=0.05 * seconds + 0.05)


def line_of(scenario: str, text: str) -> int:
    """The number of the line with `text` in a built-in scenario."""
    lines = (builtin_folder() / f"{scenario}.py").read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.strip().startswith(text)]
    return number


# -- the laws ----------------------------------------------------------------------------------


@every_run
def test_the_declared_law_holds(name: str):
    """The makespan is what the scenario's own file says, for this many requests and threads."""
    run = document(name)
    (file,) = read(find(run["scenario"]))
    requests = run["requests"]
    single = sum(r["states"]["running"] for r in requests) / len(requests)
    law = file.facts.makespan
    assert law is not None
    expected = law(Load(len(requests), run["threadpool"]["limit"], file.facts.seconds, single))
    assert run["makespan_s"] == about(expected)


@pytest.mark.parametrize("name", ["async", "async, 100", pytest.param("async on uvloop", marks=needs_uvloop)])
def test_async_sleeps_at_once(name: str):
    """Coroutines that await all finish after one second, however many they are, and block none."""
    run = document(name)
    assert run["makespan_s"] == pytest.approx(1, abs=0.25 if "100" in name else 0.1)
    assert run["loop"]["blocks"] == []
    assert all(r["states"]["awaiting"] > 0.9 * r["latency_s"] for r in run["requests"]) or "100" in name


def test_sync_runs_in_threads():
    """Endpoints in worker threads take one second together while there is a thread for each."""
    run = document("sync")
    assert run["makespan_s"] == about(1)
    assert run["threadpool"]["peak"] == len(run["threadpool"]["threads"]) == 8
    assert all(r["states"]["in_thread"] == about(1) for r in run["requests"])
    assert run["loop"]["blocks"] == []


def test_sync_waits_for_a_thread():
    """Eight requests and four threads take two rounds: half of the requests wait for one of them."""
    run = document("sync, 4 threads")
    assert run["makespan_s"] == about(2)
    waits = sorted(r["states"]["token_wait"] for r in run["requests"])
    assert waits[:4] == [pytest.approx(0, abs=0.1)] * 4
    assert waits[4:] == [about(1)] * 4
    assert run["threadpool"]["limit"] == run["threadpool"]["peak"] == 4
    assert run["threadpool"]["max_token_wait_s"] == about(1)


def test_blocking_takes_turns():
    """A handler that sleeps on the loop makes all others wait: N requests take N seconds."""
    run = document("blocking")
    assert run["makespan_s"] == about(4)
    assert [r["latency_s"] for r in run["requests"]] == [about(n) for n in (1, 2, 3, 4)]
    assert run["loop"]["busy_s"] == about(4)
    assert run["loop"]["max_lag_s"] > 0.95  # more where one iteration serves several


def test_each_block_is_reported_with_line_kind_and_victims():
    """A block is one request's, a second long, sleeping, at time.sleep; those not yet served are victims."""
    blocks = document("blocking")["loop"]["blocks"]
    assert [b["request"] for b in blocks] == [1, 2, 3, 4]
    assert [b["end_s"] - b["start_s"] for b in blocks] == [about(1)] * 4
    assert {b["kind"] for b in blocks} == {"sleeping"}
    for block in blocks:
        assert Path(block["where"]["file"]).name == "blocking.py"
        assert block["where"]["line"] == line_of("blocking", "time.sleep")
        assert block["where"]["function"] == "blocking"
    assert [b["victims"] for b in blocks] == [[2, 3, 4], [3, 4], [4], []]


def test_computing_costs_the_sum():
    """Handlers that compute on the loop take the sum of their costs, and no block is called sleeping."""
    run = document("cpu")
    costs = [r["states"]["running"] for r in run["requests"]]
    assert run["makespan_s"] == about(sum(costs))
    assert len(run["loop"]["blocks"]) == 3
    assert {b["kind"] for b in run["loop"]["blocks"]} == {"computing"}


# -- what is true of every run -----------------------------------------------------------------


@every_run
def test_states_add_up_to_the_latency(name: str):
    """A request's states last together exactly as long as it did."""
    for request in document(name)["requests"]:
        assert set(request["states"]) == STATES
        assert sum(request["states"].values()) == pytest.approx(request["latency_s"], abs=1e-3)
        assert request["done_s"] - request["sent_s"] == pytest.approx(request["latency_s"], abs=1e-5)


@every_run
def test_segments_touch_and_never_overlap(name: str):
    """A request's segments lead from sent to done without a gap and without an overlap."""
    for request in document(name)["requests"]:
        segments = request["segments"]
        assert segments[0]["start_s"] == request["sent_s"]
        assert segments[-1]["end_s"] == request["done_s"]
        assert [s["end_s"] for s in segments[:-1]] == [s["start_s"] for s in segments[1:]]
        assert all(s["start_s"] <= s["end_s"] for s in segments)
        assert {s["state"] for s in segments} <= STATES


@every_run
def test_segments_add_up_to_the_states(name: str):
    """The durations by state are those of the segments."""
    for request in document(name)["requests"]:
        for state, total in request["states"].items():
            lengths = (s["end_s"] - s["start_s"] for s in request["segments"] if s["state"] == state)
            assert sum(lengths) == pytest.approx(total, abs=1e-3)


@every_run
def test_the_client_waits_no_less_than_the_server_says(name: str):
    """What the client measured is the server's latency and the way back."""
    for request in document(name)["requests"]:
        assert request["client_latency_s"] >= request["latency_s"] - 0.005
        assert request["client_latency_s"] <= request["latency_s"] + 0.5


@every_run
def test_requests_are_numbered_and_answered(name: str):
    """Requests are numbered from 1 in the order in which they were sent, and all of them succeed."""
    requests = document(name)["requests"]
    assert [r["id"] for r in requests] == list(range(1, len(requests) + 1))
    assert {(r["method"], r["status"], r["error"]) for r in requests} == {("GET", 200, None)}
    sent = [r["sent_s"] for r in requests]
    assert sent == sorted(sent)
    assert sent[0] == 0


@every_run
def test_nothing_is_lost(name: str):
    """The probe takes in every event: many, and it drops none."""
    run = document(name)
    assert run["probe"]["dropped"] == 0
    assert run["probe"]["events"] >= 8 * len(run["requests"])


@every_run
def test_json_is_all_there_is(name: str):
    """With --json, standard output is one document, and standard error is empty."""
    run, errors = recording(name)
    assert errors == ""
    assert (run["format"], run["version"], run["scenario"]) == ("loopviz-summary", 1, RUNS[name][0])


@every_run
def test_the_document_keeps_its_contract(name: str):
    """Every field that readers rely on is there."""
    run = document(name)
    assert run.keys() >= {
        "format", "version", "environment", "scenario", "makespan_s", "requests", "loop", "threadpool",
        "probe",
    }  # fmt: skip
    assert run["environment"].keys() >= {
        "loopviz", "python", "implementation", "gil", "event_loop", "fastapi", "starlette", "uvicorn",
        "anyio", "platform",
    }  # fmt: skip
    for request in run["requests"]:
        assert request.keys() >= {
            "id", "method", "path", "status", "error", "sent_s", "done_s", "latency_s", "client_latency_s",
            "states", "segments",
        }  # fmt: skip
        for segment in request["segments"]:
            assert segment.keys() >= {"state", "start_s", "end_s", "thread", "where"}
            assert segment["where"] is None or segment["where"].keys() >= {"file", "line", "function"}
    assert run["loop"].keys() >= {"busy_s", "idle_s", "max_lag_s", "blocks"}
    for block in run["loop"]["blocks"]:
        assert block.keys() >= {"start_s", "end_s", "request", "kind", "where", "victims"}
    assert run["threadpool"].keys() >= {"limit", "peak", "max_token_wait_s", "threads"}
    for thread in run["threadpool"]["threads"]:
        assert thread.keys() >= {"name", "busy_s", "cpu_s"}
    assert run["probe"].keys() >= {"events", "dropped"}


def test_busy_and_idle_make_the_whole():
    """The loop is either busy or idle; one that only serves sleepers is nearly always idle."""
    run = document("async")
    loop = run["loop"]
    assert loop["busy_s"] + loop["idle_s"] == pytest.approx(run["makespan_s"], abs=0.01)
    assert loop["idle_s"] > 0.8 * run["makespan_s"]


@needs_uvloop
def test_uvloop_is_honest_about_what_it_hides():
    """On uvloop idle time and lag are null rather than invented, and the document says why."""
    run = document("async on uvloop")
    assert run["environment"]["event_loop"] == "uvloop"
    assert run["loop"]["idle_s"] is None
    assert run["loop"]["max_lag_s"] is None
    assert run["probe"]["blind"]
    assert all(entry["what"] and "uvloop" in entry["why"] for entry in run["probe"]["blind"])
    assert document("async")["probe"]["blind"] == []
