"""What is awaited, and where: from the events to the row, the detail, the sentence and the documents."""

from __future__ import annotations

import pytest
from rich.console import Console

from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.story import story
from loopviz.export.material import Material
from loopviz.export.table import table
from loopviz.model import Awaits, Request, Segment, State, Timeline
from loopviz.model.summary import summarise
from loopviz.tui.screens.breakdown import detail_table
from tests.streams import (
    MS,
    accepted,
    awaited,
    awaits,
    call,
    end,
    executes,
    feed,
    iteration,
    made,
    ms,
    ns,
    read,
    responded,
    returns,
    sent,
    step,
    suspend,
    thread,
    timeline,
    wake,
    within,
)
from tests.test_scene import scene, text, view


def awaiting(request: Request, now: float = 10_000) -> list[Segment]:
    """The request's segments in state awaiting."""
    return [part for part in request.history(ns(now)) if part.state is State.AWAITING]


def reported(request: Request, now: float = 10_000) -> list[tuple[float, float, int, str, int]]:
    """Begin and end (ms), line, kind and holder of each segment in state awaiting."""
    found = []
    for part in awaiting(request, now):
        assert part.where is not None
        assert part.awaits is not None
        found.append((ms(part.start), ms(part.end), part.where.line, part.awaits.what, part.awaits.holder))
    return found


def gathering() -> Timeline:
    """Request 1, whose root gathers tasks 2 and 3: they are seen at 25 ms."""
    return timeline(
        accepted(),
        made(3, 2, 1, parent=1),
        made(3, 3, 1, parent=1),
        suspend(3),
        step(4, 2),
        suspend(5, 2, due=100),
        step(5, 3),
        suspend(6, 3, due=200),
        awaits(25, 1, line=13),
        awaited(25, 1, "task", "call"),
        awaits(25, 2, line=10),
        awaited(25, 2, "timer"),
        awaits(25, 3, line=11),
        awaited(25, 3, "timer"),
    )


def test_an_await_keeps_its_line_when_a_child_ends():
    """When one of several tasks ends, the request goes on awaiting at a line of those that are left."""
    line = gathering()
    feed(line, step(101, 2), end(102, 2))
    (first, second) = reported(line.requests[1], 150)
    assert first == (6, 100, 10, "timer", 0)
    assert second == (102, 150, 11, "timer", 0)


def test_an_await_keeps_its_line_when_a_child_goes_on():
    """While one of several tasks goes on to another await, the line is that of one that was seen."""
    line = gathering()
    feed(line, step(101, 2), suspend(102, 2))
    assert reported(line.requests[1], 110)[-1] == (102, 110, 11, "timer", 0)


def test_when_all_children_have_ended_the_root_is_reported():
    """A root that still awaits has a line of its own."""
    line = gathering()
    feed(line, step(101, 2), end(102, 2), step(201, 3), end(202, 3))
    assert reported(line.requests[1], 250)[-1] == (202, 250, 13, "task", 0)


def test_a_task_that_runs_again_awaits_something_new():
    """What a task awaited before its step is not reported of the await after it."""
    line = timeline(
        accepted(), suspend(3), awaits(25), awaited(25, 1, "event"), wake(50), step(51), suspend(52)
    )
    (first, second) = awaiting(line.requests[1], 60)
    assert first.awaits == Awaits("event")
    assert (second.where, second.awaits) == (None, None)


def test_the_end_of_a_client_is_not_what_a_request_awaits():
    """A root that listens for the disconnect, as a stream's does, does not hide what another task awaits."""
    line = timeline(
        accepted(),
        made(3, 2, 1, parent=1),
        suspend(3),
        awaited(25, 1, "event", "disconnect"),
        step(30, 2),
        suspend(31, 2),
    )
    assert [part.awaits for part in awaiting(line.requests[1], 40)] == [None]
    feed(line, awaited(55, 2, "drain"))
    assert [part.awaits for part in awaiting(line.requests[1], 60)] == [Awaits("drain")]
    feed(line, step(70, 2), end(71, 2))
    assert awaiting(line.requests[1], 90)[-1].awaits == Awaits("event", "disconnect")


def lock(*events) -> Timeline:
    """Request 1 sleeps inside a lock, and request 2 waits for the lock from 3 ms on; then `events`."""
    return timeline(
        accepted(),
        suspend(3, due=5_000),
        [sent(1, 2), read(2, 2), made(2, 2, 2), step(2.5, 2), suspend(3, 2)],
        awaits(30, 2, line=40),
        awaited(30, 2, "lock", "", 1),
        *events,
    )


def test_a_holder_is_a_request():
    """Who holds the lock is reported as the request whose task holds it; a task of no request is nobody."""
    assert reported(lock().requests[2], 60) == [(3, 60, 40, "lock", 1)]
    assert reported(lock(made(20, 9, 0), awaited(31, 2, "lock", "", 9)).requests[2], 60)[-1][4] == 0


def test_a_lock_that_passes_on_begins_a_segment():
    """Each holder has a segment of its own, and the states still add up to the latency."""
    third = [sent(1, 3), read(2, 3), made(2, 3, 3), step(2.6, 3), suspend(2.9, 3, due=5_000)]
    line = lock(third, awaited(100, 2, "lock", "", 3), step(150, 2), responded(151, 2), end(152, 2))
    request = line.requests[2]
    assert reported(request) == [(3, 100, 40, "lock", 1), (100, 150, 40, "lock", 3)]
    assert sum(part.end - part.start for part in request.segments) == request.latency(ns(200))


