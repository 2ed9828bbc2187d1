"""Which tasks and calls decide a request's state, by hand-written events."""

from __future__ import annotations

import json

import pytest

from loopviz.draw.story import story
from loopviz.draw.words import holder
from loopviz.model import Request, Timeline
from loopviz.model.summary import summarise
from tests.streams import (
    accepted,
    awaits_call,
    awaits_task,
    block_at,
    call,
    end,
    feed,
    made,
    ms,
    ns,
    read,
    responded,
    returns,
    step,
    submit,
    suspend,
    timeline,
    wake,
)  # fmt: skip


def shape(request: Request, at: float) -> list[tuple[str, float, float]]:
    """The request's segments up to `at`: state, from, to (ms)."""
    return [(str(s.state), ms(s.start), ms(s.end)) for s in request.history(ns(at))]


def started(line: Timeline, at: float) -> list[tuple[str, int]]:
    """The rows of started tasks at `at`: name and the request that has started each."""
    return [(row.path, row.started_by) for row in line.started(ns(at))]


def test_a_child_counts_until_it_is_reported_as_not_awaited():
    """A new task counts for the task that has created it; what is reported later is a row of its own."""
    line = timeline(accepted(), made(3, task=2, parent=1), suspend(4), step(5, task=2))
    assert shape(line.requests[1], 10)[-1] == ("running", 5, 10)
    assert started(line, 10) == []
    line = timeline(
        accepted(), made(3, task=2, parent=1), suspend(4), awaits_task(4, 1, 2, 0), step(5, task=2)
    )
    assert shape(line.requests[1], 10)[-1] == ("awaiting", 4, 10)
    assert started(line, 10) == [("work", 1)]
    assert shape(line.started(ns(10))[0], 10) == [("ready", 4, 5), ("running", 5, 10)]


def test_a_task_that_is_awaited_after_all_counts_again():
    """When its request awaits it, a started task's row ends, and its state is the request's."""
    line = timeline(accepted(), made(3, task=2, parent=1), suspend(4), awaits_task(4, 1, 2, 0))
    feed(line, step(5, task=2), suspend(6, task=2, due=50), wake(20), step(20), suspend(21))
    feed(line, awaits_task(21, 1, 2, 1), step(60, task=2))
    assert shape(line.requests[1], 70)[-3:] == [("awaiting", 21, 50), ("ready", 50, 60), ("running", 60, 70)]
    [row] = line.started(ns(70))
    assert row.ended
    assert ms(row.done) == 21


def test_what_a_started_task_awaits_is_in_its_row():
    """Children of a started task move with it."""
    line = timeline(accepted(), made(3, task=2, parent=1), suspend(4), step(5, task=2))
    feed(line, made(6, task=3, parent=2), suspend(7, task=2), awaits_task(8, 1, 2, 0), step(9, task=3))
    assert shape(line.requests[1], 20)[-1] == ("awaiting", 8, 20)
    assert shape(line.started(ns(20))[0], 20)[-1] == ("running", 9, 20)


def test_a_member_of_a_task_group_counts_for_the_task_that_opened_it():
    """A task started in another task's group is awaited by the task that has opened the group."""
    line = timeline(accepted(), made(3, task=2, parent=1), suspend(4), step(5, task=2))
    feed(line, made(6, task=3, parent=2), awaits_task(6, 1, 3, 2), end(7, task=2), step(8, task=3))
    assert shape(line.requests[1], 20)[-1] == ("running", 8, 20)
    assert started(line, 20) == []


def test_a_task_in_the_group_of_no_request_is_started_by_its_request():
    """A task that a handler starts in the application's own task group is not awaited by the handler."""
    line = timeline(made(0, task=9, request=0), accepted(), made(3, task=2, parent=1))
    feed(line, awaits_task(4, 9, 2, 2), suspend(4), step(5, task=2))
    assert started(line, 20) == [("work", 1)]
    assert shape(line.requests[1], 20)[-1] == ("awaiting", 4, 20)


def test_a_shared_task_counts_for_the_request_that_awaits_it_already():
    """A task that two requests await stays with the first."""
    line = timeline(accepted(), made(3, task=2, parent=1), suspend(4), accepted(2, 5, at=5))
    feed(line, suspend(8, task=5), awaits_task(8, 5, 2, 1), step(10, task=2))
    assert shape(line.requests[1], 20)[-1] == ("running", 10, 20)
    assert shape(line.requests[2], 20)[-1] == ("awaiting", 8, 20)


