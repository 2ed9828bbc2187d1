"""Whom a block delays, whose callback it is, and starvation: by events written by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from loopviz.model.starvation import Recent, Starvation
from loopviz.model.summary import summarise
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.streams import (
    MS,
    accepted,
    block_at,
    callback,
    end,
    feed,
    holds,
    idle,
    iteration,
    made,
    ms,
    ns,
    read,
    responded,
    returns,
    sent,
    shape,
    step,
    submit,
    suspend,
    timeline,
    wake,
)
from tests.streams import call as call_begins
from tests.streams import late_wake as late


def waiting(request: int = 2, at: float = 0) -> list[Event]:
    """A request that awaits something from 3 ms after `at` on."""
    return [*accepted(request, request, at), suspend(at + 3, request)]


def alone(*events):
    """#1 has a step from 10 ms to 310 ms, and #2 awaits something meanwhile."""
    return timeline(waiting(1), waiting(2, at=4), wake(9, 1), step(10, 1), *events)


# -- the blocking step itself ------------------------------------------------------------------


def test_what_the_step_wakes_is_no_victim():
    """A request that the blocking step wakes could not have run without that step."""
    line = alone(wake(308, 2), suspend(310, 1))
    assert line.blocks[0].victims == []
    assert line.victims(line.blocks[0], ns(309)) == []


def test_what_the_step_wakes_is_no_victim_while_it_lasts():
    """While the block lasts, who was woken by it is left out as well."""
    line = alone(wake(50, 2))
    assert line.victims(block_at(line, 300), ns(300)) == []


def test_who_was_ready_before_is_a_victim_although_it_is_woken_again():
    """A second task of a ready request that the step wakes does not make the request's delay good."""
    line = alone()
    feed(line, suspend(11, 1), made(11.5, 3, 2), step(12, 1), wake(100, 2), suspend(310, 1))
    assert line.blocks[0].victims == [2]


def test_a_thread_s_result_during_the_step_makes_a_victim():
    """Who becomes ready by a thread while the step lasts could have run on a free loop."""
    line = timeline(
        accepted(2, 2), submit(2.5, 1, 2, 2), suspend(3, 2), call_begins(3.5, 1, 2, 2), waiting(1, at=4),
        wake(9, 1), step(10, 1), returns(100), suspend(310, 1), wake(311, 2),
    )  # fmt: skip
    assert line.blocks[0].victims == [2]


def test_the_next_block_delays_whom_the_last_one_has_woken():
    """A wake that is reported late, in one block, counts for the blocks that follow."""
    line = alone(suspend(310, 1), step(311, 1), suspend(611, 1), wake(300, 2))
    assert [block.victims for block in line.blocks] == [[], [2]]


def test_a_callback_delays_whom_another_one_has_woken():
    """Who is woken early between two steps is delayed by the long callback that follows; who late, is not."""
    line = timeline(waiting(1), waiting(2, at=4), iteration(10), wake(10.1, 1), wake(305, 2), iteration(310))
    assert line.blocks[0].victims == [1]


# -- late wakes --------------------------------------------------------------------------------


def test_a_late_wake_dates_the_end_of_awaiting():
    """What the loop notices after the block was so since then: the request was ready, and a victim."""
    line = alone(suspend(310, 1), late(311, 2, since=100), wake(311, 2), step(312, 2))
    assert line.blocks[0].victims == [2]
    assert ("ready", 100, 312) in shape(line.requests[2].segments)
    assert line.victims(line.blocks[0], ns(90)) == []
    assert line.victims(line.blocks[0], ns(101)) == [2]


def test_a_late_wake_beside_its_own_wake():
    """The wake with its true time may come first, or be repeated: the request is a victim once."""
    line = alone(wake(100, 2), suspend(310, 1), late(311, 2, since=100), late(311, 2, since=100))
    assert line.blocks[0].victims == [2]


def test_a_late_wake_before_a_block():
    """Every block that lasted after the true time gets the victim, and none that was over."""
    line = alone(suspend(310, 1), step(320, 1), suspend(620, 1), late(621, 2, since=315))
    assert [block.victims for block in line.blocks] == [[], [2]]


