"""The marks in a request's row: its answer, the steps between its awaits, and the turns that it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopviz.draw.look import ANSWERED, CODES, NOTHING, TICKS, Palette
from loopviz.draw.marks import GROUP, child_codes, request_codes, turns
from loopviz.model import State, Timeline
from loopviz.stream.events import Event
from tests.streams import (
    MS,
    accepted,
    end,
    feed,
    made,
    ns,
    raised,
    read,
    received,
    responded,
    sent,
    status,
    step,
    suspend,
    timeline,
    wake,
)  # fmt: skip

WIDTH = 10 * MS
TICK = TICKS[CODES[State.AWAITING]]
MODES = ("colour", "mono", "ascii")


def drawn(line: Timeline, until: float, number: int = 1, now: float | None = None) -> str:
    """The codes of a request's row from 0 ms to `until`, 10 ms a half column."""
    first, stop = ns(0) // WIDTH, ns(until) // WIDTH
    return request_codes(line.requests[number], line.threshold, ns(now or until), WIDTH, first, stop)


def awaiting(*steps: float, until: float) -> Timeline:
    """A request that is suspended from 4 ms on, and runs for 0.2 ms at each of these times (ms)."""
    line = timeline(accepted(), suspend(4))
    for at in steps:
        feed(line, wake(at), step(at), suspend(at + 0.2))
    feed(line, wake(until), step(until))
    return line


# -- the answer --------------------------------------------------------------------------------


def test_the_mark_is_behind_the_answer() -> None:
    """The column after the one in which the answer went out has the mark; what follows is dimmed."""
    line = timeline(accepted(), suspend(4), step(35), status(35, 200), responded(36), suspend(37), end(90))
    codes = drawn(line, 120)
    assert codes == "aaaa" + ANSWERED + "AAAA   "
    assert codes.index(ANSWERED) % 2 == ns(0) // WIDTH % 2  # the left half of a column
    line = timeline(accepted(), status(19, 200), responded(19), end(19))
    assert drawn(line, 60) == "rr" + ANSWERED + "   "
    assert ANSWERED not in drawn(line, 60, now=15)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [received(20, status=None, error="ReadTimeout")],
        [received(20, status=None, error="given up"), responded(30)],
        [status(15, 200), end(20)],
    ],
)
def test_no_answer_no_mark(events) -> None:
    """A request without a whole response has no mark."""
    assert ANSWERED not in drawn(timeline(accepted(), events), 100)


def test_an_error_is_an_answer() -> None:
    """A response with status 500 went out as any other."""
    line = timeline(accepted(), raised(10, "RuntimeError"), status(15, 500), responded(15), end(15))
    assert ANSWERED in drawn(line, 100)


@pytest.mark.parametrize("mode", MODES)
def test_the_mark_is_seen_in_every_palette(mode) -> None:
    """The mark is a character of its own, over nothing and over what follows the answer."""
    palette = Palette(mode)
    glyph = "<" if mode == "ascii" else "◂"
    assert palette.cell(ANSWERED, NOTHING)[0] == palette.cell(ANSWERED, "A")[0] == glyph


# -- ticks -------------------------------------------------------------------------------------


def test_a_short_step_between_two_awaits_is_a_tick() -> None:
    """A step that is shorter than a half column is marked where the next await began."""
    assert drawn(awaiting(75, until=150), 150) == "a" * 7 + TICK + "a" * 7


def test_several_short_steps_are_one_tick() -> None:
    """Steps that follow each other are one tick, also over the edge of a half column."""
    assert drawn(awaiting(75, 76, 81, until=150), 150).count(TICK) == 1


def test_dense_steps_have_no_ticks() -> None:
    """Where almost every half column has a step, there is no room for ticks."""
    dense = awaiting(*range(45, 300, 10), until=340)
    assert TICK not in drawn(dense, 340)


def test_a_change_of_state_needs_no_tick() -> None:
    """Where an await begins after a step that is seen, the step itself shows it."""
    line = timeline(accepted(), suspend(25), wake(95), step(95), responded(99), end(99))
    assert TICK not in drawn(line, 150)


@pytest.mark.parametrize("mode", MODES)
def test_a_tick_is_a_thin_line(mode) -> None:
    """A cell with a tick has a line in it, and the background of its state."""
    palette = Palette(mode)
    whole = palette.cell("a", "a")
    for pair in ((TICK, "a"), ("a", TICK)):
        character, style = palette.cell(*pair)
        assert character == ("|" if mode == "ascii" else "│")
        assert style == whole[1]
    assert palette.cell(TICK, "r") == palette.cell("a", "r")


# -- taking turns ------------------------------------------------------------------------------


def chunks(requests: int, turns_each: int) -> Timeline:
    """Requests that run for a millisecond each in turn."""
    line = timeline(*[[sent(0, n), read(1, n, n), made(1, n, n)] for n in range(1, requests + 1)])
    at = 5.0
    for turn in range(turns_each):
        for n in range(1, requests + 1):
            feed(line, step(at, n), suspend(at + 1, n, "") if turn < turns_each - 1 else end(at + 1, n))
            at += 1
    return line


