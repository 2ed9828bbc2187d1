"""Moving in time and among the rows, without a screen."""

from __future__ import annotations

from typing import Any

import pytest
from rich.segment import Segment

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.errors import InputError
from loopviz.model import Timeline
from loopviz.stream.events import Event
from loopviz.tui.places import next_change, next_place
from loopviz.tui.scene import Line
from loopviz.tui.trigger import parse_trigger
from loopviz.tui.view import COLUMN_WIDTHS, View, time_lost
from tests import streams
from tests.streams import MS, feed, ms, ns, timeline
from tests.test_scene import scene, text

PRESENT = ns(600_000)
WIDTHS = pytest.mark.parametrize("columns", [8, 40, 68, 160, 400])


def looking(
    now: float = 600_000, *, columns: int = 60, frozen: bool = True, behind: float = 0, **settings: Any
) -> View:
    """A view whose right edge is `now` ms."""
    view = View(now=ns(now), behind=round(behind * MS) if frozen else None, **settings)
    view.width(columns)
    return view


def request(number: int, at: float, length: float = 200) -> list[Event]:
    """A request that runs for 10 ms, sleeps, and is answered after `length` ms."""
    return [
        *streams.accepted(number, number, at),
        streams.suspend(at + 12, number),
        streams.idle(at + 12),
        streams.iteration(at + length - 2),
        streams.step(at + length - 2, number),
        streams.status(at + length - 1, 200, number),
        streams.responded(at + length, number),
        streams.end(at + length + 1, number),
        streams.idle(at + length + 1),
    ]


def fed(*events: Event | list[Event]) -> Timeline:
    """A timeline of these events, in the order of their time."""
    flat = [e for event in events for e in ([event] if isinstance(event, tuple) else event)]
    return timeline(sorted(flat, key=lambda event: event[0]))


# -- time --------------------------------------------------------------------------------------


def test_panning_back_freezes_and_moves_by_about_a_tenth():
    """A tenth of the picture back, a round time, freezes the picture that moved."""
    view = looking(frozen=False)
    view.pan(-0.1, PRESENT)
    assert view.behind is not None
    moved = PRESENT - view.now
    assert view.window / 20 < moved < view.window / 5
    assert str(moved).strip("0") in {"1", "2", "5"}


def test_panning_by_a_page_moves_by_the_whole_picture():
    """A page back and a page on are the width of the picture, and lead back to where one was."""
    view = looking(300_000)
    view.pan(-1, PRESENT)
    assert view.now == ns(300_000) - view.window
    view.pan(1, PRESENT)
    assert view.now == ns(300_000)


@pytest.mark.parametrize("by", [0.1, 1])
def test_panning_ends_at_the_present(by):
    """However often one pans on, the picture ends at the present, and undo leads out of it at once."""
    view = looking(599_500)
    for _ in range(30):
        view.pan(by, PRESENT)
    assert view.now == PRESENT
    assert view.undo()
    assert view.now < PRESENT


def test_panning_on_in_the_present_changes_nothing():
    """A picture that moves cannot be ahead of the present: it is not even frozen, nor to be undone."""
    view = looking(frozen=False)
    view.pan(0.1, PRESENT)
    assert view.behind is None
    assert not view.undo()


@WIDTHS
def test_zoom_reaches_from_a_millisecond_to_five_minutes(columns):
    """At any width the picture can show 1 ms, and 5 min, and neither much less nor much more."""
    view = looking(columns=columns)
    for _ in range(100):
        view.zoom(1, PRESENT)
    assert 400_000 <= view.window <= MS
    narrow = view.column_ns
    view.zoom(1, PRESENT)
    assert view.column_ns == narrow
    for _ in range(100):
        view.zoom(-1, PRESENT)
    assert 300_000 * MS <= view.window <= 750_000 * MS
    assert view.column_ns in COLUMN_WIDTHS


