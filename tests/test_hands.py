"""The hands: what a click does, and what keys do to what is shown and to what runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from loopviz.cli.main import main
from loopviz.model import Timeline
from loopviz.tui.keymap import FootItem, Keys
from loopviz.tui.view import View
from tests.test_scene import scene, text
from tests.test_screen import drive, run

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
