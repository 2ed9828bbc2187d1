"""The hands: what a click does, and what keys do to what is shown and to what runs."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from textual import events

from loopviz.cli.main import main
from loopviz.draw.sums import sums
from loopviz.model import State, Timeline
from loopviz.model.interval import summed
from loopviz.stream.events import Event
from loopviz.tui.clock import Clock
from loopviz.tui.dragging import Dragging
from loopviz.tui.keymap import FootItem, Keys
from loopviz.tui.scene.foot import foot
from loopviz.tui.scene.pen import Pen
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.trigger import parse_trigger
from loopviz.tui.view import View
from tests import streams
from tests.moments import computing
from tests.streams import MS, feed, ns, timeline
from tests.test_scene import scene, text
from tests.test_screen import answered, drive, run

__all__ = ["drive"]  # the fixture


def test_without_a_command_the_help_is_shown(capsys):
    """Bare ``loopviz`` prints the commands, and that is no error."""
    assert main([]) == 0
    shown = capsys.readouterr()
    assert "usage: loopviz" in shown.out
    assert "run " in shown.out
    assert not shown.err


# -- clicks ------------------------------------------------------------------------------------


def test_each_key_of_a_pair_can_be_clicked():
    """In the foot line a click on one key of a pair presses that key; on the words, the key for more."""
    words = {"requests": "8 requests", "threads": "thread limit 40", "freeze": "freeze"}
    assert Keys().foot(words, "always")[:2] == [
        FootItem((("+", "plus"), ("/-", "minus")), "8 requests", "plus"),
        FootItem(
            (("[", "left_square_bracket"), ("/]", "right_square_bracket")),
            "thread limit 40",
            "right_square_bracket",
        ),
    ]


def test_giving_up_is_offered_while_requests_are_not_answered():
    """The foot line of 80 columns has the key only then, behind the others."""
    composer = scene()
    for unanswered in (True, False):
        keys = foot(Pen(composer.palette), composer.facts, View(), 80, unanswered=unanswered)
        shown = "".join(segment.text for segment in keys[-1][1])
        assert shown.endswith(" g give up ") is unanswered
        assert " space freeze " in shown


def test_every_cell_of_the_foot_line_presses_what_is_written_there():
    """The zones of the foot line lie on their keys and words, without a gap between them."""
    composer = scene()
    lines = text(composer.compose(Timeline(), View(), 160, 36))
    pressed: dict[str, str] = {}
    for y, hits in composer.hits.items():
        shown = lines[y]
        zones = [(start, end, hit.key) for start, end, hit in hits if hit.key is not None]
        for start, end, key in zones:
            pressed[shown[start:end].strip()] = key
        assert all(a[1] == b[0] for a, b in pairwise(zones))
    assert pressed["+"] == "plus"
    assert pressed["/-"] == "minus"
    assert pressed["["] == "left_square_bracket"
    assert pressed["/]"] == "right_square_bracket"
    assert pressed["?"] == pressed["help"] == "question_mark"


# -- how many ----------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [1, 8, 60, 1000])
@pytest.mark.parametrize("steps", [-3, 0, 1, 4])
def test_a_scenarios_own_number_survives_steps(own, steps):
    """`+` fires more than each scenario's own number, `-` fewer, and no steps are the number itself."""
    view = View(steps=steps)
    count = view.count_of(own)
    assert count == own if steps == 0 or own == (1 if steps < 0 else 1000) else (count > own) == (steps > 0)
    view.steps = 0
    assert view.count_of(own) == own


@run
async def test_plus_and_minus_lead_back_to_own_numbers(drive):
    """After `+` a scenario of 60 requests fires more, and after `-` its 60 again; the screen says so."""
    async with drive() as screen:
        (first, *_) = screen.source.scenarios
        many = replace(first, name="tokens", facts=replace(first.facts, key=None, requests=60))
        screen.source.scenarios.append(many)
        screen.app.fire(many)
        lines = await screen.press("plus")
        assert any(
            "1 step above every scenario's own number of requests: tokens 80" in line for line in lines
        )
        screen.app.fire(many)
        await screen.press("s")
        assert any("own number of requests again: sync 8." in line for line in await screen.press("minus"))
        screen.app.fire(many)
        await screen.press("s")
        assert [count for _, count in screen.source.fired] == [60, 80, 10, 60, 8]


