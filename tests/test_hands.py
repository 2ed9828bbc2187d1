"""The hands: what a click does, and what keys do to what is shown and to what runs."""

from __future__ import annotations

from itertools import pairwise

from loopviz.cli.main import main
from loopviz.model import Timeline
from loopviz.tui.keymap import FootItem, Keys
from loopviz.tui.view import View
from tests.test_scene import scene, text


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
