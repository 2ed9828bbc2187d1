"""Where each request is at a moment: its station, its line and its frames."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.model import State, Station, Timeline, Where, position, positions
from loopviz.model.positions import STATIONS
from loopviz.model.sightings import MAX_SIGHTINGS, Sightings
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.random_events import expanded_events, times
from tests.streams import (
    accepted,
    awaits,
    call,
    executes,
    feed,
    holds,
    made,
    ns,
    pool,
    responded,
    returns,
    sent,
    step,
    suspend,
    timeline,
    token_wait,
    wake,
)

ASLEEP = "21\thandler\tapp.py\n9\tsleep\ttasks.py"


def frames(at: float, task: int = 0, number: int = 0, text: str = ASLEEP) -> Event:
    """FRAMES: of a task, or of a call."""
    return (ns(at), ev.FRAMES, task, number, text)


@settings(max_examples=300)
@given(expanded_events, st.lists(times, min_size=1, max_size=4))
def test_a_request_is_at_the_station_of_its_state(events, moments):
    """For any events, each request that is alive is at one station, that of its state in the timeline."""
    line = Timeline()
    line.feed(events)
    for t in moments:
        found = positions(line, t)
        assert len({one.request for one in found}) == len(found)
        assert [one.request for one in found if one.request > 0] == sorted(
            one.request for one in found if one.request > 0
        )
        for one in found:
            assert one.station is STATIONS[one.state]
            assert one.since <= t
        by_number = {one.request: one for one in found}
        for request in line.alive_at(t):
            segment = request.state_at(t)
            same = position(line, request, t)
            assert (segment is None) == (same is None)
            if segment is not None and same is not None:
                assert by_number[request.id] == same
                assert (same.state, same.thread) == (segment.state, segment.thread)


def test_the_line_of_a_step_is_the_latest():
    """A step that goes on is where it was seen last; its segment keeps the line that was seen most often."""
    line = timeline(accepted(), holds(22, line=14), holds(42, line=14), holds(62, line=15))
    (seen,) = positions(line, ns(70))
    assert (seen.station, seen.where) == (Station.LOOP, Where("app.py", 15, "handler"))
    assert positions(line, ns(50))[0].where == Where("app.py", 14, "handler")
    assert positions(line, ns(10))[0].where is None, "it was not seen yet"


def test_the_line_of_an_await_is_known_from_its_beginning():
    """A suspended task does not move: once its line was seen, it has been there since it was suspended."""
    line = timeline(accepted(), suspend(10), [frames(30, 1), awaits(30)])
    (seen,) = positions(line, ns(50))
    assert (seen.station, seen.state, seen.since) == (Station.PARKED, State.AWAITING, ns(10))
    assert seen.where == Where("app.py", 21, "handler")
    assert seen.inside == (Where("tasks.py", 9, "sleep"),)
    assert seen.callers == ()
    assert positions(line, ns(20))[0].where == seen.where


def test_the_frames_are_those_of_the_line():
    """What was seen of one await is not shown at the next; callers come before the line, libraries after."""
    text = "3\tmiddleware\tapp.py\n21\thandler\tapp.py\n7\tget\tclient.py\n8\tread\tclient.py"
    line = timeline(accepted(), suspend(10), [frames(31, 1, text=text), awaits(31)])
    (seen,) = positions(line, ns(40))
    assert seen.callers == (Where("app.py", 3, "middleware"),)
    assert [where.function for where in seen.inside] == ["get", "read"]
    feed(line, wake(50), step(51), suspend(52), awaits(80, line=30))
    (seen,) = positions(line, ns(90))
    assert (seen.where, seen.frames) == (Where("app.py", 30, "handler"), ())


def test_a_call_is_where_its_function_is_defined_until_it_is_seen():
    """The marker of a call in a thread begins at the definition, and follows its lines."""
    line = timeline(accepted(), suspend(1), call(2), [frames(25, 0, 1), executes(25, line=21)])
    early, late = positions(line, ns(10))[0], positions(line, ns(30))[0]
    assert early.station is late.station is Station.POOL
    assert late.where is not None
    assert (late.where.line, late.thread) == (21, early.thread)
    new = timeline(accepted(), suspend(1), call(2))
    assert positions(new, ns(10))[0].where == Where("app.py", 7, "work")


def test_a_request_is_at_the_pool_that_it_waits_for_or_works_in():
    """A wait and a call of AnyIO's threads belong to the default limiter, unless another one was seen."""
    line = timeline(
        pool(0, 5, "default-limiter", "", 1), pool(0, 6, "limiter", "", 2),
        accepted(), [(ns(1), ev.POOL_CALL, 0, 1, 5), token_wait(1)], suspend(2),
    )  # fmt: skip
    assert (positions(line, ns(5))[0].station, positions(line, ns(5))[0].pool) == (Station.POOL_QUEUE, 5)
    feed(line, wake(6), step(7), suspend(8), call(9))
    assert (positions(line, ns(10))[0].station, positions(line, ns(10))[0].pool) == (Station.POOL, 5)
    feed(line, returns(11), wake(12), step(13), [(ns(13), ev.POOL_CALL, 0, 1, 6)], suspend(14), call(15, 2))
    assert positions(line, ns(16))[0].pool == 6
    assert positions(line, ns(5))[0].pool == 5, "the past stays"


def test_what_goes_on_after_the_response_has_a_position():
    """A request whose tasks have not ended is there, and is said to be answered."""
    line = timeline(accepted(), responded(20), holds(45, since=0))
    (seen,) = positions(line, ns(50))
    assert (seen.answered, seen.station) == (True, Station.LOOP)
    assert not positions(line, ns(15))[0].answered


def test_tasks_that_are_not_awaited_have_positions_of_their_own():
    """They follow the requests, with negative numbers."""
    line = timeline(accepted(), made(1, 2, 1, 1), [(ns(1), ev.AWAITS_TASK, 1, 2, 0)], suspend(2), sent(3, 2))
    assert [one.request > 0 for one in positions(line, ns(10))] == [True, True, False]


def test_frames_that_are_no_frames_are_none():
    """A forged recording may have any text there."""
    for text in ("", "x", "x\ty\tz", "1", "-1\ta\tb", "9" * 5_000, "\n".join(["1\ta\tb"] * 5_000)):
        line = timeline(accepted(), suspend(10), [frames(30, 1, text=text), awaits(30)])
        (seen,) = positions(line, ns(50))
        assert seen.where == Where("app.py", 21, "handler")
        assert seen.inside == seen.callers == ()
        assert len(seen.frames) <= 20


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 4)), max_size=60), st.integers(0, 60))
def test_packed_sightings_are_the_same(changes, t):
    """A request that has ended keeps what was seen, in less memory."""
    seen = Sightings()
    for at, number in sorted(changes):
        seen.add(at, Where("a.py", number, "f"), (), 0)
    before, last = list(seen), seen.last(0, t)
    seen.pack({})
    assert (list(seen), len(seen), seen.last(0, t)) == (before, len(before), last)
    expected = [(at, number) for at, number in sorted(changes) if at <= t]
    assert last is None or (last.t, last.where.line) <= expected[-1]


def test_sightings_are_bounded():
    """The newest are kept."""
    seen = Sightings()
    for at in range(3 * MAX_SIGHTINGS):
        seen.add(at, Where("a.py", at, "f"), (), 0)
    assert [one.t for one in seen] == list(range(2 * MAX_SIGHTINGS, 3 * MAX_SIGHTINGS))
