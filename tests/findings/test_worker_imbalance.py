"""Findings: one worker of the server queues while another one idles."""

from __future__ import annotations

from loopviz.findings import Finding
from loopviz.findings.rules import worker_imbalance
from loopviz.findings.seen import Seen
from loopviz.findings.table import of_burst
from loopviz.model import Timeline
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests import streams
from tests.streams import idle, iteration, made, ns, read, sent, step, suspend, timeline, worker
from tests.streams import of_worker as of

B = 1 << 48


def served(*workers: int) -> Timeline:
    """A request for each of these numbers of workers; each holds the loop of its worker for 300 ms."""
    events: list[Event] = [worker(0, 0, 100), worker(0, 1, 101), streams.fired(1, count=len(workers))]
    for each in (0, 1):
        events += of(each, streams.thread(1, each * B + 1, "loop"), iteration(1), idle(2))
    free = [10.0, 10.0]
    for number, where in enumerate(workers, 1):
        task = where * B + number + 1
        events += [sent(5, number), *of(where, read(6, number), made(6, task, number))]
    for number, where in enumerate(workers, 1):
        at, task = free[where], where * B + number + 1
        free[where] += 300
        events += of(
            where, step(at, task), streams.status(at + 298, 200, number), streams.responded(at + 298, number)
        )
        events += of(where, streams.end(at + 299, task))
    for each in (0, 1):
        events += of(each, iteration(9), idle(free[each]))
    return timeline(sorted(events, key=lambda event: event[0]))


def found_in(line: Timeline) -> list[Finding]:
    """What the rule finds in the burst."""
    burst = line.newest_burst(line.last)
    assert burst is not None
    seen = Seen(line, burst.requests, burst.began, burst.done or line.last, line.last)
    return list(worker_imbalance.look(seen))


def test_a_worker_with_all_requests():
    """All requests are in one worker, and wait for its loop, while the other one is idle."""
    (found,) = found_in(served(0, 0, 0))
    assert (found.id, found.confidence) == ("worker-imbalance", "measured")
    assert (
        found.what
        == "Worker a had 3 of 3 requests, and 2 of them waited up to 596 ms; b had 0, and was idle meanwhile."
    )


def test_a_worker_that_was_started_meanwhile():
    """It was not idle: it was not there."""
    line = served(0, 0, 0)
    streams.feed(line, worker(950, 1, 101, "ended", "exit"), worker(960, 1, 102))
    assert found_in(line) == []


def test_requests_that_are_spread():
    """Each worker has as many as the other: that both queue is no imbalance."""
    assert found_in(served(0, 1, 0, 1)) == []


def test_a_single_process():
    """A server of one process has no other one."""
    line = timeline(streams.fired(0), streams.accepted(), step(3), suspend(4), (ns(5), ev.RESPONDED, 1))
    burst = line.newest_burst(line.last)
    assert burst is not None
    assert [one.id for one in of_burst(line, burst) if one.id == "worker-imbalance"] == []


def handled(number: int, where: int, at: float, until: float, function: str) -> list[Event]:
    """A request holds the loop of its worker in this function, and is answered."""
    task = where * B + number + 1
    samples = [streams.holds(at + 30 * n, task, at) for n in (1, 2, 3)] if until - at > 100 else []
    return of(
        where,
        step(at, task),
        *((*event[:6], function, *event[7:]) for event in samples),
        streams.status(until - 2, 200, number),
        streams.responded(until - 2, number),
        streams.end(until - 1, task),
    )


def test_a_block_delays_the_requests_of_its_own_worker():
    """Each worker has a loop of its own: who waits in one of them does not wait for the other."""
    events: list[Event] = [worker(0, 0, 100), worker(0, 1, 101), streams.fired(1, count=4)]
    for each in (0, 1):
        events += of(each, streams.thread(1, each * B + 1, "loop"), iteration(1), idle(2))
    for number, where in ((1, 0), (2, 0), (3, 1), (4, 1)):
        events += [sent(5, number), *of(where, read(6, number), made(6, where * B + number + 1, number))]
    events += handled(1, 0, 10, 310, "one") + handled(2, 0, 310, 320, "one")
    events += handled(3, 1, 10, 410, "two") + handled(4, 1, 410, 420, "two")
    for each in (0, 1):
        events += of(each, iteration(9), idle(500))
    line = timeline(sorted(events, key=lambda event: event[0]))
    burst = line.newest_burst(line.last)
    assert burst is not None
    two, one = of_burst(line, burst)
    assert (two.where and two.where.function, two.requests, two.culprits) == ("two", (4,), (3,))
    assert (one.where and one.where.function, one.requests, one.culprits) == ("one", (2,), (1,))