def test_a_holder_that_is_seen_late_belongs_to_the_whole_await():
    """A holder that could not be seen at first makes no second segment."""
    line = timeline(accepted(), suspend(3), awaits(25), awaited(25, 1, "lock"), awaited(45, 1, "lock", "", 1))
    assert reported(line.requests[1], 60) == [(3, 60, 21, "lock", 1)]


def test_what_is_awaited_survives_the_end():
    """A request that has ended, and is packed, keeps what it awaited."""
    line = lock(step(150, 2), responded(151, 2), end(152, 2))
    assert line.requests[2].ended
    assert reported(line.requests[2]) == [(3, 150, 40, "lock", 1)]


# -- lines of calls in threads -----------------------------------------------------------------------


def test_a_call_is_named_by_its_most_frequent_line():
    """Not the last sample of a call counts, but the line at which it was most often."""
    line = timeline(accepted(), thread(3, 2), call(4), suspend(5))
    feed(line, executes(30, line=8), executes(50, line=8), executes(70, line=9))
    request = line.requests[1]
    feed(line, returns(80), step(81), responded(82), end(83))
    (part,) = [part for part in request.segments if part.state is State.IN_THREAD]
    assert part.where is not None
    assert part.where.line == 8
    assert line.workers[2].spans[0].where == part.where


def test_a_call_of_a_library_names_what_was_called():
    """The line is the one that called the library, with the function's name."""
    line = timeline(accepted(), thread(3, 2), call(4), suspend(5), within(30), returns(80), step(81))
    (part,) = [part for part in line.requests[1].history(ns(90)) if part.state is State.IN_THREAD]
    assert part.where is not None
    assert (part.where.line, part.where.calls) == (8, "time.sleep")


# -- shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "brief"),
    [
        (Awaits("timer"), "timer", "timer"),
        (Awaits("lock", "", 3), "lock of #3", "lock of #3"),
        (Awaits("queue", "get"), "queue get", "queue"),
        (Awaits("task", "\x1b[2J"), r"task \x1b[2J", "task"),
    ],
)
def test_what_is_awaited_in_words(kind, text, brief):
    """What is awaited has its name and its holder; briefly the name is left out."""
    assert words.awaited(kind) == text
    assert words.awaited(kind, brief=True) == brief


def test_the_sentence_names_what_is_awaited():
    """The sentence about requests at an await says what they await, the most frequent first."""
    mood, sentences = story(lock(), ns(60))
    assert mood == "good"
    assert sentences[1].startswith("It awaits: lock of #1. The loop was idle for ")
    _, sentences = story(gathering(), ns(60))
    assert "It awaits: timer." in sentences[1]


@pytest.mark.parametrize(
    ("width", "says"), [(80, "lock of #1"), (120, "lock of #1"), (160, "awaits lock of #1")]
)
def test_the_row_says_what_is_awaited(width, says):
    """A row names what its request awaits, in the words for which there is room, and its latency."""
    rows = text(scene().compose(lock(), view(60), width, 24))
    (row,) = [row for row in rows if row.startswith(" #2 ")]
    shown = row.split()
    assert " ".join(shown[-(len(says.split()) + 2) :]) == f"{says} 59 ms"
    assert ("awaits" in shown) == ("awaits" in says)


@pytest.mark.parametrize(("width", "says"), [(80, "awaiting"), (120, "awaits timer")])
def test_a_row_without_room_says_the_state(width, says):
    """Where there is no room for what is awaited, the row says that the request is awaiting."""
    (row,) = [
        row for row in text(scene().compose(gathering(), view(60), width, 24)) if row.startswith(" #1 ")
    ]
    assert f"{says} " in row


def test_the_detail_says_what_is_awaited():
    """Each await in the detail of a request has its line, its kind and the lock's holder."""
    line = lock()
    console = Console(width=160)
    with console.capture() as captured:
        console.print(detail_table(line.requests[2], line, ns(60), Palette()))
    assert "app.py:40 handler · awaits lock of #1" in captured.get()


def test_the_documents_say_what_is_awaited():
    """JSON has `awaits` in every segment, null where it is not known; the table has a column for it."""
    line = lock(step(150, 2), responded(151, 2), end(152, 2))
    document = summarise(line, scenario=None, environment={}, limit=40)
    segments = document["requests"][1]["segments"]
    assert {part["state"]: part["awaits"] for part in segments} == {
        "queued": None,
        "ready": None,
        "running": None,
        "awaiting": {"what": "lock", "name": "", "holder": 1},
    }
    assert all("awaits" in part for request in document["requests"] for part in request["segments"])
    rows = "".join(table(Material(line, "x"))).splitlines()
    assert rows[0].endswith(",awaits")
    assert sum(row.endswith(",lock of #1") for row in rows) == 1


def test_a_thousand_awaits_of_one_kind_are_one_value():
    """Equal values are kept once, so that what is awaited takes no memory of its own for each request."""
    line = Timeline()
    for number in range(1, 1_001):
        at = 10 * number
        feed(
            line,
            [sent(at, number), iteration(at), read(at, number), made(at, number, number), step(at, number)],
            suspend(at + 1, number),
            awaited(at + 2, number, "queue", "get"),
            step(at + 3, number),
            responded(at + 4, number),
            end(at + 5, number),
        )
    kept = {id(part.awaits) for request in line.requests.values() for part in request.segments if part.awaits}
    assert len(line.requests) == 1_000
    assert len(kept) == 1
    assert line.last == ns(10_005) == ns(0) + 10_005 * MS