def chunks_of(number: int, begins: range) -> list[Event]:
    """A request that runs for 5 ms at each of these times, and then waits for its turn."""
    events = [sent(0, number), read(1, number, number), made(1, number, number)]
    for at in begins:
        events += [step(at, number), suspend(at + 5, number, "")]
    return events


@pytest.mark.parametrize(("requests", "period"), [(2, 2), (4, 4), (8, 8)])
def test_turns_are_a_regular_pattern(requests: int, period: int) -> None:
    """Each of the requests that take turns is drawn as running in its share of the columns, in turn."""
    line = chunks(requests, 2_400 // requests)
    rows = [drawn(line, 1_920, n)[32:160][::2] for n in range(1, requests + 1)]
    for row in rows:
        assert set(row) == {"r", "y"}
        assert [row[n::period].count("r") for n in range(period)].count(0) == period - 1
    if requests == period:
        assert all(sum(row[at] == "r" for row in rows) == 1 for at in range(len(rows[0])))
    share = turns(line.requests[1], ns(1_000))
    assert share == pytest.approx(1 / requests, abs=0.05)


def test_turns_at_an_earlier_moment() -> None:
    """What comes after the moment, an await or a long wait for the loop, does not change its turns."""
    line = chunks(2, 200)
    then = turns(line.requests[1], ns(500))
    assert then == pytest.approx(0.5, abs=0.05)
    assert turns(chunks(2, 400).requests[1], ns(500)) == then
    line = timeline(chunks_of(1, range(10, 500, 10)), wake(500), step(1_900), suspend(1_901), step(2_500))
    assert turns(line.requests[1], ns(504)) == pytest.approx(0.5, abs=0.05)
    assert turns(line.requests[1], ns(1_890)) is None


def test_one_after_the_other_is_not_taking_turns() -> None:
    """Requests that each run once, for long, are drawn as they are."""
    line = timeline(accepted(1, 1), sent(0, 2), read(1, 2, 2), made(1, 2, 2), threshold=1_000)
    feed(line, suspend(500, 1, ""), step(500, 2), suspend(900, 2, ""), step(900, 1), suspend(950, 1, ""))
    assert drawn(line, 900, 2) == "y" * 50 + "r" * 40
    assert turns(line.requests[1], ns(940)) is None


def test_alone_it_just_runs() -> None:
    """A request that gives way to no other one is drawn as running."""
    assert set(drawn(chunks(1, 1_000), 900)[2:]) == {"r"}


# -- child tasks -------------------------------------------------------------------------------


def test_what_a_child_does_after_the_answer_is_dimmed() -> None:
    """A child task that goes on after the answer is dimmed from there on, in the middle of a state."""
    line = timeline(accepted(), made(3, 2, parent=1), suspend(4), step(5, 2), suspend(6, 2))
    feed(line, step(40), responded(42), end(43), step(80, 2), end(81, 2))
    row = line.children(1)[0].row
    first = ns(0) // WIDTH
    assert child_codes(row, ns(42), line.threshold, ns(120), WIDTH, first, first + 10).strip() == "aaaaAAAAR"
    assert child_codes(row, None, line.threshold, ns(120), WIDTH, first, first + 10).strip() == "aaaaaaaar"


# -- any stream --------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("rya"), st.integers(1, 60)), min_size=1, max_size=60),
    st.integers(1, 40), st.integers(1, 40),
)  # fmt: skip
def test_a_row_is_the_same_in_pieces(parts, left, right) -> None:
    """A column does not depend on the window that it is drawn in."""
    line = timeline(sent(0))
    request = line.requests[1]
    states = {code: state for state, code in CODES.items()}
    at = 0
    for code, length in parts:
        request.enter(states[code], ns(at))
        at += length
    request.enter(State.QUEUED, ns(at))
    first = ns(0) // WIDTH
    now = ns(2_000)

    def codes(a: int, b: int) -> str:
        return request_codes(request, line.threshold, now, WIDTH, first + a, first + b)

    assert codes(0, left + right) == codes(0, left) + codes(left, left + right)


def test_columns_can_be_counted_from_any_moment() -> None:
    """Counted from a zero that is no multiple of a column, the mark is in the left half of its column."""
    line = timeline(accepted(), suspend(4), step(35), status(35, 200), responded(36), suspend(37), end(90))
    request = line.requests[1]
    codes = request_codes(request, line.threshold, ns(120), WIDTH, 0, 12, ns(0) - 7 * MS)
    assert codes.index(ANSWERED) % 2 == 0
    assert codes.rstrip().endswith("A")


def test_a_column_is_drawn_the_same_with_any_others() -> None:
    """What columns show does not depend on where the part of the row begins that is drawn with them."""
    line, width, now = (
        timeline(chunks_of(1, range(12, 13)), chunks_of(1, range(100, 400, 20))[3:]),
        5 * MS,
        ns(500),
    )
    request, first, stop = line.requests[1], ns(0) // width // GROUP * GROUP, now // width
    whole = request_codes(request, line.threshold, now, width, first, stop)
    for at in range(first, stop, 8):
        assert request_codes(request, line.threshold, now, width, at, stop) == whole[at - first :]
