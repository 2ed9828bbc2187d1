"""Findings: a `def` endpoint that returns at once."""

from __future__ import annotations

import pytest

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.findings.pools import called

SOURCE = ["@app.get('/')", "def ping():", "    return {'ok': True}"]


def on_the_way(count: int, works: float = 0.05, back: float = 20) -> list[Event]:
    """Requests whose call in a thread takes `works` ms, and whose way back takes `back` ms."""
    events: list[Event] = []
    for number in range(1, count + 1):
        events += [streams.step(4, number), streams.suspend(4.5, number)]
    for number in range(1, count + 1):
        events += [called(6, number, number, 100 + number, "app.py", 2, "ping")]
    for number in range(1, count + 1):
        events += [streams.returns(6 + works, number)]
    for number in range(1, count + 1):
        events += [streams.step(6 + works + back, number), *ends(6.1 + works + back, number)]
    return events


def test_the_way_to_a_thread_and_back():
    """Requests that spend their time on the way to a thread and back, and next to none in it."""
    (found,) = findings(burst(12, on_the_way(12)), {"app.py": SOURCE})
    assert (found.id, found.severity, found.scenario) == ("trivial-def", "low", "trivial_async")
    assert found.what == (
        "12 requests worked 50 µs each in ping (app.py:2), and the way to a worker thread and back took"
        " 22 ms."
    )
    assert found.change == (("def ping(...):",), ("async def ping(...):",))


@pytest.mark.parametrize(
    "line",
    [
        "one = ITEMS.get(1); return one.get('a').upper()",
        "return datetime.now(utc).isoformat()",
        "return ' '.join(NAMES).upper()",
    ],
)
def test_calls_that_never_wait(line):
    """Methods of literals, and modules that only compute, need no thread either."""
    source = ["@app.get('/')", "def ping():", f"    {line}", "ITEMS = {1: 2}", "NAMES = ['a']"]
    assert ids(burst(12, on_the_way(12)), lines={"app.py": source}) == ["trivial-def"]


@pytest.mark.parametrize(
    ("count", "works", "source"),
    [
        (5, 0.05, SOURCE),
        (12, 5, SOURCE),
        (12, 0.05, ["@app.get('/')", "def ping():", "    return database.one()"]),
        (12, 0.05, ["@app.get('/')", "def ping():", "    return cache.get(1)", "cache = Cache()"]),
        (12, 0.05, ["@app.get('/')", "def ping():", "    return ALL['a'].get(1)", "ALL = {'a': Cache()}"]),
        (12, 0.05, ["@app.get('/')", "def ping():", "    return time.sleep(0.0001)"]),
        (12, 0.05, ["@app.get('/')", "async def ping():", "    return 1"]),
        (12, 0.05, []),
    ],
    ids=[
        "few requests",
        "it works",
        "it may wait",
        "an object",
        "one of several",
        "it sleeps",
        "async def",
        "no source",
    ],
)
def test_what_is_not_trivial(count, works, source):
    """Few requests, work in the thread, a call that may wait, or no source: nothing is said."""
    assert ids(burst(count, on_the_way(count, works)), lines={"app.py": source}) == []