def test_nobody_is_the_victim_of_its_own_block():
    """A late wake of another task of the request that blocks makes no victim."""
    line = alone(made(11, 3, 1), suspend(310, 1), late(311, 3, since=100))
    assert line.blocks[0].victims == []


def test_a_task_that_a_thread_has_started_late():
    """A coroutine that could have begun during the block makes its request a victim, which is in a thread."""
    line = timeline(
        accepted(2, 2), submit(2.5, 1, 2, 2), suspend(3, 2), call_begins(3.5, 1, 2, 2), waiting(1, at=4),
        wake(9, 1), step(10, 1), suspend(310, 1), made(311, 3, 2), late(311, 3, since=150),
    )  # fmt: skip
    (block,) = line.blocks
    assert block.victims == [2]
    assert line.victims(block, ns(100)) == []
    assert line.victims(block, ns(200)) == [2]


def test_a_late_wake_of_an_unknown_task():
    """A task that belongs to no request changes nothing."""
    line = alone(suspend(310, 1), late(311, 9, since=100))
    assert line.blocks[0].victims == []


def test_a_late_wake_that_is_reported_at_once():
    """A thread that says so while the block lasts makes a victim at once, whatever repeats it later."""
    line = alone(late(100, 2, since=100), wake(100, 2))
    assert line.victims(block_at(line, 300), ns(300)) == [2]
    feed(line, suspend(310, 1), late(311, 2, since=100))
    assert line.blocks[0].victims == [2]


# -- callbacks ---------------------------------------------------------------------------------


def sampled(*numbers: int, every: float = 20, request: int = 0):
    """Samples of callbacks from 20 ms on, beginning with an iteration at 0."""
    events: list[Event] = [iteration(0)]
    for index, number in enumerate(numbers):
        at = 20 + index * every
        events += [callback(at, number, request), holds(at, 0, 0)]
    return timeline(*events)


def test_one_callback_is_a_block_of_its_request():
    """The same callback in all samples is one block, of the request in whose context it is called."""
    line = sampled(1, 1, 1, 1, 1, 1, request=4)
    assert (block_at(line, 130).by, block_at(line, 130).request) == ("callback", 4)
    feed(line, iteration(130))
    (block,) = line.blocks
    assert (block.by, block.request, ms(block.start), ms(block.end)) == ("callback", 4, 0, 130)
    assert next(iter(line.loop_spans(ns(130)))).request == 4


def test_many_callbacks_are_no_block():
    """Another callback in every sample: no one of them has blocked the loop."""
    line = sampled(*range(1, 16))
    assert line.block_at(ns(319)) is None
    feed(line, iteration(330))
    assert not line.blocks
    assert line.busy(ns(0), ns(330)) == 330 * MS


def test_a_long_callback_after_short_ones():
    """It is blamed from halfway after the last sample of another one."""
    line = sampled(1, 2, 3, *[4] * 10)
    feed(line, iteration(270))
    (block,) = line.blocks
    assert (ms(block.start), ms(block.end), block.by) == (70, 270, "callback")


def test_callbacks_that_were_not_seen_apart():
    """Without a sample, or after the last one for long, several callbacks may have shared the time."""
    line = timeline(iteration(0), iteration(150))
    assert [block.by for block in line.blocks] == ["callbacks"]
    line = sampled(1)
    feed(line, iteration(200))
    assert [(block.by, block.request) for block in line.blocks] == [("callbacks", 0)]
    line = timeline(iteration(0), callback(150, 1, 3), holds(150, 0, 0), iteration(160))
    assert [(block.by, block.request) for block in line.blocks] == [("callbacks", 0)]


def test_samples_far_apart_prove_nothing_between_them():
    """Two callbacks, seen 200 ms apart by a sampler that got no time: neither is a block."""
    line = timeline(iteration(0), callback(20, 1), callback(220, 2), iteration(230))
    assert not line.blocks


