"""The timeline: states, blocks and victims, from events written by hand."""

from __future__ import annotations

import pytest

from loopviz.model import State, Tokens, Where
from loopviz.model.limits import MAX_SEGMENTS
from loopviz.stream import events as ev
from tests.streams import (
    MS,
    accepted,
    awaits,
    block_at,
    call,
    cpu,
    end,
    executes,
    feed,
    holds,
    idle,
    iteration,
    made,
    ms,
    ns,
    raised,
    read,
    received,
    responded,
    returns,
    sent,
    shape,
    status,
    step,
    submit,
    suspend,
    thread,
    timeline,
    token_wait,
    tokens,
    wake,
)

ACCEPTED = [("queued", 0, 1), ("ready", 1, 2)]
"""The segments that `accepted` leads to."""


def history(line, now, request=1):
    """The shape of a request's history, without what `accepted` leads to."""
    found = shape(line.requests[request].history(ns(now)))
    assert found[:2] == ACCEPTED
    return found[2:]


# -- one task ----------------------------------------------------------------------------------


def test_an_async_request_goes_through_its_states():
    """A request is queued, ready, running, awaiting, ready, running and done, without a gap."""
    line = timeline(accepted(), suspend(3), wake(8), step(9), responded(10), end(11))
    request = line.requests[1]
    assert shape(request.segments) == [
        *ACCEPTED,
        ("running", 2, 3),
        ("awaiting", 3, 8),
        ("ready", 8, 9),
        ("running", 9, 10),
    ]
    assert ms(request.done) == 10
    assert request.ended
    assert request.state is None
    assert request.totals == dict.fromkeys(State, 0) | {
        State.QUEUED: MS,
        State.READY: 2 * MS,
        State.RUNNING: 2 * MS,
        State.AWAITING: 5 * MS,
    }


def test_a_request_is_queued_until_it_is_read():
    """What is sent and not read is queued, as long as that lasts."""
    line = timeline(sent(0))
    assert shape(line.requests[1].history(ns(70))) == [("queued", 0, 70)]
    assert line.requests[1].own


def test_a_foreign_request_begins_when_it_arrived():
    """A foreign client's request was queued from its arrival to its reading."""
    line = timeline(read(10, arrived=4), made(10))
    assert shape(line.requests[1].history(ns(12))) == [("queued", 4, 10), ("ready", 10, 12)]
    assert not line.requests[1].own


@pytest.mark.parametrize("arrived", [None, 11], ids=["unknown", "in the future"])
def test_a_foreign_request_begins_when_it_is_read_at_the_latest(arrived):
    """Without a credible arrival a request begins with its reading."""
    line = timeline(read(10, arrived=arrived), made(10))
    assert shape(line.requests[1].history(ns(12))) == [("ready", 10, 12)]


def test_a_sending_that_is_reported_after_the_read_still_counts():
    """A late report of the sending puts the time in the queue before the rest."""
    line = timeline(read(5), sent(2), made(5), step(6), responded(7), end(7))
    request = line.requests[1]
    assert shape(request.segments) == [("queued", 2, 5), ("ready", 5, 6), ("running", 6, 7)]
    assert request.totals[State.QUEUED] == 3 * MS
    assert request.own


def test_a_sending_that_is_reported_after_the_end_does_not_start_another_life():
    """A request has one life, however late its sending is reported."""
    line = timeline(read(5), made(5), step(6), responded(7), end(7), sent(2))
    assert shape(line.requests[1].history(ns(9))) == [("queued", 2, 5), ("ready", 5, 6), ("running", 6, 7)]
    assert line.live == 0


def test_a_sleeping_task_is_ready_when_its_timer_is_due():
    """No event says that a timer is due: the view shows it live, and the past agrees."""
    line = timeline(accepted(), suspend(3, due=10))
    assert history(line, 10) == [("running", 2, 3), ("awaiting", 3, 10)]
    live = history(line, 50)
    assert live == [("running", 2, 3), ("awaiting", 3, 10), ("ready", 10, 50)]
    feed(line, wake(60), step(61))
    assert history(line, 61) == [("running", 2, 3), ("awaiting", 3, 10), ("ready", 10, 61)]
    assert history(line, 50) == live


def test_a_timer_that_is_due_before_its_step_ends_makes_ready():
    """A sleep shorter than the rest of its own step is never awaited."""
    line = timeline(accepted(), suspend(30, due=10))
    assert history(line, 40) == [("running", 2, 30), ("ready", 30, 40)]


