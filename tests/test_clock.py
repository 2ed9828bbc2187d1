"""The burst clock: zero is the first request of what was fired last, and the window is what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loopviz.clock import NS
from loopviz.draw.expected import Expected
from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.scenario import Load, Scenario, ScenarioFile
from loopviz.stream.events import Event
from loopviz.tui.clock import BurstClock, Clock
from loopviz.tui.playback import Playback
from loopviz.tui.scene.axis import axis
from loopviz.tui.scene.frame import Columns, Frame
from loopviz.tui.scene.pen import Pen
from loopviz.tui.scene.track import Tracks
from loopviz.tui.view import COLUMN_WIDTHS, View
from tests import streams
from tests.streams import MS, accepted, feed, fired, ms, ns, timeline
from tests.test_scene import scene, text


def file(
    name: str = "x", makespan: Callable[[Load], float] | None = None, seconds: float = 1.0
) -> ScenarioFile:
    """A scenario with this law."""
    facts = Scenario(title="t", expect="It works.", makespan=makespan, seconds=seconds)
    return ScenarioFile(name, Path(f"{name}.py"), facts, None, "GET", f"/{name}")


def answered(at: float, number: int = 1) -> list[Event]:
    """The request's answer, with the end of its task."""
    return [streams.responded(at, number), streams.end(at, number)]


def clock_at(line: Timeline, *files: ScenarioFile, at: float, present: float | None = None) -> Clock:
    """The clock at a moment; there must be one."""
    clock = BurstClock(line, lambda: files).at(ns(at), ns(at if present is None else present))
    assert clock is not None
    return clock


EIGHT = file(makespan=lambda load: load.requests * load.seconds)


def test_zero_is_the_first_request_of_what_was_fired_last():
    """A second key gives a new zero, also while the requests of the first are on their way."""
    line = timeline(fired(0, 1), accepted(1, 1, at=5), fired(300, 2, first=2), accepted(2, 2, at=310))
    clock = BurstClock(line, lambda: [file()])
    found = [clock.at(ns(at), ns(at)) for at in (100, 400, 100)]
    assert [c and (c.press, ms(c.zero)) for c in found] == [(1, 5), (2, 310), (1, 5)]


def test_without_a_burst_there_is_no_clock():
    """Traffic of others, and recordings of before, scroll."""
    line = timeline(streams.read(0))
    assert BurstClock(line, lambda: [file()]).at(ns(9), ns(9)) is None


def test_the_window_is_the_expected_time_and_a_little_more():
    """The mark of the expected end is well inside, and not near the beginning."""
    clock = clock_at(timeline(fired(0, count=8), accepted()), EIGHT, at=100)
    assert clock.expected is not None
    assert (clock.expected.ns, clock.expected.declared) == (8 * NS, True)
    assert 8.5 * NS < clock.window < 12 * NS
    assert clock.mark == clock.zero + 8 * NS


def test_the_window_doubles_when_nine_tenths_have_passed_and_ends_with_the_burst():
    """A burst that is late fills more and more of a wider picture; that of the end is full, and stays."""
    line = timeline(fired(0), accepted())
    clock = BurstClock(line, lambda: [file(makespan=lambda load: load.seconds)])

    def window(at: float) -> int:
        found = clock.at(ns(at), ns(at))
        assert found is not None
        return found.window

    first = window(1)
    assert window(0.85 * first / MS) == first
    assert window(0.95 * first / MS) == 2 * first
    assert window(3.7 * first / MS) == 8 * first
    feed(line, answered(3.75 * first / MS))
    assert window(3.8 * first / MS) == window(200_000)
    assert 3.75 * first < window(200_000) < 4.2 * first


def test_the_window_includes_the_expected_end_of_a_burst_that_was_early():
    """One sees how much too early it was; a window that is nearly full is not changed."""
    line = timeline(fired(0), accepted())
    law = [file(makespan=lambda _: 8.0)]
    before = clock_at(line, *law, at=10)
    feed(line, answered(500))
    after = clock_at(line, *law, at=600)
    assert after.mark is not None
    assert after.zero + after.window > after.mark
    assert after.window == before.window


def test_the_window_is_never_longer_than_what_is_kept():
    """A request that is never answered does not make the window grow for ever."""
    line = timeline(fired(0), accepted())
    assert clock_at(line, file(), at=4_000_000).window == 300 * NS


