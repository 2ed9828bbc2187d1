"""The rows of child tasks in the picture: which there are, where there is room, and what they say."""

from __future__ import annotations

from loopviz.model import Timeline
from loopviz.stream import events as ev
from loopviz.tui.scene.frame import Columns
from loopviz.tui.view import View
from tests.streams import (
    MS,
    accepted,
    awaits_task,
    end,
    feed,
    made,
    ns,
    responded,
    status,
    step,
    suspend,
    timeline,
)
from tests.test_scene import scene

HOOK = "└"


def fan_out(children: int = 10, requests: int = 1, *, differ: bool = False) -> Timeline:
    """A burst of requests that each await as many child tasks, for 500 ms or for different times."""
    line = timeline((ns(0), ev.FIRED, 1, "gather", 1, requests, 40))
    for request in range(1, requests + 1):
        root = 100 * request
        feed(line, accepted(request, root))
        tasks = range(root + 1, root + 1 + children)
        feed(line, [made(3, task, request, root) for task in tasks], suspend(4, root, "_GatheringFuture"))
        for index, task in enumerate(tasks):
            until = 500 + (500 * index if differ else 0)
            feed(line, step(5, task), suspend(6, task), step(until, task), end(until + 1, task))
        last = 501 + (500 * children if differ else 0)
        feed(line, step(last, root), status(last + 1, 200, request), responded(last + 1, request))
        feed(line, end(last + 2, root))
    return line


def rows(
    line: Timeline, now: float, *, size: tuple[int, int] = (120, 40), cursor: int | None = None
) -> list[str]:
    """The lines of the picture at `now`."""
    view = View(now=ns(now), cursor=cursor)
    lines = scene().compose(line, view, *size)
    return ["".join(segment.text for segment in segments).rstrip() for segments in lines]


def hooked(lines: list[str]) -> list[str]:
    """The rows of child tasks."""
    return [line for line in lines if line.strip().startswith(HOOK)]


def test_equal_child_tasks_are_one_row() -> None:
    """Ten tasks that do the same at the same time are one row below their request's."""
    lines = rows(fan_out(), 700)
    (row,) = hooked(lines)
    assert "work ×10" in row
    assert row.split()[-3:] == ["ended", "498", "ms"]
    assert "#1" in lines[lines.index(row) - 1]
    assert "awaiting" in hooked(rows(fan_out(), 300))[0]


def test_different_child_tasks_have_their_own_rows() -> None:
    """Tasks of different lengths are not folded."""
    assert len(hooked(rows(fan_out(4, differ=True), 3_000))) == 4


def test_child_tasks_leave_requests_their_rows() -> None:
    """Where there is no room for all child tasks, those of the first requests have rows, and all requests."""
    lines = rows(fan_out(4, requests=5, differ=True), 3_000, size=(120, 24))
    assert all(any(f" #{n} " in line for line in lines) for n in range(1, 6))
    assert len(hooked(lines)) % 4 == 0


def test_the_request_that_is_pointed_at_shows_its_child_tasks() -> None:
    """Of the selected request as many child tasks are shown as have room, and the rest is counted."""
    line = fan_out(20, requests=12, differ=True)
    lines = rows(line, 12_000, size=(120, 24), cursor=12)
    children = hooked(lines)
    assert children
    assert "more tasks" in children[-1]
    assert any(" #12 " in line for line in lines)


def test_tasks_of_child_tasks_are_shown_with_the_selection() -> None:
    """A single child task, and what it has created in turn, is shown of the request that is pointed at."""
    line = timeline((ns(0), ev.FIRED, 1, "gather", 1, 1, 40), accepted(), made(3, 2, parent=1), suspend(4))
    feed(line, step(5, 2), (ns(6), ev.TASK, 3, 2, 1, "inner"), suspend(7, 2), step(8, 3), suspend(9, 3))
    assert hooked(rows(line, 900)) == []
    assert len(hooked(rows(line, 900, cursor=1))) == 2


def test_a_task_that_goes_on_has_one_row() -> None:
    """A child task that outlives the request is in its row of a child task, and in no second one."""
    line = timeline((ns(0), ev.FIRED, 1, "gather", 1, 1, 40), accepted(), made(3, 2, parent=1), suspend(4))
    feed(line, step(5, 2), suspend(6, 2), step(400), status(401, 200), responded(401), end(402))
    assert len(line.started(ns(900))) == 1
    assert len([row for row in rows(line, 900) if "work" in row]) == 1


def test_equal_started_tasks_are_one_row() -> None:
    """Tasks that a request has started and does not await are below it; equal ones are one row."""
    line = timeline((ns(0), ev.FIRED, 1, "starts", 1, 1, 40), accepted())
    tasks = range(2, 6)
    feed(line, [made(3, task, parent=1) for task in tasks], suspend(4))
    feed(line, [awaits_task(4, 1, task, 0) for task in tasks])
    feed(line, [event for task in tasks for event in (step(5, task), suspend(6, task))])
    (row,) = [row for row in rows(line, 900) if "work" in row]
    assert "└ work ×4" in row


def test_a_task_that_a_library_starts_for_each_request_has_a_row_if_it_goes_on() -> None:
    """Those that end with their requests are shown of the selected one only."""
    line = timeline((ns(0), ev.FIRED, 1, "flask", 1, 4, 40))
    for number in range(1, 5):
        root, task = 100 * number, 100 * number + 1
        feed(line, accepted(number, root), made(3, task, number, root), suspend(4, root))
        feed(line, awaits_task(4, root, task, 0), step(5, task), suspend(6, task), step(800, root))
        feed(line, status(801, 200, number), responded(801, number), end(802, root))
    for task in (101, 201, 301):
        feed(line, step(803, task), end(804, task))
    assert "work" not in "".join(rows(line, 500))
    assert len([row for row in rows(line, 500, cursor=3) if "work" in row]) == 1
    assert len([row for row in rows(line, 2_000) if "work" in row]) == 1


def test_child_tasks_that_hardly_differ_are_one_row() -> None:
    """A difference of two columns does not make a row of its own; the selection shows it."""
    column = Columns.of(120, View(now=ns(9_000)), 20).column_ns / MS
    line = timeline((ns(0), ev.FIRED, 1, "gather", 1, 1, 40), accepted(1, 1))
    ends = {task: 600 + 0.45 * column * (task - 2) for task in range(2, 7)}
    feed(line, [made(3, task, 1, 1) for task in ends], suspend(4, 1, "_GatheringFuture"))
    feed(line, [event for task in ends for event in (step(5, task), suspend(6, task))])
    feed(line, [event for task, at in ends.items() for event in (step(at, task), end(at + 1, task))])
    last = max(ends.values()) + 5
    feed(line, step(last), status(last + 1, 200), responded(last + 1), end(last + 2))
    assert len(hooked(rows(line, 9_000))) == 1
    assert len(hooked(rows(line, 9_000, cursor=1))) > 1