def test_a_sleep_that_is_cancelled_ends_at_the_wake():
    """A task woken before its timer is ready at once, and its old timer means nothing later."""
    line = timeline(accepted(), suspend(3, due=90), wake(10), step(11), suspend(12))
    assert history(line, 100) == [
        ("running", 2, 3),
        ("awaiting", 3, 10),
        ("ready", 10, 11),
        ("running", 11, 12),
        ("awaiting", 12, 100),
    ]


def test_a_sleep_after_a_cancelled_sleep_is_as_long_as_it_says():
    """An old timer does not make a task ready that sleeps until a new one."""
    line = timeline(accepted(), suspend(3, due=20), wake(5), step(6), suspend(7, due=90))
    assert history(line, 80)[-1] == ("awaiting", 7, 80)
    feed(line, made(85, task=2), step(86, task=2), end(87, task=2))
    assert history(line, 95)[-2:] == [("awaiting", 87, 90), ("ready", 90, 95)]


def test_a_step_that_yields_without_awaiting_is_ready():
    """``await asyncio.sleep(0)`` awaits nothing, so the task could go on."""
    line = timeline(accepted(), suspend(3, awaited=""), step(7))
    assert history(line, 8) == [("running", 2, 3), ("ready", 3, 7), ("running", 7, 8)]


def test_a_wake_during_the_step_makes_ready_at_its_end():
    """What is done before the step ends is not awaited."""
    line = timeline(accepted(), wake(3), suspend(4))
    assert history(line, 6) == [("running", 2, 4), ("ready", 4, 6)]


def test_a_wake_during_a_step_counts_for_that_step_only():
    """The next step's await is an await."""
    line = timeline(accepted(), wake(3), suspend(4), step(5), suspend(6))
    assert history(line, 9)[-1] == ("awaiting", 6, 9)


def test_an_awaiting_segment_has_its_line():
    """A sampled await names the source line of the whole segment."""
    line = timeline(accepted(), suspend(3), awaits(40, line=21))
    assert line.requests[1].history(ns(50))[-1].where == Where("app.py", 21, "handler")
    feed(line, wake(60), step(61))
    where = {s.state.value: s.where for s in line.requests[1].segments}
    assert where["awaiting"] == Where("app.py", 21, "handler")
    assert where["ready"] is None


# -- worker threads ----------------------------------------------------------------------------


def test_a_call_in_a_thread():
    """A request is in its thread from the call's beginning to its return, then ready."""
    line = timeline(accepted(), suspend(3), call(4, thread=5), returns(20), wake(22), step(23))
    assert history(line, 24) == [
        ("running", 2, 3),
        ("awaiting", 3, 4),
        ("in_thread", 4, 20),
        ("ready", 20, 23),
        ("running", 23, 24),
    ]
    assert [s.thread for s in line.requests[1].segments if s.state is State.IN_THREAD] == [5]


def test_a_call_names_its_line():
    """A segment in a thread has the line last seen there, and before any sample the function's."""
    line = timeline(accepted(), suspend(3), call(4))
    assert line.requests[1].history(ns(5))[-1].where == Where("app.py", 7, "work")
    feed(line, executes(30, line=8))
    assert line.requests[1].history(ns(31))[-1].where == Where("app.py", 8, "work")


def test_a_call_that_begins_within_the_step():
    """While its step runs a request is running, even if its thread has begun."""
    line = timeline(accepted(), call(3), suspend(4), returns(9))
    assert history(line, 10) == [("running", 2, 4), ("in_thread", 4, 9), ("ready", 9, 10)]


def test_a_call_that_returns_within_the_step():
    """A thread that is back before the step ends is not waited for."""
    line = timeline(accepted(), call(3), returns(4), suspend(5))
    assert history(line, 8) == [("running", 2, 5), ("ready", 5, 8)]


@pytest.mark.parametrize("woken", [[wake(6)], []], ids=["cancelled", "wake-up lost"])
def test_the_return_of_a_call_that_is_no_longer_awaited_wakes_no_task(woken):
    """The return of a call that its task no longer awaits does not make the task ready."""
    line = timeline(accepted(), call(3), suspend(4), woken, step(7), suspend(8), returns(20))
    assert history(line, 30)[-2:] == [("running", 7, 8), ("awaiting", 8, 30)]


def test_a_task_that_the_limiter_delays_waits_for_a_thread():
    """A request whose task has to wait for a thread is in token_wait until the task is woken."""
    line = timeline(accepted(), token_wait(3), suspend(4), wake(50), step(52), suspend(53), call(54))
    assert history(line, 60) == [
        ("running", 2, 4),
        ("token_wait", 4, 50),
        ("ready", 50, 52),
        ("running", 52, 53),
        ("awaiting", 53, 54),
        ("in_thread", 54, 60),
    ]


