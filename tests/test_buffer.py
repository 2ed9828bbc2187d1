"""The bounded buffer, the order of events that several threads wrote, and the expansion of steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer, Reorder
from loopviz.stream.events import Event, expand


def test_events_come_out_in_the_order_in_which_they_went_in():
    """A drain gives the events in the order of their emission, whatever their times."""
    buffer = Buffer()
    for t in (3, 1, 2):
        buffer.emit((t, ev.STEP, 1))
    assert buffer.drain() == [(3, ev.STEP, 1), (1, ev.STEP, 1), (2, ev.STEP, 1)]


def test_a_drain_takes_each_event_once():
    """Drained events are not returned again."""
    buffer = Buffer()
    buffer.emit((1, ev.IDLE))
    buffer.drain()
    assert buffer.drain() == []
    buffer.emit((2, ev.IDLE))
    assert buffer.drain() == [(2, ev.IDLE)]


def test_what_does_not_fit_is_counted():
    """A full buffer keeps the oldest events and counts the others."""
    buffer = Buffer(capacity=3)
    for t in range(10):
        buffer.emit((t, ev.IDLE))
    assert buffer.dropped == 7
    assert buffer.drain() == [(0, ev.IDLE), (1, ev.IDLE), (2, ev.IDLE)]


def test_a_drain_makes_room():
    """The bound is on the events between two drains."""
    buffer = Buffer(capacity=2)
    for t in range(3):
        buffer.emit((t, ev.IDLE))
    buffer.drain()
    buffer.emit((3, ev.IDLE))
    assert buffer.drain() == [(3, ev.IDLE)]
    assert buffer.dropped == 1


def test_emitted_counts_what_was_taken_in():
    """Drained and waiting events count as emitted, dropped ones do not."""
    buffer = Buffer(capacity=2)
    buffer.emit((0, ev.IDLE))
    buffer.drain()
    for t in range(5):
        buffer.emit((t, ev.IDLE))
    assert (buffer.emitted, buffer.drained, buffer.dropped) == (3, 1, 3)


def at(*times: int) -> list[Event]:
    """An event at each of these times; it names its place in the list."""
    return [(t, ev.WAKE, place) for place, t in enumerate(times)]


def test_the_newest_events_are_held_back():
    """Only events at least a margin older than now are passed on."""
    reorder = Reorder(margin=10)
    a, b, c = at(85, 90, 91)
    assert reorder.push([a, b, c], now=100) == [a, b]
    assert reorder.push([], now=100) == []
    assert reorder.push([], now=101) == [c]


def test_an_event_within_the_margin_is_sorted_in():
    """An event that comes within the margin is put where its time belongs."""
    reorder = Reorder(margin=10)
    b, a = at(95, 94)
    assert reorder.push([b], now=100) == []
    assert reorder.push([a], now=110) == [a, b]


def test_an_event_later_than_the_margin_is_passed_on():
    """An event that comes later than the margin is not lost."""
    reorder = Reorder(margin=10)
    b, a = at(50, 1)
    reorder.push([b], now=100)
    assert reorder.push([a], now=101) == [a]


def test_events_of_the_same_time_keep_their_order():
    """Events with equal times stay in the order in which they were written."""
    events = at(5, 5, 5)
    assert Reorder(margin=0).push([events[2], events[0], events[1]], now=5) == [
        events[2], events[0], events[1],
    ]  # fmt: skip


def test_a_flush_returns_all_that_is_left_in_order():
    """A flush empties the reorderer, sorted by time."""
    reorder = Reorder(margin=1_000)
    b, a = at(7, 3)
    reorder.push([b, a], now=10)
    assert reorder.flush() == [a, b]
    assert reorder.flush() == []


def test_the_list_that_is_pushed_is_not_changed():
    """The caller's list of events is not changed."""
    events = at(7, 3)
    Reorder().push(events, now=10)
    assert events == at(7, 3)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 1_000)), max_size=60), st.integers(1, 9))
def test_jitter_within_the_margin_leaves_no_disorder(pairs, batch):
    """Events that arrive at most a margin late come out sorted and complete, in any batches."""
    arrivals = sorted(
        (t + delay, event) for (delay, t), event in zip(pairs, at(*(t for _, t in pairs)), strict=True)
    )
    reorder, out = Reorder(margin=50), []
    for i in range(0, len(arrivals), batch):
        chunk = arrivals[i : i + batch]
        out += reorder.push([event for _, event in chunk], now=chunk[0][0])
    out += reorder.flush()
    assert [event[0] for event in out] == sorted(t for _, t in pairs)
    assert sorted(out) == sorted(event for _, event in arrivals)


def test_a_step_is_expanded_into_what_it_stands_for():
    """RAN becomes WAKE (if its time is known), STEP, and YIELD or END; other events stay as they are."""
    events: list[Event] = [(9, ev.RAN, 1, 3, 5, "Future", 20), (12, ev.IDLE), (15, ev.RAN, 2, 0, 13, None, 0)]
    assert list(expand(events)) == [
        (3, ev.WAKE, 1), (5, ev.STEP, 1), (9, ev.YIELD, 1, "Future", 20), (12, ev.IDLE),
        (13, ev.STEP, 2), (15, ev.END, 2),
    ]  # fmt: skip
