"""Navigation by its keys, playing back, the filter of rows, and what all screens have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.color import Color
from textual.events import Key
from textual.widgets import Input

from loopviz.draw.look import Palette
from loopviz.draw.themes import DARK
from tests import streams
from tests.side_screens import HOSTILE, SMALL, shown
from tests.streams import MS, ms, ns
from tests.test_claims_screen import claimed
from tests.test_scene import scenario
from tests.test_screen import answered, drive, run, scene_of_a_block

__all__ = ["claimed", "drive"]  # fixtures

# -- navigation --------------------------------------------------------------------------------


NAVIGATION = [
    "left", "right", "shift+left", "shift+right", "z", "Z", "f", "home", "end", "backspace", "n",
    "N", "full_stop", "comma", "less_than_sign", "greater_than_sign", "apostrophe", "slash", "t", "r",
    "space",
]  # fmt: skip


@pytest.mark.parametrize("key", NAVIGATION)
def test_every_navigation_key_works_in_a_small_terminal(drive, key):
    """At 80x24 each key of navigation changes what is looked at."""

    @run
    async def test(drive):
        async with drive(size=SMALL) as screen:
            await screen.show(scene_of_a_block(), at=30_000)
            await screen.press("home", "n", "full_stop", "full_stop")
            view, stage = screen.app.view, screen.app.screen

            def state() -> tuple[object, ...]:
                place = view.now, view.behind, view.column_ns, view.at, view.mark
                return *place, view.sort, view.speed, stage.focused, view.change

            before = state()
            await screen.press(key)
            assert state() != before

    test(drive=drive)


@run
async def test_every_navigation_is_undone(drive):
    """Backspace undoes pans, jumps, steps, cursors, marks, and the return to the present."""
    async with drive(size=SMALL) as screen:
        await screen.show(scene_of_a_block(), at=30_000)
        view, places = screen.app.view, []
        for key in (
            "space", "shift+left", "z", "n", "full_stop", "comma", "less_than_sign", "apostrophe", "N", "f",
            "home", "left", "r", "end", "space", "space",
        ):  # fmt: skip
            place = (view.now, view.behind is None, view.column_ns, view.at, view.mark)
            await screen.press(key)
            if place != (view.now, view.behind is None, view.column_ns, view.at, view.mark):
                places.append(place)
        assert len(places) >= 14
        while places:
            await screen.press("backspace")
            assert (view.now, view.behind is None, view.column_ns, view.at, view.mark) == places.pop()
        assert "There is nothing to undo." in "".join(await screen.press("backspace"))


@run
async def test_home_and_end(drive):
    """Home shows the first event, end the present that moves; before any event, home says so."""
    async with drive() as screen:
        assert "Nothing has happened yet." in "".join(await screen.press("home"))
        assert screen.app.view.behind is None
        await screen.show(answered(1, 0), at=60_000)
        await screen.press("home")
        assert screen.app.view.at == ns(0)
        assert screen.row(1)
        lines = await screen.press("end")
        assert "FROZEN" not in lines[0]
        assert screen.app.view.now == ns(60_000)


@run
async def test_fit_shows_the_request_or_the_burst(drive):
    """With a request selected, fit shows all of it and little else; without, all of the last burst."""
    async with drive() as screen:
        await screen.show(answered(1, 0), answered(2, 100), answered(3, 2_000), answered(4, 2_050), at=60_000)
        view = screen.app.view
        await screen.press("f")
        assert view.now - view.window <= ns(2_000) < ns(2_265) <= view.now
        assert view.window < 600 * MS
        await screen.press("down", "home", "down")
        view.cursor = 1
        await screen.press("f")
        assert view.now - view.window <= ns(0) < ns(215) <= view.now
        assert view.window < 500 * MS


@run
async def test_stepping_marks_the_row_and_says_what_changed(drive):
    """The full stop goes to the next change, the comma back; the row is marked, and the change is shown."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=5_000)
        said = []
        for key in ["full_stop"] * 4 + ["comma"]:
            lines = await screen.press(key)
            sentence = next(line for line in lines if line.startswith("▌ #1 GET /: "))
            said.append((round(ms(screen.app.view.at)), sentence))
            assert any(line.startswith("▶#1") for line in lines)
        assert [t for t, _ in said] == [0, 1, 2, 12, 2]
        assert "from ready to running" in said[-1][1]


