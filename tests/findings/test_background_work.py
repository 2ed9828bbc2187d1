"""Findings: work that no client waits for, and that delays others."""

from __future__ import annotations

from collections.abc import Iterable

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import (
    call,
    cpu,
    end,
    holds,
    ns,
    responded,
    returns,
    status,
    step,
    suspend,
    token_wait,
    wake,
)


def after(number: int, at: float, answered: float, until: float) -> Iterable[Event]:
    """A step that answers at `answered`, and goes on until then."""
    yield step(at, number)
    yield cpu(at, 1, 0)
    yield status(answered, 200, number)
    yield responded(answered, number)
    for sample in range(4):
        yield holds(answered + 25 + sample, number, at, calls="time.sleep")
    yield cpu(until, 1, 0)
    yield end(until, number)


def test_work_after_the_response_that_holds_the_loop():
    """A background task that sleeps is found: its own client has the answer, the others wait."""
    line = burst(3, after(1, 4, 5, 505), after(2, 506, 507, 1_007), after(3, 1_008, 1_009, 1_010))
    (found,) = findings(line)
    assert (found.id, found.severity, found.repair) == ("background-work", "high", "async-sleep")
    assert found.what == (
        "Work after the response held the event loop twice at app.py:14 (time.sleep), for 1.0 s in all; "
        "2 requests waited for it, up to 1.0 s."
    )
    assert found.culprits == (1, 2)


def test_what_a_handler_does_before_its_response_is_no_background_work():
    """The same step, with the response at its end, is a blocking call."""
    line = burst(3, after(1, 4, 480, 505), after(2, 506, 990, 1_007), after(3, 1_008, 1_009, 1_010))
    assert ids(line) == ["blocking-call"]


def thread_burst(answered: float) -> list[Event]:
    """Request 1 has the only thread from 5 to 1,005 ms, and is answered at `answered`; request 2 waits."""
    first: list[Event] = [step(4, 1)]
    if answered < 1_000:
        first += [status(answered, 200, 1), responded(answered, 1)]
    first += [call(5, 1, 1, 1), suspend(6, 1), step(7, 2), (ns(8), "pool-call", 0, 2, 1), token_wait(8, 2)]
    first += [suspend(9, 2), streams.idle(10), streams.iteration(1_005), returns(1_005, 1), wake(1_005, 1)]
    first += [step(1_006, 1)]
    first += [end(1_007, 1)] if answered < 1_000 else ends(1_007, 1)
    return [
        *first, call(1_007, 2, 2, 2), streams.idle(1_008), streams.iteration(1_100), returns(1_100, 2),
        wake(1_100, 2), step(1_101, 2), *ends(1_102, 2),
    ]  # fmt: skip


def test_work_after_the_response_that_has_the_threads():
    """Sync background tasks have the threads that others wait for."""
    (found,) = [f for f in findings(burst(2, thread_burst(5))) if f.id == "background-work"]
    assert found.title == "Background work has the threads"
    assert (found.requests, found.culprits) == ((2,), (1,))


def test_an_endpoint_that_has_the_threads_is_no_background_work():
    """Who is not answered yet is not in the background."""
    assert "background-work" not in ids(burst(2, thread_burst(1_007)))
