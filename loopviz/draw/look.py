"""How everything looks: the table of states, and how codes become characters and styles.

Colours are those of a theme (`loopviz.draw.themes`). The texture of a state says the same once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rich.style import Style

from loopviz.draw.theme import Theme, mixed
from loopviz.draw.themes import DARK, SIXTEEN
from loopviz.model import BLOCK_THRESHOLD, State

__all__ = [
    "AFTER_BLOCK",
    "ANSWERED",
    "APPEARANCES",
    "BLOCK",
    "CODES",
    "KINDS",
    "LABELS",
    "LEVELS",
    "NAMES",
    "NOTHING",
    "TICKS",
    "Appearance",
    "Depth",
    "Look",
    "Mode",
    "Palette",
    "look_of",
]

Mode = Literal["colour", "mono", "ascii"]
Depth = Literal["truecolor", "256", "16"]
"""How many colours a terminal has."""

LEVELS = {"colour": " ▁▂▃▄▅▆▇█", "mono": " ▁▂▃▄▅▆▇█", "ascii": " .:-=+*%#"}
"""How busy the event loop is, in eighths."""


@dataclass(frozen=True, slots=True)
class Look:
    """A state's texture: as a character, in ASCII and as a drawing. Its colours are those of a theme."""

    texture: str
    plain: str
    """The texture in ASCII."""
    tile: str
    """The texture as the data of an SVG path in a tile of 8 by 8; empty for none."""
    stroke: float
    """The width of the tile's lines; 0 where its shapes are filled."""
    trace: str
    """The name of a similar colour that chrome://tracing knows (Perfetto chooses its own)."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """One state as the reader sees it. The row without a state is that of a block."""

    state: State | None
    code: str
    """One lower-case letter, for rows of codes (`loopviz.draw.raster`)."""
    name: str
    """The state in words."""
    label: str
    """The same in at most 10 cells, for columns."""
    meaning: str
    """One sentence for the legend, at most 52 characters."""
    look: Look


NOTHING = " "
"""The code of a time without any state."""
BLOCK = "B"
"""The code of a block: running for so long that other requests are delayed."""

AFTER_BLOCK = "b"
"""The code of a block after the response; that of any other state is its code in upper case."""

ANSWERED = "<"
"""The code of the place behind the answer; the other half of the cell is what follows it."""
TICKS: dict[str, str] = {"a": "i", "h": "j", "p": "k", "A": "I", "H": "J", "P": "K"}
"""The codes of states in which a step is marked that was too short to be seen."""
_TICKED = {tick: code for code, tick in TICKS.items()}

APPEARANCES: tuple[Appearance, ...] = (
    Appearance(
        State.QUEUED, "q", "queued", "queued", "Sent, and not yet read by the server.",
        Look(
            texture="·", plain=".", tile="M2.7 4a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0 -2.6 0", stroke=0,
            trace="grey",
        ),
    ),
    Appearance(
        State.RUNNING, "r", "running", "running", "One of its steps runs on the event loop.",
        Look(texture="█", plain="#", tile="", stroke=0, trace="thread_state_running"),
    ),
    Appearance(
        None, BLOCK, "blocks the loop", "BLOCKS",
        f"It has run for {BLOCK_THRESHOLD // 1_000_000} ms or more. Nothing else can run.",
        Look(texture="╱", plain="!", tile="M-2 10L10 -2M-2 2L2 -2M6 10L10 6", stroke=2, trace="terrible"),
    ),
    Appearance(
        State.AWAITING, "a", "awaiting", "awaiting",
        "Suspended at an await. Costs the event loop nothing.",
        Look(texture="─", plain="-", tile="M0 4H8", stroke=1.5, trace="thread_state_sleeping"),
    ),
    Appearance(
        State.READY, "y", "ready", "ready", "It could run, but the event loop is busy.",
        Look(texture="▚", plain="/", tile="M0 0H4V4H0ZM4 4H8V8H4Z", stroke=0, trace="bad"),
    ),
    Appearance(
        State.TOKEN_WAIT, "t", "waiting for a thread", "no thread",
        "No worker thread or process has taken its call yet.",
        Look(texture="░", plain=":", tile="M1 1H3V3H1ZM5 5H7V7H5Z", stroke=0, trace="yellow"),
    ),
    Appearance(
        State.IN_THREAD, "h", "in thread", "in thread", "A worker thread executes its call.",
        Look(texture="═", plain="=", tile="M0 2.5H8M0 5.5H8", stroke=1.2, trace="rail_animation"),
    ),
    Appearance(
        State.IN_PROCESS, "p", "in process", "in process", "A worker process executes its call.",
        Look(
            texture="≡", plain="%", tile="M0 1.5H8M0 4H8M0 6.5H8", stroke=0.9, trace="thread_state_runnable",
        ),
    ),
    Appearance(
        State.RECEIVING, "v", "receiving", "receiving", "Its client has not sent all of the body yet.",
        Look(texture="«", plain="<", tile="M5 1.8L2.8 4L5 6.2", stroke=1.2, trace="rail_load"),
    ),
    Appearance(
        State.SENDING, "s", "sending", "sending", "Its client has not taken all of the response yet.",
        Look(texture="»", plain=">", tile="M3 1.8L5.2 4L3 6.2", stroke=1.2, trace="thread_state_iowait"),
    ),
)  # fmt: skip
"""Every state and the block, in the order of legends: the one table of how they look and what they mean."""

KINDS: dict[str, tuple[str, str]] = {
    "sleeping": ("sleeping", "sleeps"),
    "computing": ("computing", "computes"),
    "waiting_for_gil": ("waiting for the GIL", "waits for the GIL"),
}
"""The kinds of blocks in words: what it is doing, and what it does."""

CODES: dict[State, str] = {row.state: row.code for row in APPEARANCES if row.state is not None}
LABELS: dict[str, str] = {row.code: row.label for row in APPEARANCES}
NAMES: dict[str, str] = {row.code: row.name for row in APPEARANCES}

_LOOKS = {row.code: row.look for row in APPEARANCES}


def look_of(code: str) -> Look:
    """The look of a code, for views that draw with something else than characters."""
    return _LOOKS[code]


class Palette:
    """Turns codes into characters and styles, in one of three modes, with the colours of a theme.

    ``colour``: colours and textures; ``mono``: textures, bold and reverse video only, as
    NO_COLOR asks for (https://no-color.org); ``ascii``: no character outside ASCII.
    `depth` is the number of colours that the terminal has; with 16, they are those of the terminal.
    """

    def __init__(
        self, mode: Mode = "colour", theme: Theme = DARK, *, depth: Depth = "truecolor", colour: bool = True
    ) -> None:
        self.mode = mode
        self.depth = depth
        self.colour = colour and mode != "mono"
        self.unicode = mode != "ascii"
        self.halves = self.colour and self.unicode and depth != "16"
        """Whether a cell can have two states, or be filled in part."""
        self.use(theme)

    def use(self, theme: Theme) -> None:
        """Take the colours from this theme from now on."""
        self.chosen = theme
        """What was asked for."""
        self.theme = SIXTEEN if self.depth == "16" else theme
        """What is used."""
        self.colours = self.theme.colours
        self.cell = lru_cache(maxsize=512)(self._cell)
        self._styles = lru_cache(maxsize=512)(self._style)
        self._letters = lru_cache(maxsize=512)(self._some_letters)

    def style(
        self,
        foreground: str | None = None,
        background: str | None = None,
        *,
        bold: bool = False,
        reverse: bool = False,
    ) -> Style:
        """A style, without its colours where there are none."""
        return self._styles(foreground, background, bold, reverse)

    def letters(self, foreground: str | None = None, *, bold: bool = False) -> Style:
        """The style of words on whatever is behind them."""
        return self._letters(foreground, bold)

    def _some_letters(self, foreground: str | None, bold: bool) -> Style:
        return Style(color=_own(foreground) if foreground and self.colour else None, bold=bold or None)

    def _style(self, foreground: str | None, background: str | None, bold: bool, reverse: bool) -> Style:
        if not self.colour:
            return Style(bold=bold, reverse=reverse)
        colours = self.colours
        return Style(
            color=_own(foreground or colours.text),
            bgcolor=_own(background or colours.background),
            bold=bold,
            reverse=reverse,
        )

    def _cell(self, left: str, right: str) -> tuple[str, Style]:
        """The character and the style of a cell whose two halves have these codes."""
        if left == ANSWERED:
            style = self.style() if right == NOTHING else self._whole(right)[1]
            return "◂" if self.unicode else "<", style + self.letters(self.colours.text, bold=True)
        if left in _TICKED or right in _TICKED:
            left, right = _TICKED.get(left, left), _TICKED.get(right, right)
            if left == right:
                return "│" if self.unicode else "|", self._whole(left)[1]
        if left == right or not self.halves:
            return self._whole(left if left != NOTHING else right)
        fills = self._fill(left), self._fill(right)
        if fills[0] is None:
            return (
                ("▐", Style(color=fills[1])) if fills[1] else self._whole(left if left != NOTHING else right)
            )
        return "▌", Style(color=fills[0], bgcolor=fills[1])

    def _fill(self, code: str) -> str | None:
        """The background of a state's cells; None for that of the terminal."""
        background = _own(self.colours.background)
        shades = self.theme.states.get(_state_code(code))
        return background if shades is None else self._dimmed(shades.fill, code)

    def _dimmed(self, colour: str, code: str) -> str | None:
        """A colour of a state: half way to the background after the response, for which no client waits."""
        own, background = _own(colour), _own(self.colours.background)
        if own is None or background is None or not _is_after(code):
            return own
        return mixed(own, background)

    def _whole(self, code: str) -> tuple[str, Style]:
        look = _LOOKS.get(_state_code(code))
        if look is None:
            return " ", self.style()
        character = look.texture if self.unicode else look.plain
        after = _is_after(code)
        if not self.colour:
            blocks = _state_code(code) == BLOCK
            return character, Style(reverse=blocks, bold=blocks, dim=after or None)
        ink = self._dimmed(self.theme.states[_state_code(code)].ink, code)
        faint = after and _own(self.colours.background) is None
        return character, Style(color=ink, bgcolor=self._fill(code), dim=faint or None)

    def edge(self, code: str) -> Style:
        """The style of the live edge: a state that has filled a part of its cell."""
        return Style(color=self._fill(code), bgcolor=_own(self.colours.background))

    def cursor(self) -> Style:
        """What the line of a cursor adds to the style of the cell that it crosses."""
        colour = _own(self.colours.cursor) if self.colour else None
        return Style(color=colour, bold=True, reverse=colour is None or None)

    def name(self, code: str) -> tuple[str, Style]:
        """A state's name, and the style to write it in."""
        alarming = code == BLOCK
        code = _state_code(code)
        return LABELS[code], self.style(self.theme.states[code].text, bold=alarming)

    def text(self, role: Literal["text", "dim", "good", "alarm", "title"]) -> Style:
        """The style of words."""
        colours = self.colours
        if role == "dim":
            has_colour = self.colour and _own(colours.dim) is not None
            return self.style(colours.dim) if has_colour else Style(dim=True)
        if role == "good":
            return self.style(colours.good_text)
        if role == "alarm":
            return self.style(colours.alarm_text, bold=True)
        return self.style(bold=role == "title")


def _own(colour: str) -> str | None:
    """The colour, or None for the terminal's own."""
    return None if colour == "default" else colour


def _state_code(code: str) -> str:
    return BLOCK if code in {BLOCK, AFTER_BLOCK} else code.lower()


def _is_after(code: str) -> bool:
    return code == AFTER_BLOCK or (code != BLOCK and code.isupper())