@run
async def test_a_step_is_not_hidden_by_the_notice_before_it(drive):
    """Where there is nothing to jump to, a notice says so; the next step replaces it at once."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=5_000)
        assert any("No block, starvation" in line for line in await screen.press("N"))
        lines = await screen.press("full_stop")
        assert any(line.startswith("▌ #1 GET /: ") for line in lines)


@run
async def test_only_a_late_frame_of_the_live_picture_is_a_place(drive):
    """A late frame of the live picture is a place to jump to; one of a replay is not."""
    for live in (True, False):
        async with drive() as screen:
            screen.source.live = live
            await screen.show(answered(1, 0), at=1_000)
            await screen.show(at=1_400)
            await screen.press("end")
            lines = await screen.press("N")
            assert any("A late frame" in line for line in lines) is live


# -- playing back ------------------------------------------------------------------------------


@run
async def test_playing_back_shows_what_was_shown_live(drive):
    """At each moment of a burst that is played back, its rows look as they looked when it was there."""
    async with drive() as screen:
        events = sorted([*answered(1, 0), *answered(2, 20), *answered(3, 100)], key=lambda event: event[0])
        view = screen.app.view
        view.column_ns = 10 * MS
        live = {}
        for at in range(0, 400, 20):
            due = [event for event in events if event[0] <= ns(at)]
            events = events[len(due) :]
            await screen.show(due, at=at)
            live[at] = [line for line in screen.lines() if line.startswith(" #")]
        await screen.show(at=1_000)
        await screen.press("r")
        view.column_ns, view.speed, view.now = 10 * MS, 1.0, ns(0)
        view.clock, view.pinned = None, False
        screen.app.scene.forget()
        for at in range(20, 300, 20):
            await screen.show(at=1_000 + at)
            assert view.now == ns(at)
            assert [line for line in screen.lines() if line.startswith(" #")] == live[at]


@run
async def test_speeds_cycle_and_playing_ends_with_the_burst(drive):
    """Each r is faster, the last one stops; left alone, it stops at the end; space pauses."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=10_000)
        speeds = []
        for _ in range(5):
            await screen.press("r")
            speeds.append(screen.app.view.speed)
        assert speeds == [0.1, 0.25, 1.0, 4.0, None]
        lines = await screen.press("r")
        assert "PLAYING 0.1 x" in lines[0]
        await screen.show(at=11_000)
        assert screen.app.view.now == ns(100)
        lines = await screen.press("space")
        assert "PAUSED 0.1 x" in lines[0]
        await screen.show(at=12_000)
        assert screen.app.view.now == ns(100)
        await screen.press("r")
        await screen.show(at=20_000)
        assert screen.app.view.now == ns(216), "what follows the response is played back too"
        assert screen.app.view.speed is None


@run
async def test_a_short_burst_is_played_slower(drive):
    """A request of 40 ms takes four seconds."""
    async with drive() as screen:
        await screen.show(streams.accepted(), streams.responded(40), streams.end(40), at=10_000)
        await screen.press("r")
        assert screen.app.view.speed == 0.01
        await screen.show(at=13_900)
        assert screen.app.view.speed is not None
        await screen.show(at=14_100)
        assert screen.app.view.speed is None
        assert screen.app.view.now == ns(40)


@run
async def test_a_trigger_freezes_the_picture_once(drive):
    """The picture freezes with the moment in it, and continues with the next key press."""
    from loopviz.tui.trigger import parse_trigger

    async with drive(trigger=parse_trigger("block>250ms")) as screen:
        view = screen.app.view
        await screen.show(scene_of_a_block(), at=950)
        assert view.behind is not None
        assert ms(view.at) == 552
        assert view.now - view.window < view.at <= view.now
        await screen.press("space")
        await screen.show(at=980)
        assert view.behind is None


# -- the filter --------------------------------------------------------------------------------