def test_a_thread_is_waited_for_once():
    """An await that follows the wait for a thread is an ordinary await."""
    line = timeline(accepted(), token_wait(3), suspend(4), wake(50), step(52), suspend(53))
    assert history(line, 60)[-1] == ("awaiting", 53, 60)


def test_a_call_handed_to_a_full_executor_waits_for_a_thread():
    """From the submission to the call's beginning a request waits for a worker thread."""
    line = timeline(accepted(), submit(3), suspend(4), call(30), returns(40), wake(41), step(42), suspend(43))
    assert history(line, 50) == [
        ("running", 2, 4),
        ("token_wait", 4, 30),
        ("in_thread", 30, 40),
        ("ready", 40, 42),
        ("running", 42, 43),
        ("awaiting", 43, 50),
    ]


def test_a_submission_that_begins_within_the_step():
    """A call that begins at once is never waited for."""
    line = timeline(accepted(), submit(3), call(3.5), suspend(4))
    assert history(line, 9) == [("running", 2, 4), ("in_thread", 4, 9)]


def test_several_submissions_wait_until_the_last_begins():
    """Between two calls of a gather on one thread a request waits for the thread again."""
    line = timeline(
        accepted(), submit(3, call=1), submit(3, call=2), suspend(4), call(5, 1), returns(10, 1), call(12, 2)
    )
    assert history(line, 20) == [
        ("running", 2, 4),
        ("token_wait", 4, 5),
        ("in_thread", 5, 10),
        ("token_wait", 10, 12),
        ("in_thread", 12, 20),
    ]


def test_a_task_that_sleeps_does_not_wait_for_its_submission():
    """With a call still in the executor's queue, a sleep is a sleep."""
    line = timeline(accepted(), submit(3), suspend(4, due=20))
    assert history(line, 30) == [("running", 2, 4), ("awaiting", 4, 20), ("ready", 20, 30)]


# -- several tasks -----------------------------------------------------------------------------

CHILD = [made(2.5, task=2, parent=1), suspend(3), step(4, task=2)]
"""A child of task 1, which then awaits it."""


def test_a_running_child_makes_its_request_run():
    """A request runs while any of its tasks does."""
    line = timeline(accepted(), CHILD, suspend(6, task=2))
    assert history(line, 9) == [("running", 2, 3), ("ready", 3, 4), ("running", 4, 6), ("awaiting", 6, 9)]


def test_in_thread_comes_before_ready():
    """A request with a call in a thread is in_thread, although another of its tasks is ready."""
    line = timeline(accepted(), CHILD, suspend(5, task=2), call(6, task=2), wake(8), returns(12), step(14))
    assert history(line, 15)[3:] == [
        ("awaiting", 5, 6),
        ("in_thread", 6, 12),
        ("ready", 12, 14),
        ("running", 14, 15),
    ]


def test_ready_comes_before_token_wait():
    """A request is ready as soon as one of its tasks is, although another waits for a thread."""
    line = timeline(
        accepted(), CHILD, token_wait(5, task=2), suspend(6, task=2), wake(9), step(10), suspend(11)
    )
    assert history(line, 12)[3:] == [
        ("token_wait", 6, 9),
        ("ready", 9, 10),
        ("running", 10, 11),
        ("token_wait", 11, 12),
    ]


def test_token_wait_comes_before_awaiting():
    """A request waits for a thread while one of its tasks does, although another awaits something."""
    line = timeline(accepted(), CHILD, token_wait(5, task=2), suspend(6, task=2))
    assert history(line, 9)[-1] == ("token_wait", 6, 9)


def test_a_timer_ends_the_wait_for_a_thread_of_the_same_request():
    """A sibling whose timer is due makes a request ready, live as well as in hindsight."""
    line = timeline(
        accepted(),
        made(2.5, task=2),
        suspend(3, due=20),
        step(4, task=2),
        token_wait(5, task=2),
        suspend(6, task=2),
    )
    live = history(line, 50)
    assert live[-2:] == [("token_wait", 6, 20), ("ready", 20, 50)]
    feed(line, wake(60), step(61))
    assert history(line, 50) == live


