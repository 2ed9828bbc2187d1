"""Findings: a pool of the application's own is exhausted."""

from __future__ import annotations

from loopviz.stream import events as ev
from loopviz.stream.events import Event, PoolKind
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.findings.pools import called, in_order
from tests.streams import ns

SOURCE = {
    "app.py": [
        "pool = ThreadPoolExecutor(1, thread_name_prefix='reports')",
        "async def handler():",
        "    await loop.run_in_executor(pool, work)",
        "    await asyncio.to_thread(work)",
    ]
}


def handed(count: int, size: int, lasts: float, kind: PoolKind = "executor", name: str = "") -> list[Event]:
    """Requests that hand a call each to an executor with so many workers."""
    events: list[Event] = [streams.pool(0, 7, kind, name, size)]
    for number in range(1, count + 1):
        events += [streams.step(4, number), streams.submit(5, number, number, number)]
        events += [(ns(5), ev.POOL_CALL, number, number, 7), streams.suspend(6, number)]
        events += [streams.awaits(30, number, 4 if kind == "default-executor" else 3)]
    for number in range(1, count + 1):
        turn, seat = divmod(number - 1, size)
        at = 7 + lasts * turn
        events += [called(at, number, number, 100 + seat, "app.py", 9, "work")]
        events += [streams.returns(at + lasts - 1, number)]
        events += [streams.step(at + lasts - 0.5, number), *ends(at + lasts - 0.4, number)]
    return in_order(events)


def test_a_pool_of_the_applications_own():
    """Its name, its size, who waited, and how many threads would have been enough."""
    found = next(iter(findings(burst(3, handed(3, 1, 200, name="reports")), SOURCE)))
    assert (found.id, found.confidence) == ("pool-exhausted", "measured")
    assert found.what.startswith(
        "2 requests waited for a thread of the pool reports, up to 401 ms: its only one"
    )
    assert found.do == "Give it a higher max_workers (3 for this load), or await without a thread."
    assert found.change is not None
    assert found.change[1] == ("pool = ThreadPoolExecutor(3, thread_name_prefix='reports')",)


def test_the_executor_of_asyncio():
    """`to_thread` has fewer threads than `def` endpoints: the repair is the other pool."""
    found = next(iter(findings(burst(3, handed(3, 2, 500, "default-executor", "asyncio")), SOURCE)))
    assert found.what.startswith("1 request waited for a thread of asyncio's default executor, up to 501 ms")
    assert found.change == (("await asyncio.to_thread(work)",), ("await run_in_threadpool(work)",))


def test_a_pool_with_room():
    """As many workers as there are calls is no finding."""
    assert ids(burst(2, handed(2, 2, 500)), lines=SOURCE) == []


def test_a_pool_of_processes():
    """A pool of as many processes as cores is as large as it should be, although calls wait for one."""
    assert ids(burst(3, handed(3, 1, 500, "processes")), lines=SOURCE) == []
