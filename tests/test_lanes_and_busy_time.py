"""Worker lanes, their share of a core, and the loop's busy time."""

from __future__ import annotations

import pytest

from loopviz.model import Lane, Where
from loopviz.model.busy import BIN, BusyBins
from tests.streams import MS, call, cpu, executes, feed, ms, ns, returns, thread, timeline


def test_a_call_is_a_span_of_its_thread():
    """A worker's span lasts from the call's beginning to its return, and names its request."""
    line = timeline(thread(0, 2), call(10, request=9), returns(25))
    (span,) = line.workers[2].spans
    assert (ms(span.start), ms(span.end), span.request) == (10, 25, 9)
    assert line.workers[2].busy == 15 * MS


def test_a_call_that_lasts_is_an_open_span():
    """A worker is busy from its call's beginning on, before the end is known."""
    line = timeline(call(10, request=9))
    lane = line.workers[2]
    assert [(ms(s.start), ms(s.end)) for s in lane.newest_first(ns(40))] == [(10, 40)]
    assert list(lane.newest_first(ns(10))) == []
    assert lane.busy_at(ns(40))
    assert not lane.busy_at(ns(9))


def test_a_worker_between_two_calls_is_not_busy():
    """A worker is busy within its spans only."""
    lane = timeline(call(10), returns(20), call(30, number=2), returns(40, number=2)).workers[2]
    assert [lane.busy_at(ns(t)) for t in (5, 15, 25, 35, 45)] == [False, True, False, True, False]


def test_the_sampled_line_replaces_the_definition():
    """A span has the line at which its call was last seen."""
    line = timeline(call(10), executes(30, line=8))
    span = line.workers[2].open
    assert span is not None
    assert span.where == Where("app.py", 8, "work")
    feed(line, returns(40))
    assert line.workers[2].spans[0].where == Where("app.py", 8, "work")


def test_workers_are_named_in_the_order_of_their_appearance():
    """Worker threads are numbered from 1, whatever number the loop's thread has."""
    line = timeline(thread(0, 1, "loop"), thread(1, 2), thread(2, 3))
    assert [(n, lane.name) for n, lane in line.workers.items()] == [(2, "worker 1"), (3, "worker 2")]
    assert line.loop.number == 1


def test_the_share_of_a_core_is_cpu_time_by_wall_time():
    """A thread that used 150 ms of CPU in 600 ms has a quarter of a core."""
    lane = timeline(*(cpu(t, 2, t / 4) for t in range(0, 1300, 100))).workers[2]
    assert lane.cpu_share(ns(1200)) == pytest.approx(0.25)


def test_the_share_is_of_the_window_only():
    """What a thread did before the window does not count."""
    lane = timeline(*(cpu(t, 2, min(t, 600)) for t in range(0, 1300, 100))).workers[2]
    assert lane.cpu_share(ns(600)) == pytest.approx(1.0)
    assert lane.cpu_share(ns(1200)) == pytest.approx(0.0)


def test_the_share_in_the_past_ignores_what_came_later():
    """A share asked for an earlier moment is the one that was shown then."""
    readings = [cpu(t, 2, max(0, t - 500)) for t in range(0, 1300, 100)]
    live = timeline(*readings[:6]).workers[2].cpu_share(ns(500))
    later = timeline(*readings).workers[2].cpu_share(ns(500))
    assert live == later == 0.0


@pytest.mark.parametrize("readings", [[], [(0, 0)]], ids=["none", "one"])
def test_no_share_without_two_readings(readings):
    """A share needs two readings of the clock."""
    lane = timeline(thread(0, 2), *(cpu(t, 2, used) for t, used in readings)).workers[2]
    assert lane.cpu_share(ns(100)) is None


def test_no_share_from_readings_of_long_ago():
    """When the readings stop, the share becomes unknown."""
    lane = timeline(cpu(0, 2, 0), cpu(100, 2, 50)).workers[2]
    assert lane.cpu_share(ns(200)) == pytest.approx(0.5)
    assert lane.cpu_share(ns(100_000)) is None


def test_a_thread_number_used_again_starts_its_clock_again():
    """A clock that starts again at 0 adds to the lane's CPU time and never takes away from it."""
    line = timeline(cpu(0, 2, 100), cpu(100, 2, 180), cpu(200, 2, 30), cpu(300, 2, 50))
    lane = line.workers[2]
    assert lane.cpu == (80 + 30 + 20) * MS
    assert [used for _, used in lane.samples] == sorted(used for _, used in lane.samples)
    assert lane.cpu_share(ns(300)) == pytest.approx(130 / 300)


def test_the_first_reading_is_a_start_and_not_a_use():
    """CPU time that a thread used before it was seen does not count."""
    assert timeline(cpu(0, 2, 5_000)).workers[2].cpu == 0


def test_the_loops_clock_is_not_a_workers():
    """The CPU time of the loop's thread belongs to the loop's lane."""
    line = timeline(thread(0, 1, "loop"), cpu(0, 1, 0), cpu(100, 1, 60))
    assert line.loop.cpu == 60 * MS
    assert line.workers == {}


def test_a_return_whose_call_was_lost_makes_no_worker():
    """A call known only by its submission leaves no thread of its own behind."""
    line = timeline((ns(0), "submit", 1, 1, 1), executes(5), returns(10))
    assert line.workers == {}


def test_a_lane_keeps_a_bounded_number_of_spans_and_readings():
    """However many calls a thread executes, the memory of its lane is bounded."""
    line = timeline(
        [
            event
            for i in range(25_000)
            for event in (call(i, number=i), returns(i + 0.5, number=i), cpu(i, 2, i))
        ]
    )
    lane: Lane = line.workers[2]
    assert len(lane.spans) == lane.spans.maxlen
    assert len(lane.samples) == lane.samples.maxlen
    assert lane.busy == 25_000 * MS // 2


def test_short_stretches_add_up_in_their_bin():
    """The busy time of a stretch is the sum of what was added there."""
    bins = BusyBins(bins=60_000)
    bins.add(0, 1 * MS)
    bins.add(2 * MS, 4 * MS)
    bins.add(2 * BIN, 2 * BIN + 3 * MS)
    assert bins.busy(0, BIN) == 3 * MS
    assert bins.busy(BIN, 2 * BIN) == 0
    assert bins.busy(0, 3 * BIN) == 6 * MS


def test_a_stretch_counts_where_it_ends():
    """A stretch over the edge of two bins belongs to the later one."""
    bins = BusyBins(bins=60_000)
    bins.add(BIN - 1 * MS, BIN + 1 * MS)
    assert bins.busy(0, BIN) == 0
    assert bins.busy(BIN, 2 * BIN) == 2 * MS


def test_an_interval_that_ends_at_a_bins_edge_excludes_the_next_bin():
    """The end of the interval asked for does not belong to it."""
    bins = BusyBins(bins=60_000)
    bins.add(BIN, BIN + MS)
    assert bins.busy(0, BIN) == 0
    assert bins.busy(0, BIN + 1) == MS


def test_old_bins_go_when_there_are_too_many():
    """A bounded number of bins is kept: the newest."""
    bins = BusyBins(bins=3)
    for i in range(5):
        bins.add(i * BIN, i * BIN + MS)
    assert bins.busy(0, 2 * BIN) == 0
    assert bins.busy(0, 5 * BIN) == 3 * MS
