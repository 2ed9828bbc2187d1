"""The themes: contrast, colour blindness, and terminals with few colours."""

from __future__ import annotations

import argparse
import io
import itertools
import re
from dataclasses import fields
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from rich.console import Console

from docs import themes as documentation
from docs.vision import contrast, difference, luminance, seen
from loopviz.cli.console import palette_for, screen_palette
from loopviz.cli.main import main
from loopviz.cli.report import print_report
from loopviz.draw.look import APPEARANCES, BLOCK, CODES, Depth, Mode, Palette
from loopviz.draw.raster import after_response
from loopviz.draw.theme import Colours, Theme, mixed
from loopviz.draw.themes import DARK, LIGHT, SIXTEEN, TERMINAL, THEMES, next_theme, theme_named
from loopviz.errors import InputError
from loopviz.model import State
from loopviz.scenario import Scenario, ScenarioFile
from tests.streams import accepted, idle, read, responded, sent, step, suspend, timeline

ALL = [row.code for row in APPEARANCES]
READY, RUNNING = CODES[State.READY], CODES[State.RUNNING]
SOLID = {row.code for row in APPEARANCES if row.look.texture == "█"}
every_theme = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
every_table = pytest.mark.parametrize("theme", [*THEMES, TERMINAL, SIXTEEN], ids=lambda theme: theme.name)


@every_table
def test_a_theme_has_the_colours_of_every_state(theme: Theme):
    """No theme lacks a state or has one too many, and no two of its states have the same colours."""
    assert list(theme.states) == ALL
    assert len({(shades.fill, shades.ink) for shades in theme.states.values()}) == len(ALL)
    assert theme is SIXTEEN or len({shades.text for shades in theme.states.values()}) == len(ALL)
    assert theme.colours.alarm == theme.states[BLOCK].fill  # captions are written onto blocks


@every_theme
def test_a_colour_is_a_number(theme: Theme):
    """Every colour is written as ``#rrggbb``, in small letters."""
    values = [getattr(theme.colours, field.name) for field in fields(Colours)]
    values += [value for s in theme.states.values() for value in (s.fill, s.ink, s.text)]
    assert all(re.fullmatch("#[0-9a-f]{6}", value) for value in values)


@every_theme
def test_words_can_be_read(theme: Theme):
    """Words have a contrast of 7 to the background, names of states and words of less weight one of 4.5."""
    colours = theme.colours
    for behind in (colours.background, colours.surface):
        assert contrast(colours.text, behind) >= 7
        assert contrast(colours.dim, behind) >= 4.5
    names = [shades.text for shades in theme.states.values()]
    for colour in [*names, colours.accent, colours.alarm_text, colours.good_text]:
        assert contrast(colour, colours.background) >= 4.5
    assert contrast(colours.caption, colours.alarm) >= 4.5
    assert contrast(colours.on_notice, colours.notice) >= 7
    assert contrast(colours.on_accent, colours.accent) >= 4.5
    assert (luminance(colours.text) > luminance(colours.background)) is theme.dark


@every_theme
def test_a_block_stands_out(theme: Theme):
    """A block has a contrast of 3 to ready and to running, and one of 2.5 to the background."""
    fills = {code: shades.fill for code, shades in theme.states.items()}
    assert contrast(fills[BLOCK], fills[READY]) >= 3
    assert contrast(fills[BLOCK], fills[RUNNING]) >= 3
    assert contrast(fills[BLOCK], theme.colours.background) >= 2.5


@every_theme
def test_a_texture_is_seen_on_its_colour(theme: Theme):
    """The texture of a state has a contrast of 1.5 to the colour behind it, unless it fills the cell."""
    for code, shades in theme.states.items():
        assert code in SOLID or contrast(shades.ink, shades.fill) >= 1.5


@every_theme
def test_high_levels_are_seen_in_a_lane(theme: Theme):
    """How busy the loop is and how many threads are in use has a contrast of 4.5 to the lane."""
    colours = theme.colours
    assert contrast(colours.good_text, colours.lane) >= 4.5
    assert contrast(colours.thread, colours.lane) >= 4.5


