"""Writes docs/themes.md from the themes: ``uv run python -m docs.themes``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from docs.vision import contrast, difference, seen
from loopviz.draw.look import APPEARANCES, BLOCK, CODES
from loopviz.draw.theme import Theme
from loopviz.draw.themes import THEMES
from loopviz.model import State

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).with_name("themes.md")
_VISIONS = ("usual", "deuteranopia", "protanopia", "tritanopia")
_PAGE = """\
# Themes

`T` changes to the next theme, and *Theme* in the command palette (`ctrl+p`) lists them; everything on the
screen changes at once. `loopviz run --theme light` begins with a theme, and so do `replay`, `talk` and
`notes`; the environment variable `LOOPVIZ_THEME` has the name of the theme to use without the option.
`loopviz export --to svg --theme light` draws with a theme, which is `dark` without the option. This page is
written by `uv run python -m docs.themes` from `loopviz/draw/themes.py`.

{names}

`deuteranopia`, `protanopia`, `tritanopia` and `contrast` are further names of the themes for them.

## Contrast

The contrast of two colours is from 1 to 21, as defined by [WCAG
2.2](https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). Tests require 7 for words, 4.5 for words of less
weight and for names of states, 3 for a block against ready and against running, 2.5 for a block against the
background, and 1.5 for the texture of a state against its colour, unless the texture fills the cell. The
least is shown where there are several.

{contrasts}

## Colour blindness

How different the two most similar of all states and the background look, by CIEDE2000 (1 is just noticeable
side by side), and which two these are. Colour blindness is simulated by the matrices of Machado, Oliveira
and Fernandes (2009), for a severity of 1. Tests require 10 for the usual sight, and for each kind of colour
blindness that a theme suits, which is set in bold; and that the theme for one kind is better for it than
the dark one. Every state also has a texture of its own.

{differences}

## Colours of states

{colours}

## Terminals with few colours

How many colours there are is found by `COLORTERM` and `TERM`, as Rich and Textual do.

| terminal | what is different |
|---|---|
| 256 colours | Each colour is the nearest of the 256. No two states get the same. |
| 16 colours | One theme: the terminal's own colours, on its own background. A cell has one state, not two. |
| `NO_COLOR` | Textures, bold and reverse video only. |
| `--ascii` | Textures are ASCII characters; colours stay. |

## Reports

What `record`, `compare` and `claims` print has no background of its own, so that it can be read in dark and
in light terminals: its words have a contrast of 3.5 or more to black and to white. Themes are for the
screen and for SVG exports.
"""


def page() -> str:
    """The page, as Markdown."""
    return _PAGE.format(
        names=_table(["theme", "for"], ([f"`{t.name}`", t.title] for t in THEMES)),
        contrasts=_table(["contrast of", *(t.name for t in THEMES)], _contrasts()),
        differences=_table(["sight", *(t.name for t in THEMES)], _differences()),
        colours=_table(["state", *(t.name for t in THEMES)], _colours()),
    )


def _contrasts() -> Iterable[list[str]]:
    ready, running = CODES[State.READY], CODES[State.RUNNING]
    for what, of in (
        ("words", lambda t: contrast(t.colours.text, t.colours.background)),
        ("words of less weight", lambda t: contrast(t.colours.dim, t.colours.background)),
        ("names of states", _least_name),
        ("block, ready", lambda t: contrast(t.states[BLOCK].fill, t.states[ready].fill)),
        ("block, running", lambda t: contrast(t.states[BLOCK].fill, t.states[running].fill)),
        ("block, background", lambda t: contrast(t.states[BLOCK].fill, t.colours.background)),
        ("texture, colour", _least_texture),
    ):
        yield [what, *(f"{of(theme):.1f}" for theme in THEMES)]


def _least_name(theme: Theme) -> float:
    return min(contrast(shades.text, theme.colours.background) for shades in theme.states.values())


def _least_texture(theme: Theme) -> float:
    textured = (theme.states[row.code] for row in APPEARANCES if row.look.texture != "█")
    return min(contrast(shades.ink, shades.fill) for shades in textured)


def _differences() -> Iterable[list[str]]:
    for vision in _VISIONS:
        yield [vision, *(_nearest(theme, vision) for theme in THEMES)]


def _nearest(theme: Theme, vision: str) -> str:
    """The least difference, and between which two."""
    fills = {row.name: theme.states[row.code].fill for row in APPEARANCES}
    fills["background"] = theme.colours.background
    least, one, other = min(
        (difference(seen(fills[one], vision), seen(fills[other], vision)), one, other)
        for one, other in itertools.combinations(fills, 2)
    )
    figure = f"**{least:.0f}**" if vision in theme.suits else f"{least:.0f}"
    return f"{figure} {one}, {other}"


def _colours() -> Iterable[list[str]]:
    for row in APPEARANCES:
        yield [f"{row.name} `{row.look.texture}`", *(f"`{theme.states[row.code].fill}`" for theme in THEMES)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