@WIDTHS
def test_what_fits_a_short_request_may_be_narrower_than_zoom_goes(columns):
    """A request of 50 µs fills much of the picture; from there, zooming in never shows more time."""
    view = looking(300_000, columns=columns)
    view.fit(ns(1_000), ns(1_000.05), PRESENT)
    before = view.window
    view.zoom(1, PRESENT)
    assert view.window <= before
    view.zoom(-1, PRESENT)
    assert view.window > before


def test_zoom_keeps_the_time_cursor_where_it_is():
    """With a time cursor, its moment stays at the same part of the picture."""
    view = looking(300_000, at=ns(298_000))
    assert view.at is not None
    part = (view.now - view.at) / view.window
    for by in (1, 1, -1, 1):
        view.zoom(by, PRESENT)
        assert (view.now - view.at) / view.window == pytest.approx(part)


def test_zoom_keeps_the_middle_of_a_frozen_picture():
    """Without a time cursor, the middle of a frozen picture stays the middle."""
    view = looking(300_000)
    middle = view.now - view.window // 2
    view.zoom(1, PRESENT)
    assert view.now - view.window // 2 == middle
    view.zoom(-1, PRESENT)
    assert view.now == ns(300_000)


def test_zoom_keeps_the_right_edge_of_a_moving_picture():
    """A picture that moves continues to move, at the present."""
    view = looking(frozen=False)
    before = view.window
    view.zoom(1, PRESENT)
    assert view.window < before
    assert view.behind is None
    assert view.now == PRESENT


def test_zooming_out_ends_at_the_present():
    """Showing more time never shows time that has not come yet."""
    view = looking(599_000)
    for _ in range(20):
        view.zoom(-1, PRESENT)
        assert view.now <= PRESENT


