"""What a theme is: every colour of the screen, of reports and of exported pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Colours", "Shades", "Theme", "Vision", "mixed"]

Vision = Literal["deuteranopia", "protanopia", "tritanopia"]
"""A kind of colour blindness: without the cones for green, red or blue."""


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours that do not belong to one state: ``#rrggbb``, or the name of one of a terminal's 16."""

    background: str
    """Behind everything."""
    surface: str
    """Behind a panel beside the picture: the catalogue."""
    lane: str
    """Behind a lane, so that an idle event loop is still seen as a lane."""
    field: str
    """Behind a field for input."""
    grid: str
    """Lines of time through an exported picture."""
    border: str
    """The line between a panel and the picture."""
    lit: str
    """Behind the part of the map that the picture shows."""
    text: str
    dim: str
    """Words of less weight: explanations, requests that have ended."""
    caption: str
    """Words on a block."""
    outline: str
    """Around the words on a block, in an exported picture."""
    cursor: str
    """The line of the time cursor, on any state."""
    accent: str
    """Keys, and the frames of dialogs."""
    on_accent: str
    """Words on `accent`: the option that is highlighted."""
    alarm: str
    """A block."""
    alarm_text: str
    """`alarm`, readable as letters on the background; so are all `…_text`."""
    good: str
    """The event loop is busy, or all is well."""
    good_text: str
    notice: str
    """Behind words that say that the picture is not live: frozen, or played back."""
    on_notice: str
    """Words on `notice`."""
    thread: str
    """Worker threads, and the gauge of those in use."""


@dataclass(frozen=True, slots=True)
class Shades:
    """The colours of a state."""

    fill: str
    """The cell's background."""
    ink: str
    """The texture's colour."""
    text: str
    """The colour of the state's name on the background."""


@dataclass(frozen=True, slots=True)
class Theme:
    """A table of all colours."""

    name: str
    title: str
    """Whom or what it is for, in one sentence."""
    dark: bool
    """Whether its background is darker than its words."""
    colours: Colours
    states: Mapping[str, Shades]
    """The colours of each state, by its code, and those of a block."""
    suits: tuple[Vision, ...] = ()
    """The kinds of colour blindness with which all states can be told apart by colour alone."""


def mixed(colour: str, other: str) -> str:
    """The colour half way between two, each ``#rrggbb``."""
    parts = ((int(colour[i : i + 2], 16) + int(other[i : i + 2], 16)) // 2 for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)
