"""Findings: what was measured is not the server's doing."""

from __future__ import annotations

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import step, stopped, suspend, wake


def waits(*more: Event) -> list[Event]:
    """A request that sleeps at an await for a second."""
    return [step(4, 1), suspend(5, 1), streams.idle(6), *more, streams.iteration(1_000), wake(1_000, 1),
            step(1_001, 1), *ends(1_002, 1)]  # fmt: skip


def test_a_stop_of_the_whole_program():
    """What a request lost while the whole program was stopped says nothing about the server."""
    (found,) = findings(burst(1, waits(stopped(800, 200))))
    assert (found.id, found.lost) == ("observer-late", 600_000_000)
    assert found.what == "The whole program was stopped once, for 600 ms in all, and 1 request with it."


def test_a_stop_while_nothing_happened_is_no_finding():
    """A stop before the burst has cost no request anything."""
    line = streams.timeline(stopped(-100, -900))
    assert not line.requests
    assert ids(burst(1, waits())) == []


def test_events_that_were_lost():
    """If events were lost, that is a finding without a loss."""
    (found,) = findings(burst(1, waits()), dropped=12)
    assert (found.id, found.lost, found.requests) == ("observer-late", 0, ())