@pytest.mark.parametrize("how", [1, 2])
def test_tasks_that_seem_to_await_each_other_change_nothing(how):
    """Reports that make no sense, such as a circle of tasks, are ignored."""
    line = timeline(accepted(), made(3, task=2, parent=1), suspend(4))
    feed(line, awaits_task(5, 2, 1, how), awaits_task(5, 2, 2, how), awaits_task(5, 1, 77, how))
    feed(
        line, made(5, task=3, parent=2), awaits_task(6, 3, 2, how), awaits_task(6, 78, 2, 0), step(7, task=3)
    )
    assert shape(line.requests[1], 9)[-1] == ("running", 7, 9)
    feed(line, end(10, task=3), end(11, task=2), responded(12), end(13))
    assert line.live == 0


def test_a_task_that_a_callback_has_started_is_not_awaited():
    """A task that no task has created is a row of its own, or counts for a call that waits for it."""
    line = timeline(accepted(), suspend(4), made(5, task=2), awaits_task(5, 0, 2, 0))
    assert started(line, 9) == [("work", 1)]
    line = timeline(accepted(), call(3), suspend(4), made(5, task=2), awaits_task(5, 0, 2, 0))
    feed(line, step(8, task=2), suspend(9, task=2), wake(20, task=2), step(25, task=2), end(30, task=2))
    assert shape(line.requests[1], 40)[-7:] == [
        ("in_thread", 4, 5), ("ready", 5, 8), ("running", 8, 9), ("in_thread", 9, 20), ("ready", 20, 25),
        ("running", 25, 30), ("in_thread", 30, 40),
    ]  # fmt: skip


def test_a_call_counts_while_it_is_awaited():
    """A call that its task does not await does not make the request wait for a thread, or be in one."""
    line = timeline(accepted(), submit(3), suspend(4, due=50), awaits_call(4, 1, 1, 0), call(8))
    assert shape(line.requests[1], 20)[-1] == ("awaiting", 4, 20)
    feed(line, wake(50), step(50), suspend(51), awaits_call(51, 1, 1))
    assert shape(line.requests[1], 60)[-1] == ("in_thread", 51, 60)
    feed(line, returns(70))
    assert shape(line.requests[1], 80)[-1] == ("ready", 70, 80)


def test_a_call_that_returned_before_the_step_ended_wakes_only_a_task_that_awaits_it():
    """A result that arrives during the step does not make its task ready if it awaits something else."""
    early = [accepted(), submit(3), call(3), returns(5)]
    assert shape(timeline(*early, suspend(6)).requests[1], 9)[-1] == ("ready", 6, 9)
    line = timeline(*early, suspend(6), awaits_call(6, 1, 1, 0))
    assert shape(line.requests[1], 9)[-1] == ("awaiting", 6, 9)


def test_a_task_that_awaits_several_calls_is_ready_after_the_last():
    """The first of two results does not make a `gather` of two calls ready."""
    line = timeline(
        accepted(), submit(3), submit(3, 2), call(3), call(3, 2, thread=3), suspend(4), returns(10)
    )
    assert shape(line.requests[1], 15)[-1] == ("in_thread", 10, 15)
    feed(line, returns(20, 2))
    assert shape(line.requests[1], 30)[-1] == ("ready", 20, 30)


def test_a_block_of_a_started_task_names_it():
    """The block belongs to no request, and the words say which task it is and who has started it."""
    line = timeline(
        accepted(), made(3, task=2, parent=1), suspend(4), awaits_task(4, 1, 2, 0), step(5, task=2)
    )
    block = block_at(line, 200)
    assert (block.request, block.task, block.started_by) == (0, "work", 1)
    assert holder(block) == "the task work (started by #1)"
    assert "The task work (started by #1) has held the event loop" in " ".join(story(line, ns(200))[1])
    feed(line, suspend(300, task=2), responded(301))
    document = summarise(line, scenario="x", environment={}, limit=40)
    json.dumps(document)
    [found] = document["loop"]["blocks"]
    assert (found["request"], found["task"], found["started_by"]) == (None, "work", 1)
    [row] = document["started_tasks"]
    assert (row["name"], row["started_by"], row["end_s"]) == ("work", 1, None)
    assert row["states"]["running"] == pytest.approx(0.295)


def test_a_nested_read_of_an_unknown_request_is_harmless():
    """A task of a request that was never read is a row at most."""
    line = timeline(made(1, task=2, request=7, parent=0), step(2, task=2), end(3, task=2), read(5))
    assert line.live == 1
    line.prune(ns(1_000_000_000))
    assert line.started(ns(1_000_000_000)) == []