def _least(theme: Theme, vision: str) -> float:
    """How different the two most similar of all states and the background look."""
    colours = [shades.fill for shades in theme.states.values()] + [theme.colours.background]
    return min(
        difference(seen(one, vision), seen(other, vision))
        for one, other in itertools.combinations(colours, 2)
    )


@every_theme
def test_states_can_be_told_apart_by_colour_alone(theme: Theme):
    """Any two states differ by 10 (CIEDE2000), also with the kinds of colour blindness that it suits."""
    for vision in ("normal", *theme.suits):
        assert _least(theme, vision) >= 10, vision


def test_themes_for_colour_blindness_are_better_at_it():
    """Each kind of colour blindness has a theme that is made for it, and better than the usual one."""
    for vision in ("deuteranopia", "protanopia", "tritanopia"):
        made = theme_named(vision)
        assert made not in (DARK, LIGHT)
        assert vision in made.suits
        assert _least(made, vision) >= _least(DARK, vision)
        assert _least(made, vision) >= 14


def test_reports_can_be_read_on_any_background():
    """What reports are printed with has a contrast of 3.5 to black and to white, and words no background."""
    for shades in TERMINAL.states.values():
        assert min(contrast(shades.text, behind) for behind in ("#000000", "#ffffff")) >= 3.5
    for name in ("accent", "alarm_text", "good_text"):
        colour = getattr(TERMINAL.colours, name)
        assert min(contrast(colour, behind) for behind in ("#000000", "#ffffff")) >= 3.5
    palette = Palette(theme=TERMINAL)
    for role in ("text", "dim", "good", "alarm", "title"):
        assert palette.text(role).bgcolor is None
    assert all(palette.name(code)[1].bgcolor is None for code in ALL)
    assert palette.cell(" ", " ")[1].bgcolor is None
    assert palette.cell(" ", RUNNING) == ("▐", palette.edge(RUNNING))
    assert palette.cell(RUNNING, " ") == ("▌", palette.edge(RUNNING))


TERMINALS: dict[str, tuple[Mode, Depth, ColorSystem | None]] = {
    "truecolor": ("colour", "truecolor", ColorSystem.TRUECOLOR),
    "256": ("colour", "256", ColorSystem.EIGHT_BIT),
    "16": ("colour", "16", ColorSystem.STANDARD),
    "mono": ("mono", "truecolor", None),
    "ascii": ("ascii", "truecolor", ColorSystem.TRUECOLOR),
    "ascii-16": ("ascii", "16", ColorSystem.STANDARD),
}


def _as_shown(colour: Color | None, system: ColorSystem | None) -> Color | None:
    return colour.downgrade(system) if colour is not None and system is not None else colour


@every_theme
@pytest.mark.parametrize("kind", TERMINALS)
def test_no_two_states_look_the_same_on_any_terminal(theme: Theme, kind: str):
    """A cell's character, colour and background are those of one state only, as the terminal shows them."""
    mode, depth, system = TERMINALS[kind]
    palette = Palette(mode, theme, depth=depth)
    drawn = [palette.cell(code, code) for code in ALL]
    shown = {
        (character, style.reverse, _as_shown(style.color, system), _as_shown(style.bgcolor, system))
        for character, style in drawn
    }
    assert len(shown) == len(ALL)
    if depth != "16" and system:  # where there are enough colours, they alone are enough
        backgrounds = {style.bgcolor.downgrade(system) for _, style in drawn if style.bgcolor}
        assert len(backgrounds) == len(ALL)


@pytest.mark.parametrize("kind", TERMINALS)
def test_a_cell_never_shows_one_colour_for_two_states(kind: str):
    """A cell is only divided where its halves differ; with 16 colours it shows one state."""
    mode, depth, system = TERMINALS[kind]
    palette = Palette(mode, depth=depth)
    for left, right in itertools.permutations(ALL, 2):
        character, style = palette.cell(left, right)
        if character == "▌":
            assert system
            assert style.color
            assert style.bgcolor
            assert style.color.downgrade(system) != style.bgcolor.downgrade(system)
        else:
            assert (character, style) == palette.cell(left, left)
    assert palette.halves is (kind in {"truecolor", "256"})