@run
async def test_steps_that_change_nothing_are_not_counted(drive):
    """However often `-` is pressed at one request, one `+` fires more."""
    async with drive() as screen:
        await screen.press("s", *["minus"] * 20, "plus", "s")
        assert screen.source.fired[-1] == ("sync", 2)


# -- esc and space -----------------------------------------------------------------------------


@run
async def test_esc_takes_back_one_thing_at_a_time(drive):
    """Filter, selection, mark, then the way to the present; each time it is said what comes next."""
    async with drive() as screen:
        await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        view = screen.app.view
        await screen.press("slash", *"#1", "enter", "down", "less_than_sign", "apostrophe", "less_than_sign")
        assert view.words == "#1"
        assert view.cursor == 1
        assert None not in (view.mark, view.at, view.behind)
        seen = []
        for _ in range(4):
            lines = await screen.press("escape")
            said = next(line.strip("▌ ") for line in lines if line.startswith("▌ "))
            seen.append((said, view.words, view.cursor, view.mark is None, view.behind is None))
        assert seen == [
            ("All rows are shown again. esc now selects nothing.", "", 1, False, False),
            ("No request is selected. esc now removes the mark.", "", None, False, False),
            ("The mark is removed. esc now goes to the present.", "", None, True, False),
            ("This is the present.", "", None, True, True),
        ]
        view.notice = ""
        await screen.press("escape")
        assert view.notice == ""