def test_the_last_run_is_what_is_expected_where_no_law_says_it():
    """The first run of a scenario has no mark; the second has the time of the first, if the load is equal."""
    line = timeline(fired(0, 1), accepted(1, 1), answered(700, 1))
    assert clock_at(line, file(), at=10).expected is None
    feed(line, fired(2_000, 2, first=2), accepted(2, 2, at=2_000))
    clock = clock_at(line, file(), at=2_010)
    assert clock.expected is not None
    assert (clock.expected.ns, clock.expected.declared) == (700 * MS, False)
    feed(line, fired(5_000, 3, first=3, count=2), accepted(3, 3, at=5_000))
    assert clock_at(line, file(), at=5_010).expected is None


def test_a_law_of_cpu_time_is_known_after_the_first_run():
    """What one request computes is measured, so that the expected end is marked from the second run on."""
    cpu = file(makespan=lambda load: load.requests * load.single)

    def computes(number: int, since: float) -> list[Event]:
        task = number
        return [
            streams.sent(since, number), streams.read(since, number, task), streams.made(since, task, number),
            streams.step(since, task), *answered(since + 300, number),
        ]  # fmt: skip

    line = timeline(fired(0, 1), computes(1, 0))
    before = timeline(fired(0, 1), computes(1, 0)[:-2])
    assert clock_at(before, cpu, at=10).expected is None
    feed(line, fired(2_000, 2, first=2, count=4), computes(2, 2_000)[:-2])
    clock = clock_at(line, cpu, at=2_010)
    assert clock.expected is not None
    assert clock.expected.ns == pytest.approx(4 * 300 * MS, rel=0.02)


@pytest.mark.parametrize("law", [lambda _: 1 / 0, lambda _: -1.0, lambda _: "soon"])
def test_a_law_that_fails_gives_no_mark(law):
    """A scenario of a user may declare anything."""
    assert clock_at(timeline(fired(0), accepted()), file(makespan=law), at=10).expected is None


def test_what_follows_the_responses_is_in_the_window():
    """A burst with background work is shown until that is done, beyond the expected end of its answers."""
    line = timeline(fired(0), accepted(), streams.responded(20), streams.suspend(21))
    before = clock_at(line, file(makespan=lambda _: 0.02), at=30)
    feed(line, streams.step(900), streams.end(950))
    after = clock_at(line, file(makespan=lambda _: 0.02), at=60_000)
    assert before.window < 200 * MS
    assert after.window > 950 * MS


@pytest.mark.parametrize("columns", [8, 38, 100, 300])
@pytest.mark.parametrize("window", [1_000, 40 * MS, 1_240 * MS, 300 * NS])
@pytest.mark.parametrize("zero", [ns(0) + 123_457, 987_654_321_987_653])
def test_zero_is_at_the_beginning_of_the_first_column(columns, window, zero):
    """The columns hold the window, little more, and zero is in the first half column."""
    clock = Clock(zero, window)
    width = clock.width(columns)
    assert width % 2 == 0
    assert width * (columns - 1) >= window
    assert width * (columns - 1) <= 1.2 * window + 4 * columns
    if window > 10_000:
        assert zero % width < width / 4


# -- the picture -------------------------------------------------------------------------------


def blocking() -> Timeline:
    """Two requests, of which the second waits for the first; 100 ms each, fired at 0."""
    return timeline(
        streams.thread(0, 1, "loop"), fired(0, count=2), streams.sent(0, 1), streams.sent(0, 2),
        streams.read(0, 1, 1), streams.made(0, 1, 1), streams.read(0, 2, 2), streams.made(0, 2, 2),
        streams.step(0, 1), answered(100, 1), streams.step(100, 2), answered(200, 2), streams.idle(200),
    )  # fmt: skip


def shown(line: Timeline, at: float, *, width: int = 80, **settings: object) -> list[str]:
    """The lines of the picture at a moment, with the clock of that moment."""
    law = file(makespan=lambda _: 0.2)
    view = View(now=ns(at), clock=BurstClock(line, lambda: [law]).at(ns(at), ns(at)))
    for name, value in settings.items():
        setattr(view, name, value)
    return text(scene(Palette("mono")).compose(line, view, width, 24))


def test_the_axis_begins_at_zero_and_says_when_all_should_be_done():
    """It counts from the first request on; a picture that scrolls counts back from now."""
    axis = next(line for line in shown(blocking(), 150) if "expected" in line)
    assert "0 ms" in axis
    assert "expected 200 ms" in axis
    assert "now" not in axis
    assert any("now" in line and "-2 s" in line for line in shown(blocking(), 150, clock=None))


def test_no_column_is_empty_on_the_left_and_the_rest_fills_from_there():
    """The first request is drawn from the first column on, whatever the size; what comes is empty."""
    for width in (80, 120, 200):
        for at in (20, 60, 150, 5_000):
            frame = shown(blocking(), at, width=width)
            axis = next(line for line in frame if "expected" in line)
            left = axis.index("0 ms")
            row = next(line for line in frame if line.lstrip().startswith("#1 "))
            assert row[left] != " "
            filled = len(row[left:].split(" ")[0]) if at < 100 else 0
            window = width - left
            assert filled < window


