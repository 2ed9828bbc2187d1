"""The help: what is needed where it is opened comes first, and it says how far it scrolls."""

from __future__ import annotations

import pytest

from loopviz.draw.look import Palette
from loopviz.tui.screens.help import Help
from tests.side_screens import HOSTILE, SMALL, shown
from tests.test_screen import Driver, answered, drive, run

__all__ = ["drive"]  # the fixture


def headings(screen: Driver) -> list[str]:
    """The sections that are on the screen, from the top."""
    known = (
        "Fire", "States of a request", "Marks", "Views", "Time", "Requests", "Everywhere", "The map",
        "This program", "An opened request", "The list of scenarios", "Not visible here",
    )  # fmt: skip
    lines = [line.strip(" │|") for line in shown(screen).split("\n")]
    return [line for line in lines if line in known]


@run
async def test_states_are_on_the_first_screen(drive):
    """At 80x24 the keys that fire and the states are seen at once; the last line says how to go on."""
    async with drive(size=SMALL) as screen:
        await screen.press("question_mark")
        await screen.pilot.pause()
        assert headings(screen) == ["Fire", "States of a request"]
        last = shown(screen).split("\n")[-1]
        assert "tab next section  up/down scroll, " in last
        assert "more lines below  esc closes" in last


@run
async def test_tab_goes_from_section_to_section(drive):
    """Tab puts the next section at the top, shift+tab the previous one; the end is called so."""
    async with drive(size=SMALL) as screen:
        await screen.press("question_mark")
        seen = []
        for key in ["tab"] * 3 + ["shift+tab"]:
            await screen.press(key)
            await screen.pilot.pause()
            seen.append(headings(screen)[0])
        assert seen == ["States of a request", "Marks", "Views", "Marks"]
        screen.app.screen.box.scroll_end(animate=False)
        await screen.pilot.pause()
        assert "scroll, this is the end  esc closes" in shown(screen).split("\n")[-1]
        await screen.press("q")
        assert not isinstance(screen.app.screen, Help)


@run
async def test_a_frozen_picture_explains_time_and_the_map_first(drive):
    """While the picture is frozen, the keys of time and the line ALL are what the help begins with."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=1_000)
        await screen.press("space", "question_mark")
        await screen.pilot.pause()
        assert headings(screen)[:2] == ["Time", "The map"]
        assert "is a map of" in shown(screen)


@run
async def test_help_in_a_request_begins_with_its_keys(drive):
    """Opened from another screen, the help begins with the keys of that screen, and closes to it."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=1_000)
        await screen.press("enter")
        await screen.pilot.pause()
        assert "? help  esc closes" in shown(screen)
        await screen.press("question_mark")
        await screen.pilot.pause()
        assert headings(screen)[:2] == ["An opened request", "Everywhere"]
        opened = screen.app.screen_stack[-2]
        await screen.press("question_mark")
        assert screen.app.screen is opened


@run
async def test_wide_help_has_all_in_two_columns(drive):
    """In a large terminal all of the help is seen at once, and the last line offers no scrolling."""
    async with drive(size=(200, 95)) as screen:
        await screen.press("question_mark")
        await screen.pilot.pause()
        text = shown(screen)
        for heading in ("Fire", "Marks", "The map", "This program", "The claims quiz"):
            assert heading in text
        assert "scroll" not in text.split("\n")[-1]
        for width in (80, 200):
            await screen.pilot.resize_terminal(width, 95)
            await screen.pilot.pause()
        assert "The claims quiz" in shown(screen)


@run
async def test_figures_and_what_is_not_visible(drive):
    """The help has the program's own figures; what cannot be seen is at the top, as text."""
    async with drive(size=(200, 95)) as screen:
        screen.source.blind = [("worker threads", f"why {HOSTILE}")]
        screen.app.view.pace.dropped = 1
        await screen.press("question_mark")
        await screen.pilot.pause()
        text = shown(screen)
        assert "1 event: what the buffer had no room for" in text
        assert "of a core is used for measuring" in text
        assert "Python 3.13.0, GIL on" in text
        assert r"worker threads: why [red]\x1b[2J[/]" in text
        assert text.index("Not visible here") < text.index("Time")


@pytest.mark.parametrize("palette", [Palette("mono"), Palette("ascii")], ids=["mono", "ascii"])
def test_help_in_one_colour_and_in_ascii(drive, palette):
    """The help has every state in each mode, in ASCII only where that is asked for."""

    @run
    async def test(drive):
        async with drive(size=(200, 60), palette=palette) as screen:
            await screen.press("question_mark")
            await screen.pilot.pause()
            text = shown(screen)
            assert "BLOCKS" in text
            assert text.isascii() is not palette.unicode

    test(drive=drive)
