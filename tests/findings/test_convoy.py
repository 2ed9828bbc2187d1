"""Findings: a convoy for a lock or a connection."""

from __future__ import annotations

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids


def convoy(what: str, name: str = "", *, holder: bool = True, each: float = 300) -> list[Event]:
    """Three requests that have something one after the other; the others await it meanwhile, at line 21."""
    events: list[Event] = []
    for number in (1, 2, 3):
        events += [streams.step(4, number), streams.suspend(5, number), streams.awaits(25, number, 30)]
        if number > 1:
            events[-1] = streams.awaits(25, number, 21)
            events += [streams.awaited(25, number, what, name, 1 if holder else 0)]
    for number in (1, 2, 3):
        at = each * number
        events += [streams.wake(at, number), streams.step(at, number), *ends(at + 1, number)]
        if number < 3:
            following = number + 1
            events += [streams.wake(at + 2, following), streams.step(at + 3, following)]
            events += [streams.suspend(at + 4, following), streams.awaits(at + 30, following, 30)]
            if following == 2:
                events += [streams.awaited(at + 30, 3, what, name, 2 if holder else 0)]
    return sorted(events, key=lambda event: event[0])


def test_a_lock_and_who_holds_it():
    """Who waited for a lock, who had it, and at which line that one was meanwhile."""
    (found,) = findings(burst(3, convoy("lock")))
    assert (found.id, found.confidence, found.title) == ("convoy", "measured", "A convoy for a lock")
    assert (
        found.what == "2 requests waited for a lock at app.py:21, up to 597 ms; #1 #2 had it, at app.py:30."
    )
    assert set(found.culprits) == {1, 2}
    assert sorted(found.requests) == [2, 3]
    assert found.where is not None
    assert found.where.line == 30


def test_connections_of_a_pool():
    """Who has a connection is not seen; who came past the line meanwhile is likely to."""
    source = {"app.py": ["engine = create_engine(url, pool_size=2)"]}
    (found,) = findings(burst(3, convoy("connection", "sqlalchemy", holder=False)), source)
    assert (found.id, found.confidence) == ("convoy", "likely")
    assert found.what.startswith(
        "2 requests waited for a connection of sqlalchemy at app.py:21, up to 597 ms"
    )
    assert 1 in found.culprits
    assert found.change is not None
    assert found.change[1] == ("engine = create_engine(url, pool_size=10)",)


def test_a_lock_that_is_given_back_at_once():
    """A wait of a few milliseconds is no convoy."""
    waits = [streams.step(4, 2), streams.suspend(5, 2), streams.awaits(8, 2), streams.awaited(8, 2, "lock")]
    waits += [streams.wake(15, 2), streams.step(15, 2), streams.suspend(16, 2), streams.idle(17)]
    waits += [streams.iteration(600), streams.wake(600, 2), streams.step(600, 2), *ends(601, 2)]
    assert ids(burst(2, waits)) == []


def test_a_queue_is_no_convoy():
    """Who waits for what others have yet to make does not wait for what they have."""
    assert ids(burst(3, convoy("queue", "get", holder=False))) == []


POOL = [
    *["pass"] * 18, "async def handler():", "    async with entered():", "        one = await free.get()",
    "        try:", "            return await one.fetch()", "        finally:",
    "            free.put_nowait(one)",
]  # fmt: skip


def test_a_queue_that_is_a_pool():
    """Who takes an item of a queue and puts it back makes others wait for it, as for a connection."""
    line = burst(3, convoy("queue", "get", holder=False))
    (found,) = findings(line, {"app.py": POOL})
    assert (found.id, found.title, found.confidence) == ("convoy", "A convoy for a queue", "likely")
    assert found.what.startswith("2 requests waited for an item of a queue at app.py:21, up to 597 ms")


def test_a_queue_that_hands_on_work():
    """Who waits for an item that another one makes, or takes work in a loop, waits in no convoy."""
    line = burst(3, convoy("queue", "get", holder=False))
    events = [text.replace("put_nowait(one)", "task_done()") for text in POOL]
    loop = [text.replace("async with entered()", "while True") for text in POOL]
    assert findings(line, {"app.py": events}) == findings(line, {"app.py": loop}) == findings(line) == []


def test_a_queue_while_the_loop_is_held():
    """While a request holds the loop it cannot put its item back: what holds the loop is to blame."""
    events: list[Event] = []
    for number in (2, 3):
        events += [streams.step(4, number), streams.suspend(5, number), streams.awaits(25, number, 21)]
        events += [streams.awaited(25, number, "queue", "get", 0)]
    events += [streams.step(6, 1), *(streams.holds(at, 1, 6, 30) for at in range(30, 1_000, 20))]
    events += ends(1_006, 1)
    for number in (2, 3):
        at = 1_005 + number
        events += [streams.wake(at, number), streams.step(at, number), *ends(at + 1, number)]
    events += [streams.step(1_010, 4), *ends(1_011, 4)]
    line = burst(4, sorted(events, key=lambda event: event[0]))
    assert [found.id for found in findings(line, {"app.py": POOL})] == ["blocking-call"]