def test_the_mark_of_the_expected_end_crosses_neither_words_nor_states():
    """It is drawn where a lane is empty, in one column of all lanes."""
    line = blocking()
    columns = {row.index("┆") for row in shown(line, 20) if "┆" in row}
    assert len(columns) == 1
    (column,) = columns
    late = timeline(fired(0), accepted(), streams.suspend(5))
    rows = [row for row in shown(late, 400) if row.lstrip().startswith("#1 ")]
    assert all(row[column] != "┆" for row in rows)


def marks(width: int, column: int | None, left: int, expected: Expected | None = None) -> str:
    """The axis of a burst in a picture that was moved and zoomed; `column` None: it was not zoomed."""
    view = View(now=ns(0), clock=Clock(ns(0), 2 * NS, expected), column_ns=column, left=ns(0) + left)
    frame = Frame(timeline(), view, Columns.of(width, view), Tracks())
    return text([axis(Pen(Palette()), frame)])[0][frame.columns.label :]


def test_the_first_mark_of_a_zoomed_picture_has_its_unit():
    """Where zero is not in the picture, one still reads whether the numbers are milliseconds."""
    assert marks(80, 10_000, 2_499 * MS).split() == ["2499000", "µs", "2499200"]
    assert marks(80, 5 * MS, 100 * MS).split() == ["100", "ms", "150", "200", "250"]


@settings(max_examples=300)
@given(
    st.integers(20, 300),
    st.sampled_from([None, *(column for column in COLUMN_WIDTHS if column <= 10 * NS)]),
    st.integers(-NS, 4 * 3_600 * NS),
)
@example(80, 1_000, 4 * 3_600 * NS)
def test_each_mark_of_the_axis_stands_at_its_time_wherever_it_is_zoomed(width, column, left):
    """None is cut, touches the next one or is rounded, and the first one has the unit of all."""
    shown = marks(width, column, left)
    assert "e+" not in shown
    words = [(word.start(), word[0]) for word in re.finditer(r"\S+", shown)]
    unit = {"s": NS, "ms": MS, "µs": 1_000}[words.pop(1)[1]] if words else NS
    view = View(now=ns(0), clock=Clock(ns(0), 2 * NS), column_ns=column)
    wide = Columns.of(width, view).column_ns
    for at, number in words:
        assert at == (ns(0) + round(float(number) * unit)) // wide - (ns(0) + left) // wide


def test_the_expected_end_is_named_only_where_it_is_in_the_picture():
    """A picture that was moved beyond it has only marks; the first one keeps its unit beside the words."""
    soon = Expected(NS, declared=True)
    assert "expected 1 s" in marks(80, 10 * MS, 990 * MS, soon)
    assert " ms " in marks(80, 10 * MS, 910 * MS, soon)
    assert "expected" not in marks(80, 10 * MS, 1_100 * MS, soon)


# -- moving ------------------------------------------------------------------------------------


def watching(line: Timeline, at: float, cells: int = 50) -> tuple[View, Playback]:
    """A view that follows a burst, with what moves it."""
    view = View()
    view.cells = cells
    playback = Playback(view, line, BurstClock(line, lambda: [EIGHT]), None, ns(at))
    playback.advance(ns(at), ns(at), live=True)
    return view, playback


def test_a_frozen_picture_keeps_its_clock():
    """Freezing stops the time that is shown, not the axis; what is fired meanwhile changes neither."""
    line = blocking()
    view, playback = watching(line, 150)
    view.freeze()
    clock = view.clock
    feed(line, fired(400, 2, first=3), accepted(3, 3, at=400))
    playback.advance(ns(900), ns(900), live=True)
    assert (view.clock, view.now) == (clock, ns(150))
    view.follow()
    playback.advance(ns(950), ns(950), live=True)
    assert view.clock is not None
    assert view.clock.press == 2


def test_pan_and_zoom_move_the_picture_of_a_burst_and_following_takes_them_back():
    """Both freeze it; undo goes back one step, and the present has zero at the left edge again."""
    view, _ = watching(blocking(), 1_000)
    zero, window = view.reach[0], view.window
    view.zoom(1, ns(1_000))
    assert view.window < window
    assert view.behind is not None
    zoomed = view.reach
    view.pan(-0.2, ns(1_000))
    assert view.reach[0] < zoomed[0]
    assert view.undo()
    assert view.reach == zoomed
    view.follow()
    assert (view.reach[0], view.window) == (zero, window)