def test_a_step_is_no_callback():
    """A sample of a callback that comes after the next step has begun does not name that step."""
    line = timeline(accepted(), callback(50, 1, request=7, since=1), suspend(150))
    assert [(block.by, block.request) for block in line.blocks] == [("step", 1)]


# -- starvation --------------------------------------------------------------------------------


def turns(*steps: tuple[int, float, float], requests: int = 4, lines: bool = True):
    """A loop that wakes at -1 ms to `requests` requests, and has these steps: request, start, end."""
    line = timeline(idle(-50), iteration(-1))
    for number in range(1, requests + 1):
        feed(line, sent(-2, number), read(0, number), made(0, number, number))
    for number, start, stop in steps:
        feed(line, step(start, number))
        if lines:
            feed(line, holds(start + 1, number, start, line=10 * number))
        feed(line, suspend(stop, number))
    return line


FOUR = [(1, 1, 81), (2, 82, 162), (3, 163, 243), (4, 244, 250)]


def test_short_steps_starve_those_who_wait():
    """Steps shorter than a block delay the third request for longer than one: that is starvation."""
    line = turns(*FOUR)
    assert not line.blocks
    (starved,) = line.starvations
    assert starved.victims == [3, 4]
    assert (ms(starved.start), ms(starved.end), starved.slowest) == (-1, 244, 4)
    assert starved.longest == 245 * MS
    assert starved.steps == 4
    shares = {(request, where.line): share for request, where, share in starved.culprits if where}
    assert shares[1, 10] == shares[2, 20] == shares[3, 30] == pytest.approx(0.32, abs=0.02)
    assert sum(share for _, _, share in starved.culprits) == pytest.approx(1)


def test_starvation_while_it_lasts():
    """It is reported when a request has waited for the threshold, with those that wait then and later."""
    line = turns(*FOUR[:1])
    feed(line, step(82, 2))
    assert line.starvation_at(ns(90)) is None
    now = line.starvation_at(ns(130))
    assert now is not None
    assert now.victims == [3, 4]
    assert now.end is None
    feed(line, suspend(162, 2), step(163, 3), suspend(243, 3), step(244, 4), suspend(250, 4), idle(251))
    assert line.starvation_at(ns(252)) is None
    past = line.starvation_at(ns(130))
    assert past is not None
    assert (past.waits, past.end, past.start) == (now.waits, None, now.start)
    past = line.starvation_at(ns(200))
    assert past is not None
    assert (past.victims, past.slowest, past.longest) == ([3, 4], 4, 201 * MS)
    assert line.starvation_at(ns(50)) is None


def test_a_pause_ends_starvation():
    """Requests that are read after the loop was idle have not waited for it."""
    line = turns((1, 1, 81), requests=1)
    feed(line, idle(81), iteration(100), read(101, 2), made(101, 2, 2), step(102, 2), suspend(180, 2))
    feed(line, step(181, 1), suspend(182, 1))
    assert not line.starvations


def test_a_look_at_the_sockets_is_no_pause():
    """An idle time shorter than a millisecond: the loop has only looked what else there is."""
    line = turns((1, 1, 81), requests=2)
    feed(line, idle(82), iteration(82.2), step(83, 1), suspend(160, 1), step(161, 2), suspend(162, 2))
    (starved,) = line.starvations
    assert starved.victims == [2]


def test_a_block_is_no_starvation():
    """Who waits for a block is its victim; what it waits beside it counts apart."""
    line = turns((1, 1, 300), (2, 301, 302))
    assert len(line.blocks) == 1
    assert not line.starvations
    line = turns((1, 1, 90), (2, 91, 180), (3, 181, 500), (4, 501, 502))
    (starved,) = line.starvations
    assert starved.victims == [3, 4]
    assert ms(starved.end) == 181
    assert line.blocks[0].victims == [4]


def test_two_times_of_starvation():
    """Waits with a pause between them are two; in one busy time they are one, with each one's longest."""
    line = turns(*FOUR)
    for number, start in ((1, 251), (2, 331), (3, 411), (4, 491)):
        feed(line, wake(250, number), step(start, number), suspend(start + 79, number))
    (one,) = line.starvations
    assert ms(one.end) == 491
    assert {number: round((b - a) / MS) for number, (a, b) in one.waits.items()} == {3: 164, 4: 245}
    feed(line, idle(600), iteration(700), wake(700, 1), wake(700, 2))
    feed(line, step(701, 1), suspend(790, 1), step(791, 3), suspend(880, 3), step(881, 2))
    assert [starved.victims for starved in line.starvations] == [[3, 4], [2]]