@WIDTHS
@pytest.mark.parametrize("length", [0.05, 1, 40, 999, 1_000, 12_345, 200_000])
@pytest.mark.parametrize("end", [300_000, 600_000])
def test_fit_shows_the_whole_range(columns, length, end):
    """What was to be fit lies within the columns, and fills a good part of them."""
    view = looking(columns=columns)
    start = ns(end) - round(length * MS)
    view.fit(start, ns(end), PRESENT)
    assert view.column_ns is not None
    first = (view.now // view.column_ns + 1 - columns) * view.column_ns
    assert first <= start
    assert ns(end) <= view.now <= PRESENT
    assert view.window < 5 * length * MS or view.column_ns == COLUMN_WIDTHS[0]
    assert view.behind is not None


def test_undo_goes_back_through_every_navigation():
    """Pan, zoom, fit and the cursors are undone one after the other, back to the moving picture."""
    view = looking(frozen=False)
    places = []

    def here() -> tuple[object, ...]:
        return view.now, view.behind is None, view.column_ns, view.at, view.mark, view.cursor

    for navigate in (
        lambda: view.pan(-1, PRESENT),
        lambda: view.zoom(1, PRESENT),
        lambda: view.fit(ns(1_000), ns(2_000), PRESENT),
        lambda: view.pan(-0.1, PRESENT),
        lambda: view.zoom(-1, PRESENT),
    ):
        places.append(here())
        navigate()
        assert here() != places[-1]
    while places:
        assert view.undo()
        assert here() == places.pop()
    assert not view.undo()


@WIDTHS
@pytest.mark.parametrize("t", [1_000, 298_000, 299_999, 300_000, 599_999, 600_000])
def test_the_time_cursor_is_always_in_sight(columns, t):
    """Wherever the time cursor goes, one of the columns is its own."""
    view = looking(300_000, columns=columns)
    view.see(ns(t), PRESENT)
    width = view.width(columns)
    assert view.at is not None
    assert 0 <= view.at // width - (view.now // width + 1 - columns) < columns
    assert view.now <= PRESENT


def test_the_picture_moves_only_if_it_must():
    """A time cursor within the picture leaves the picture where it is."""
    view = looking(300_000)
    view.see(ns(295_000), PRESENT)
    assert view.now == ns(300_000)


# -- places ------------------------------------------------------------------------------------


def eventful() -> Timeline:
    """A block at 2 ms, a wait for a thread at 1 s, an error at 2 s; and a block from 3 s on that lasts."""
    return fed(
        streams.thread(0, 1, "loop"), streams.tokens(0, 4, 0, 0), streams.accepted(1, 1, 0),
        streams.suspend(252, 1), streams.idle(252), streams.responded(300, 1), streams.end(301, 1),
        streams.tokens(1_000, 4, 4, 2), streams.tokens(1_050, 4, 4, 3), streams.tokens(1_100, 4, 0, 0),
        streams.accepted(2, 2, 1_900), streams.raised(2_000, "KeyError", "\x1b[2J", 2),
        streams.status(2_000, 500, 2), streams.responded(2_000, 2), streams.end(2_000, 2),
        streams.idle(2_001), streams.accepted(3, 3, 2_998), streams.sent(3_400, 4),
    )  # fmt: skip


LATE = [(ns(2_500), 180 * MS)]
PLACES = [
    (2, "A block of 250 ms: #1."),
    (1_000, "All 4 threads are in use, and a request begins to wait for one."),
    (2_000, r"An error: #2 GET /: KeyError: \x1b[2J."),
    (2_500, "A late frame: the screen was 180 ms late."),
    (3_000, "A block of 400 ms so far: #3."),
]


@pytest.mark.parametrize("direction", [1, -1])
def test_jumping_visits_every_place_once(direction):
    """Blocks, waits for a thread, errors and late frames are visited in order, both ways, each once."""
    line = eventful()
    at, found = ns(-1 if direction > 0 else 9_000), []
    while (place := next_place(line, at, direction, LATE)) is not None:
        found.append((ms(place.t), place.what))
        at = place.t
    assert found == PLACES[::direction]


def test_a_stop_is_a_place():
    """A jump finds the moment at which a stopped program went on, in a recording as well."""
    place = next_place(fed(streams.accepted(), streams.stopped(502, since=50)), 0, 1)
    assert place is not None
    assert (ms(place.t), place.what) == (502, "The program was stopped for 452 ms: nothing ran meanwhile.")


def test_starvation_is_a_place():
    """A jump finds the beginning of starvation, and says how long it was and how many it delayed."""
    line = fed(streams.idle(-50), streams.iteration(-1), *([streams.sent(-2, n), streams.read(0, n, n),
               streams.made(0, n, n)] for n in (1, 2, 3)))  # fmt: skip
    for number, start in ((1, 1), (2, 82), (3, 163)):
        feed(line, streams.step(start, number), streams.suspend(start + 80, number))
    place = next_place(line, ns(-100), 1)
    assert place is not None
    assert (ms(place.t), place.what) == (
        -1,
        "Many short steps or callbacks for 164 ms: they delay 1 request.",
    )


def test_a_block_of_callbacks_is_described():
    """What held the loop between two steps is named as callbacks, and how many requests they delay."""
    line = fed(streams.accepted(), streams.suspend(3), streams.sent(10, 2), streams.iteration(160))
    place = next_place(line, ns(0), 1)
    assert place is not None
    assert place.what == "A block of 157 ms: callbacks delay 1 request."


def test_where_nothing_happened_there_is_no_place():
    """Without a block, a wait, an error or a late frame there is nowhere to jump to."""
    line = fed(request(1, 0), streams.tokens(5, 40, 1, 0))
    assert next_place(line, ns(0), 1) is None
    assert next_place(line, ns(9_000), -1) is None


def steps(line: Timeline, direction: int, now: float = 9_000) -> list[tuple[float, int, str]]:
    """Every change, one after the other."""
    at, after, found = ns(-1 if direction > 0 else now), None, []
    while change := next_change(line.arrivals, at, direction, ns(now), after):
        found.append((ms(change.t), change.request, change.what.partition(": ")[2]))
        at, after = change.t, change.request
        assert len(found) < 100
    return found


def test_stepping_visits_every_change_of_one_request():
    """From sent to done, each change is visited once, with the state before and after."""
    line = fed(request(1, 0))
    assert steps(line, 1) == [
        (0, 1, "sent, now queued."),
        (1, 1, "from queued to ready."),
        (2, 1, "from ready to running."),
        (12, 1, "from running to awaiting."),
        (198, 1, "from awaiting to running."),
        (200, 1, "response sent, then running."),
        (201, 1, "from running to done."),
    ]


def test_stepping_back_visits_the_same_changes():
    """The changes of several requests, at the same moment too, are the same both ways."""
    line = fed(
        request(1, 0), request(2, 5), request(3, 300), [e for n in (7, 8, 9) for e in [streams.sent(40, n)]]
    )
    on = steps(line, 1)
    assert on == sorted(on, key=lambda change: change[:2])
    assert [(t, n) for t, n, _ in on if t == 40] == [(40, 7), (40, 8), (40, 9)]
    assert len(set(on)) == len(on) == 7 * 3 + 3
    assert steps(line, -1) == on[::-1]


def test_the_present_state_began_with_a_change():
    """The present state of a request in progress began with a change; that it lasts is no change."""
    line = fed(streams.accepted(), streams.suspend(12, due=500))
    assert [(t, what) for t, _, what in steps(line, 1, 700)][-2:] == [
        (12, "from running to awaiting."),
        (500, "from awaiting to ready."),
    ]
    assert [t for t, _, _ in steps(line, 1, 400)] == [0, 1, 2, 12]


# -- rows --------------------------------------------------------------------------------------


def three() -> Timeline:
    """#1 fast and answered, #2 failed, #3 awaits; #2 has lost the most time, #3 lasts longest."""
    line = fed(request(1, 0, 100))
    feed(
        line,
        [(ns(200), "sent", 2, "POST", "/Orders")], streams.iteration(700), streams.read(700, 2, 2),
        streams.made(700, 2, 2), streams.step(710, 2), streams.raised(720, "KeyError", "", 2),
        streams.status(720, 500, 2), streams.responded(720, 2), streams.end(721, 2),
        streams.accepted(3, 3, 800), streams.suspend(810, 3), streams.idle(810),
    )  # fmt: skip
    return line


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", [1, 2, 3]),
        ("orders", [2]),
        ("POST", [2]),
        ("500", [2]),
        ("keyerror", [2]),
        ("#3", [3]),
        ("awaiting", [3]),
        ("done get", [1]),
        ("get done", [1]),
        ("get awaiting #1", []),
        ("  ", [1, 2, 3]),
    ],
)
def test_a_row_must_have_every_word(typed, found):
    """Path, method, status, error, state and number are searched, in any order and case of the words."""
    view = looking(2_000, words=typed)
    rows, above, below = view.rows(three(), 10)
    assert [r.id for r in rows] == found
    assert above == below == 0


