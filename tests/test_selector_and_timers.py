"""How long the loop has not looked at its selector, and how late timers are: now, and at past moments."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.model.lags import LAG, Lags
from loopviz.model.timers import LATE, Overdue, Timers
from tests.streams import (
    MS,
    accepted,
    feed,
    idle,
    iteration,
    made,
    ms,
    ns,
    read,
    sent,
    step,
    suspend,
    timeline,
    wake,
)


def held():
    """Request 1 holds the loop from 20 to 420 ms, while task 2 sleeps until 100 ms."""
    line = timeline(iteration(-1), accepted(), accepted(2, 2), suspend(3, 2, due=100), suspend(4), idle(5))
    feed(line, iteration(20), wake(20), step(20))
    return line


def test_a_loop_that_is_held_has_not_looked_since_its_iteration_began():
    """While a step lasts, the selector was last looked at when the iteration began."""
    loop = held().processes[0].loop
    assert ms(loop.looked(ns(300))) == 20


def test_a_loop_that_sleeps_looks_at_its_selector():
    """While the loop sleeps, its selector is looked at now."""
    line = held()
    feed(line, suspend(420), idle(421))
    loop = line.processes[0].loop
    assert ms(loop.looked(ns(450))) == 450


def test_the_past_is_known_as_the_present_was():
    """What was said of the selector and of timers while the loop was held is said afterwards, too."""
    line = held()
    loop = line.processes[0].loop
    before = [(loop.looked(ns(t)), loop.timers.overdue(ns(t))) for t in range(20, 420, 40)]
    feed(line, suspend(420), iteration(421), wake(421, 2), iteration(422), step(422, 2), suspend(423, 2))
    feed(line, idle(423), iteration(900), idle(901))
    assert [(loop.looked(ns(t)), loop.timers.overdue(ns(t))) for t in range(20, 420, 40)] == before
    assert loop.timers.overdue(ns(380)) == Overdue(1, ns(100))
    assert loop.timers.overdue(ns(422)) == Overdue(0, ns(422))


def test_a_loop_without_visible_iterations_says_nothing():
    """Uvloop has no selector that could be watched, and before the first iteration nothing is known."""
    unseen = timeline(sent(0), read(1), made(1), step(2), suspend(3)).processes[0].loop
    seen = timeline(iteration(50), idle(51)).processes[0].loop
    assert unseen.looked(ns(100)) is None
    assert seen.looked(ns(10)) is None


def test_a_cancelled_sleep_is_not_late():
    """A task that is woken before its timer is due leaves nothing that is late."""
    line = timeline(accepted(), suspend(3, due=500), wake(100), step(101), suspend(102))
    assert line.processes[0].loop.timers.overdue(ns(800)) == Overdue(0, ns(800))


def test_what_is_dropped_is_not_known():
    """Of moments before the oldest that is kept, nothing is said."""
    lags, timers = Lags(20), Timers(10)
    for n in range(1, 40):
        lags.add(n * 10 * MS, 5 * MS)
        timers.sleeps(n * 10 * MS - 9 * MS, 1, n * 10 * MS - 5 * MS)
        timers.fires(n * 10 * MS, 1)
    assert (lags.began(20 * MS), timers.overdue(20 * MS)) == (None, None)
    assert lags.began(388 * MS) == 385 * MS
    assert timers.overdue(388 * MS) == Overdue(1, 385 * MS)
    assert len(lags) <= 10


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=30), st.integers(0, 120))
def test_iterations_are_found_in_any_order(parts, t):
    """An iteration that becomes known late is found as if it had been known at once."""
    spans, at = [], 0
    for gap, length in parts:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    lags = Lags(None)
    for start, end in sorted(spans, key=lambda span: (span[0] * 7919) % 31):
        lags.add(end * MS, (end - start) * MS)
    lasting = [start for start, end in spans if start < t <= end]
    assert lags.began(t * MS) == (lasting[0] if lasting else t) * MS
    assert lags.longest(0) == max((end - start for start, end in spans), default=0) * MS
    assert LAG < LATE
