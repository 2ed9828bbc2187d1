"""Bursts: one for each key press, by what was fired, never by which requests overlap."""

from __future__ import annotations

import pytest
from hypothesis import given

from loopviz.model import Burst, Timeline
from loopviz.model.limits import MAX_BURSTS
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.several import parted
from tests import streams
from tests.random_events import expanded_events
from tests.streams import MS, accepted, feed, fired, ms, ns, timeline


def answered(at: float, number: int) -> list[Event]:
    """The request's answer at `at`, with the end of its task."""
    return [streams.responded(at, number), streams.end(at + 1, number), streams.received(at + 2, number)]


def burst_of(line: Timeline, request: int) -> Burst:
    """The burst of a request; there must be one."""
    found = line.burst_of(request)
    assert found is not None
    return found


def test_two_bursts_that_overlap_are_two():
    """Requests belong to the key press that sent them, also when both run at the same time."""
    line = timeline(fired(0, 1, "a", 1, 2), accepted(1, 1, at=1), accepted(2, 2, at=1))
    feed(line, fired(50, 2, "b", 3, 2), accepted(3, 3, at=51), accepted(4, 4, at=51))
    feed(line, answered(100, 1), answered(120, 3), answered(130, 2), answered(140, 4))
    assert [(b.number, b.scenario, [r.id for r in b.requests]) for b in line.bursts] == [
        (1, "a", [1, 2]),
        (2, "b", [3, 4]),
    ]
    assert burst_of(line, 2).number == 1
    assert burst_of(line, 3).number == 2
    assert [b.makespan(line.last) // MS for b in line.bursts] == [129, 89]


def test_a_request_of_another_client_belongs_to_no_burst():
    """Another client's request has a number of its own, before, between and after those of bursts."""
    line = timeline(fired(0, 1, "a", 2, 2), streams.read(1, 1, 1), accepted(2, 2), accepted(3, 3))
    feed(line, streams.read(5, 4, 4))
    assert line.burst_of(1) is None
    assert line.burst_of(4) is None
    assert burst_of(line, 3).scenario == "a"


def test_a_burst_is_over_when_all_its_requests_are_answered():
    """Not when those that were sent are answered: with `at_once`, the next are still to come."""
    line = timeline(fired(0, count=2), accepted(1, 1, at=10), answered(60, 1))
    (burst,) = line.bursts
    assert not burst.over(ns(70))
    feed(line, accepted(2, 2, at=70))
    assert burst.makespan(ns(90)) == 80 * MS
    feed(line, answered(110, 2))
    line.prune(line.last)
    assert burst.over(ns(110))
    assert not burst.over(ns(100)), "in the past that a frozen picture shows, it was not"
    assert burst.makespan(ns(100)) == 90 * MS
    assert burst.makespan(ns(5_000)) == 100 * MS


def test_it_begins_when_its_first_request_is_sent():
    """Zero is the first request sent, which may be long after the key: a worker has to start first."""
    line = timeline(fired(0, 7, "celery", 1, 1, threads=4))
    newest = line.newest_burst(ns(1))
    assert newest is not None
    assert (newest.number, newest.scenario, newest.threads, newest.began) == (7, "celery", 4, 0)
    assert newest.makespan(ns(500)) == 0
    assert not newest.over(ns(500))
    feed(line, accepted(at=1_600))
    assert ms(newest.began) == 1_600


@pytest.mark.parametrize("error", [None, "given up"])
def test_a_request_that_got_no_answer_ends_too(error):
    """A client that has failed or given up waits no longer, whatever the server still does."""
    line = timeline(fired(0, count=2), accepted(1, 1), streams.sent(0, 2))
    feed(line, streams.received(40, 1, None, error or "ReadError"), streams.received(50, 2, None, "x"))
    (burst,) = line.bursts
    assert burst.over(ns(50))
    assert burst.makespan(ns(60)) == 50 * MS
    assert not burst.settled(ns(60)), "the server still works for the first one"
    feed(line, streams.responded(70, 1), streams.end(80, 1))
    assert burst.settled(ns(80))


def test_what_follows_the_responses_belongs_to_it():
    """A burst is over with its last answer, and settled when nothing runs after the responses either."""
    line = timeline(fired(0), accepted(), streams.responded(20), streams.suspend(21), streams.step(60))
    (burst,) = line.bursts
    assert burst.over(ns(30))
    assert not burst.settled(ns(50))
    feed(line, streams.end(70))
    assert burst.settled(ns(80))
    assert burst.makespan(ns(80)) == 20 * MS


def test_the_newest_is_the_one_fired_last_at_that_time():
    """The past has a newest burst of its own, and before the first key there is none."""
    line = timeline(fired(10, 1, "a"), fired(20, 2, "b", 2))
    assert line.newest_burst(ns(5)) is None
    assert [b and b.scenario for b in (line.newest_burst(ns(15)), line.newest_burst(ns(25)))] == ["a", "b"]


def test_bursts_are_removed_with_what_is_old_and_their_number_is_bounded():
    """A timeline keeps no burst that has no request left to show, and never more than the limit."""
    line = timeline(fired(0, 1, "a", 1, 1), accepted(), answered(50, 1))
    line.prune(ns(50) + line.retention + 1)
    assert list(line.bursts) == []
    for press in range(1, MAX_BURSTS + 100):
        feed(line, fired(100 + press, press, "a", 10 * press, 1))
    assert len(line.bursts) == MAX_BURSTS
    assert line.bursts[0].number == 100
    assert line.burst_of(10) is None


def test_clearing_removes_the_bursts_that_are_over():
    """`x` clears the picture; what still runs stays."""
    line = timeline(fired(0, 1, "a", 1, 1), accepted(), answered(50, 1))
    feed(line, fired(60, 2, "b", 2, 1), accepted(2, 2, at=61))
    line.forget()
    assert [burst.scenario for burst in line.bursts] == ["b"]


def test_a_request_whose_events_were_removed_does_not_keep_a_burst_open():
    """A request that was sent and is not kept any more counts as answered."""
    line = timeline(fired(0, count=2), accepted(1, 1), answered(5, 1), accepted(2, 2))
    line.requests.pop(1)
    feed(line, answered(40, 2))
    (burst,) = line.bursts
    assert burst.over(ns(40))


@given(expanded_events)
def test_any_events_leave_bursts_whole(events):
    """Whatever the events are: bursts are kept in their order, and are over only once they have begun."""
    line = Timeline()
    for event in sorted(events, key=lambda event: event[0]):
        line.feed([event])
        line.prune(line.last)
    kept = line.bursts
    assert len(kept) == sum(parted(event[1])[0] == ev.FIRED for event in events)
    for burst in kept:
        assert burst.done is None or burst.began <= burst.done
        assert burst.makespan(line.last) >= 0
        assert all(burst.first <= request.id < burst.stop for request in burst.requests)
