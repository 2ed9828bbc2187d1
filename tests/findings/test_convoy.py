"""Findings: a convoy for a lock or a connection."""

from __future__ import annotations

from loopviz.findings.once import done_once
from loopviz.model import Timeline
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


ONCE = [
    *["pass"] * 18, "async def handler():", "    if state.connection is None:", "        async with lock:",
    "            if state.connection is None:", *["                pass"] * 7,
    "                state.connection = await connect()", "    return await state.connection.fetch()",
]  # fmt: skip


def waits_for_the_first(*, then: int = 31) -> Timeline:
    """Two requests await a lock that the first one has until 300 ms; then they are at another line."""
    events: list[Event] = []
    for number in (1, 2, 3):
        events += [streams.step(4, number), streams.suspend(5, number)]
        events += [streams.awaits(25, number, 30 if number == 1 else 21)]
        if number > 1:
            events += [streams.awaited(25, number, "lock", "", 1)]
    for number in (1, 2, 3):
        events += [streams.wake(300, number), streams.step(300 + number, number)]
        events += [streams.suspend(300.5 + number, number), streams.awaits(330, number, then)]
    for number in (1, 2, 3):
        at = 400 + (100 * number if then == 30 else number)
        events += [streams.wake(at, number), streams.step(at, number), *ends(at + 0.5, number)]
    return burst(3, sorted(events, key=lambda event: event[0]))


def test_a_lock_in_which_one_works_for_all():
    """Who waits until another one has opened what all of them use would not be faster without the lock."""
    assert [one.id for one in findings(waits_for_the_first())] == ["convoy"]  # the source is not there
    assert findings(waits_for_the_first(), {"app.py": ONCE}) == []


def test_a_lock_in_which_each_one_works():
    """Who is seen to work inside of the lock after its wait has waited for its turn."""
    (found,) = findings(waits_for_the_first(then=30), {"app.py": ONCE})
    assert found.id == "convoy"
    assert [one.id for one in findings(burst(3, convoy("lock")), {"app.py": ONCE})] == ["convoy"]


def test_what_is_done_once():
    """Inside of a lock, what is asked first must be what is kept, and nothing else may be awaited."""
    assert done_once(ONCE, 21) == (22, 30)

    def inside(*body: str) -> bool:
        lines = [
            "async def get(self, key):",
            "    async with self.lock:",
            *(f"        {one}" for one in body),
        ]
        return done_once(lines, 2) is not None

    assert inside("if key not in self.values:", "    self.values[key] = await load(key)")
    assert inside(
        "if key in self.values:", "    return self.values[key]", "self.values[key] = await load(key)"
    )
    assert inside("found = self.values.get(key)", "if found is None:", "    found = await load(key)",
                  "    self.values[key] = found", "return found")  # fmt: skip
    assert not inside("self.values[key] = await load(key)")
    assert not inside("if key not in self.values:", "    self.values[key] = 1", "await save(key)")
    assert not inside("if key:", "    await save(key)")
    assert not inside("row = await find(key)", "if row is None:", "    row = await load(key)")
