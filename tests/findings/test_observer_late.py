"""Findings: what was measured is not the server's doing."""

from __future__ import annotations

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import cpu, holds, step, stopped, suspend, waited, wake


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


def held_without_core(core: float) -> list[Event]:
    """Four steps of 120 ms in which the loop could have run, and had no core for so long (ms) in each."""
    found: list[Event] = [cpu(4, 1, 0), waited(4, 1)]
    for number in (1, 2, 3, 4):
        at = 4 + (number - 1) * 121
        found += [step(at, number), holds(at + 30, number, at), holds(at + 60, number, at)]
        found += [cpu(at + 120, 1, number * (120 - core)), waited(at + 120, 1, number * core)]
        found += ends(at + 120, number)
    return [*found, cpu(600, 1, 4 * (120 - core)), waited(600, 1, 4 * core)]


def test_a_machine_without_a_free_core():
    """What would be no block if a core had been free is the machine's doing, and no blocking call."""
    (found,) = findings(burst(4, held_without_core(100)))
    assert (found.id, found.title) == ("observer-late", "The machine had no free core")


def test_a_machine_that_is_a_little_busy_is_no_finding():
    """What is a block without its waits for a core as well is a blocking call."""
    assert ids(burst(4, held_without_core(5))) == ["blocking-call"]