def test_a_filter_by_state_is_for_the_moment_shown():
    """The states at the moment that is shown are searched, not those of the present."""
    line = three()
    assert [r.id for r in looking(50, words="awaiting").order(line)] == [1]
    assert [r.id for r in looking(500, words="queued").order(line)] == [2]
    assert [r.id for r in looking(2_000, words="queued").order(line)] == []


@pytest.mark.parametrize("typed", ["no thread", "waiting for a thread"])
def test_a_state_is_found_by_each_of_its_names(typed):
    """The words of the rows and those of the sentences both find a request that waits for a thread."""
    line = three()
    feed(
        line, streams.accepted(4, 4, 820), streams.token_wait(830, 4), streams.suspend(831, 4),
        streams.idle(831),
    )  # fmt: skip
    assert [r.id for r in looking(2_000, words=typed).order(line)] == [4]


@pytest.mark.parametrize(
    ("sort", "order"), [("arrival", [1, 2, 3]), ("latency", [3, 2, 1]), ("time lost", [2, 3, 1])]
)
def test_rows_are_sorted(sort, order):
    """By arrival, by latency so far, or by the time lost to others; the header says which."""
    line = three()
    feed(line, streams.wake(1_500, 3), streams.sent(1_550, 9))
    view = looking(1_800, sort=sort)
    assert [r.id for r in view.order(line) if r.id != 9] == order
    head = text(scene().compose(line, view, 160, 36))[0]
    assert (f"by {sort}" in head) is (sort != "arrival")


