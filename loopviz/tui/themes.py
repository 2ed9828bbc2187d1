"""The themes of `loopviz.draw.themes` as Textual's: what its style sheets call ``$background`` and so on."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.theme import Theme as TextualTheme

from loopviz.draw.look import Palette
from loopviz.draw.theme import Theme
from loopviz.draw.themes import DARK, THEMES
from loopviz.tui.compat import native_colours

__all__ = ["DEFAULTS", "ThemeList", "registered"]


def registered(palette: Palette) -> list[TextualTheme]:
    """All themes that can be chosen: where the terminal has 16 colours, only the one that uses them."""
    if palette.depth == "16":
        return [native_colours(_textual(palette.theme))]
    return [_textual(theme) for theme in THEMES]


def _textual(theme: Theme) -> TextualTheme:
    colours = theme.colours
    return TextualTheme(
        name=theme.name,
        primary=_css(colours.accent),
        secondary=_css(colours.accent),
        accent=_css(colours.accent),
        warning=_css(colours.notice),
        error=_css(colours.alarm_text),
        success=_css(colours.good_text),
        foreground=_css(colours.text),
        background=_css(colours.background),
        surface=_css(colours.surface),
        panel=_css(colours.field),
        dark=theme.dark,
        variables=_variables(theme),
    )


def _variables(theme: Theme) -> dict[str, str]:
    """What loopviz's own style sheets use besides Textual's names."""
    colours = theme.colours
    return {
        "field": _css(colours.field),
        "edge": _css(colours.border),
        "block-cursor-background": _css(colours.accent),
        "block-cursor-foreground": _css(colours.on_accent),
    }


def _css(colour: str) -> str:
    """A colour as Textual writes it."""
    return colour if colour.startswith("#") else f"ansi_{colour}"


DEFAULTS = _variables(DARK)
"""What a style sheet may use before there is a theme."""


class ThemeList(Provider):
    """The themes as commands, each with whom it is for."""

    async def discover(self) -> Hits:
        """All of them."""
        for theme in THEMES:
            yield DiscoveryHit(theme.name, partial(self._choose, theme.name), help=theme.title)

    async def search(self, query: str) -> Hits:
        """Those that match, by name or by whom they are for."""
        matcher = self.matcher(query)
        for theme in THEMES:
            score = max(matcher.match(theme.name), matcher.match(theme.title))
            if score > 0:
                shown = matcher.highlight(theme.name)
                yield Hit(score, shown, partial(self._choose, theme.name), help=theme.title)

    def _choose(self, name: str) -> None:
        self.app.theme = name
