"""How a state looks: colour, texture, and the same without colour.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with the
common kinds of colour blindness can tell apart. The texture says the same once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rich.style import Style

from loopviz.draw.raster import BLOCK, CODES, NOTHING
from loopviz.model import State

__all__ = [
    "ACCENT",
    "ALARM",
    "ALARM_TEXT",
    "BACKGROUND",
    "BORDER",
    "DIM",
    "FIELD",
    "GOOD",
    "GOOD_TEXT",
    "GRID",
    "LABELS",
    "LANE",
    "LEVELS",
    "LIT",
    "NOTICE",
    "OUTLINE",
    "SURFACE",
    "TEXT",
    "THREAD",
    "WHITE",
    "Look",
    "Mode",
    "Palette",
    "look_of",
]

Mode = Literal["colour", "mono", "ascii"]

# Surfaces, from the darkest to the lightest.
BACKGROUND = "#101214"
"""Behind everything."""
SURFACE = "#171b1f"
"""Behind a panel beside the picture: the catalogue."""
LANE = "#1a2126"
"""Behind a lane, so that an idle event loop is still seen as a lane."""
FIELD = "#22282d"
"""Behind a field for input."""
GRID = "#2a3036"
"""Lines of time through an exported picture."""
BORDER = "#2c3338"
"""The line between a panel and the picture."""
LIT = "#4a5862"
"""Behind the part of the map that the picture shows."""

# Words.
TEXT = "#e8e8e8"
DIM = "#8a9199"
"""Words of less weight: explanations, requests that have ended."""
WHITE = "#ffffff"
"""Words and cursors on top of a state's colour."""
OUTLINE = "#5a2700"
"""Around white words on a block, in an exported picture."""

# Meanings. The `_TEXT` of a colour is lighter: readable as letters on the background.
ACCENT = "#56B4E9"
"""Keys, and the frames of dialogs."""
ALARM = "#D55E00"
"""A block."""
ALARM_TEXT = "#ff7f2a"
GOOD = "#009E73"
"""The event loop is busy, or all is well."""
GOOD_TEXT = "#00c792"
NOTICE = "#F0E442"
"""The picture is not live: frozen, or played back."""
THREAD = "#CC79A7"
"""Worker threads, and the gauge of those in use."""

LABELS: dict[str, str] = {
    CODES[State.QUEUED]: "queued",
    CODES[State.RUNNING]: "running",
    BLOCK: "BLOCKS",
    CODES[State.AWAITING]: "awaiting",
    CODES[State.READY]: "ready",
    CODES[State.TOKEN_WAIT]: "token wait",
    CODES[State.IN_THREAD]: "in thread",
    CODES[State.IN_PROCESS]: "in process",
}
"""What a code is called in words."""

LEVELS = {"colour": " ▁▂▃▄▅▆▇█", "mono": " ▁▂▃▄▅▆▇█", "ascii": " .:-=+*%#"}
"""The loop's busy share, in eighths."""


@dataclass(frozen=True, slots=True)
class Look:
    """A state's colours, and its texture with and without Unicode."""

    fill: str
    """The cell's background."""
    ink: str
    """The texture's colour."""
    texture: str
    plain: str
    """The texture in ASCII."""
    text: str
    """The colour of the state's name on the background of the screen."""


_LOOKS: dict[str, Look] = {
    CODES[State.QUEUED]: Look("#5c6166", "#9aa0a6", "·", ".", "#a8adb3"),
    CODES[State.RUNNING]: Look(GOOD, GOOD, "█", "#", GOOD_TEXT),
    BLOCK: Look(ALARM, "#8f3f00", "╱", "!", ALARM_TEXT),
    CODES[State.AWAITING]: Look("#16323f", "#56B4E9", "─", "-", "#56B4E9"),
    CODES[State.READY]: Look("#E69F00", "#a87400", "▚", "/", "#ffb51f"),
    CODES[State.TOKEN_WAIT]: Look("#F0E442", "#9c9420", "░", ":", "#F0E442"),
    CODES[State.IN_THREAD]: Look(THREAD, "#8a4a6e", "═", "=", "#e08fbd"),
    CODES[State.IN_PROCESS]: Look("#0072B2", "#66b5e6", "≡", "%", "#4ab0f0"),
}


def look_of(code: str) -> Look:
    """The look of a code, for views that draw with something else than characters."""
    return _LOOKS[code]


class Palette:
    """Turns codes into characters and styles, in one of three modes.

    ``colour``: colours and textures; ``mono``: textures, bold and reverse video only, as
    NO_COLOR asks for (https://no-color.org); ``ascii``: no character outside ASCII.
    """

    def __init__(self, mode: Mode = "colour", *, colour: bool = True) -> None:
        self.mode = mode
        self.colour = colour and mode != "mono"
        self.unicode = mode != "ascii"

    def style(
        self,
        foreground: str | None = None,
        background: str | None = None,
        *,
        bold: bool = False,
        reverse: bool = False,
    ) -> Style:
        """A style, without its colours where there are none."""
        if not self.colour:
            return Style(bold=bold, reverse=reverse)
        return Style(color=foreground or TEXT, bgcolor=background or BACKGROUND, bold=bold, reverse=reverse)

    @lru_cache(maxsize=512)  # noqa: B019 - a palette lives as long as the program
    def cell(self, left: str, right: str) -> tuple[str, Style]:
        """The character and the style of a cell whose two halves have these codes."""
        if left == right or not (self.colour and self.unicode):
            return self._whole(left if left != NOTHING else right)
        return "▌", Style(color=self._fill(left), bgcolor=self._fill(right))

    def _fill(self, code: str) -> str:
        look = _LOOKS.get(_state_code(code))
        if look is None:
            return BACKGROUND
        return look.fill if not _is_after(code) else _dimmed(look.fill)

    def _whole(self, code: str) -> tuple[str, Style]:
        look = _LOOKS.get(_state_code(code))
        if look is None:
            return " ", self.style()
        character = look.texture if self.unicode else look.plain
        if not self.colour:
            return character, Style(reverse=code == BLOCK, bold=code == BLOCK, dim=_is_after(code) or None)
        return character, Style(color=look.ink, bgcolor=self._fill(code))

    def edge(self, code: str) -> Style:
        """The style of the live edge: a state that has filled a part of its cell."""
        return Style(color=self._fill(code), bgcolor=BACKGROUND)

    def name(self, code: str) -> tuple[str, Style]:
        """A state's name, and the style to write it in."""
        look = _LOOKS[_state_code(code)]
        alarming = code == BLOCK
        return LABELS[_state_code(code)], self.style(look.text, bold=alarming)

    def text(self, role: Literal["text", "dim", "good", "alarm", "title"]) -> Style:
        """The style of words."""
        if role == "dim":
            return self.style(DIM) if self.colour else Style(dim=True)
        if role == "good":
            return self.style(GOOD_TEXT)
        if role == "alarm":
            return self.style(ALARM_TEXT, bold=True)
        if role == "title":
            return self.style(bold=True)
        return self.style()


def _state_code(code: str) -> str:
    return code if code == BLOCK else code.lower()


def _is_after(code: str) -> bool:
    return code != BLOCK and code.isupper()


def _dimmed(colour: str) -> str:
    """Half way to the background: what happens after the response is nobody's wait."""
    mixed = ((int(colour[i : i + 2], 16) + int(BACKGROUND[i : i + 2], 16)) // 2 for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in mixed)