def test_time_lost_grows_while_it_is_lost():
    """A ready request has lost the time up to the moment that is shown, and no more."""
    line = three()
    feed(line, streams.wake(1_000, 3))
    before = time_lost(line.requests[3], ns(900))
    assert time_lost(line.requests[3], ns(1_600)) == before + 600 * MS
    assert time_lost(line.requests[2], ns(5_000)) == 510 * MS


# -- lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (160, 45)])
@pytest.mark.parametrize("mode", ["colour", "ascii"])
def test_two_cursors_show_their_distance(width, height, mode):
    """The axis shows the first cursor's time, and with a second one the distance, at any width."""
    line, drawn = three(), scene(Palette(mode))
    view = looking(2_000, at=ns(1_700))
    assert any("cursor -300 ms" in row for row in text(drawn.compose(line, view, width, height)))
    view.mark = ns(1_550)
    sign = "Δ" if mode == "colour" else "d"
    assert any(f"{sign} 150 ms" in row for row in text(drawn.compose(line, view, width, height)))


def test_both_cursors_are_drawn_through_the_lanes():
    """The time cursor and the mark cross the rows at their columns."""
    view = looking(2_000, at=ns(1_700), mark=ns(700))
    rows = [row for row in text(scene().compose(three(), view, 120, 36)) if " GET " in row or " POST " in row]
    assert view.at is not None
    assert view.mark is not None
    step = view.width(view.cells)
    first = view.now // step + 1 - view.cells
    for row in rows:
        assert row[28 + view.at // step - first] == "│"
        assert row[28 + view.mark // step - first] == "┊"


def mapped(line: Timeline, view: View, palette: Palette | None = None) -> Line:
    """The map's segments."""
    (found,) = [row for row in scene(palette).compose(line, view, 120, 36) if row[0].text.startswith(" ALL")]
    return found


def background(cell: Segment) -> str:
    """The name of a cell's background colour, which it must have."""
    assert cell.style is not None
    assert cell.style.bgcolor is not None
    return cell.style.bgcolor.name


def test_the_map_has_blocks_and_the_window():
    """The map is as wide as time, marks the block, and lights the part that the picture shows."""
    line = eventful()
    feed(line, request(5, 60_000))
    view = looking(30_000, column_ns=100 * MS, behind=30_200)
    cells = mapped(line, view)[1:-1]
    assert len(cells) == view.cells
    assert cells[0].text == "▄"
    lit = [index for index, cell in enumerate(cells) if background(cell) == "#4a5862"]
    per_cell = 60_200 * MS / len(cells)
    assert lit == list(range(lit[0], lit[-1] + 1))
    assert lit[0] == pytest.approx((view.now - view.window - ns(0)) / per_cell, abs=1)
    assert lit[-1] == pytest.approx((view.now - ns(0)) / per_cell, abs=1)
    assert text([mapped(line, view)])[0].rstrip().endswith("60.2 s")


def test_the_map_is_only_there_while_the_picture_stands():
    """A picture that moves shows the present, and needs no map."""
    line = eventful()
    assert not [
        row for row in text(scene().compose(line, looking(4_000, frozen=False), 120, 36)) if " ALL" in row
    ]


def test_the_changed_row_is_marked():
    """After a step the row of the request that changes is marked, and the sentence says what changed."""
    view = looking(2_000, at=ns(810), change="#3 GET /: from running to awaiting.", changed=3)
    frame = text(scene().compose(three(), view, 120, 36))
    assert [row.split()[0] for row in frame if row.startswith("▶")] == ["▶#3"]
    assert any("from running to awaiting." in row for row in frame)


# -- triggers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kind", "over"),
    [
        ("error", "error", 0),
        ("block>250ms", "block", 250 * MS),
        ("block > 250 ms", "block", 250 * MS),
        ("thread-wait>0.1s", "thread-wait", 100 * MS),
        ("token-wait>0.1s", "thread-wait", 100 * MS),
        ("latency>1.5s", "latency", 1_500 * MS),
        ("latency>80us", "latency", 80_000),
        ("latency>80µs", "latency", 80_000),
    ],
)
def test_a_trigger_is_read(typed, kind, over):
    """A kind, and for all but errors how long it must last, in us, ms or s."""
    trigger = parse_trigger(typed)
    assert (trigger.kind, trigger.over) == (kind, over)


@pytest.mark.parametrize(
    "typed", ["", "block", "block>", "block>5", "block>ms", "blocks>5ms", "block<5ms", "block>-5ms",
              "error>5ms", "latency>1h", "latency>1.s", "latency>1e3ms", "block>5ms;x", "\x1b[2J"],
)  # fmt: skip
def test_what_is_no_trigger_is_refused(typed):
    """Anything else is refused, with the forms that there are."""
    with pytest.raises(InputError, match="block>250ms") as caught:
        parse_trigger(typed)
    assert str(caught.value).splitlines()[0].startswith("There is no trigger ")
    assert "\x1b" not in str(caught.value)


def watched(typed: str, *events: Event | list[Event], until: float = 4_000) -> list[float]:
    """The moments for which the trigger fires, when it is asked 30 times a second."""
    trigger, line = parse_trigger(typed), timeline()
    waiting = [e for event in events for e in ([event] if isinstance(event, tuple) else event)]
    waiting.sort(key=lambda event: event[0])
    fired = []
    for frame in range(int(until / 33)):
        now = ns(33 * frame)
        while waiting and waiting[0][0] <= now:
            line.feed([waiting.pop(0)])
        moment = trigger.moment(line, now)
        if moment is not None:
            assert moment <= now
            fired.append(ms(moment))
    return fired


def test_a_block_is_a_trigger_once():
    """Each block that lasts too long freezes once, at the moment when it has; a shorter one does not."""
    blocks = []
    for number, (at, length) in enumerate([(100, 300), (1_000, 200), (2_000, 900)], 1):
        blocks += [*streams.accepted(number, number, at), streams.suspend(at + 2 + length, number)]
        blocks += [streams.idle(at + 2 + length)]
    assert watched("block>250ms", blocks) == [352, 2_252]


def test_an_error_is_a_trigger_once():
    """Each failed request freezes once, at its end, even though another one is still in progress."""
    events = [*streams.accepted(9, 9, 0), streams.suspend(5, 9), streams.idle(5)]
    for number, at in enumerate([100, 1_000], 1):
        events += [*streams.accepted(number, number, at), streams.raised(at + 20, "KeyError", "", number)]
        events += [streams.status(at + 200, 500, number), streams.responded(at + 210, number)]
        events += [streams.end(at + 211, number), streams.idle(at + 212)]
    assert watched("error", events) == [310, 1_210]


def test_a_long_latency_is_a_trigger_once():
    """One request that takes long does not hide the next one."""
    events = [*streams.accepted(1, 1, 0), streams.suspend(5), streams.idle(5)]
    events += [*streams.accepted(2, 2, 500), streams.suspend(505, 2), streams.idle(505)]
    events += request(3, 900, 100)
    assert watched("latency>1s", events) == [1_000, 1_500]


def test_a_wait_for_a_thread_is_a_trigger_once():
    """A wait that was over before the trigger was asked counts; one that was short enough does not."""
    events = []
    for number, (at, length) in enumerate([(100, 90), (500, 110), (1_000, 800)], 1):
        events += [*streams.accepted(number, number, at), streams.token_wait(at + 3, number)]
        events += [streams.suspend(at + 4, number), streams.idle(at + 4)]
        events += [streams.call(at + 4 + length, number, number, number, 5)]
        events += [streams.returns(at + 5 + length, number)]
    assert watched("thread-wait>100ms", events) == [604, 1_104]


def test_words_of_a_change_are_printable():
    """What a client sends cannot control the terminal from the sentence on a change."""
    line = timeline((ns(0), "sent", 1, "GET", "/\x1b[2J"))
    change = next_change(line.arrivals, ns(-1), 1, ns(10))
    assert change is not None
    assert change.what == printable(change.what)
