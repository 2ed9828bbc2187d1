"""A change of the theme changes everything that is shown, at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from textual.color import Color
from textual.widgets import HelpPanel

from loopviz.draw.look import Palette
from loopviz.draw.theme import Theme
from loopviz.draw.themes import DARK, LIGHT, SIXTEEN, THEMES
from loopviz.tui.compat import Commands
from tests import streams
from tests.test_screen import Driver, answered, drive, run

__all__ = ["drive"]  # the fixture


def colours_of(screen: Driver) -> set[str]:
    """All colours that the terminal is sent for what is on top."""
    found = set()
    for strip in screen.app.screen._compositor.render_strips():
        for segment in strip:
            for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                if colour is not None and colour.triplet is not None:
                    found.add(colour.triplet.hex)
    return found


def words_of(screen: Driver) -> str:
    """What is on top, as text."""
    strips = screen.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def until(screen: Driver, condition: Callable[[], bool]) -> None:
    """Draw frames until the condition holds."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
        await screen.show()
    raise AssertionError(words_of(screen))


def own(theme: Theme) -> set[str]:
    """The colours of a theme that no other has."""
    mine: set[str] = set()
    others: set[str] = set()
    for each in THEMES:
        values = {getattr(each.colours, name) for name in each.colours.__slots__}
        values |= {value for s in each.states.values() for value in (s.fill, s.ink, s.text)}
        (mine if each is theme else others).update(values)
    return mine - others


@run
async def test_the_next_theme_changes_picture_list_and_dialogs(drive):
    """After T the picture, the list of scenarios and an open dialog have the colours of the next theme."""
    async with drive(size=(160, 40)) as screen:
        await screen.show(answered(1, 0), at=400)
        await screen.press("tab")
        await screen.show()
        assert colours_of(screen) & own(DARK)
        await screen.press("escape")
        await screen.press("T")
        await screen.show()
        await screen.press("tab")
        await screen.show()
        assert screen.app.theme == "light"
        assert "Theme light." in words_of(screen)
        assert colours_of(screen) & own(LIGHT)
        assert not colours_of(screen) & own(DARK)
        assert screen.app.screen.styles.background == Color.parse(LIGHT.colours.background)
        await screen.press("escape")
        await screen.press("question_mark")
        screen.app.theme = "dark"
        await screen.show()
        assert "legend and keys" in words_of(screen)
        assert colours_of(screen) & own(DARK)
        assert not colours_of(screen) & own(LIGHT)


@run
async def test_no_colour_of_the_theme_before_stays_in_the_picture(drive):
    """Through all themes, a frame of the picture has no colour of the one before, whatever was kept."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=400)
        for before, theme in itertools.pairwise([*THEMES, DARK]):
            assert colours_of(screen) & own(before)
            await screen.press("T")
            assert screen.app.theme == theme.name
            assert not colours_of(screen) & own(before)


@run
async def test_the_commands_of_textual_that_make_sense_are_in_the_palette(drive):
    """Theme, keys and screenshot are commands, beside those of the keys; none is there twice."""
    async with drive() as screen:
        titles = [command.title for command in screen.app.get_system_commands(screen.app.screen)]
        assert {"Theme", "Keys", "Screenshot", "Next theme"} <= set(titles)
        assert titles.count("Quit") == 1
        assert len(titles) == len(set(titles))
        screen.app.action_show_help_panel()
        await screen.show()
        assert screen.app.screen.query(HelpPanel)
        screen.app.action_change_theme()
        await screen.show()
        assert isinstance(screen.app.screen, Commands)
        await screen.show()
        assert all(theme.name in words_of(screen) and theme.title in words_of(screen) for theme in THEMES)
        assert "nord" not in words_of(screen)


@run
async def test_a_picture_that_stands_still_takes_the_theme_that_is_chosen_in_the_list(drive):
    """No colour of the theme before is left, although nothing else of the picture has changed."""
    async with drive() as screen:
        await screen.show(streams.fired(0), answered(1, 0), at=400)
        for at in (30_000, 30_010):
            await screen.show(at=at)
        screen.app.action_change_theme()
        await screen.show()
        await screen.press(*"light")
        await until(screen, lambda: "dark" not in words_of(screen))
        await screen.press("enter")
        await until(screen, lambda: screen.app.theme == "light")
        await screen.show()
        assert colours_of(screen) & own(LIGHT)
        assert not colours_of(screen) & own(DARK)


@run
async def test_a_screenshot_is_in_the_current_folder(drive, tmp_path, monkeypatch):
    """The screen is saved as an SVG under a new name, in a thread, and its name is said."""
    monkeypatch.chdir(tmp_path)
    async with drive() as screen:
        screen.app.deliver_screenshot()
        screen.app.deliver_screenshot()
        await until(screen, lambda: len(list(tmp_path.glob("*.svg"))) == 2)
        names = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".svg")
        await until(screen, lambda: any(f"Saved as {name}." in words_of(screen) for name in names))
        assert "loopviz" in "".join(ET.parse(tmp_path / names[0]).getroot().itertext())


@run
async def test_a_screenshot_that_cannot_be_saved_is_reported(drive, tmp_path, monkeypatch):
    """Where the folder cannot be written, the reason is said."""

    def refuse(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("loopviz.tui.actions.looks.write_whole", refuse)
    async with drive() as screen:
        screen.app.deliver_screenshot()
        await until(screen, lambda: "Permission denied" in words_of(screen))


@run
async def test_with_sixteen_colours_all_are_the_terminals_own(drive):
    """With 16 colours no colour is mixed, on no screen, and there is no other theme."""
    async with drive(palette=Palette(theme=LIGHT, depth="16")) as screen:
        await screen.show(answered(1, 0), at=400)
        for key in ("tab", "escape", "question_mark", "escape", "T"):
            await screen.press(key)
            await screen.show()
            assert not colours_of(screen), key
        assert screen.app.theme == SIXTEEN.name
        assert "16 colours: there is one theme" in words_of(screen)


@pytest.mark.parametrize("mode", ["mono", "ascii"])
@run
async def test_a_theme_can_be_asked_for_in_every_mode(drive, mode):
    """Without colours T says that there is one theme; in ASCII the next theme is used, in ASCII."""
    async with drive(palette=Palette(mode)) as screen:
        await screen.press("T")
        await screen.show()
        assert ("Without colours" if mode == "mono" else "Theme light.") in words_of(screen)
        assert mode == "mono" or words_of(screen).isascii()