def test_many_sleeping_children_with_different_dues():
    """A request is ready from its first child's due time on, and again from the next one's."""
    children = [made(2.5, task=n) for n in range(2, 12)]
    sleeps = [event for n in range(2, 12) for event in (step(n, n), suspend(n + 0.5, n, due=100 - 5 * n))]
    line = timeline(accepted(), children, suspend(2.6), sleeps)
    assert history(line, 60)[-2:] == [("awaiting", 11.5, 45), ("ready", 45, 60)]
    feed(line, wake(60, 11), step(61, 11), end(62, 11))  # 50, 55 and 60 have come due as well
    assert history(line, 63)[-2:] == [("running", 61, 62), ("ready", 62, 63)]
    feed(line, *(e for n in (10, 9, 8) for e in (wake(63, n), step(64, n), end(64.5, n))))
    assert history(line, 80)[-2:] == [("awaiting", 64.5, 65), ("ready", 65, 80)]


def test_a_task_made_after_a_timer_came_due_hides_nothing():
    """A timer that came due before another task was made has made its request ready since."""
    line = timeline(accepted(), suspend(3, due=10), made(20, task=2), step(21, task=2), end(22, task=2))
    assert history(line, 30) == [
        ("running", 2, 3),
        ("awaiting", 3, 10),
        ("ready", 10, 21),
        ("running", 21, 22),
        ("ready", 22, 30),
    ]


def test_two_threads_of_a_request_are_two_segments():
    """When one of two threads returns, the request is in the other."""
    line = timeline(
        accepted(),
        made(2.5, task=2),
        suspend(3),
        call(4, 1, thread=5),
        call(5, 2, task=2, thread=6),
        returns(8, 1),
    )
    segments = line.requests[1].history(ns(10))[-2:]
    assert [(s.state.value, s.thread, ms(s.end)) for s in segments] == [
        ("in_thread", 5, 8),
        ("in_thread", 6, 10),
    ]


def test_an_eager_childs_first_step_is_a_part_of_its_parents():
    """An eager child that suspends, or ends, within its parent's step does not end that step."""
    line = timeline(
        accepted(),
        made(10, task=2),
        suspend(20, task=2),
        made(30, task=3),
        end(40, task=3),
        suspend(200),
    )
    assert history(line, 210) == [("running", 2, 200), ("awaiting", 200, 210)]
    (block,) = line.blocks
    assert (ms(block.start), ms(block.end), block.request) == (2, 200, 1)


def test_a_thread_that_returns_within_an_eager_first_step():
    """A child whose thread is back before its eager first step ends does not wait for it."""
    line = timeline(accepted(), made(3, task=2), call(4, task=2), returns(5), suspend(6, task=2), suspend(7))
    assert history(line, 9) == [("running", 2, 7), ("ready", 7, 9)]


# -- the end -----------------------------------------------------------------------------------


def test_work_after_the_response_is_not_latency():
    """Background tasks are kept apart, and the request lives until they end."""
    line = timeline(accepted(), responded(5), suspend(6), wake(50), step(52), end(60))
    request = line.requests[1]
    assert shape(request.segments) == [*ACCEPTED, ("running", 2, 5)]
    assert shape(request.after) == [
        ("running", 5, 6),
        ("awaiting", 6, 50),
        ("ready", 50, 52),
        ("running", 52, 60),
    ]
    assert request.latency(ns(100)) == 5 * MS == sum(request.totals.values())
    assert request.ended


def test_a_task_that_outlives_the_handler_is_a_row_of_its_own():
    """A child that is not awaited, and outlives the handler, goes on as a row that its request started."""
    line = timeline(accepted(), made(3, task=2, parent=1), responded(5), end(6))
    assert line.live == 0
    feed(line, step(10, task=2), suspend(11, task=2))
    [row] = line.started(ns(11))
    assert (row.path, row.started_by, row.done) == ("work", 1, None)
    feed(line, end(12, task=2))
    assert shape(line.requests[1].after) == [("running", 5, 6)]
    assert shape(row.segments) == [("ready", 6, 10), ("running", 10, 11), ("awaiting", 11, 12)]


def test_the_client_has_gone():
    """A handler that ends without a whole response ends the request there, with an error."""
    line = timeline(accepted(), end(5))
    request = line.requests[1]
    assert ms(request.done) == 5
    assert request.error is not None
    assert "client" in request.error
    assert request.ended


def test_an_exception_is_the_error():
    """A request's error is the exception that the application raised, whatever the client reports."""
    line = timeline(
        accepted(),
        raised(3, "ValueError", "no"),
        status(4, 500),
        responded(5),
        end(6),
        received(7, status=500),
    )
    request = line.requests[1]
    assert (request.status, request.error, ms(request.received)) == (500, "ValueError: no", 7)


def test_a_request_that_was_never_read():
    """A client's error before the server has read the request is the end of it."""
    line = timeline(sent(0), received(9, status=None, error="ConnectError"))
    request = line.requests[1]
    assert shape(request.segments) == [("queued", 0, 9)]
    assert (request.error, ms(request.done), request.ended) == ("ConnectError", 9, True)
    assert line.live == 0


