"""The table of keys: what is bound, shown and documented follows from it, under a keymap too."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from textual.binding import Binding
from textual.command import Command, CommandList, CommandPalette
from textual.dom import DOMNode
from textual.keys import _character_to_key
from textual.widgets import Input

import loopviz.tui.app
from docs import keys as documentation
from loopviz.clock import NS
from loopviz.draw.words import tick
from loopviz.scenario import RESERVED_KEYS
from loopviz.tui.app import LoopvizApp
from loopviz.tui.keymap import Keys, written
from loopviz.tui.keys import TABLE, Context, keys_of
from loopviz.tui.notes import NotesApp
from loopviz.tui.playback import SPEEDS
from loopviz.tui.screens.catalogue import Catalogue
from loopviz.tui.screens.claims import Claims
from loopviz.tui.screens.comparison import Comparison
from loopviz.tui.screens.detail import Detail
from loopviz.tui.screens.help import Help
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.screens.output import OutputPane
from loopviz.tui.screens.pick import Pick
from loopviz.tui.screens.prediction import Prediction
from loopviz.tui.screens.prompt import RequestPrompt
from loopviz.tui.screens.repair import Repair
from loopviz.tui.screens.talk import TalkScreen
from loopviz.tui.view import NARROWEST, WIDEST
from tests.test_screen import Driver, answered, drive, run
from tests.test_themes_on_screen import until

__all__ = ["drive"]  # the fixture

BOUND_BY: dict[Context, type[DOMNode]] = {
    "app": LoopvizApp, "picture": MainScreen, "scenarios": Catalogue, "request": Detail, "help": Help,
    "pick": Pick, "comparison": Comparison, "claims": Claims, "talk": TalkScreen, "notes": NotesApp,
    "prediction": Prediction, "prompt": RequestPrompt, "output": OutputPane, "repair": Repair,
}  # fmt: skip
"""The filter is missing: its keys are those of Textual's input and of the picture."""
ALL = [key for section in TABLE for row in section.rows for key in row.keys]


