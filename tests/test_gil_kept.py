"""A process that does not answer because C code keeps the GIL: what the model makes of `keeps`."""

from __future__ import annotations

from loopviz.draw.story import say
from loopviz.model import Block, State, Timeline
from tests import moments, streams
from tests.streams import MS, accepted, feed, ns, timeline


def only(line: Timeline) -> Block:
    """The only block, which has ended."""
    (block,) = line.blocks
    return block


def test_a_step_that_keeps_the_gil_says_so_while_it_lasts() -> None:
    """The block grows, computes, and is known to keep the GIL as well."""
    line = moments.hog()
    block = line.block_at(ns(500))
    assert block is not None
    assert block.end is None
    assert block.keeps_gil
    assert block.kind == "computing"
    assert block.lasted(ns(500)) == 498 * MS
    assert line.victims(block, ns(500)) == [2, 3]
    said = say(line, ns(500))
    assert said.sentences[0] == "#1 GET / has held the loop and the GIL for 498 ms at app.py:14 (re.match)."


def test_what_the_process_says_later_is_not_counted_again() -> None:
    """Its own report of the kept GIL, the end of the step and the closing `keeps` make one block."""
    line = moments.hog()
    feed(line, streams.suspend(502), streams.keeps(502, 2), streams.iteration(503))
    feed(line, streams.gil(504, 15, 1), streams.idle(505))
    block = only(line)
    assert (block.start, block.end) == (ns(2), ns(502))
    assert block.gil <= 500 * MS
    assert block.gil >= 468 * MS
    assert line.busy(ns(0), ns(600)) < 505 * MS


def asleep() -> Timeline:
    """Request 1 is in thread 2 since 5 ms, and the loop sleeps."""
    line = timeline(streams.thread(0, 1, "loop"), streams.thread(0, 2), accepted(), streams.iteration(1))
    feed(line, streams.call(5), streams.suspend(9), streams.idle(10))
    return line


def test_a_worker_that_keeps_the_gil_holds_a_loop_that_sleeps() -> None:
    """While the GIL is kept the loop waits for it: an open block names the call and its line."""
    line = asleep()
    feed(line, streams.sent(50, 2), streams.keeps(200, 30, 2, 8, "re.match"))
    block = line.block_at(ns(300))
    assert block is not None
    assert (block.start, block.end) == (ns(30), None)
    assert block.kind == "waiting_for_gil"
    number, where = block.culprit
    assert number == 1
    assert where is not None
    assert (where.line, where.calls) == (8, "re.match")
    assert line.victims(block, ns(300)) == [2]
    assert line.requests[1].state is State.IN_THREAD


def test_a_loop_that_slept_on_sleeps_again_when_the_gil_is_free() -> None:
    """If the loop reports nothing of its own, its idle time goes on where the keeper ends."""
    line = asleep()
    feed(line, streams.keeps(200, 30, 2, 8), streams.keeps(300, 30, 2, 8), streams.keeps(400, 30))
    feed(line, streams.gil(400, 30, 2, 8))
    block = only(line)
    assert (block.start, block.end) == (ns(30), ns(400))
    assert line.block_at(ns(600)) is None
    feed(line, streams.iteration(700))
    assert line.idle == 320 * MS
    assert line.busy(ns(10), ns(700)) == 370 * MS


def test_a_loop_that_is_not_seen_when_it_sleeps_is_not_held_for_good() -> None:
    """On a loop without iterations the block ends with the keeper."""
    line = timeline(streams.thread(0, 1, "loop"), streams.sent(0), streams.read(1), streams.made(1))
    feed(line, streams.step(2), streams.suspend(9))
    feed(line, streams.keeps(200, 30, 2, 8), streams.keeps(400, 30))
    assert only(line).end == ns(400)
    assert line.block_at(ns(900)) is None


def test_a_loop_in_a_step_waits_for_the_gil_of_another_thread() -> None:
    """The step's block names the thread that keeps the GIL, although the sampler could say nothing."""
    line = timeline(streams.thread(0, 1, "loop"), streams.thread(0, 2), accepted())
    feed(line, streams.cpu(2, 1, 0), streams.waited(2, 1), streams.cpu(230, 1, 1))
    feed(line, streams.keeps(230, 10, 3, 8))
    block = line.block_at(ns(250))
    assert block is not None
    assert (block.by, block.kind, block.keeps_gil) == ("step", "waiting_for_gil", False)
    assert say(line, ns(250)).sentences[0] == "A thread has kept the GIL for 248 ms at app.py:8."


def test_a_process_that_is_stopped_is_no_block() -> None:
    """It is said to be stopped while it is, and not afterwards."""
    line = moments.stopped()
    assert line.stopped_since(ns(480)) == ns(10)
    assert line.block_at(ns(480)) is None
    assert "is stopped for 470 ms" in say(line, ns(480)).sentences[0]
    assert line.stopped_since(ns(1_000)) is None
    assert list(line.stops) == [(ns(10), ns(460))]