def test_a_request_that_is_read_after_its_client_gave_up():
    """What the server does for a client that gave up comes after the request's end."""
    line = timeline(
        sent(0), received(9, status=None, error="ReadTimeout"), read(20), made(20), step(21), end(25)
    )
    request = line.requests[1]
    assert request.own
    assert (request.error, ms(request.done)) == ("ReadTimeout", 9)
    assert shape(request.after) == [("queued", 9, 20), ("ready", 20, 21), ("running", 21, 25)]
    assert request.latency(ns(30)) == 9 * MS
    assert request.ended


def test_a_received_does_not_end_what_the_server_works_on():
    """The client's view of a request that was read changes no state."""
    line = timeline(accepted(), received(9, status=None, error="ReadTimeout"))
    assert history(line, 12) == [("running", 2, 12)]
    assert line.requests[1].error == "ReadTimeout"


def test_latency_grows_until_the_response():
    """The latency is counted from the sending to the last byte, and stays then."""
    line = timeline(accepted(), responded(30), suspend(31))
    assert [line.requests[1].latency(ns(t)) / MS for t in (-1, 10, 30, 99)] == [0, 10, 30, 30]


def test_the_state_at_a_moment():
    """A moment belongs to the segment that ends there; before and after the life there is none."""
    line = timeline(accepted(), responded(5), end(5))
    request = line.requests[1]
    found = [
        segment and segment.state.value for t in (0, 1, 1.5, 2, 5, 6) if [segment := request.state_at(ns(t))]
    ]
    assert found == [None, "queued", "ready", "ready", "running", None]


# -- blocks ------------------------------------------------------------------------------------


def test_a_long_step_is_a_block_while_it_lasts():
    """A step becomes a block when the threshold is reached, before it ends."""
    line = timeline(accepted())
    assert line.block_at(ns(101)) is None
    block = block_at(line, 102)
    assert (ms(block.start), block.end, block.request) == (2, None, 1)
    assert block.lasted(ns(150)) == 148 * MS


def test_a_long_step_is_a_block_in_hindsight():
    """A block that has ended is found at the moments at which it was seen live, and at no other."""
    line = timeline(accepted(), suspend(152), idle(153))
    (block,) = line.blocks
    assert (ms(block.start), ms(block.end)) == (2, 152)
    assert block.lasted(ns(999)) == 150 * MS
    found = [line.block_at(ns(t)) is block for t in (1, 50, 101, 102, 130, 152, 153, 500)]
    assert found == [False, False, False, True, True, True, False, False]


def test_a_long_last_step_is_a_block_of_its_request():
    """A step that ends its task belongs to its request, even if no sample was taken."""
    line = timeline(accepted(), responded(151), end(152))
    (block,) = line.blocks
    assert (block.request, block.victims) == (1, [])
    assert line.loop.spans[-1].request == 1


@pytest.mark.parametrize(("length", "blocks"), [(99.999, 0), (100, 1)])
def test_the_threshold(length, blocks):
    """Only what lasts as long as the threshold is a block."""
    assert len(timeline(accepted(), suspend(2 + length)).blocks) == blocks


def test_where_is_the_line_that_was_seen_most():
    """A block is named by its most frequent line, live and after."""
    samples = [
        holds(30, since=2, line=14),
        *(holds(30 + t, since=2, line=15, calls="time.sleep") for t in (1, 2)),
    ]
    line = timeline(accepted(), samples)
    seen = Where("app.py", 15, "handler", "time.sleep")
    assert block_at(line, 140).where == seen
    assert line.requests[1].history(ns(140))[-1].where == seen
    feed(line, suspend(150))
    assert line.blocks[0].where == seen
    assert line.requests[1].history(ns(150))[-1].where == seen
    assert line.loop.spans[-1].where == seen


def test_the_line_after_the_response_is_a_current_one():
    """What runs after the response is at a line that was seen after it, and has none until then."""
    line = timeline(accepted(), holds(50, since=2, line=14), holds(70, since=2, line=14), responded(80))
    request = line.requests[1]
    assert [where.line if (where := part.where) else None for part in request.history(ns(90))][-2:] == [
        14,
        None,
    ]
    feed(line, holds(100, since=2, line=30))
    assert [where.line if (where := part.where) else None for part in request.history(ns(110))][-2:] == [
        14,
        30,
    ]