def test_sixteen_colours_are_the_terminals_own():
    """With 16 colours all of them have names, so that they fit the terminal's own background."""
    values = [getattr(SIXTEEN.colours, field.name) for field in fields(Colours)]
    values += [value for s in SIXTEEN.states.values() for value in (s.fill, s.ink, s.text)]
    assert not [value for value in values if value.startswith(("#", "bright"))]
    palette = Palette("colour", LIGHT, depth="16")
    assert (palette.chosen, palette.theme) == (LIGHT, SIXTEEN)


def test_another_theme_changes_every_style():
    """After a change of the theme nothing is drawn in a colour of the one before."""
    palette = Palette()
    before = [palette.cell(left, right) for left in ALL for right in ALL], palette.text("dim")
    palette.use(LIGHT)
    assert palette.colours is LIGHT.colours
    after = [palette.cell(left, right) for left in ALL for right in ALL], palette.text("dim")
    assert not set(before[0]) & set(after[0])
    assert before[1] != after[1]
    assert after[0] == [Palette(theme=LIGHT).cell(left, right) for left in ALL for right in ALL]


def test_themes_have_names():
    """A theme is found by its name or by the kind of colour blindness; others are refused with the list."""
    assert [theme_named(theme.name) for theme in THEMES] == list(THEMES)
    assert theme_named(" Light ") is LIGHT
    assert theme_named("deuteranopia") is theme_named("protanopia") is theme_named("red-green")
    with pytest.raises(InputError, match=r"no theme 'neon'\.\nThere are: dark, light, high-contrast"):
        theme_named("neon")


def test_the_next_theme():
    """A key goes through all themes, and begins again."""
    names = [THEMES[0].name]
    for _ in THEMES:
        names.append(next_theme(names[-1]).name)
    assert names == [theme.name for theme in THEMES] + [THEMES[0].name]


def test_colours_are_mixed():
    """A colour half way between two is the mean of each part."""
    assert mixed("#000000", "#ffffff") == "#7f7f7f"
    assert mixed("#102030", "#102030") == "#102030"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#777777", "#ffffff", 4.48)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, expected: float):
    """Known contrasts come out, in either order."""
    assert contrast(one, other) == pytest.approx(expected, abs=0.01)
    assert contrast(other, one) == contrast(one, other)


def test_colour_blindness_is_simulated():
    """Grey stays grey; colours that differ by what one kind of cones sees become similar without it."""
    for vision in ("deuteranopia", "protanopia", "tritanopia"):
        assert difference(seen("#808080", vision), "#808080") < 1
    red, green = "#c05030", "#607020"
    assert difference(seen(red, "deuteranopia"), seen(green, "deuteranopia")) < difference(red, green) / 2
    assert difference(seen("#2060a0", "tritanopia"), seen("#006868", "tritanopia")) < 10
    assert seen(red, "normal") == red


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_difference_is_ciede2000(one, two, expected):
    """The pairs that Sharma, Wu and Dalal publish for testing have the differences that they give."""
    from docs.vision import _ciede2000

    assert _ciede2000(one, two) == pytest.approx(expected, abs=1e-4)


def test_the_documentation_has_the_measured_figures():
    """docs/themes.md is what docs/themes.py makes of the themes."""
    assert documentation.PAGE.read_text(encoding="utf-8") == documentation.page()


def test_the_help_names_every_theme(capsys: pytest.CaptureFixture[str]):
    """``loopviz run --help`` has the names of all themes."""
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(theme.name in shown.replace("- ", "-") for theme in THEMES)


@pytest.mark.parametrize("command", [["run"], ["replay", "nothing.jsonl"], ["talk"]])
def test_an_empty_option_is_no_theme(command, capsys):
    """``--theme ''`` is refused like any other name that no theme has."""
    assert main([*command, "--theme", ""]) == 2
    assert capsys.readouterr().err.startswith("loopviz: There is no theme ''.\n")


def test_an_empty_variable_means_the_usual_theme(monkeypatch):
    """LOOPVIZ_THEME without a text is as if it were not set."""
    monkeypatch.setenv("LOOPVIZ_THEME", "")
    assert screen_palette(argparse.Namespace(theme=None, ascii=False)).chosen is DARK


