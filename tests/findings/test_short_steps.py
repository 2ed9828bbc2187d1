"""Findings: short steps that keep others from the loop."""

from __future__ import annotations

from loopviz.stream.events import Event
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import cpu, step, suspend


def turns(requests: int, rounds: int, length: float) -> list[Event]:
    """The requests take turns on the loop, in steps of this length (ms), and give way after each."""
    found: list[Event] = []
    at = 4.0
    for turn in range(rounds):
        for number in range(1, requests + 1):
            found.append(step(at, number))
            at += length
            found += [suspend(at, number, "")] if turn < rounds - 1 else ends(at, number)
    return found


def test_steps_in_a_row_that_are_as_long_as_a_block():
    """Requests that compute in many short steps keep each other from the loop."""
    (found,) = findings(burst(4, turns(4, 60, 2)))
    assert (found.id, found.severity, len(found.requests)) == ("short-steps", "high", 4)
    assert found.what.startswith("4 requests ran on the event loop in 240 steps of up to 2 ms, 480 ms in all")


def test_few_long_steps_starve_as_well():
    """So do few steps that are just no blocks."""
    assert ids(burst(6, turns(6, 3, 80))) == ["short-steps"]


def test_many_requests_with_little_to_do_are_no_finding():
    """A loop that has many requests to serve is busy: no request has more than its share."""
    assert ids(burst(200, turns(200, 2, 1))) == []


def test_steps_that_only_some_requests_have_are_no_finding():
    """What few requests of a kind do is a cold start, or an accident of a busy machine."""
    cold = [*turns(2, 3, 60)]
    at = 4 + 2 * 3 * 60
    rest = [event for n in range(3, 9) for event in (step(at + n, n), *ends(at + n + 0.5, n))]
    assert ids(burst(8, cold, rest)) == []


def test_steps_that_wait_for_a_core_are_no_finding():
    """On a busy machine each step takes long: what counts is what they computed."""
    slow = [cpu(4, 1, 0), *turns(4, 20, 8), cpu(4 + 4 * 20 * 8, 1, 160)]
    assert ids(burst(4, slow)) == []
    same = [cpu(4, 1, 0), *turns(4, 20, 8), cpu(4 + 4 * 20 * 8, 1, 600)]
    assert ids(burst(4, same)) == ["short-steps"]