def test_what_the_timer_of_a_server_says():
    """The time that the answer itself states is kept with the request, even after its end."""
    line = timeline(accepted(), responded(20), end(21), (ns(22), ev.CLAIMED, 1, 5 * MS, "X-Process-Time"))
    assert line.requests[1].claimed == 5 * MS
    feed(line, (ns(23), ev.CLAIMED, 99, 5 * MS, "X-Process-Time"))


def test_a_block_without_samples_has_no_line():
    """A block of which no sample was taken has neither a line nor a kind."""
    line = timeline(accepted(), suspend(150))
    assert (line.blocks[0].where, line.blocks[0].kind) == (None, None)


@pytest.mark.parametrize(("share", "kind"), [(0.0, "sleeping"), (0.02, "sleeping"), (0.9, "computing")])
def test_a_block_is_classified_by_cpu_time(share, kind):
    """A block that uses the CPU computes, one that does not sleeps, and it is known while it lasts."""
    line = timeline(thread(0, 1, "loop"), accepted(), [cpu(t, 1, 7 + share * t) for t in range(10, 130, 20)])
    assert block_at(line, 130).kind == kind
    feed(line, suspend(150))
    assert line.blocks[0].kind == kind


def test_a_block_between_two_readings_is_classified_afterwards():
    """With no two readings inside, the readings around a block classify it."""
    line = timeline(thread(0, 1, "loop"), cpu(0, 1, 0), accepted(), suspend(150), idle(151), cpu(160, 1, 140))
    assert line.blocks[0].kind == "computing"


def test_a_workers_cpu_time_says_nothing_about_the_loop():
    """Only the CPU time of the loop's own thread classifies a block."""
    line = timeline(thread(0, 1, "loop"), accepted(), [cpu(t, 2, t) for t in range(10, 130, 20)])
    assert block_at(line, 130).kind is None


def test_victims_are_the_others_that_could_have_run():
    """Queued and ready requests are a block's victims; awaiting ones and its own are not."""
    line = timeline(
        accepted(1),
        made(3, task=11),
        suspend(4),
        accepted(2, 2, at=5),
        suspend(8, task=2),  # awaits something slow
        accepted(3, 3, at=10),
        suspend(13, task=3, due=60),  # its timer comes due during the block
        step(20, task=11),
        sent(50, 4),
    )
    block = block_at(line, 200)
    assert line.victims(block, ns(200)) == [3, 4]
    assert line.victims(block, ns(55)) == [4]
    feed(line, suspend(300, task=11))
    assert line.blocks[0].victims == [3, 4]


def test_victims_of_the_past_are_those_of_then():
    """Frozen at a moment of a block, the screen shows its victims of then, also when they have ended."""
    line = timeline(
        accepted(1),
        sent(30, 2),
        sent(80, 3),
        suspend(150),
        *([read(151, n, n), made(151, n, n), step(152, n), responded(152, n), end(153, n)] for n in (2, 3)),
    )
    (block,) = line.blocks
    assert line.live == 1
    assert line.victims(block, ns(70)) == [2]
    assert line.victims(block, ns(150)) == [2, 3]


def test_a_foreign_request_that_arrived_during_a_block_is_its_victim():
    """A request that is read after a block, and arrived before its end, is added to its victims."""
    line = timeline(accepted(), suspend(150), read(152, 2, 2, arrived=60), read(153, 3, 3, arrived=151))
    assert line.blocks[0].victims == [2]
    assert line.victims(line.blocks[0], ns(50)) == []
    assert line.victims(line.blocks[0], ns(100)) == [2]


def test_a_callback_can_block():
    """A loop that is held between two steps is blocked by a callback, which belongs to no request."""
    line = timeline(accepted(), suspend(3), sent(10, 2), holds(50, task=0, since=3))
    block = block_at(line, 150)
    assert block.where is not None
    assert (ms(block.start), block.request, block.where.line) == (3, 0, 14)
    feed(line, iteration(160))
    assert line.blocks[0].request == 0
    assert line.blocks[0].victims == [2]


def test_an_idle_loop_is_not_blocked():
    """However long the loop sleeps in its selector, that is no block."""
    line = timeline(accepted(), suspend(3), idle(4))
    assert line.block_at(ns(5_000)) is None
    feed(line, iteration(5_000), step(5_001))
    assert not line.blocks
    assert line.idle == 4_996 * MS


def test_a_loop_that_is_met_asleep_has_slept_since_then():
    """The first idle time counts from its own beginning, not from the clock's zero."""
    line = timeline(idle(10), iteration(30))
    assert line.idle == 20 * MS