@run
async def test_space_keeps_the_speed_of_slow_motion(drive):
    """What is played back slowly goes on as slowly, to the same end; the live picture goes on live."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=10_000)
        view = screen.app.view
        await screen.press("r")
        speed, until = view.speed, view.until
        assert speed == 0.1
        await screen.press("space")
        await screen.show(at=10_100)
        assert (view.speed, view.now) == (None, ns(0))
        assert any(" space continue " in line for line in screen.lines())
        await screen.press("space")
        assert (view.speed, view.until) == (speed, until)
        assert any(" space freeze " in line for line in await screen.show(at=10_200))
        await screen.press("escape", "space")
        assert view.behind is not None
        assert view.paused is None
        await screen.press("space")
        assert view.behind is None


@pytest.mark.parametrize(
    ("trigger", "events", "why"),
    [
        ("block>250ms", [streams.holds(300, 1, 3)], "block > 250 ms: #1 at app.py:14"),
        ("latency>300ms", [], "latency > 300 ms: #1 GET /"),
        (
            "error",
            [streams.raised(20, "ValueError"), streams.responded(30), streams.end(31)],
            "error: #1 GET /",
        ),
    ],
)
def test_freezing_says_why(drive, trigger, events, why):
    """When ``--freeze-on`` freezes the picture, the first sentence says for what, and space goes on."""

    @run
    async def test(drive):
        async with drive(trigger=parse_trigger(trigger)) as screen:
            lines = await screen.show(streams.accepted(), events, at=900)
            assert any(line.startswith(f"▌ Frozen: {why}") for line in lines)
            await screen.press("space")
            lines = await screen.show(at=950)
            assert screen.app.view.behind is None
            assert not any("Frozen: " in line for line in lines)

    test(drive=drive)


# -- jumps -------------------------------------------------------------------------------------


@run
async def test_a_jump_lands_where_the_sentences_describe_the_place(drive):
    """At a block both sentences are about the block; the keys still lead on, and back to the same place."""
    async with drive(size=(100, 24)) as screen:
        events = []
        for number, at in ((1, 0), (2, 2_000)):
            events += [*streams.accepted(number, number, at), streams.holds(at + 300, number, at + 3)]
            events += [streams.responded(at + 999, number), streams.end(at + 1_000, number)]
            events.append(streams.idle(at + 1_000))
        await screen.show(events, at=5_000)
        await screen.press("home")
        places = []
        for key in ("n", "n", "N"):
            lines = await screen.press(key)
            said = [line for line in lines if line.startswith("▌ ")]
            assert said[0].startswith("▌ A block of ")
            assert re.search("(holds|held) the (event )?loop", said[1])
            assert "BLOCKED" in next(line for line in lines if line.startswith(" LOOP"))
            places.append(screen.app.view.at)
        assert places[0] == places[2] < places[1]


@run
async def test_the_end_of_a_recording_is_called_the_end(drive):
    """A recording stops at its end, which is not called a time behind; space plays it again."""
    async with drive(live=False) as screen:
        await screen.show(answered(1, 0), at=216)
        screen.source.now = lambda: ns(216)
        lines = await screen.press("space")
        assert "PAUSED 1 x" in lines[0]
        await screen.press("space")
        for at in (250, 700, 1_100):
            lines = await screen.show(at=at)
        assert "at the end" in lines[0]
        assert "behind" not in lines[0]
        assert screen.app.view.speed is None
        assert "PLAYING 1 x" in (await screen.press("space"))[0]


# -- the mouse ---------------------------------------------------------------------------------


def busy_at_first() -> list[Event]:
    """Request 1 holds the loop for a second, in which 2 waits; both are answered then."""
    return [
        streams.thread(0, 1, "loop"),
        streams.iteration(0),
        *streams.accepted(1, 1, 0),
        streams.sent(1, 2),
        streams.responded(1_000, 1),
        streams.end(1_001, 1),
        streams.read(1_002, 2, 2),
        streams.made(1_002, 2, 2),
        streams.step(1_003, 2),
        streams.responded(1_004, 2),
        streams.end(1_005, 2),
        streams.idle(1_005),
    ]


def test_sums_add_up_to_what_was_selected():
    """Each request counts up to its answer; the loop's share, and the threads' CPU time, are of that time."""
    line = timeline(*busy_at_first(), streams.thread(0, 7), streams.cpu(100, 7, 0), streams.cpu(900, 7, 400))
    found = summed(line, line.requests.values(), ns(500), ns(2_000))
    assert found.requests == 2
    assert sum(found.states.values()) == ns(1_000) - ns(500) + ns(1_004) - ns(500)
    assert set(found.states) == {State.RUNNING, State.QUEUED, State.READY}
    assert found.busy is not None
    assert 495 < found.busy / MS < 515
    assert found.cpu == 200 * MS
    said = sums(found)
    assert said[0] == "Selected: 1.5 s, event loop busy 34%, worker threads on CPU 13% of a core."
    assert said[1].startswith("2 requests, together: ")
    assert (
        sums(summed(line, line.requests.values(), ns(1_500), ns(2_000)))[1] == "No request was in progress."
    )


@pytest.mark.parametrize(
    ("clocks", "end", "start", "said"),
    [
        ((2, 3), 2_000, 1_000, ", worker threads on CPU 100% of a core"),
        ((2, 3), 80_000, 60_000, ", worker threads on CPU 100% of a core"),
        ((2, 3), 80_000, 10_000, ""),  # the readings up to then were dropped
        ((2,), 2_000, 1_000, ""),
    ],
)
def test_sums_have_no_share_of_cpu_time_that_was_not_measured(clocks, end, start, said):
    """Where the clock of a thread was not read, or its readings were dropped, no CPU time is said."""
    line = computing(end, clocks)
    found = summed(line, line.arrivals, ns(start), ns(start + 900))
    assert sums(found)[0] == f"Selected: 900 ms, event loop busy 0%{said}."


def test_a_thread_that_did_nothing_needs_no_readings():
    """CPU time of the other threads is said although the clock of one that had no call was never read."""
    line = computing(2_000)
    feed(line, streams.thread(30, 9))
    assert "on CPU 100% of a core" in sums(summed(line, line.arrivals, ns(1_000), ns(1_900)))[0]


def test_sums_of_a_request_whose_states_are_not_kept():
    """A request of which no state is kept for this time is counted, and no more is said."""
    line = timeline(streams.accepted())
    for at in range(3, 10_000, 2):
        feed(line, streams.suspend(at + 0.5), streams.step(at + 1.5))
    assert sums(summed(line, line.arrivals, ns(100), ns(200)))[1] == "1 request."


def test_dragging_selects_whole_columns_in_both_directions():
    """A press is a click until the mouse is in another column; outside of the lanes nothing is selected."""
    drag = Dragging()
    assert drag.move((0, 10)) is None
    drag.press((20, 30))
    assert drag.move((20, 30)) is None
    assert not drag.release()
    drag.press((20, 30))
    assert drag.move((40, 50)) == (20, 50)
    assert drag.move(None) is None
    assert drag.move((0, 10)) == (30, 0)
    assert drag.move((20, 30)) == (20, 30)
    assert drag.release()
    assert not drag.held


@run
async def test_dragging_shows_the_sums_and_esc_removes_them(drive):
    """The range is marked and its sums are shown, as by the mark and the cursor; esc removes it."""
    async with drive(size=(120, 24)) as screen:
        await screen.show(busy_at_first(), at=1_500)
        picture, view = screen.app.screen, screen.app.view
        y = next(y for y, line in enumerate(screen.lines()) if line.startswith(" #2 "))
        xs = [x for x in range(120) if (c := screen.app.scene.column(x, y)) and ns(-200) < c[0] < ns(1_200)]
        await screen.pilot.mouse_down(offset=(xs[0], y))
        picture.on_mouse_move(mouse(xs[-1], y))
        await screen.pilot.mouse_up(offset=(xs[-1], y))
        lines = await screen.show()
        assert (view.mark, view.at) == (
            screen.app.scene.column(xs[0], y)[0], screen.app.scene.column(xs[-1], y)[1]
        )  # fmt: skip
        assert any(line.startswith("▌ Selected: ") and "event loop busy" in line for line in lines)
        assert any("2 requests, together: " in line for line in lines)
        view.notice = ""
        await screen.press("escape")
        view.notice = ""
        assert not any("Selected: " in line for line in await screen.show())


def test_dragging_beyond_the_moment_shown_moves_it():
    """In a picture that was stopped before its end, what is selected has been drawn."""
    view = View(now=ns(50), behind=0, clock=Clock(ns(0), 200 * MS))
    for start, stop, moment in ((20, 40, 50), (20, 150, 150), (180, 20, 180), (20, 900, 600)):
        view.select(ns(start), ns(stop), ns(600))
        assert view.now == ns(moment)


@run
async def test_a_click_into_a_lane_puts_the_time_cursor_there(drive):
    """States and sentences describe that moment; nothing is selected or opened."""
    async with drive(size=(120, 24)) as screen:
        await screen.show(busy_at_first(), at=1_500)
        y = next(y for y, line in enumerate(screen.lines()) if line.startswith(" #2 "))
        x = next(x for x in range(120) if (c := screen.app.scene.column(x, y)) and c[0] > ns(400))
        column = screen.app.scene.column(x, y)
        await screen.pilot.click(offset=(x, y))
        await screen.show()
        assert column[0] <= screen.app.view.at < column[1]
        assert screen.app.view.cursor is None
        assert isinstance(screen.app.screen, MainScreen)
        assert re.search("(holds|held) the (event )?loop", " ".join(screen.lines()))


def mouse(x: int, y: int) -> events.MouseMove:
    """The mouse is moved there, with its button held."""
    return events.MouseMove(None, x, y, 0, 0, 1, shift=False, meta=False, ctrl=False, screen_x=x, screen_y=y)


# -- a recording -------------------------------------------------------------------------------


@run
async def test_a_recording_offers_only_what_it_can_do(drive):
    """Foot line, help and palette leave out what needs a server; its keys say why, and change nothing."""
    async with drive(size=(200, 60), live=False) as screen:
        await screen.show(answered(1, 0), at=1_000)
        foot = " ".join(screen.lines()[-2:])
        assert "space" in foot
        assert "help" in foot
        for words in ("sync", "requests", "thread limit", "scenarios", "compare", "claims"):
            assert words not in foot
        titles = {command.title for command in screen.app.get_system_commands(screen.app.screen)}
        assert titles >= {"Freeze", "Play back", "Help", "Edit"}
        assert not titles & {
            "Fire sync",
            "More requests",
            "Give up",
            "Compare",
            "Claims",
            "Write",
            "Scenarios",
        }
        for key in ("plus", "right_square_bracket", "g", "F", "v", "p", "tab"):
            assert any("This is a recording: " in line for line in await screen.press(key)), key
            screen.app.view.notice = ""
        assert screen.app.view.count_of(8) == 8
        assert screen.source.threads == 40
        await screen.press("question_mark")
        shown = screen.app.export_screenshot().replace("&#160;", " ")
        assert "pause or go on" in shown
        for words in ("thread limit", "give up what", "compare scenarios", "claims quiz"):
            assert words not in shown