@run
async def test_the_filter_takes_letters_that_fire(drive):
    """While rows are filtered a letter is a letter; enter keeps the filter, escape shows all rows."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        await screen.press("slash", *"#2 sab", *["backspace"] * 4)
        assert screen.source.fired == []
        assert screen.app.view.words == "#2"
        lines = await screen.press("enter")
        assert [line.split()[0] for line in lines if line.startswith(" #")] == ["#2"]
        assert "/#2" in lines[0]
        await screen.press("s")
        assert screen.source.fired == [("sync", 8)]
        lines = await screen.press("escape")
        assert [line.split()[0] for line in lines if line.startswith(" #")] == ["#1", "#2"]


@run
async def test_the_filter_is_a_line_at_the_bottom(drive):
    """The filter takes the last line of the screen, and has a background of its own."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        await screen.press("slash")
        main = screen.app.screen
        field = main.query_one("MainScreen > Input", Input)
        assert (field.region.y, field.region.height, field.region.width) == (SMALL[1] - 1, 1, SMALL[0])
        assert (main.max_scroll_y, main.max_scroll_x) == (0, 0)
        assert main.styles.background == Color.parse(DARK.colours.background)
        assert field.styles.background == Color.parse(DARK.colours.field)


# -- every screen ------------------------------------------------------------------------------

SCREENS = {
    "catalogue": ["tab"], "filter": ["slash"], "help": ["question_mark"], "detail": ["enter"], "pick": ["v"],
    "comparison": ["v", "space", "down", "space", "enter"], "claims": ["m"], "claim": ["m", "enter", "t"],
    "palette": ["ctrl+p"],
}  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (20, 5)])
@pytest.mark.parametrize("name", SCREENS)
def test_ascii_is_ascii_on_every_screen(claimed, drive, name, size):
    """With --ascii each screen has nothing but ASCII, in a small terminal and in a tiny one."""

    @run
    async def test(drive):
        async with drive(size=size, palette=Palette("ascii"), experimenter=lambda *_: None) as screen:
            screen.source.scenarios.append(scenario("速い" * 20))
            screen.app.screen.catalogue.show(screen.source.scenarios)
            await screen.show(scene_of_a_block(), at=1_000)
            before = shown(screen)
            await screen.press(*SCREENS[name])
            await screen.pilot.pause()
            await screen.show()
            await screen.pilot.pause()
            text = shown(screen)
            assert text != before
            assert text.isascii()
            assert {len(line) for line in text.split("\n")} == {size[0]}

    test(drive=drive)


@run
async def test_hostile_facts_stay_text(drive):
    """No text in a recording's header or in a scenario's name controls the terminal, on any screen."""
    async with drive() as screen:
        source, app = screen.source, screen.app
        source.environment = replace(source.environment, python=HOSTILE, event_loop=HOSTILE)
        source.address = source.mode = HOSTILE
        source.scenarios = [
            replace(file, name=HOSTILE, facts=replace(file.facts, title=HOSTILE))
            for file in source.scenarios[:2]
        ]
        app.refresh_facts()
        await screen.show(answered(1, 0), at=1_000)
        assert "\\x1b[2J" in shown(screen)
        for key in ("question_mark", "v"):
            await screen.press(key)
            assert "\\x1b[2J" in shown(screen)
            await screen.press("escape")


@run
async def test_a_bracket_may_be_a_key(drive):
    """What the screens say of their keys is text, also where a keymap has put brackets into them."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=1_000)
        screen.app.set_keymap({
            "help.close": "[", "pick.tick": "[", "pick.close": "]", "request.close": "[", "request.help": "]",
        })  # fmt: skip
        for opening, closing, said in (
            ("question_mark", "left_square_bracket", "[ closes"), ("v", "right_square_bracket", "[ ticks"),
            ("enter", "left_square_bracket", "] help  [ closes"),
        ):  # fmt: skip
            await screen.press(opening)
            await screen.pilot.pause()
            assert said in shown(screen)
            await screen.press(closing)
            assert screen.app.screen is screen.app.screen_stack[0]


@pytest.mark.parametrize("key", ["slash", "tab", "v"])
def test_letters_typed_quickly_do_not_fire(drive, key):
    """Letters that come with the key that opens the filter or the list are typed, and fire nothing."""

    @run
    async def test(drive):
        async with drive(size=SMALL) as screen:
            await screen.show(answered(1, 0), at=1_000)
            for name in (key, "a", "s"):
                screen.app.post_message(Key(name, name if len(name) == 1 else None))
            for _ in range(3):
                await screen.pilot.pause()
            assert screen.source.fired == []
            assert isinstance(screen.app.screen.focused, Input)
            if key != "v":  # a screen takes a moment to be there; until then, letters are lost
                assert screen.app.screen.focused.value == "as"

    test(drive=drive)