def test_between_steps_of_uvloop_nothing_blocks():
    """Where no iteration can be seen, the time between two steps is not taken for a block."""
    line = timeline(read(0), made(0), step(1), suspend(2))
    assert line.block_at(ns(900)) is None
    feed(line, holds(500, task=0, since=2), step(1_000), suspend(1_001))
    assert not line.blocks
    assert line.loop.busy == 2 * MS
    assert not line.sees_iterations


def test_a_long_step_on_uvloop_is_a_block():
    """Steps are blocks on every loop."""
    line = timeline(read(0), made(0), step(1), suspend(200))
    assert [(ms(b.start), ms(b.end)) for b in line.blocks] == [(1, 200)]


@pytest.mark.parametrize("last", [suspend(60), end(60)], ids=["suspended", "ended"])
def test_a_sample_that_comes_after_its_step_begins_nothing(last):
    """A sample that is reported when its step has just ended does not begin that step again."""
    line = timeline(read(0), made(0), made(0, task=2), step(1), last, holds(61, task=1, since=1))
    assert line.block_at(ns(500)) is None
    [row] = line.started(ns(500)) or [line.requests[1]]
    assert row.history(ns(500))[-1].state is State.READY


def test_an_eager_tasks_step_is_known_from_its_sample():
    """A sample of a step that was not reported begins that step, at the time that the sample says."""
    line = timeline(iteration(0), read(1), made(1), holds(60, task=1, since=2))
    assert block_at(line, 150).request == 1
    assert shape(line.requests[1].history(ns(150))) == [("ready", 1, 2), ("running", 2, 150)]
    feed(line, suspend(160))
    assert [(ms(b.start), ms(b.end), b.request) for b in line.blocks] == [(2, 160, 1)]


def test_a_long_iteration_is_a_lag():
    """The lag is the length of an iteration, idle time not included."""
    line = timeline(iteration(0), iteration(10), idle(35), iteration(100), idle(101))
    assert line.lag_since(ns(0)) == 25 * MS
    assert line.lag_since(ns(50)) == 1 * MS


def test_busy_time_adds_up_to_the_loops_time():
    """What the loop was not idle it was busy, short stretches and long ones."""
    line = timeline(accepted(), suspend(3), idle(4), iteration(20), step(21), suspend(91), idle(92))
    assert line.loop.busy == 75.5 * MS
    assert line.idle == 16 * MS
    assert line.busy(ns(0), ns(100)) == 75.5 * MS
    assert [(ms(s.start), ms(s.end)) for s in line.loop_spans(ns(95))] == [(21, 91)]


# -- a stream with holes -----------------------------------------------------------------------


def test_a_late_event_takes_place_in_the_present():
    """An event older than its request's present is moved up to it, and leaves no gap."""
    line = timeline(accepted(), suspend(10), wake(6), step(12), suspend(11), wake(20))
    assert history(line, 21) == [
        ("running", 2, 10),
        ("ready", 10, 12),
        ("awaiting", 12, 20),
        ("ready", 20, 21),
    ]
    assert line.last == ns(20)


def test_unknown_numbers_belong_to_no_request():
    """Events of tasks, calls and requests whose beginning was lost change no request."""
    line = timeline(
        accepted(),
        [wake(3, 77), step(4, 77), suspend(5, 77), token_wait(5, 77), end(6, 78), awaits(6, 79)],
        [returns(6, 77), executes(6, 77), submit(7, 78, 77, 77), call(8, 79, 77, 77), returns(9, 79)],
        [status(9, 200, 77), raised(9, "E", "", 77), responded(9, 77), received(9, 77)],
        [
            holds(9, 78, since=9),
            (ns(10), "kind-of-the-future", 1, 2, 3),  # type: ignore[list-item]  # the schema has no such kind
        ],
    )
    assert list(line.requests) == [1]
    assert history(line, 10) == [("running", 2, 10)]


def test_a_lost_end_leaves_the_others_alone():
    """A step whose end was lost is over, for the loop, when another begins."""
    line = timeline(accepted(1), accepted(2, 2, at=10), suspend(200, task=2))
    assert [(ms(b.start), ms(b.end), b.request) for b in line.blocks] == [(12, 200, 2)]


def test_a_response_without_a_task_ends_the_request():
    """A request whose task was lost does not stay alive."""
    line = timeline(sent(0), read(1), responded(5))
    assert line.live == 0
    assert line.requests[1].ended


def test_a_call_whose_beginning_was_lost_is_not_waited_for():
    """The return of a call ends the wait for its thread, seen or not."""
    line = timeline(accepted(), submit(3), suspend(4), returns(9), step(10), suspend(11))
    assert history(line, 12) == [
        ("running", 2, 4),
        ("token_wait", 4, 9),
        ("ready", 9, 10),
        ("running", 10, 11),
        ("awaiting", 11, 12),
    ]