@pytest.mark.parametrize("command", [["run"], ["replay", "nothing.jsonl"], ["talk"]])
@pytest.mark.parametrize("how", ["option", "variable"])
def test_an_unknown_theme_is_refused(command, how, monkeypatch, capsys):
    """An unknown theme is an error of two lines, with the names of all themes, and exit code 2."""
    if how == "variable":
        monkeypatch.setenv("LOOPVIZ_THEME", "neon")
    else:
        command = [*command, "--theme", "neon"]
    assert main(command) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "loopviz: There is no theme 'neon'."
    assert second.endswith("high-contrast, red-green, blue-yellow.")


@pytest.mark.parametrize(
    ("environment", "depth", "theme", "mode"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor", "dark", "colour"),
        ({"TERM": "xterm-256color"}, "256", "dark", "colour"),
        ({"TERM": "xterm"}, "16", "sixteen", "colour"),
        ({"TERM": "linux"}, "16", "sixteen", "colour"),
        ({"TERM": "screen", "LOOPVIZ_THEME": "light"}, "16", "sixteen", "colour"),
        ({"COLORTERM": "24bit", "LOOPVIZ_THEME": "tritanopia"}, "truecolor", "blue-yellow", "colour"),
        ({"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, "truecolor", "dark", "mono"),
    ],
)
def test_the_environment_decides_on_colours(environment, depth, theme, mode, monkeypatch):
    """TERM, COLORTERM, NO_COLOR and LOOPVIZ_THEME decide on the colours; reports have their own theme."""
    for name in ("TERM", "COLORTERM", "NO_COLOR", "LOOPVIZ_THEME", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("loopviz.cli.console._takes_unicode", lambda _: True)
    options = argparse.Namespace(ascii=False, theme=None)
    palette = screen_palette(options)
    assert (palette.depth, palette.theme.name, palette.mode) == (depth, theme, mode)
    assert palette_for(options).theme is (SIXTEEN if depth == "16" else TERMINAL)
    options.theme = "high-contrast"
    assert screen_palette(options).chosen.name == "high-contrast"


def test_a_report_has_no_background_but_that_of_states():
    """What `record` prints on a terminal sets no background but the colours of states."""
    line = timeline(sent(1), read(1), accepted(), step(2), suspend(502), responded(502), idle(503))
    out = io.StringIO()
    scenario = ScenarioFile("mine", Path("mine.py"), Scenario(title="t", expect="e"), None, "GET", "/")
    console = Console(file=out, width=200, force_terminal=True, color_system="truecolor")
    print_report(console, Palette(theme=TERMINAL), line, scenario, requests=1, threads=40)
    fills = [shades.fill for shades in TERMINAL.states.values() if shades.fill != "default"]
    allowed = {";".join(map(str, bytes.fromhex(fill[1:]))) for fill in fills}
    backgrounds = set(re.findall(r"48;2;(\d+;\d+;\d+)", out.getvalue()))
    assert backgrounds
    assert backgrounds <= allowed
    assert not re.search(r"38;2;232;232;232|\x1b\[[\d;]*4[0-7]m", out.getvalue())


@every_theme
def test_after_the_response_every_state_is_dimmed(theme: Theme):
    """After the response a state is nearer to the background, its texture too, whatever fills the cell."""
    palette = Palette(theme=theme)
    behind = theme.colours.background
    for code in ALL:
        before, after = palette.cell(code, code)[1], palette.cell(*2 * after_response(code))[1]
        for one, other in ((before.color, after.color), (before.bgcolor, after.bgcolor)):
            assert one
            assert one.triplet
            assert other
            assert other.triplet
            assert difference(other.triplet.hex, behind) < difference(one.triplet.hex, behind)


@every_theme
def test_a_block_stands_out_in_256_colours(theme: Theme):
    """Where a terminal has 256 colours, a block is red, and stands out."""

    def shown(colour: str) -> str:
        return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex

    fills = {code: shown(shades.fill) for code, shades in theme.states.items()}
    red, green, _ = bytes.fromhex(fills[BLOCK][1:])
    assert red > 2 * green
    assert min(contrast(fills[BLOCK], fills[code]) for code in (READY, RUNNING)) >= 2.9
    colours = [*fills.values(), shown(theme.colours.background)]
    assert min(difference(one, other) for one, other in itertools.combinations(colours, 2)) >= 10
    assert shown(theme.colours.lane) != shown(theme.colours.background)
