"""What every finding says: three sentences, the first one with a figure, and no name that is not a rule's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest

from loopviz.findings import IDS, Finding
from loopviz.findings.listed import documents, of_run
from loopviz.model import Timeline
from tests import streams
from tests.findings.bursts import burst, ends, findings
from tests.findings.pools import rounds
from tests.findings.test_blocking_call import held
from tests.findings.test_convoy import convoy
from tests.findings.test_pool_exhausted import SOURCE as POOL
from tests.findings.test_pool_exhausted import handed
from tests.findings.test_sequential_awaits import HEAD, awaiting
from tests.findings.test_slow_dependency import CALLED
from tests.findings.test_slow_dependency import SOURCE as DEPENDENCY
from tests.findings.test_thread_limit import SOURCE as ENDPOINT
from tests.findings.test_trivial_def import SOURCE as TRIVIAL
from tests.findings.test_trivial_def import on_the_way
from tests.findings.test_worker_imbalance import found_in, served
from tests.streams import feed, timeline

FETCHES = [
    *HEAD,
    "    return [await fetch(n) for n in range(3)]",
    "async def fetch(n):",
    "    await client.get(n)",
]


def of(line: Timeline, lines: Mapping[str, Sequence[str]] | None = None) -> list[Finding]:
    """What is found in a burst."""
    return findings(line, lines)


CASES = {
    "blocking-call": lambda: of(burst(2, held(1, 4, 1_004), held(2, 1_005, 2_005))),
    "thread-limit": lambda: of(burst(3, rounds(3, 2, 1_000, ("app.py", 2, "report"))), ENDPOINT),
    "pool-exhausted": lambda: of(burst(3, handed(3, 1, 200, name="reports")), POOL),
    "convoy": lambda: of(burst(3, convoy("lock"))),
    "sequential-awaits": lambda: of(
        burst(1, awaiting((5, "fetch", 200), (5, "fetch", 200))), {"app.py": FETCHES}
    ),
    "slow-dependency": lambda: of(burst(2, rounds(2, 40, 500, CALLED)), {"app.py": DEPENDENCY}),
    "trivial-def": lambda: of(burst(12, on_the_way(12)), {"app.py": TRIVIAL}),
    "worker-imbalance": lambda: found_in(served(0, 0, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_finding_is_three_sentences(name):
    """Each is one or two sentences with a full stop, the first has figures, and so has the evidence."""
    found = next(one for one in CASES[name]() if one.id == name)
    for said in (found.what, found.why, found.do):
        assert said.endswith(".")
        assert said[0].isupper() or said[0].isdigit() or said.startswith(("app.py", "asyncio"))
        assert 20 < len(said) < 300
        assert "  " not in said
        assert not re.search(r"\{|\}|None", said)
    assert re.search(r"\d", found.what)
    assert found.evidence
    assert all(name and figure for name, figure in found.evidence)
    assert 3 <= len(found.title.split()) <= 7
    assert found.id in IDS
    assert found.requests
    assert found.lost > 0


def test_the_document_of_a_finding_has_all_of_it():
    """In JSON a finding has each of its parts, times in seconds, and its line as everywhere."""
    line = burst(2, held(1, 4, 1_004), held(2, 1_005, 2_005))
    (one,) = documents(of_run(line))
    assert {
        "id",
        "severity",
        "confidence",
        "title",
        "what",
        "why",
        "do",
        "where",
        "requests",
        "culprits",
    } < set(one)
    assert one["lost_s"] == 1.001
    assert one["where"] == {"file": "app.py", "line": 14, "function": "handler", "calls": "time.sleep"}
    assert one["evidence"]["longest wait"] == "1.0 s"


def test_requests_of_others_are_looked_at_as_a_whole():
    """Without a burst, the findings are those of all requests; without requests there are none."""
    assert of_run(Timeline()) == []
    line = burst(2, held(1, 4, 1_004), held(2, 1_005, 2_005))
    alone = Timeline()
    assert [one.id for one in of_run(line)] == ["blocking-call"]
    assert of_run(alone) == []


def test_bursts_at_the_same_time_are_looked_at_together():
    """What delays the requests of several bursts, as those of several paths are, is one finding."""
    fired = [streams.fired(0, 1, "x", 1, 1), streams.fired(0, 2, "x", 2, 2)]
    line = timeline(streams.thread(0, 1, "loop"), *fired)
    feed(line, [streams.sent(1, n) for n in (1, 2, 3)], streams.iteration(2))
    for n in (1, 2, 3):
        feed(line, streams.read(3, n, n), streams.made(3, n, n))
    feed(line, streams.step(4, 1), ends(1_004, 1), streams.step(1_005, 2), ends(1_006, 2))
    feed(line, streams.step(1_007, 3), ends(1_008, 3))
    (one,) = of_run(line)
    assert (one.id, one.requests) == ("blocking-call", (2, 3))
