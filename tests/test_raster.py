"""From stretches of time to rows of codes: by hand, and for any stretches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.draw.look import AFTER_BLOCK, BLOCK, CODES, NOTHING, Palette
from loopviz.draw.raster import (
    after_response,
    code_of,
    lane_stretches,
    loop_levels,
    raster,
    request_stretches,
    token_levels,
)
from loopviz.model import State
from loopviz.tui.scene.track import Track
from tests import streams
from tests.streams import MS, ZERO, ns

WIDTH = 10 * MS
FIRST = ZERO // WIDTH


def row(*stretches: tuple[float, float, str], columns: int = 8) -> str:
    """The raster, from 0 ms on and 10 ms a column, of stretches in the order of time."""
    times = [(ns(start), ns(end), code) for start, end, code in stretches]
    return raster(reversed(times), WIDTH, FIRST, FIRST + columns)


# -- raster ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([], "        "),
        ([(0, 80, "a")], "aaaaaaaa"),
        ([(20, 40, "a")], "  aa    "),
        ([(0, 20, "q"), (20, 50, "r"), (50, 80, "a")], "qqrrraaa"),
        ([(-500, 30, "q"), (30, 500, "r")], "qqqrrrrr"),
        ([(0, 6, "q"), (6, 10, "r")], "q       "),
        ([(0, 4, "q"), (4, 10, "r")], "r       "),
        ([(0, 3, "q"), (3, 7, "r"), (7, 10, "q")], "q       "),
        ([(0, 16, "q"), (16, 40, "r")], "qqrr    "),
        ([(0, 14, "q"), (14, 40, "r")], "qrrr    "),
        ([(41, 42, "r")], "    r   "),
        ([(79.999, 200, "r")], "       r"),
        ([(80, 200, "r")], "        "),
        ([(-20, 0, "r")], "        "),
        ([(5, 5, "r")], "        "),
    ],
)
def test_a_column_shows_what_covers_most_of_it(stretches, expected):
    """A half column has the code that covers most of it; outside of all stretches it has none."""
    assert row(*stretches) == expected


def test_stretches_before_the_window_are_not_read():
    """Only what the window shows of a long history is read."""
    read = []

    def newest_first():
        for index in reversed(range(-100, 8)):
            read.append(index)
            yield ns(10 * index), ns(10 * index + 10), "r"

    assert raster(newest_first(), WIDTH, FIRST, FIRST + 8) == "rrrrrrrr"
    assert read == list(range(7, -2, -1))


@st.composite
def lives(draw):
    """Stretches that touch each other, in the order of time."""
    at = draw(st.integers(0, 300)) * MS // 10
    stretches = []
    for _ in range(draw(st.integers(1, 12))):
        end = at + draw(st.integers(1, 400)) * MS // 10
        stretches.append((ZERO + at, ZERO + end, draw(st.sampled_from("qrayth"))))
        at = end
    return stretches


@given(lives(), st.integers(-3, 30), st.integers(1, 40))
def test_every_covered_column_has_a_code_that_is_there(stretches, begin, columns):
    """A column is drawn if and only if a stretch covers a part of it, with the code of such a stretch."""
    first = FIRST + begin
    codes = raster(reversed(stretches), WIDTH, first, first + columns)
    assert len(codes) == columns
    for index, code in enumerate(codes, first):
        covered: dict[str, int] = {}
        for start, end, name in stretches:
            length = min(end, (index + 1) * WIDTH) - max(start, index * WIDTH)
            if length > 0:
                covered[name] = covered.get(name, 0) + length
        assert covered.get(code, 0) == max(covered.values(), default=0)
        assert (code == NOTHING) == (not covered)


@settings(max_examples=200)
@given(lives(), st.lists(st.integers(1, 70), min_size=1, max_size=12), st.integers(1, 30))
def test_a_track_shows_what_a_full_redraw_shows(stretches, advances, columns):
    """Drawing only the newest columns gives the same row as drawing all of them again."""
    track = Track()
    now = ZERO
    for advance in advances:
        now += advance * MS
        stop = now // WIDTH + 1
        first = stop - columns
        settled = (now - 40 * MS) // WIDTH
        past = [(s, min(e, now), code) for s, e, code in stretches if s < now]

        def draw(a: int, b: int, past=past) -> str:
            return raster(reversed(past), WIDTH, a, b)

        assert track.window(WIDTH, first, settled, stop, draw) == draw(first, stop)


def test_a_track_draws_a_settled_column_once():
    """What has settled is kept, so that a frame draws no more than the newest columns."""
    track = Track()
    drawn: list[tuple[int, int]] = []

    def draw(a: int, b: int) -> str:
        drawn.append((a, b))
        return "r" * (b - a)

    for now in range(100, 110):
        assert track.window(WIDTH, now - 50, now - 4, now, draw) == "r" * 50
    assert drawn[:4] == [(50, 96), (96, 100), (96, 97), (97, 101)]
    assert sum(b - a for a, b in drawn) == 46 + 9 + 10 * 4


@pytest.mark.parametrize(
    ("width", "first", "stop"), [(2 * WIDTH, 60, 100), (WIDTH, 40, 90), (WIDTH, 500, 540)]
)
def test_a_track_starts_again_where_nothing_fits(width, first, stop):
    """Another scale, an earlier window, or one far ahead is drawn from its beginning."""
    track = Track()
    track.window(WIDTH, 50, 96, 100, lambda a, b: "x" * (b - a))
    assert track.window(width, first, stop - 4, stop, lambda a, b: "o" * (b - a)) == "o" * (stop - first)


# -- requests and threads ----------------------------------------------------------------------


def one_request(line, now: float) -> str:
    """The row of request 1 of a timeline, 10 ms a column."""
    stretches = request_stretches(line.requests[1], line.threshold, ns(now))
    return raster(stretches, WIDTH, FIRST, FIRST + 20)


def test_a_long_step_is_a_block_from_its_beginning():
    """A step turns into a block when it has lasted for the threshold, its beginning included."""
    line = streams.timeline(streams.sent(0), streams.read(20), streams.made(20), streams.step(20))
    assert one_request(line, 119) == "qq" + "r" * 10 + " " * 8
    assert one_request(line, 120) == "qq" + "B" * 10 + " " * 8


def test_only_running_for_the_threshold_or_longer_is_a_block():
    """At the threshold the code is that of a block; no other state ever has it."""
    assert [code_of(State.RUNNING, length, 100) for length in (99, 100)] == [CODES[State.RUNNING], BLOCK]
    assert code_of(State.AWAITING, 100, 100) == CODES[State.AWAITING]


def test_what_follows_the_response_looks_different():
    """Work after the response has codes of its own, those of a block too."""
    line = streams.timeline(
        streams.sent(0), streams.read(0), streams.made(0), streams.step(0), streams.status(20, 200),
        streams.responded(20), streams.suspend(50), streams.end(80),
    )  # fmt: skip
    assert one_request(line, 200).rstrip() == "rrRRRAAA"
    assert [after_response(code) for code in ("r", "a", BLOCK)] == ["R", "A", AFTER_BLOCK]


def test_a_block_after_the_response_is_dimmed():
    """A block after the response is dimmed in its row; the loop's lane shows it as it is."""
    line = streams.timeline(
        streams.iteration(0), streams.sent(0), streams.read(0), streams.made(0), streams.step(0),
        streams.responded(20), streams.suspend(150), streams.idle(150),
    )  # fmt: skip
    assert one_request(line, 160).rstrip() == "rr" + AFTER_BLOCK * 13 + "A"
    width = 10 * MS
    assert BLOCK in loop_levels(line, width, ns(0) // width, ns(160) // width, ns(160))
    for mode in ("colour", "mono", "ascii"):
        palette = Palette(mode)
        plain, after = palette.cell(BLOCK, BLOCK), palette.cell(AFTER_BLOCK, AFTER_BLOCK)
        assert after[0] == plain[0]
        assert after[1] != plain[1]


def test_a_call_is_drawn_in_its_thread():
    """A worker thread's row shows its calls, one that lasts included."""
    line = streams.timeline(streams.thread(0, 2), streams.call(20), streams.returns(50), streams.call(60, 2))
    lane = line.workers[2]
    assert raster(lane_stretches(lane, ns(90)), WIDTH, FIRST, FIRST + 10) == "  hhh hhh "
    assert raster(lane_stretches(lane, ns(40)), WIDTH, FIRST, FIRST + 10) == "  hh      "


def test_no_two_states_share_a_code():
    """Codes are different lower-case letters: upper case is for what follows the response."""
    codes = list(CODES.values())
    assert set(CODES) == set(State)
    assert len({*codes, BLOCK, NOTHING}) == len(codes) + 2
    assert all(code.islower() for code in codes)


# -- the loop and the tokens -------------------------------------------------------------------


def test_the_loops_height_is_its_busy_share():
    """A column of the loop is as high as the loop was busy in it, in eighths, rounded up."""
    line = streams.timeline(streams.iteration(0), streams.step(0), streams.suspend(20), streams.idle(20))
    assert loop_levels(line, 40 * MS, ZERO // (40 * MS), ZERO // (40 * MS) + 3, ns(100)) == "400"


def test_many_short_steps_add_up():
    """Steps far shorter than a column are not lost: their sum is the column's height."""
    line = streams.timeline(streams.iteration(0))
    for at in range(0, 40, 4):
        streams.feed(line, streams.step(at), streams.suspend(at + 1), streams.idle(at + 1))
        streams.feed(line, streams.iteration(at + 4))
    assert loop_levels(line, 40 * MS, ZERO // (40 * MS), ZERO // (40 * MS) + 1, ns(40)) in {"2", "3"}


def test_a_block_is_shown_in_the_loops_row_while_it_lasts():
    """A stretch turns into a block at the threshold, over its whole length."""
    line = streams.timeline(streams.accepted())
    streams.feed(line, streams.holds(60, since=2))
    before = loop_levels(line, WIDTH, FIRST, FIRST + 14, ns(90))
    after = loop_levels(line, WIDTH, FIRST, FIRST + 14, ns(130))
    assert BLOCK not in before
    assert before.startswith("888888888")
    assert after == BLOCK * 13 + "0"


def tokens_row(line, now: float) -> str:
    """The gauge of threads in use, 10 ms a column."""
    return token_levels(line, WIDTH, FIRST, FIRST + 8, ns(now))


def test_the_gauge_shows_the_share_of_tokens():
    """A column of the gauge is as high as the most threads in use in it, in eighths, rounded up."""
    line = streams.timeline(
        streams.tokens(0, 4, 0, 0), streams.tokens(20, 4, 1, 0), streams.tokens(40, 4, 4, 0),
        streams.tokens(55, 4, 0, 0),
    )  # fmt: skip
    assert tokens_row(line, 80) == "00228800"


def test_the_gauge_shows_who_waits():
    """A column in which a request waited for a quarter of it or longer has the wait's code."""
    line = streams.timeline(
        streams.tokens(0, 4, 4, 0), streams.tokens(20, 4, 4, 2), streams.tokens(41, 4, 4, 0),
        streams.tokens(69, 4, 4, 1),
    )  # fmt: skip
    assert tokens_row(line, 100) == "88tt888t"


def test_the_gauge_without_a_limit_is_empty():
    """Without a limit there is no share to show."""
    assert tokens_row(streams.timeline(streams.tokens(0, -1, 30, 0)), 80) == "00000000"


changes = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=15
).map(sorted)


@given(changes, st.integers(1, 20), st.integers(1, 20))
def test_the_gauge_is_the_same_in_pieces(changes, left, right):
    """A column of the gauge does not depend on the window that it is drawn in."""
    line = streams.timeline([streams.tokens(t, 4, borrowed, waiting) for t, borrowed, waiting in changes])
    first, middle, stop = FIRST, FIRST + left, FIRST + left + right
    now = ns(400)
    pieces = token_levels(line, WIDTH, first, middle, now) + token_levels(line, WIDTH, middle, stop, now)
    assert token_levels(line, WIDTH, first, stop, now) == pieces


@given(st.lists(st.integers(1, 200), min_size=2, max_size=20), st.integers(1, 20), st.integers(1, 20))
def test_the_loops_row_is_the_same_in_pieces(lengths, left, right):
    """A column of the loop does not depend on the window that it is drawn in."""
    line = streams.timeline(streams.iteration(0))
    at = 0
    for index, length in enumerate(lengths):
        streams.feed(line, streams.idle(at) if index % 2 else streams.iteration(at))
        at += length
    first, middle, stop = FIRST, FIRST + left, FIRST + left + right
    pieces = loop_levels(line, WIDTH, first, middle, ns(at)) + loop_levels(line, WIDTH, middle, stop, ns(at))
    assert loop_levels(line, WIDTH, first, stop, ns(at)) == pieces