def of_loopviz(kind: type[DOMNode]) -> set[type[DOMNode]]:
    """All subclasses that loopviz defines."""
    found = {kind} if kind.__module__.startswith("loopviz.") else set()
    return found.union(*(of_loopviz(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize("context", BOUND_BY)
def test_every_key_is_bound_and_has_an_action(context):
    """What the table has for a context is bound there, to an action that exists."""
    kind = BOUND_BY[context]
    bound = {
        (key, binding.id, binding.action)
        for binding in kind.BINDINGS
        if isinstance(binding, Binding)
        for key in binding.key.split(",")
    }
    for key in keys_of(context):
        action = f"app.{key.action}" if context == "picture" else key.action
        for name in f"{key.keys},{key.unwritten}".strip(",").split(","):
            assert (name, key.id, action) in bound
        target = LoopvizApp if context == "picture" else kind
        assert callable(getattr(target, f"action_{key.action.partition('(')[0]}"))


def test_every_binding_is_in_the_table():
    """No class of loopviz binds a key that the table does not have, and no context is left out."""
    assert loopviz.tui.app
    ids = {key.id for key in ALL}
    classes = {kind for kind in of_loopviz(DOMNode) if kind.__dict__.get("BINDINGS")}
    assert classes == set(BOUND_BY.values())
    bindings = [binding for kind in classes for binding in kind.BINDINGS]
    assert {binding.id if isinstance(binding, Binding) else binding for binding in bindings} == ids


def test_nothing_collides():
    """Ids are unique; no key means two things in one context, nor on the picture and in the whole program."""
    assert max(Counter(key.id for key in ALL).values()) == 1
    groups: list[tuple[Context, ...]] = [*((context,) for context in BOUND_BY), ("app", "picture")]
    for group in groups:
        names = [
            name
            for context in group
            for key in keys_of(context)
            for name in f"{key.keys},{key.unwritten}".strip(",").split(",")
        ]
        assert max(Counter(names).values()) == 1, group


def test_a_scenario_cannot_have_a_letter_of_the_table():
    """The letters that a scenario cannot have are those of the picture, and the message names the action."""
    letters = {
        name: key.title.lower()
        for context in ("picture", "app")
        for key in keys_of(context)
        for name in key.keys.split(",")
        if len(name) == 1 and name in string.ascii_lowercase
    }
    assert letters == RESERVED_KEYS


def test_the_words_of_keys_have_the_figures_of_the_code():
    """The limits of zooming and the speeds of playing back are those that the table names."""
    rows = {row.words for section in TABLE for row in section.rows}
    assert f"zoom, from {tick(NARROWEST)} to {WIDEST // (60 * NS)} min" in rows
    speeds = ", ".join(f"1/{1 / speed:g}" if speed < 1 else f"{speed:g}" for speed in SPEEDS)
    assert any(words.endswith(f": {speeds} times") for words in rows)


def test_the_documentation_is_the_table():
    """docs/keys.md is what docs/keys.py makes of the table."""
    assert documentation.PAGE.read_text() == documentation.page()


@pytest.mark.parametrize("sign", string.punctuation)
def test_every_sign_is_written_as_itself(sign):
    """Textual's name for a punctuation mark is written as the mark, with modifiers in front."""
    name = _character_to_key(sign)
    assert written(name) == sign
    assert written(f"ctrl+{name}") == f"ctrl+{sign}"


# -- in the program ----------------------------------------------------------------------------


@run
async def test_help_and_palette_have_every_key(drive):
    """The help has each row of the picture, and the command palette each action that it is to have."""
    async with drive(size=(150, 100)) as screen:
        await screen.press("question_mark")
        shown = screen.app.export_screenshot().replace("&#160;", " ").replace("&#x27;", "'")
        commands = {command.title: command for command in screen.app.get_system_commands(screen.app.screen)}
        for section in TABLE:
            if section.context not in ("picture", "app"):
                continue
            for row in section.rows:
                if row.keys:
                    assert row.words[:30] in shown
                for key in row.keys:
                    assert (key.title in commands) is key.palette
                    if key.palette:
                        assert commands[key.title].help.endswith(f"({written(key.keys.split(',')[0])})")


async def command(screen: Driver, title: str) -> None:
    """Choose a command of the palette by its title: what it finds comes some time after the last letter."""
    await screen.press("ctrl+p", *title.lower())

    def found() -> bool:
        option = screen.app.screen.query_one(CommandList).highlighted_option
        return isinstance(option, Command) and option.hit.text == title

    await until(screen, found)
    await screen.press("enter")
    await until(screen, lambda: not isinstance(screen.app.screen, CommandPalette))


@run
async def test_a_command_of_the_palette_does_what_its_key_does(drive):
    """A command chosen by its name runs the action, on the screen below the palette."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=1_000)
        await command(screen, "Freeze")
        await until(screen, lambda: "FROZEN" in screen.lines()[0])
        await command(screen, "Filter")
        await until(screen, lambda: isinstance(screen.app.focused, Input))
        await screen.press(*"#1")
        assert screen.app.view.words == "#1"


@run
async def test_a_keymap_changes_the_key_and_what_is_shown(drive):
    """Under a keymap the new key works, the old one does not, and foot line, help and palette show it."""
    async with drive(size=(120, 70)) as screen:
        screen.app.set_keymap({"picture.freeze": "%,f5", "help.close": "f6"})
        lines = await screen.press("space")
        assert "FROZEN" not in lines[0]
        assert any(" % freeze " in line for line in lines)
        assert not any(" space freeze " in line for line in lines)
        assert "FROZEN" in (await screen.press("percent_sign"))[0]
        assert "FROZEN" not in (await screen.press("f5"))[0]
        screen.app.update_keymap({"picture.clear": "X"})
        assert any(" X clear " in line for line in await screen.show())
        assert any(" % freeze " in line for line in screen.lines())
        commands = {command.title: command for command in screen.app.get_system_commands(screen.app.screen)}
        assert commands["Freeze"].help.endswith("(%)")
        await screen.press("question_mark", "escape")
        assert isinstance(screen.app.screen, Help)
        shown = screen.app.export_screenshot().replace("&#160;", " ")
        assert "f6 closes" in shown
        assert "(also f5)" in shown
        await screen.press("f6")
        assert isinstance(screen.app.screen, MainScreen)


@run
async def test_a_keymap_can_take_a_scenarios_letter(drive):
    """A letter that a keymap gives to an action no longer fires a scenario."""
    async with drive() as screen:
        screen.app.set_keymap({"picture.freeze": "s"})
        assert "FROZEN" in (await screen.press("s"))[0]
        assert screen.source.fired == []


def test_a_key_that_a_keymap_takes_is_no_longer_shown_elsewhere():
    """The action that had the key keeps its others; without any it is not in the foot line."""
    keys = Keys({"picture.freeze": "q, j", "claims.go": "t"})
    assert keys.of("app.quit") == ()
    assert keys.of("picture.next-request") == ("down",)
    assert keys.shown("picture.freeze", "app.quit") == "q"
    assert keys.of("picture.sort") == ("t",)
    assert keys.of("claims.true") == ()
    words = {"requests": "8", "threads": "40", "freeze": "freeze", "move": "move"}
    assert [item.words for item in keys.foot(words, "always", "roomy")] == [
        "8", "40", "move", "freeze", "detail", "clear", "help",
    ]  # fmt: skip
