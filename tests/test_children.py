"""The child tasks of a request: what each does, whether the request awaits it, and how many are kept."""

from __future__ import annotations

from loopviz.model import State, Timeline
from loopviz.model.limits import MAX_CHANGES, MAX_CHILDREN
from tests import streams
from tests.streams import (
    accepted,
    awaited,
    awaits,
    awaits_call,
    awaits_task,
    call,
    end,
    executes,
    feed,
    made,
    ms,
    ns,
    responded,
    returns,
    shape,
    step,
    submit,
    suspend,
    timeline,
    token_wait,
    wake,
)  # fmt: skip


def fan_out() -> Timeline:
    """Request 1 awaits tasks 2 and 3 from 5 ms on; 2 sleeps until 30 ms, 3 awaits a future."""
    return timeline(
        accepted(), made(3, 2, parent=1), made(4, 3, parent=1), suspend(5),
        step(6, 2), suspend(8, 2, due=30), step(8, 3), suspend(10, 3),
    )  # fmt: skip


def test_each_child_has_its_own_states() -> None:
    """Each child task is created, runs and awaits for itself, whatever the others do."""
    line = fan_out()
    two, three = line.children(1)
    assert (two.name, two.parent, two.request, ms(two.start)) == ("work", 1, 1, 3)
    assert shape(two.row.history(ns(40))) == [
        ("ready", 3, 6), ("running", 6, 8), ("awaiting", 8, 30), ("ready", 30, 40),
    ]  # fmt: skip
    assert shape(three.row.history(ns(40))) == [("ready", 4, 6 + 2), ("running", 8, 10), ("awaiting", 10, 40)]
    feed(line, step(50, 2), end(51, 2), wake(60, 3), step(62, 3), end(63, 3))
    assert (ms(two.end), ms(three.end)) == (51, 63)
    assert [child.row.ended for child in line.children(1)] == [True, True]
    assert sum(three.row.totals.values()) == ns(63) - ns(4)
    assert three.row.totals[State.READY] == ns(8) - ns(4) + ns(62) - ns(60)


def test_a_child_says_where_it_awaits_what() -> None:
    """A sample of a child task is kept with its own states."""
    line = fan_out()
    feed(line, awaits(35, 3, line=21), awaited(35, 3, "socket"))
    (last,) = [part for part in line.children(1)[1].row.history(ns(40)) if part.state is State.AWAITING]
    assert last.where is not None
    assert (last.where.line, last.awaits and last.awaits.what) == (21, "socket")


def test_calls_of_a_child_are_its_states() -> None:
    """A child task that calls worker threads waits for one, and is then in one, at a line."""
    line = timeline(
        accepted(), made(3, 2, parent=1), suspend(4), step(5, 2), token_wait(6, 2), suspend(7, 2),
        wake(20, 2), step(20, 2), suspend(21, 2), call(22, 1, 2), executes(30, 1, line=9), returns(40, 1),
        step(45, 2), submit(46, 2, 2), suspend(47, 2, "Task"), call(48, 2, 2), awaits_call(60, 2, 2, 0),
    )  # fmt: skip
    row = line.children(1)[0].row
    assert shape(row.history(ns(70))) == [
        ("ready", 3, 5), ("running", 5, 7), ("token_wait", 7, 20), ("running", 20, 21), ("awaiting", 21, 22),
        ("in_thread", 22, 40), ("ready", 40, 45), ("running", 45, 47), ("token_wait", 47, 48),
        ("in_thread", 48, 60), ("awaiting", 60, 70),
    ]  # fmt: skip
    assert [part.where.line for part in row.history(ns(70)) if part.where is not None] == [9, 7]


def test_a_task_that_is_not_awaited_is_no_child() -> None:
    """What a request starts and does not await is a row of its own; once it is awaited, it is a child."""
    line = timeline(accepted(), made(3, 2, parent=1), suspend(5), awaits_task(5, 1, 2, 0))
    assert line.children(1) == []
    assert len(line.started(ns(6))) == 1
    feed(line, step(10), suspend(11, awaited="Task"), awaits_task(11, 1, 2))
    (child,) = line.children(1)
    assert ms(child.start) == 3


def test_a_child_that_outlives_its_parent_is_still_a_child() -> None:
    """A task that was awaited, and goes on after its parent, is a child, and has its own row."""
    line = fan_out()
    feed(line, step(20), responded(21), end(22))
    assert [child.number for child in line.children(1)] == [2, 3]
    assert {id(child.own) for child in line.children(1)} == {id(row) for row in line.started(ns(25))}
    feed(line, step(40, 2), end(41, 2), step(50, 3), end(51, 3))
    assert [ms(child.end) for child in line.children(1)] == [41, 51]


def test_a_task_that_never_was_awaited_is_no_child_when_its_parent_ends() -> None:
    """A parent that has started a task and ends in the same step has not awaited it."""
    line = timeline(accepted(), made(3, 2, parent=1), responded(4), end(5))
    assert line.children(1) == []
    assert len(line.started(ns(6))) == 1


def test_children_of_children_name_their_parent() -> None:
    """A child task may have child tasks; all of them are the request's."""
    line = timeline(
        accepted(), made(3, 2, parent=1), suspend(4), step(5, 2), made(6, 3, parent=2), suspend(7, 2)
    )
    assert [(child.number, child.parent) for child in line.children(1)] == [(2, 1), (3, 2)]


def test_what_is_kept_of_children_is_bounded() -> None:
    """Of a request with very many child tasks the first are kept, and of a long one the newest states."""
    line = timeline(accepted(), [made(3, n, parent=1) for n in range(2, MAX_CHILDREN + 50)], suspend(4))
    assert len(line.children(1)) == MAX_CHILDREN
    line = timeline(accepted(), made(3, 2, parent=1), suspend(4))
    child = line.children(1)[0]
    for n in range(MAX_CHANGES):
        feed(line, step(5 + 2 * n, 2), suspend(6 + 2 * n, 2))
        assert len(child.track) <= MAX_CHANGES + 6
    assert sum(child.row.totals.values()) == child.row.since - child.start


def test_children_are_forgotten_with_their_request() -> None:
    """When a request is not kept any more, its child tasks are not either."""
    line = timeline(threshold=100)
    line.retention = 0
    feed(
        line,
        accepted(),
        made(3, 2, parent=1),
        suspend(4),
        step(5, 2),
        end(6, 2),
        step(7),
        responded(8),
        end(9),
    )
    assert len(line.children(1)) == 1
    line.prune(ns(2_000))
    assert line.children(1) == []
    assert line._rows.children._count == 0
    feed(line, streams.sent(3_000, 2))
    line.forget()
