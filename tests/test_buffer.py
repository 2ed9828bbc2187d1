"""The bounded buffer, and the order of what several threads wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loopviz.stream.buffer import Buffer, Reorder


def test_events_come_out_in_the_order_in_which_they_went_in():
    """A drain gives the events in the order of their emission, whatever their times."""
    buffer = Buffer()
    for t in (3, 1, 2):
        buffer.emit((t, "step", 1))
    assert buffer.drain() == [(3, "step", 1), (1, "step", 1), (2, "step", 1)]


def test_a_drain_takes_each_event_once():
    """What has been drained does not come again."""
    buffer = Buffer()
    buffer.emit((1, "idle"))
    buffer.drain()
    assert buffer.drain() == []
    buffer.emit((2, "idle"))
    assert buffer.drain() == [(2, "idle")]


def test_what_does_not_fit_is_counted():
    """A full buffer keeps the oldest events and counts the others."""
    buffer = Buffer(capacity=3)
    for t in range(10):
        buffer.emit((t, "idle"))
    assert buffer.dropped == 7
    assert buffer.drain() == [(0, "idle"), (1, "idle"), (2, "idle")]


def test_a_drain_makes_room():
    """The bound holds between two drains, not for ever."""
    buffer = Buffer(capacity=2)
    for t in range(3):
        buffer.emit((t, "idle"))
    buffer.drain()
    buffer.emit((3, "idle"))
    assert buffer.drain() == [(3, "idle")]
    assert buffer.dropped == 1


def test_emitted_counts_what_was_taken_in():
    """Drained and waiting events count as emitted, dropped ones do not."""
    buffer = Buffer(capacity=2)
    buffer.emit((0, "idle"))
    buffer.drain()
    for t in range(5):
        buffer.emit((t, "idle"))
    assert (buffer.emitted, buffer.drained, buffer.dropped) == (3, 1, 3)


def test_the_newest_events_are_held_back():
    """Only events at least a margin older than now are passed on."""
    reorder = Reorder(margin=10)
    assert reorder.push([(85, "a"), (90, "b"), (91, "c")], now=100) == [(85, "a"), (90, "b")]
    assert reorder.push([], now=100) == []
    assert reorder.push([], now=101) == [(91, "c")]


def test_a_late_neighbour_takes_its_place():
    """An event that comes within the margin is put where its time belongs."""
    reorder = Reorder(margin=10)
    assert reorder.push([(95, "b")], now=100) == []
    assert reorder.push([(94, "a")], now=110) == [(94, "a"), (95, "b")]


def test_what_is_later_than_the_margin_is_passed_on():
    """An event that comes later than the margin is not lost."""
    reorder = Reorder(margin=10)
    reorder.push([(50, "b")], now=100)
    assert reorder.push([(1, "a")], now=101) == [(1, "a")]


def test_events_of_the_same_time_keep_their_order():
    """Events with equal times stay in the order in which they were written."""
    events = [(5, "z"), (5, "a"), (5, "m")]
    assert Reorder(margin=0).push(events, now=5) == events


def test_a_flush_gives_all_that_is_left_in_order():
    """A flush empties the reorderer, sorted by time."""
    reorder = Reorder(margin=1_000)
    reorder.push([(7, "b"), (3, "a")], now=10)
    assert reorder.flush() == [(3, "a"), (7, "b")]
    assert reorder.flush() == []


def test_the_pushed_list_is_left_alone():
    """The caller's list of events is not changed."""
    events = [(7, "b"), (3, "a")]
    Reorder().push(events, now=10)
    assert events == [(7, "b"), (3, "a")]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 1_000)), max_size=60), st.integers(1, 9))
def test_jitter_within_the_margin_leaves_no_disorder(pairs, batch):
    """Events that arrive at most a margin late come out sorted and complete, in any batches."""
    arrivals = sorted((t + delay, t, n) for n, (delay, t) in enumerate(pairs))
    reorder, out = Reorder(margin=50), []
    for i in range(0, len(arrivals), batch):
        chunk = arrivals[i : i + batch]
        out += reorder.push([(t, n) for _, t, n in chunk], now=chunk[0][0])
    out += reorder.flush()
    assert [t for t, _ in out] == sorted(t for _, t in pairs)
    assert sorted(n for _, n in out) == list(range(len(pairs)))