def test_a_request_that_is_answered_is_not_starved():
    """What a request does after its response delays nobody who waits."""
    line = timeline(idle(-50), iteration(-1), accepted(1), responded(3), made(3.1, 2, 1), end(4))
    feed(line, waiting(3, at=5), wake(9, 3), step(10, 3), suspend(90, 3), step(91, 3), suspend(170, 3))
    feed(line, step(171, 2), end(172, 2))
    assert not line.starvations


def test_starvation_on_uvloop():
    """Where idle time cannot be seen, steps close to each other are a busy time, and others are not."""

    def three(apart: float):
        line = timeline([event for n in (1, 2, 3) for event in (read(0, n), made(0, n, n))])
        for number in (1, 2, 3):
            start = 10 + (number - 1) * (80 + apart)
            feed(line, step(start, number), suspend(start + 80, number))
        return line

    assert [starved.victims for starved in three(1).starvations] == [[3]]
    assert not three(20).starvations


def test_starvation_in_the_summary():
    """The JSON document has starvations, with their culprits' shares, and what held the loop in a block."""
    line = turns(*FOUR, (1, 251, 451))
    document = summarise(line, scenario=None, environment={}, limit=1)
    (starved,) = document["loop"]["starvations"]
    assert list(starved) == ["start_s", "end_s", "victims", "longest_wait_s", "steps", "culprits"]
    assert starved["victims"] == [3, 4]
    assert starved["start_s"] == pytest.approx(0.001)
    assert starved["end_s"] == pytest.approx(0.246)
    assert starved["culprits"][0]["where"]["file"] == "app.py"
    assert {culprit["request"] for culprit in starved["culprits"]} <= {None, 1, 2, 3, 4}
    assert [block["by"] for block in document["loop"]["blocks"]] == ["step"]


def test_memory_of_starvation_is_bounded():
    """However many steps there are, and however many requests they serve, little is kept."""
    recent = Recent()
    for number in range(200_000):
        recent.add(number * 100_000, 100_000, number, None, step=True)
    assert len(recent._bins) == 250
    assert max(len(times) for _, _, times in recent._bins) <= 33
    starvation = Starvation(18_000 * MS, 20_000 * MS)
    recent.explain(starvation, 20_000 * MS)
    assert starvation.steps == pytest.approx(20_000, rel=0.02)
    assert Counter(request for request, *_ in starvation.culprits)[0] == 1


def test_a_request_known_late_is_once_a_victim_of_every_block_since_it_arrived():
    """However many blocks there were, each has the request once; a pipelined one is removed again."""
    line = timeline(waiting(1), threshold=50)
    for number in range(30):
        feed(line, iteration(100 * number + 10), idle(100 * number + 109))
    feed(line, iteration(3110), read(3111, 2, arrived=15), read(3112, 3, arrived=2015))
    assert [block.victims for block in line.blocks] == [*[[2]] * 20, *[[2, 3]] * 10]
    feed(line, [(ns(20), ev.BEHIND, 3)])
    assert [block.victims for block in line.blocks] == [[2]] * 30


def test_a_thread_s_result_makes_a_victim_of_a_request_that_the_step_has_woken_before():
    """The step wakes one task of a request; a thread's result then makes another one ready: it is delayed."""
    line = timeline(
        accepted(2, 2), made(2.2, 3, 2), submit(2.5, 1, 2, 2), suspend(3, 2), step(3.1, 3), suspend(3.2, 3),
        waiting(1, at=4), wake(9, 1), step(10, 1), wake(11, 3), call_begins(20, 1, 2, 2), returns(100),
        suspend(310, 1), wake(311, 2),
    )  # fmt: skip
    assert line.blocks[0].victims == [2]
