"""Scenarios to compare: what is ticked, which pairs are suggested, and what is missing for a comparison."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import OptionList

from loopviz.draw.look import Palette
from loopviz.scenario import ScenarioFile, find, read
from loopviz.scenario.pairs import best_of_each_group, pairs
from loopviz.tui.screens.comparison import Comparison
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.screens.pick import Pick
from tests.side_screens import HOSTILE, SMALL, shown
from tests.test_scene import scenario
from tests.test_screen import Driver, drive, run

__all__ = ["drive"]  # the fixture


def of_group(name: str, group: str = "yours", repaired: str | None = None) -> ScenarioFile:
    """A scenario of a group, with the name of the one that shows its repair."""
    made = scenario(name)
    return replace(made, facts=replace(made.facts, group=group, repaired=repaired))


def rows(screen: Driver) -> list[str]:
    """The rows that can be ticked."""
    options = screen.app.screen.query_one(OptionList).options
    return [str(option.prompt).rstrip() for option in options if not option.disabled]


def row(screen: Driver, text: str) -> int:
    """The line of the screen that has this text."""
    return next(y for y, line in enumerate(shown(screen).split("\n")) if text in line)


# -- pairs -------------------------------------------------------------------------------------


def test_a_scenario_is_paired_with_its_repair_once():
    """Two scenarios that name each other are one pair; a repair that is not there makes none."""
    files = [
        of_group("slow", repaired="fast"),
        of_group("fast", repaired="slow"),
        of_group("x", repaired="y"),
    ]
    assert [pair.names for pair in pairs(files)] == [("slow", "fast")]


def test_names_that_differ_in_their_kind_are_a_pair():
    """The same work done in two ways is a pair, in one group only; other names are none."""
    files = [
        of_group("report_sync"), of_group("report_async"), of_group("other_async", "b"),
        of_group("other_sync", "c"), of_group("report_fast"), of_group("async"),
    ]  # fmt: skip
    assert [pair.names for pair in pairs(files)] == [("report_sync", "report_async")]


def test_two_scenarios_are_a_pair():
    """Where there are two only, they are suggested; from three on, they must have to do with each other."""
    two = [of_group("main"), of_group("other")]
    assert [pair.names for pair in pairs(two)] == [("main", "other")]
    assert pairs([*two, of_group("third")]) == []


def test_the_largest_expected_difference_of_each_group_is_suggested():
    """Of the built-in scenarios, each group's clearest lesson is suggested first."""
    names = [pair.names for pair in best_of_each_group(pairs(read(find())))]
    assert names[0] == ("blocking", "async")
    assert ("sequential", "gather") in names
    assert ("db_blocking", "db_async") in names
    assert ("cpu", "cpu_processes") in names
    assert len(names) == len({name for pair in names for name in pair[:1]})


# -- the screen --------------------------------------------------------------------------------


@run
async def test_what_is_ticked_has_a_tick_and_is_named(drive):
    """Space ticks and removes the tick; the last line names what is ticked, in that order."""
    async with drive(size=SMALL) as screen:
        await screen.press("v")
        assert [line[0] for line in rows(screen)] == ["☐"] * 3
        await screen.press("down", "space", "up", "space")
        assert [line[0] for line in rows(screen)] == ["☑", "☑", "☐"]
        assert "2 are ticked: async, sync. enter compares them." in shown(screen)
        await screen.press("space")
        assert [line[0] for line in rows(screen)] == ["☐", "☑", "☐"]
        assert "Only async is ticked: tick 1 more with space" in shown(screen)
        await screen.press("space", "enter")
        assert isinstance(screen.app.screen, Comparison)
        await screen.show()
        assert screen.source.fired == [("async", 8)]


@run
async def test_fewer_than_two_are_refused_with_a_message(drive):
    """With none or one ticked, enter says what is missing, and nothing is closed or fired."""
    async with drive(size=SMALL) as screen:
        await screen.press("v", "enter")
        assert "None is ticked yet: tick 2 more with space" in shown(screen)
        await screen.press("space", "enter")
        assert isinstance(screen.app.screen, Pick)
        assert "Only sync is ticked: tick 1 more with space" in shown(screen)
        await screen.press("escape")
        assert isinstance(screen.app.screen, MainScreen)
        assert screen.source.fired == []


@run
async def test_a_suggested_pair_is_compared_by_enter(drive):
    """The first row is a pair that is worth comparing; enter on it compares both."""
    async with drive(size=SMALL) as screen:
        screen.source.scenarios[:] = [of_group("slow", repaired="fast"), of_group("fast"), of_group("third")]
        await screen.press("v")
        assert rows(screen)[0] == "☐ slow and fast"
        await screen.press("space")
        assert [line[0] for line in rows(screen)] == ["☑", "☑", "☑", "☐"]
        await screen.press("space", "enter")
        await screen.show()
        assert isinstance(screen.app.screen, Comparison)
        assert screen.source.fired == [("slow", 8)]


@run
async def test_letters_filter_what_can_be_ticked(drive):
    """Letters filter, also those that fire or close elsewhere; ticks stay; nothing matching is said."""
    async with drive(size=SMALL) as screen:
        await screen.press("v", "space", *"bl")
        assert [line.split()[1] for line in rows(screen)] == ["[b]block[/]"]
        await screen.press("space", *["backspace"] * 2)
        assert [line[0] for line in rows(screen)] == ["☑", "☐", "☑"]
        await screen.press(*"qv")
        assert rows(screen) == []
        assert "nothing matches qv" in shown(screen)
        assert isinstance(screen.app.screen, Pick)
        assert screen.source.fired == []


@run
async def test_a_click_ticks(drive):
    """A click on a row ticks it, and the letters still filter."""
    async with drive(size=SMALL) as screen:
        await screen.press("v")
        await screen.pilot.pause()
        await screen.pilot.click(offset=(20, row(screen, "☐ async")))
        await screen.pilot.pause()
        assert [line[0] for line in rows(screen)] == ["☐", "☑", "☐"]
        await screen.press(*"asy")
        assert [line.split()[1] for line in rows(screen)] == ["async"]


@pytest.mark.parametrize("size", [SMALL, (120, 36), (40, 12), (20, 5)])
def test_the_list_fits_every_terminal(drive, size):
    """At each size, and when it changes, the list stays inside the screen; text from outside is text."""

    @run
    async def test(drive):
        async with drive(size=size, palette=Palette("ascii")) as screen:
            screen.source.scenarios[:] = [of_group(HOSTILE, HOSTILE), of_group("x" * 90), of_group("fast")]
            await screen.press("v", "space")
            for width, height in (size, (200, 60), size):
                await screen.pilot.resize_terminal(width, height)
                await screen.pilot.pause()
                text = shown(screen)
                assert text.isascii()
                assert {len(line) for line in text.split("\n")} == {width}
            box = screen.app.screen.query_one("Pick > Vertical")
            assert screen.app.screen.region.contains_region(box.region)
            if size[0] >= 80:
                assert "[x] [red]\\x1b[2J[/]" in text

    test(drive=drive)