def test_zooming_in_and_out_ends_at_a_round_width_and_never_grows_by_zooming_in():
    """The width of a burst's columns is not round: the next narrower and the next wider ones are steps."""
    view, _ = watching(blocking(), 1_000)
    window = view.window
    view.zoom(-1, ns(1_000))
    assert view.window > window
    view.zoom(1, ns(1_000))
    view.zoom(1, ns(1_000))
    assert view.window < window


def test_a_time_cursor_in_the_picture_does_not_move_it():
    """A step to a change inside the window leaves the window; one outside moves it there."""
    view, _ = watching(blocking(), 1_000)
    before = view.reach
    view.see(ns(120), ns(1_000))
    assert view.reach == before
    view.see(ns(120) + 20 * NS, ns(60_000))
    assert view.reach[0] <= ns(120) + 20 * NS < view.reach[1]


def test_playing_back_fills_the_window_from_the_left():
    """In slow motion, what is shown begins at zero, and the axis is that of the burst."""
    line = blocking()
    view, playback = watching(line, 3_000)
    playback.replay(ns(0), ns(200), ns(3_000))
    playback.advance(ns(3_100), ns(3_100), live=True)
    assert view.reach[0] == ns(0)
    assert ns(0) <= view.now <= ns(200)
    assert view.clock is not None
    assert any(" #1 " in row for row in text(scene().compose(line, view, 80, 24)))
    playback.advance(ns(90_000), ns(90_000), live=True)
    assert view.now == ns(200)
    assert view.speed is None


def test_undo_after_slow_motion_leads_back_to_what_is_fired():
    """What was played back, or paused, is over: the picture moves, and the next burst has its own clock."""
    line = blocking()
    view, playback = watching(line, 3_000)
    playback.replay(ns(0), ns(200), ns(3_000))
    view.pause()
    assert view.undo()
    assert (view.behind, view.speed, view.paused) == (None, None, None)
    feed(line, fired(4_000, 2, first=3), accepted(3, 3, at=4_000))
    playback.advance(ns(4_100), ns(4_100), live=True)
    assert view.clock is not None
    assert view.clock.press == 2


def test_zooming_in_slow_motion_keeps_the_moment_and_goes_on():
    """Also while it is paused; what is played back stays in the picture until its end."""
    view, playback = watching(blocking(), 3_000)
    playback.replay(ns(0), ns(200), ns(3_000))
    playback.advance(ns(3_500), ns(3_500), live=True)
    part = (view.now - view.reach[0]) / view.window
    for _ in range(4):
        view.zoom(1, ns(3_500))
        assert (view.now, view.speed) == (ns(50), 0.1)
        assert (view.now - view.reach[0]) / view.window == pytest.approx(part, abs=0.01)
    for at in range(3_600, 6_000, 100):
        playback.advance(ns(at), ns(at), live=True)
        assert view.reach[0] <= view.now <= view.reach[1]
    assert (view.now, view.speed) == (ns(200), None)
    playback.replay(ns(0), ns(200), ns(6_000))
    view.pause()
    view.zoom(-1, ns(6_000))
    assert (view.now, view.paused) == (ns(0), 0.1)


def test_a_jump_to_an_earlier_burst_keeps_what_the_picture_shows():
    """A moment of an older burst is seen on the axis that was there; it is not zoomed away from it."""
    line = blocking()
    feed(line, fired(20_000, 2, first=3), accepted(3, 3, at=20_000))
    view, playback = watching(line, 31_000)
    window = view.window
    view.see(ns(100), ns(31_000))
    for at in (31_100, 31_200):
        playback.advance(ns(at), ns(at), live=True)
        assert view.window == window
        assert view.reach[0] <= ns(100) < view.reach[1]


def test_the_next_burst_of_a_recording_that_was_zoomed_is_shown_as_a_whole():
    """While it is played, zooming holds for the burst that is shown; the next one begins at its zero."""
    line = blocking()
    feed(line, fired(4_000, 2, first=3), accepted(3, 3, at=4_000))
    view, playback = watching(line, 0)
    playback.start(1.0, None, ns(9_000))
    playback.advance(ns(100), ns(9_000), live=False)
    view.zoom(1, ns(9_000))
    playback.advance(ns(200), ns(9_000), live=False)
    assert view.clock is not None
    assert view.window < view.cells * view.clock.width(view.cells)
    playback.advance(ns(4_500), ns(9_000), live=False)
    assert (view.reach[0], view.now, view.speed) == (ns(4_000), ns(4_500), 1.0)
    assert view.window == view.cells * view.clock.width(view.cells)
