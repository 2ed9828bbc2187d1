"""The catalogue: every built-in scenario is measured, and is what it declares."""

from __future__ import annotations

import gc
import importlib.util
import re
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest

from loopviz.clock import NS
from loopviz.draw.story import Said, say
from loopviz.draw.verdict import Verdict, verdict
from loopviz.draw.words import count, duration
from loopviz.errors import InputError
from loopviz.experiment.measure import measure
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.scenario import Load, ScenarioFile, builtin_folder, executed, find, read
from loopviz.stream import events as ev
from tests.stalls import Stalls

pytestmark = [pytest.mark.slow, pytest.mark.alone]

NAMES = [path.stem for path in find()]

REQUESTS = {
    "asgi": 6, "background_blocking": 3, "blocking": 2, "cached": 3, "cpu": 2, "cpu_chunks": 3,
    "cpu_executor": 3, "cpu_native": 3, "cpu_processes": 3, "cpu_threads": 3, "db_async": 4,
    "db_blocking": 3, "db_pool": 4, "db_threads": 4, "file_async": 2, "file_blocking": 2, "flask": 12,
    "gather": 3, "http_blocking": 3, "middleware_blocking": 3, "sequential": 2, "task_group": 3,
    "timeout": 3, "timer_asgi": 3, "timer_base": 3, "trivial_async": 20, "trivial_def": 20,
}  # fmt: skip
"""How many requests are enough to show what happens."""
LOOSE = {
    "cpu", "cpu_chunks", "cpu_executor", "cpu_native", "cpu_processes", "cpu_threads", "db_async", "db_pool",
    "db_threads", "file_async",
}  # fmt: skip
"""Those whose time is the machine's: what else goes on there decides, and laws hold by ratio only."""

TAIL = ["ready", "running"]
HOP = ["ready", "running", "ready", "running", "awaiting", "in_thread", "ready", "running"]
HEAD = ["queued", "ready", "running"]
ORDERS = {
    "sync": HEAD + HOP,
    "async": [*HEAD, "awaiting", *TAIL],
    "blocking": HEAD,
    "threadpool": HEAD + HOP,
    "http_blocking": HEAD,
    "file_blocking": HEAD,
    "db_blocking": HEAD,
    "db_threads": HEAD + HOP,
    "tokens": HEAD + HOP,
    "second_hop": HEAD + HOP + HOP,
    "dependency_sync": HEAD + HOP,
    "dependency_async": [*HEAD, "awaiting", *TAIL],
    "dependency_cached": [*HEAD, "awaiting", *TAIL],
    "dependency_yield": HEAD + HOP,
    "timer_asgi": HEAD,
    "background_async": HEAD,
    "background_sync": HEAD,
    "trivial_def": HEAD + HOP,
    "trivial_async": HEAD,
    "asgi": [*HEAD, "awaiting", *TAIL],
    "celery": HEAD + HOP,
}
"""The exact order of the states of a single request."""
AFTER = {
    "dependency_yield": "in_thread",
    "background_sync": "in_thread",
    "background_async": "awaiting",
    "background_blocking": "running",
}
"""What is seen after the response, if it is what the scenario is about."""


@pytest.fixture(scope="module", autouse=True)
def workspace() -> Any:
    """One workspace for all: the upstream server and the worker process are started once."""
    with Workspace() as one:
        yield one


def the(name: str) -> ScenarioFile:
    """A built-in scenario."""
    (file,) = read(find(name))
    if file.missing:
        pytest.skip(f"it needs {file.missing}")
    return file


@pytest.fixture(autouse=True)
def measured_again(request: pytest.FixtureRequest) -> None:
    """A test that is run again looks at new runs."""
    if request.node.execution_count > 1:
        _RUNS.clear()


@pytest.fixture(scope="module", autouse=True)
def stalls() -> Iterator[None]:
    """What notices that the machine stands still while something is measured."""
    _WATCH.append(Stalls())
    yield
    _WATCH.pop().close()


_WATCH: list[Stalls] = []
_RUNS: dict[tuple[str, int], tuple[dict[str, Any], float]] = {}
_SAID: dict[tuple[str, int], tuple[list[tuple[float, Said]], Verdict]] = {}
"""Of each run: what is said at three instants (s), and the verdict."""


