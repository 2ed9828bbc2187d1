"""Findings: all threads of a limit are taken."""

from __future__ import annotations

import pytest

from loopviz.findings.rules import thread_limit
from loopviz.findings.seen import Seen
from loopviz.stream import events as ev
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.findings.pools import called, in_order, rounds, waiting
from tests.streams import MS, ns

SOURCE = {
    "app.py": [
        "@app.get('/')",
        "def report(user=Depends(current_user)):",
        "    time.sleep(1)",
        "",
        "def current_user():",
        "    time.sleep(1)",
        "",
        "def other():",
        "    time.sleep(1)",
    ]
}
STREAM = "/lib/python3/site-packages/starlette/concurrency.py"
VALIDATES = "/lib/python3/site-packages/fastapi/_compat/v2.py"


def test_endpoints_take_all_threads():
    """Endpoints that have all threads, and others that wait for one: who, how long, and by what."""
    (found,) = findings(burst(3, rounds(3, 2, 1_000, ("app.py", 2, "report"))), SOURCE)
    assert (found.id, found.severity, found.confidence) == ("thread-limit", "high", "measured")
    assert found.what == (
        "1 request waited for a thread, up to 1.0 s: all 2 of AnyIO's threads were taken by the endpoint"
        " report (app.py:2)."
    )
    assert (found.requests, found.culprits) == ((3,), (1, 2))
    assert found.lost == pytest.approx(1e9, rel=0.01)
    assert found.do.startswith("Make report async def")


@pytest.mark.parametrize(
    ("where", "by"),
    [
        (("app.py", 5, "current_user"), "the dependency current_user"),
        (("app.py", 8, "other"), "calls of other"),
        (("", 0, "stat"), "reading files"),
        ((STREAM, 50, "_next"), "streams of plain generators"),
        ((VALIDATES, 173, "ModelField.validate"), "validating responses"),
    ],
)
def test_by_what_the_threads_are_taken(where, by):
    """Dependencies, files, streams and validation share the limit, and are named."""
    found = next(f for f in findings(burst(3, rounds(3, 2, 1_000, where)), SOURCE) if f.id == "thread-limit")
    assert ("threads held by", by) in found.evidence


def test_a_dependency_that_takes_all_threads_is_one_finding():
    """That the dependency is slow as well is not said again; and a single thread is said to be one."""
    endpoint = "async def report(user=Depends(current_user)):"
    source = {
        "app.py": [
            *SOURCE["app.py"][:1],
            endpoint,
            *SOURCE["app.py"][2:],
        ]
    }
    (found,) = findings(burst(3, rounds(3, 1, 1_000, ("app.py", 5, "current_user"))), source)
    assert found.id == "thread-limit"
    assert "AnyIO's only thread was taken by the dependency current_user" in found.what


def test_background_tasks_keep_threads():
    """Calls after the response are background tasks, whatever function they are."""
    events = [
        streams.pool(0, 1, "default-limiter", size=1),
        streams.step(4, 1),
        streams.status(5, 200, 1),
        streams.responded(5, 1),
        called(6, 1, 1, 100, "app.py", 8, "other"),
        streams.suspend(6, 1),
        streams.step(7, 2),
        *waiting(8, 2),
        streams.returns(1_006, 1),
        streams.step(1_007, 1),
        streams.end(1_008, 1),
        streams.wake(1_007, 2),
        streams.step(1_009, 2),
        *ends(1_010, 2),
    ]
    line = burst(2, in_order(events))
    newest = line.bursts[-1]
    seen = Seen(line, newest.requests, newest.began, newest.done or 0, line.last, lambda _: SOURCE["app.py"])
    (found,) = thread_limit.look(seen)
    assert ("threads held by", "the background task other") in found.evidence


def test_threads_that_compute():
    """Threads that compute share the GIL: more of them would not be faster."""
    clocks = [streams.cpu(at, 101, at * 0.5) for at in range(10, 2_000, 100)]
    clocks += [streams.cpu(at, 102, at * 0.5) for at in range(10, 2_000, 100)]
    events = in_order([*rounds(3, 2, 1_000, ("app.py", 2, "report")), *clocks])
    assert "thread-limit" not in ids(burst(3, events), lines=SOURCE)


def test_a_bridge_to_wsgi_has_a_limit_of_its_own():
    """A pool with a thread for each request of a WSGI application is a limit, and no pool of one's own."""
    events = rounds(3, 2, 1_000, ("", 0, "Context.run"))
    events = [e for e in events if e[1] not in {ev.POOL_CALL, ev.TOKEN_WAIT, ev.POOL, ev.TOKENS}]
    handed = [
        one
        for number in (1, 2, 3)
        for one in (streams.submit(4.5, number, number, number), (ns(4.6), ev.POOL_CALL, number, number, 1))
    ]
    found = findings(burst(3, streams.pool(0, 1, "executor", "WSGI", 2), in_order([*events, *handed])))
    assert [(one.id, one.scenario) for one in found] == [("thread-limit", "asgi")]


def test_threads_that_are_enough():
    """As many threads as there are calls: nobody waits, and nothing is found."""
    assert ids(burst(2, rounds(2, 2, 1_000, ("app.py", 2, "report"))), lines=SOURCE) == []


def test_a_short_wait_for_a_thread():
    """A wait that is a small part of what its request takes anyway is no finding."""
    events = rounds(3, 2, 30, ("app.py", 2, "report"))
    later = [(e[0] + 2_000 * MS, *e[1:]) if e[0] > ns(60) else e for e in events]
    assert ids(burst(3, *later), lines=SOURCE) == []


def test_the_repair_is_named_where_a_function_sleeps():
    """Whether lines have their ends or not, a thread that only sleeps can be done without."""
    events = rounds(3, 2, 1_000, ("app.py", 3, "report"))
    for end in ("", "\n", "\r\n"):
        (found,) = findings(burst(3, events), {"app.py": [line + end for line in SOURCE["app.py"]]})
        assert found.repair == "async-sleep"
        assert found.change is not None
        assert found.change[1] == (
            "async def report(user=Depends(current_user)):",
            "    await asyncio.sleep(1)",
        )
    (found,) = findings(burst(3, events), {"app.py": ["", "", "    work()"]})
    assert found.repair is None
