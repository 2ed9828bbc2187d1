"""Findings: short steps that keep others from the loop."""

from __future__ import annotations

from loopviz.stream.events import Event
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import step, suspend


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