def test_a_task_is_made_once():
    """A task that is reported twice counts once."""
    line = timeline(accepted(), made(3), suspend(4), responded(5), end(6))
    assert history(line, 9) == [("running", 2, 4), ("awaiting", 4, 5), ("awaiting", 5, 6)]
    assert line.live == 0


# -- bounds ------------------------------------------------------------------------------------


def lived(number, at):
    """A whole short life."""
    return [*accepted(number, number, at), responded(at + 3, number), end(at + 4, number)]


def test_what_ended_long_ago_is_removed():
    """Requests, spans and blocks older than the retention are removed, and younger ones stay."""
    line = timeline(lived(1, 0), lived(2, 50), accepted(3, 3, 100), suspend(250, 3), call(260), returns(270))
    line.retention = 100 * MS
    line.prune(ns(140))
    assert list(line.requests) == [2, 3]
    assert (len(line.blocks), len(line.workers[2].spans)) == (1, 1)
    line.prune(ns(400))
    assert list(line.requests) == [3]
    assert (len(line.blocks), len(line.loop.spans), len(line.workers[2].spans)) == (0, 0, 0)


def test_a_request_that_has_not_ended_is_never_removed():
    """However old it is, what has not ended is kept."""
    line = timeline(accepted(), suspend(3))
    line.prune(ns(10_000_000))
    assert list(line.requests) == [1]


def test_only_so_many_requests_are_kept():
    """The newest 5000 ended requests stay, however young the others are."""
    line = timeline(*(lived(n, n / 100) for n in range(1, 6_001)))
    line.prune(line.last)
    assert len(line.requests) == 5_000
    assert min(line.requests) == 1_001


def test_ends_that_were_lost_do_not_fill_the_memory():
    """Tasks, calls and lives whose ends never come are followed up to a bound."""
    line = timeline(
        [
            e
            for n in range(1, 52_001)
            for e in (read(n, n), made(n, n, n), call(n, number=n, task=n, request=n))
        ]
    )
    line.prune(line.last)
    assert line.live == 50_000
    assert (len(line._rows.tasks), len(line.processes[0].threads.calls)) == (50_000, 50_000)
    assert line.requests[1].ended
    assert line.requests[1].done is not None


def test_forgetting_keeps_what_has_not_ended():
    """Forgetting removes ended requests and blocks, and keeps the rest."""
    line = timeline(lived(1, 0), accepted(2, 2, 10), suspend(200, 2))
    assert len(line.blocks) == 1
    line.forget()
    assert (list(line.requests), len(line.blocks)) == ([2], 0)
    feed(line, responded(201, 2), end(202, 2), lived(3, 210))
    assert list(line.requests) == [2, 3]
    line.prune(ns(300))
    assert list(line.requests) == [2, 3]


def test_an_endless_response_is_remembered_in_part():
    """A stream's old segments are dropped, and its totals stay exact."""
    steps = 66_000
    line = timeline(
        accepted(), [e for n in range(1, steps) for e in (suspend(3 * n), wake(3 * n + 1), step(3 * n + 2))]
    )
    request = line.requests[1]
    assert line.events > 190_000
    assert len(request.segments) == MAX_SEGMENTS
    assert request.totals[State.AWAITING] == (steps - 1) * MS
    assert sum(request.totals.values()) == request.since - request.start
    calls = line.processes[0].threads.calls
    assert (len(line._rows.tasks), len(calls), len(line._requests.lives[1].dues)) == (
        1,
        0,
        0,
    )
    assert len(line.loop.spans) + len(line.busy_bins._bins) + len(line._loop.lags) <= 20_000 + 60_000 + 20_000


def test_the_endless_sleeper_leaves_no_timers_behind():
    """A task that sleeps again and again has one timer at a time."""
    line = timeline(
        accepted(), [e for n in range(1, 5_000) for e in (suspend(3 * n, due=3 * n + 1), step(3 * n + 2))]
    )
    assert len(line._requests.lives[1].dues) <= 1


# -- the limiter -------------------------------------------------------------------------------


def test_the_limiter_at_a_moment():
    """The limiter is known at every moment since its first change."""
    line = timeline(tokens(10, 40, 1, 0), tokens(20, 40, 40, 3))
    assert line.tokens_at(ns(9)) is None
    assert line.tokens_at(ns(10)) == line.tokens_at(ns(19)) == Tokens(40, 1, 0)
    assert line.tokens_at(ns(20)) == line.tokens_at(ns(99)) == Tokens(40, 40, 3)
    assert line.peak == 40