def measured(name: str, requests: int) -> tuple[dict[str, Any], float]:
    """A run's document, and what its law says. Each run is made once, if the machine does not stand still.

    Several tests look at one run: if it shows the machine, to run one of them again would not help.
    """
    if (name, requests) in _RUNS:
        return _RUNS[name, requests]
    file = the(name)
    for _ in range(3):
        gc.collect()  # else a collection may fall into the run: the loop stands still meanwhile
        _WATCH[0].forget()
        run = measure(file, requests=requests)
        if not _WATCH[0].long():
            break
    assert run.vitals.failures == ()
    law = file.facts.makespan
    assert law is not None
    single = run.timeline.computed / requests / NS
    result = run.summary(), law(Load.here(requests, run.threads, file.facts.seconds, single))
    _SAID[name, requests] = said_of(run.timeline, file)
    return _RUNS.setdefault((name, requests), result)


def said_of(timeline: Timeline, file: ScenarioFile) -> tuple[list[tuple[float, Said]], Verdict]:
    """What the screen says after a quarter of a run, after half of it and at its end; and the verdict."""
    burst = timeline.newest_burst(timeline.last)
    assert burst is not None
    took = burst.makespan(timeline.last)
    assert burst.over(timeline.last)
    instants = [burst.began + int(took * part) for part in (0.25, 0.5, 0.999)]
    said = [((t - burst.began) / NS, say(timeline, t, brief=True)) for t in instants]
    return said, verdict(timeline, burst, file.facts, timeline.last)


def some(name: str) -> tuple[dict[str, Any], float]:
    """A run with as many requests as are needed."""
    return measured(name, REQUESTS.get(name) or the(name).facts.requests)


@pytest.mark.parametrize("name", NAMES)
def test_the_declared_law(name: str) -> None:
    """The makespan is what the scenario's own file says; by ratio where the machine's load decides."""
    for _ in range(3):  # a program that has the cores now may have ended by then
        run, expected = some(name)
        if name in LOOSE:
            kept = expected / 4 < run["makespan_s"] < expected * 4 + 0.1
        else:
            # What calls another server also computes: some milliseconds for each of dozens of calls.
            margin = (0.05 * expected + 0.1) * (3 if the(name).facts.upstream else 1)
            kept = run["makespan_s"] == pytest.approx(expected, abs=margin)
        if kept:
            return
        _RUNS.pop((name, len(run["requests"])))
    pytest.fail(f"it took {run['makespan_s']} s; its law says {expected} s")


@pytest.mark.parametrize("name", NAMES)
def test_every_request_is_answered(name: str) -> None:
    """Every request succeeds, the states add up to the latency, and no event is lost."""
    run, _ = some(name)
    assert {(r["status"], r["error"]) for r in run["requests"]} == {(202 if name == "celery" else 200, None)}
    for request in run["requests"]:
        assert sum(request["states"].values()) == pytest.approx(
            request["latency_s"], abs=5e-6
        )  # rounded, eight times
        ends = [segment["end_s"] for segment in request["segments"]]
        assert [segment["start_s"] for segment in request["segments"]] == [request["sent_s"], *ends[:-1]]
        assert ends[-1] == request["done_s"]
    assert run["probe"]["dropped"] == 0


SHARED_GIL = {"cpu_threads", "cpu_executor"}
"""Those whose threads wait for the GIL."""


