"""The list of scenarios: what is typed filters it, what is highlighted is explained, enter fires."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.events import MouseScrollDown
from textual.widgets import Input, OptionList

from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile
from loopviz.scenario.search import matching
from tests.side_screens import HOSTILE, SMALL, shown
from tests.test_scene import scenario
from tests.test_screen import Driver, answered, drive, run

__all__ = ["drive"]  # the fixture


def listed(screen: Driver) -> list[str]:
    """The names in the list."""
    options = screen.app.screen.query_one(OptionList).options
    return [str(option.prompt) for option in options if not option.disabled]


@run
async def test_the_catalogue_filters_and_fires(drive):
    """Letters go into the filter, enter fires what is found first; a list over the picture is hidden."""
    async with drive(size=SMALL) as screen:
        await screen.press("tab")
        assert len(listed(screen)) == 3
        await screen.press(*"asy")
        assert [row.split()[:2] for row in listed(screen)] == [["a", "async"]]
        assert screen.source.fired == []
        await screen.press("enter")
        assert screen.source.fired == [("async", 8)]
        assert not screen.app.screen.catalogue.display
        await screen.press("b")
        assert screen.source.fired[1:] == [("[b]block[/]", 8)]


@pytest.mark.parametrize("key", ["tab", "escape"])
def test_the_catalogue_is_hidden(drive, key):
    """Tab and escape hide the list, and the picture has the keys again."""

    @run
    async def test(drive):
        async with drive() as screen:
            await screen.press("tab")
            assert screen.app.screen.catalogue.display
            await screen.press(key, "a")
            assert not screen.app.screen.catalogue.display
            assert screen.source.fired == [("async", 8)]

    test(drive=drive)


@run
async def test_down_goes_over_the_headings(drive):
    """The arrows choose among the scenarios while the filter has the keys."""
    async with drive() as screen:
        await screen.press("tab", "down", "enter")
        assert screen.source.fired == [("async", 8)]


@run
async def test_a_missing_package_is_named(drive):
    """A scenario that lacks a package is listed as such, and enter shows the command to install it."""
    async with drive() as screen:
        file = replace(scenario("flask"), missing=("a2wsgi", "flask"))
        screen.source.scenarios.append(file)
        screen.app.screen.catalogue.show(screen.source.scenarios)
        await screen.press("tab", *"flask")
        assert listed(screen) == ["  flask  not installed"]
        lines = await screen.press("enter")
        assert screen.source.fired == []
        assert any("pip install a2wsgi flask" in line for line in lines)


@run
async def test_a_value_that_is_lacking_is_asked_for(drive):
    """A scenario whose requests lack a value is not fired: the screen says which, and how to declare it."""

    def refuse(file: ScenarioFile, _: int) -> None:
        raise InputError(str(file.lacking))

    async with drive(size=(80, 24)) as screen:
        lacking = (
            "items.py: no value for the path parameter 'item' of GET /items/{item}.\n"
            "Declare it: Scenario(…, params={'item': …}), or give it an example."
        )
        screen.source.scenarios.append(replace(scenario("items"), lacking=lacking))
        screen.app.screen.catalogue.show(screen.source.scenarios)
        screen.source.fire = refuse
        await screen.press("tab", *"items")
        text = " ".join(part.strip("▌ ") for part in await screen.press("enter"))
        assert " ".join(lacking.split()) in " ".join(text.split())


@run
async def test_a_filter_without_matches_fires_nothing(drive):
    """A filter that nothing matches leaves nothing to fire."""
    async with drive() as screen:
        await screen.press("tab", *"zzz", "enter")
        assert listed(screen) == []
        assert screen.source.fired == []


@run
async def test_the_exact_name_is_highlighted_first(drive):
    """What is typed highlights the scenario of that name, also where others contain it and come before."""
    async with drive(size=SMALL) as screen:
        names = ["timer_asgi", "asgi", "file_async"]
        screen.source.scenarios[1:] = [scenario("async", "a"), *map(scenario, names)]
        screen.app.screen.catalogue.show(screen.source.scenarios)
        await screen.press("tab", *"asgi", "enter")
        assert screen.source.fired == [("asgi", 8)]
        await screen.press("tab", *"async")
        assert [row.split()[-3] for row in listed(screen)] == ["async", "file_async"]


def test_the_best_match_is_first_and_groups_stay_together():
    """The exact name is first, then names that begin so; each group is listed once."""

    def file(name: str, group: str) -> ScenarioFile:
        made = scenario(name)
        return replace(made, facts=replace(made.facts, group=group))

    files = [file("async", "one"), file("stream_sync", "two"), file("sync", "one"), file("sync_two", "one")]
    found = matching(files, "sync")
    assert [f.name for f in found] == ["sync", "sync_two", "async", "stream_sync"]
    assert matching(files, "") == files
    assert [f.name for f in matching(files, "two")] == ["sync_two", "stream_sync"]


@run
async def test_the_lesson_of_the_highlighted_one_is_shown(drive):
    """Below the list are title and lesson of the highlighted scenario, which the arrows change."""
    for size in (SMALL, (120, 36)):
        async with drive(size=size) as screen:
            first, second = screen.source.scenarios[:2]
            screen.source.scenarios[:2] = [
                replace(
                    first, facts=replace(first.facts, title=f"one {HOSTILE}", expect=f"Lesson {HOSTILE}.")
                ),
                replace(second, facts=replace(second.facts, title="the second", expect="Another lesson.")),
            ]
            screen.app.screen.catalogue.show(screen.source.scenarios)
            await screen.press("tab")
            await screen.pilot.pause()
            text = shown(screen)
            assert r"one [red]\x1b[2J[/]速" in text
            assert r"Lesson [red]\x1b[2J[/]速." in text
            await screen.press("down")
            await screen.pilot.pause()
            assert "Another lesson." in shown(screen)
            assert "Lesson [red]" not in shown(screen)


@run
async def test_nothing_matches(drive):
    """A filter that nothing matches says so, and what it looks at."""
    async with drive(size=SMALL) as screen:
        await screen.press("tab", *"zzz")
        await screen.pilot.pause()
        assert "nothing matches zzz" in shown(screen)
        assert "name, group or title" in shown(screen)


@run
async def test_a_narrow_list_lies_over_the_picture(drive):
    """Below 100 columns the picture keeps its width while the list is open; wider ones have it beside."""
    async with drive(size=SMALL) as screen:
        main = screen.app.screen
        await screen.press("tab")
        await screen.pilot.pause()
        assert main.surface.size.width == 80
        for width, over in ((99, True), (100, False), (120, False), (80, True)):
            await screen.pilot.resize_terminal(width, 24)
            await screen.pilot.pause()
            assert main.catalogue.display
            assert main.surface.size.width == (width if over else width - main.catalogue.outer_size.width)
        await screen.press(*"asy", "enter")
        assert screen.source.fired == [("async", 8)]


@run
async def test_the_keys_are_given_back_after_firing(drive):
    """A wide list stays open after enter, and the next letter fires; the field says how to filter again."""
    async with drive(size=(160, 40)) as screen:
        main = screen.app.screen
        await screen.press("tab", *"asy")
        assert "type to filter" in main.query_one("Catalogue Input", Input).placeholder
        await screen.press("enter", "s")
        assert screen.source.fired == [("async", 8), ("sync", 8)]
        assert main.catalogue.display
        assert len(listed(screen)) == 3
        assert main.query_one("Catalogue Input", Input).placeholder == "tab: type to filter"


@run
async def test_a_click_on_the_list_fires_only_what_is_clicked(drive):
    """A click fires the scenario under it; neither click nor wheel reaches the rows below the list."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        await screen.press("tab")
        await screen.pilot.pause()
        row = next(y for y, line in enumerate(shown(screen).split("\n")) if "a async" in line)
        await screen.pilot._post_mouse_events([MouseScrollDown], widget=OptionList, offset=(5, row - 1))
        assert screen.app.view.cursor is None
        await screen.pilot.click(offset=(5, row))
        await screen.pilot.pause()
        assert screen.source.fired == [("async", 8)]
        assert screen.app.view.cursor is None
