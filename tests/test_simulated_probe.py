"""What the real probe appends late, and what the timeline makes of it."""

from __future__ import annotations

from random import Random

import pytest

from loopviz.model import Timeline
from loopviz.stream import events as ev
from loopviz.stream.buffer import Reorder
from tests.simulated_probe import REPORTS, SimulatedProbe
from tests.streams import MS, ns, shape


def shown(probe: SimulatedProbe, reports: frozenset[str], every: int = 30) -> list[tuple[str, float, float]]:
    """The states of request 1, if its events are drained every 30 ms as the screen does."""
    reorder, line = Reorder(), Timeline()
    entries = probe.entries(reports)
    for now in range(ns(0), ns(400), every * MS):
        line.feed(reorder.push([event for at, event in entries if now - every * MS < at <= now], now))
    request = line.requests[1]
    return [
        (state, round(start), round(end)) for state, start, end in shape([*request.segments, *request.after])
    ]


def read() -> SimulatedProbe:
    """Request 1 is sent at 1 ms and read at 2; its task 1 runs from 5 ms on."""
    probe = SimulatedProbe(Random(0))
    probe.elsewhere(ns(1), (ev.SENT, 1, "GET", "/"))
    probe.on_loop(ns(2), ev.ITERATION)
    probe.on_loop(ns(2), ev.READ, 1, "GET", "/", 0)
    probe.on_loop(ns(3), ev.TASK, 1, 0, 1, "work")
    probe.begins(ns(5), 1)
    return probe


BEFORE = [("queued", 1, 2), ("ready", 2, 5)]


def test_a_step_that_answers_has_run_until_it_did():
    """Although it is reported when it ends, after 150 ms more; without that STEP the request never ran."""
    probe = read()
    probe.on_loop(ns(20), ev.RESPONDED, 1)
    probe.ends(ns(170), None, 0)
    assert shown(probe, REPORTS) == [*BEFORE, ("running", 5, 20), ("running", 20, 170)]
    assert shown(probe, frozenset())[:2] == [("queued", 1, 2), ("ready", 2, 20)]


def test_a_step_that_submits_a_call_has_run_until_it_ended():
    """The call begins and returns while the step lasts; then its task is ready, and waits for no thread."""
    probe = read()
    probe.on_loop(ns(10), ev.SUBMIT, 1, 1, 1)
    probe.elsewhere(ns(12), (ev.CALL, 1, 1, 1, 101, "app.py", 7, "work"))
    probe.elsewhere(ns(30), (ev.RETURN, 1))
    probe.ends(ns(120), "Future", 0)
    probe.woken(ns(121), 1)
    probe.begins(ns(130), 1)
    probe.ends(ns(140), None, 0)
    after = [("ready", 120, 130), ("running", 130, 140)]
    assert shown(probe, REPORTS) == [*BEFORE, ("running", 5, 120), *after]
    assert ("in_thread", 12, 30) in shown(probe, frozenset())


@pytest.mark.parametrize("at", [12, 60])
def test_a_call_of_another_thread_does_not_hide_the_step_that_lasts(at: int):
    """A sibling's call begins during a long step: the request runs, since that is the most active."""
    probe = read()
    probe.on_loop(ns(6), ev.TASK, 2, 1, 1, "child")
    probe.ends(ns(7), "Future", 0)
    probe.begins(ns(8), 2)
    probe.elsewhere(ns(at), (ev.CALL, 1, 1, 1, 101, "app.py", 7, "work"))
    probe.ends(ns(150), None, 0)
    probe.elsewhere(ns(170), (ev.RETURN, 1))
    drawn = shown(probe, REPORTS)
    assert drawn[:5] == [*BEFORE, ("running", 5, 7), ("ready", 7, 8), ("running", 8, 150)]
    assert ("in_thread", 150, 170) in drawn
    if at < 30:  # else the sampler has reported the step before
        assert ("running", 8, 150) not in shown(probe, frozenset())


def test_what_the_sampler_reports_does_not_hide_the_step_that_lasts():
    """A sibling is woken during a long step, and reported by the sampler because it waits."""
    probe = read()
    probe.on_loop(ns(6), ev.TASK, 2, 1, 1, "child")
    probe.ends(ns(7), "Future", 0)
    probe.begins(ns(8), 2)
    probe.ends(ns(9), "Future", 0)
    probe.woken(ns(39), 2)
    probe.begins(ns(40), 2)
    probe.woken(ns(45), 1)
    probe.ends(ns(180), None, 0)
    probe.begins(ns(182), 1)
    probe.ends(ns(183), None, 0)
    assert shown(probe, REPORTS)[4:] == [
        ("running", 8, 9),
        ("awaiting", 9, 39),
        ("ready", 39, 40),
        ("running", 40, 180),
        ("ready", 180, 182),
        ("running", 182, 183),
    ]
    assert ("running", 40, 180) not in shown(probe, frozenset())
