"""Keys and clicks that come faster than they are handled, and input that is no key."""

from __future__ import annotations

import pytest
from textual import events
from textual.geometry import Size

from loopviz.tui.screens.main import MainScreen
from tests.test_screen import drive, run

__all__ = ["drive"]  # a fixture


@run
@pytest.mark.parametrize("screen", ["ctrl+p", "question_mark"])
async def test_closing_a_screen_twice_closes_no_other(drive, screen):
    """A screen that closes itself twice, as after two escapes at once, leaves the picture open."""
    async with drive() as program:
        await program.pilot.press(screen)
        top = program.app.screen
        assert not isinstance(top, MainScreen)

        def close() -> None:
            top.dismiss()

        for _ in range(2):
            top.call_later(close)
        for _ in range(3):
            await program.pilot.pause()
        assert program.app.screen_stack == [program.app.screen_stack[0]]
        assert isinstance(program.app.screen, MainScreen)


@run
async def test_a_screen_below_another_is_not_closed(drive):
    """A screen that closes itself when another one has come on top stays, and is closed later."""
    async with drive() as program:
        await program.pilot.press("question_mark")
        below = program.app.screen
        program.app.action_command_palette()

        def close() -> None:
            below.dismiss()

        for _ in range(3):
            below.call_later(close)
            await program.pilot.pause()
        assert below in program.app.screen_stack
        for _ in range(2):
            await program.pilot.press("escape")
            await program.pilot.pause()
        assert isinstance(program.app.screen, MainScreen)


@run
async def test_the_palette_may_be_opened_and_closed_in_one_moment(drive):
    """Opened, closed before it is drawn, and opened again: it is open, and nothing has failed."""
    async with drive() as program:
        for _ in range(3):
            program.app.action_command_palette()
            program.app.pop_screen()
        program.app.action_command_palette()
        for _ in range(3):
            await program.pilot.pause()
        assert len(program.app.screen_stack) == 2


@run
async def test_a_click_on_an_option_that_is_gone_does_nothing(drive):
    """A click that is handled when the list has become shorter chooses nothing."""
    async with drive() as program:
        options = program.app.screen_stack[0].catalogue._list
        options.clear_options()
        click = events.Click(None, 1, 1, 0, 0, 1, False, False, False)
        click.set_sender(options)
        click._style = type("Style", (), {"meta": {"option": 7}})()
        await options._on_click(click)
        assert program.source.fired == []


@run
async def test_a_click_outside_of_a_smaller_terminal_does_nothing(drive):
    """A click that is handled when the terminal has become smaller leaves the palette open."""
    async with drive() as program:
        program.app.action_command_palette()
        await program.pilot.pause()
        palette = program.app.screen
        palette.post_message(events.Click(palette, 500, 500, 0, 0, 1, False, False, False, 500, 500))
        await program.pilot.pause()
        assert program.app.screen is palette


@run
async def test_a_page_key_in_a_list_without_lines_does_nothing(drive):
    """In a terminal of one column a list has options and no lines: the next page of it is the same."""
    async with drive() as program:
        options = program.app.screen_stack[0].catalogue._list
        options.highlighted = 0
        options._index_to_line.clear()
        options.action_page_up()
        options.action_page_down()
        assert options.highlighted == 0


@run
async def test_sizes_that_follow_each_other_closely_come_to_rest(drive):
    """Several sizes in one moment, with something between them, end in the layout of the last one."""
    async with drive() as program:
        screen = program.app.screen
        resized: list[Size | None] = []
        layout = screen._refresh_layout

        def noted(size: Size | None = None, scroll: bool = False) -> None:
            resized.append(size)
            layout(size, scroll)

        screen._refresh_layout = noted
        for width in (100, 60, 90, 70):
            program.app.post_message(events.Resize(Size(width, 30), Size(width, 30)))
            screen.post_message(events.Resize(Size(width, 30), Size(width, 30)))
            screen.post_message(events.Callback(lambda: None))
        for _ in range(20):
            await program.pilot.pause()
        count = len(resized)
        for _ in range(20):
            await program.pilot.pause()
        assert screen.size == (70, 30)
        assert len(resized) <= count + 2