def in_state(run: dict[str, Any], state: str, t: float) -> int:
    """How many requests were in a state at `t` (s)."""
    return sum(
        segment["state"] == state and segment["start_s"] < t <= segment["end_s"]
        for request in run["requests"]
        for segment in request["segments"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_is_true(name: str) -> None:
    """After a quarter, after half and at the end of a run, what is said agrees with its summary."""
    run, _ = some(name)
    states = {
        "threads": "in_thread",
        "processes": "in_process",
        "awaiting": "awaiting",
        "pool-full": "token_wait",
    }
    for t, said in _SAID[name, len(run["requests"])][0]:
        row, first = said.row.id, said.sentences[0]
        assert all(len(sentence) <= 77 for sentence in said.sentences)
        if any(
            abs(t - s[end]) < 0.002
            for r in run["requests"]
            for s in r["segments"]
            for end in ("start_s", "end_s")
        ):
            continue  # just when something changes
        if row in states:
            number = in_state(run, states[row], t)
            assert re.search(rf"\b{number} requests? (is|are|waits?)\b", first), (first, number)
        if row == "block":
            (block,) = [b for b in run["loop"]["blocks"] if b["start_s"] <= t <= b["end_s"]]
            assert first.startswith(
                f"#{block['request']} " if block["request"] else ("A ", "The ", "Callback")
            )
            if block["where"] is not None:
                assert f"{Path(block['where']['file']).name}:{block['where']['line']}" in first
        assert row != "gil" or name in SHARED_GIL
        assert row not in {"gil", "cores"} or in_state(run, "in_thread", t) > 1
        free = any(
            "is free" in sentence or "costs the loop nothing" in sentence for sentence in said.sentences
        )
        held = [b for b in run["loop"]["blocks"] if b["start_s"] < t and b["end_s"] > t - 0.8]
        assert not (free and held)


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_is_true(name: str) -> None:
    """The verdict has the number of requests, the makespan, and only reasons that the summary has as well."""
    run, _ = some(name)
    facts, found = the(name).facts, _SAID[name, len(run["requests"])][1]
    number, half = len(run["requests"]), 0.5e-6  # the summary rounds to 1 µs, which may be the next whole ms
    times = {duration((run["makespan_s"] + rounded) * NS) for rounded in (-half, half)}
    counted = [f"Done: {what} in {took}" for what in (number, count(number, "request")) for took in times]
    assert found.measured.startswith(tuple(counted))
    if "block" in found.measured + found.why:
        assert run["loop"]["blocks"]
    if "waited for a thread" in found.why or "waited for a process" in found.why:
        assert any(request["states"]["token_wait"] > 0.01 for request in run["requests"])
    assert "GIL" not in found.why or name in SHARED_GIL
    assert found.repair in {"", facts.repair}
    assert found.repaired in {"", facts.repaired}


def order(segments: list[dict[str, Any]]) -> list[str]:
    """The states in their order, each once where it lasts."""
    return [state for state, _ in groupby(segment["state"] for segment in segments)]


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_states(name: str) -> None:
    """A single request goes through exactly these states."""
    run, _ = measured(name, 1)
    assert order(run["requests"][0]["segments"]) == ORDERS[name]


@pytest.mark.parametrize("name", AFTER)
def test_what_follows_the_response(name: str) -> None:
    """What a background task or a dependency's end does is reported as after the response."""
    run, _ = some(name)
    for request in run["requests"]:
        lengths = {s["state"]: s["end_s"] - s["start_s"] for s in request["after_response"]}
        assert lengths[AFTER[name]] > 0.2


def blocks(name: str) -> list[dict[str, Any]]:
    """The blocks of a run."""
    found: list[dict[str, Any]] = some(name)[0]["loop"]["blocks"]
    return found


@pytest.mark.parametrize(
    ("blocking", "repaired"),
    [
        ("blocking", "to_thread"),
        ("blocking", "threadpool"),
        ("http_blocking", "http_async"),
        ("db_blocking", "db_async"),
        ("db_blocking", "db_threads"),
        ("background_blocking", "background_async"),
        ("middleware_blocking", "asgi"),
    ],
)
def test_a_repair_repairs(blocking: str, repaired: str) -> None:
    """Each request of the one blocks the loop, and nothing blocks it in the other."""
    assert len(blocks(blocking)) == len(some(blocking)[0]["requests"])
    assert blocks(repaired) == []


def test_tokens_are_waited_for() -> None:
    """Sixty requests and forty tokens: twenty wait for a second; with a second hop, all of eighty do."""
    waits = [r["states"]["token_wait"] > 0.8 for r in some("tokens")[0]["requests"]]
    assert sum(waits) == 20
    hops = some("second_hop")[0]["requests"]
    assert sum(r["states"]["token_wait"] > 0.8 for r in hops) == 80
    assert all(r["latency_s"] > 1.8 for r in hops)


def test_a_connection_is_waited_for() -> None:
    """With a pool of two, the first two query at once, and the last ones await a connection first."""
    for _ in range(3):  # as in `test_the_declared_law`
        run, _ = some("db_pool")
        first, last = run["requests"][0], run["requests"][-1]
        if last["latency_s"] > 1.4 * first["latency_s"]:
            break
        _RUNS.clear()
    assert last["latency_s"] > 1.4 * first["latency_s"]
    longest = max(last["segments"], key=lambda s: s["end_s"] - s["start_s"])
    assert longest["state"] == "awaiting"
    lines = Path(the("db_pool").file).read_text(encoding="utf-8").splitlines()
    seen = {
        lines[s["where"]["line"] - 1].strip() for s in last["segments"] if s["where"] and s["where"]["line"]
    }
    assert any("session.connection()" in line for line in seen)


def test_a_cache_asks_once() -> None:
    """Two upstream calls for all requests; a fan-out without it makes ten for each."""
    assert some("cached")[0]["makespan_s"] < some("sequential")[0]["makespan_s"] / 2


def test_a_time_limit_gives_what_there_is() -> None:
    """The answer has the calls that were in time, and says how many were not."""
    with session("timeout") as client:
        answer = client.get("/timeout").json()
    assert len(answer["answers"]) + answer["missing"] == 10
    assert 4 <= len(answer["answers"]) <= 6  # one is due 50 ms before the limit, and one 50 ms after it


def test_a_worker_process_does_the_work() -> None:
    """The receipt comes at once; a second later the work is done, elsewhere."""
    with session("celery") as client:
        receipt = client.get("/celery").json()["receipt"]
        until = time.monotonic() + 10
        state = ""
        while state != "SUCCESS" and time.monotonic() < until:
            state = client.get(f"/celery/{receipt}").json()["state"]
            time.sleep(0.1)
    assert state == "SUCCESS"


def test_a_timer_does_not_see_the_queue() -> None:
    """The plain ASGI timer reports the endpoint's own time for every request, however long it waited."""
    files = [the("timer_asgi")]
    served = Session(files)
    served.start()
    try:
        served.wait()
        served.fire(files[0], 3).result(20)
    finally:
        served.stop()
    said = [event[3] for event in served.drain_all() if event[1] == ev.CLAIMED]
    assert said == [pytest.approx(0.2 * NS, abs=0.05 * NS)] * 3
    assert max(r["latency_s"] for r in some("timer_asgi")[0]["requests"]) > 0.55


class session:  # noqa: N801 - used like a function
    """A session that serves one scenario, as a client of it."""

    def __init__(self, name: str) -> None:
        self._session = Session([the(name)])

    def __enter__(self) -> httpx.Client:
        self._session.start()
        self._session.wait()
        self._client = httpx.Client(base_url=f"http://{self._session.address}", trust_env=False, timeout=20)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._session.stop()


# -- what is declared --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_read_without_executing(name: str) -> None:
    """What is read of a built-in file without executing it is what the executed file says."""
    read = the(name)
    assert read.app is None
    done = executed(read)
    assert (done.method, done.path) == (read.method, read.path)
    for field in (
        "title", "expect", "repair", "repaired", "finding", "key", "requests", "seconds", "group", "order",
        "needs", "upstream",
    ):  # fmt: skip
        assert getattr(done.facts, field) == getattr(read.facts, field), field
    assert done.facts.makespan is not None
    assert read.facts.makespan is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_fit_for_a_slide(name: str) -> None:
    """A file is short, its lesson is one line, and what it imports beyond the core is declared."""
    file = the(name)
    text = file.file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert len(file.facts.expect) <= 76
    assert file.facts.expect.endswith(".")
    assert ("UPSTREAM" in text) == file.facts.upstream
    assert ("->" in text) == (name == "second_hop")


def test_a_repair_is_shown_by_another_scenario() -> None:
    """A scenario that says what to change names the one that shows it, and that one is in the catalogue."""
    for file in read(find()):
        repair, repaired = file.facts.repair, file.facts.repaired
        assert (repair is None) is (repaired is None)
        if repair is not None:
            assert repaired in NAMES
            assert repaired != file.name
            assert repair.endswith(".")
            assert len(f"Repair: {repair}   F {repaired}") <= 77


def test_orders_and_groups() -> None:
    """Each scenario has a place of its own, and groups lie together."""
    files = read(find())
    orders = [file.facts.order for file in files]
    assert len(set(orders)) == len(orders)
    groups = [group for group, _ in groupby(file.facts.group for file in files)]
    assert groups == [
        "waiting", "fan-out", "database", "cpu", "machinery", "other models", "task queue",
    ]  # fmt: skip


# -- what is missing ---------------------------------------------------------------------------


def test_a_missing_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A scenario whose needs are missing is listed; firing it reports the command that installs them."""
    find_spec = importlib.util.find_spec
    gone = {"sqlalchemy", "no_such_module"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name in gone else find_spec(name, *rest)
    )
    (builtin,) = read(find("db_async"))
    assert (builtin.missing, builtin.app) == (("sqlalchemy",), None)
    assert (builtin.facts.title, builtin.path) == ("async def + AsyncSession", "/db_async")
    with pytest.raises(InputError, match=r"needs sqlalchemy(?s:.*)pip install 'loopviz\[scenarios\]'"):
        measure(builtin)
    mine = tmp_path / "mine.py"
    text = (builtin_folder() / "asgi.py").read_text().replace("seconds=0.5", "needs=('no_such_module',)")
    mine.write_text(f"import no_such_module\n{text}")
    (own,) = read([mine])
    assert own.missing == ("no_such_module",)
    with pytest.raises(InputError, match="pip install no_such_module"):
        measure(own)
