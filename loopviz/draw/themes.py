"""The themes: every colour of the screen and of exported pictures, in a table for each theme.

The colours of states start from those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with
the common kinds of colour blindness can tell apart. The texture says the same once more. How far the colours
are apart is measured: ``docs/themes.md``.
"""

from __future__ import annotations

from loopviz.draw.theme import Colours, Shades, Theme
from loopviz.errors import InputError

__all__ = ["DARK", "LIGHT", "SIXTEEN", "TERMINAL", "THEMES", "next_theme", "theme_named"]

DARK = Theme(
    "dark", "For dark rooms and dark terminals.", True,
    Colours(
        background="#101214", surface="#171b1f", lane="#1c2124", field="#22282d", grid="#2a3036",
        border="#2c3338", lit="#4a5862", text="#e8e8e8", dim="#8a9199", caption="#ffffff", outline="#5a1800",
        cursor="#ffffff", accent="#56b4e9", on_accent="#101214", alarm="#b22e00", alarm_text="#ff7f2a",
        good="#00cc99", good_text="#00cc99", notice="#f0e442", on_notice="#101214", thread="#cc79a7",
    ),
    {
        "q": Shades("#686c70", "#aeb4ba", "#a8adb3"),
        "r": Shades("#00cc99", "#00cc99", "#00cc99"),
        "B": Shades("#b22e00", "#6e1a00", "#ff7f2a"),
        "a": Shades("#18434e", "#56b4e9", "#56b4e9"),
        "y": Shades("#f2ae00", "#c28b00", "#ffb51f"),
        "t": Shades("#faf7a0", "#918a2e", "#f0e442"),
        "h": Shades("#c57fb0", "#77406a", "#e08fbd"),
        "p": Shades("#1f63d2", "#8fbcff", "#6aa6ff"),
        "v": Shades("#3b2a10", "#d9b978", "#d9b978"),
        "s": Shades("#34208f", "#b7a6f7", "#b7a6f7"),
    },
    ("deuteranopia", "protanopia", "tritanopia"),
)  # fmt: skip
"""The one that is used unless another one is asked for."""

LIGHT = Theme(
    "light", "For bright rooms, projectors and print.", False,
    Colours(
        background="#ffffff", surface="#f4f6f8", lane="#ebedef", field="#e4e7e9", grid="#d4d9dd",
        border="#c3cad0", lit="#bfc6cb", text="#16191c", dim="#535b62", caption="#ffffff", outline="#5a1000",
        cursor="#000000", accent="#00639b", on_accent="#ffffff", alarm="#a31b00", alarm_text="#a32a00",
        good="#00c58f", good_text="#006e4e", notice="#f0e442", on_notice="#16191c", thread="#9a4a88",
    ),
    {
        "q": Shades("#b0b7bb", "#6a7278", "#535b62"),
        "r": Shades("#00c58f", "#00c58f", "#006e4e"),
        "B": Shades("#a31b00", "#6b0e00", "#a32a00"),
        "a": Shades("#c2e2fb", "#0072b2", "#00639b"),
        "y": Shades("#ec9c12", "#bc7c0d", "#8a5200"),
        "t": Shades("#e6f255", "#8a9400", "#646b00"),
        "h": Shades("#c07ab0", "#6e3360", "#8e3f7c"),
        "p": Shades("#1157c1", "#9cc4ff", "#1157c1"),
        "v": Shades("#fbdfba", "#a87830", "#7d5514"),
        "s": Shades("#bb9cff", "#6540c8", "#5a35bd"),
    },
    ("deuteranopia", "protanopia", "tritanopia"),
)  # fmt: skip

HIGH_CONTRAST = Theme(
    "high-contrast", "More contrast: for weak projectors and low vision.", True,
    Colours(
        background="#000000", surface="#0e0f10", lane="#1e2326", field="#22282d", grid="#3a4248",
        border="#9aa4ac", lit="#56646e", text="#ffffff", dim="#c4ccd2", caption="#ffffff", outline="#4a1400",
        cursor="#ffffff", accent="#7fd0ff", on_accent="#000000", alarm="#b82e00", alarm_text="#ff9a52",
        good="#00ddaa", good_text="#00ddaa", notice="#ffff66", on_notice="#000000", thread="#ff9ad8",
    ),
    {
        "q": Shades("#74727e", "#d0d4d8", "#d0d4d8"),
        "r": Shades("#00ddaa", "#00ddaa", "#00ddaa"),
        "B": Shades("#b82e00", "#6e1a00", "#ff9a52"),
        "a": Shades("#043f4c", "#7fd0ff", "#7fd0ff"),
        "y": Shades("#f8be00", "#c89800", "#ffc530"),
        "t": Shades("#ffffa2", "#7c7a1e", "#ffff66"),
        "h": Shades("#ff7dcd", "#8a2f68", "#ff9ad8"),
        "p": Shades("#0a6ee8", "#b4d6ff", "#86bcff"),
        "v": Shades("#4a2c10", "#f0cf8e", "#f0cf8e"),
        "s": Shades("#4a0caf", "#cfc2ff", "#cfc2ff"),
    },
    ("deuteranopia", "protanopia", "tritanopia"),
)  # fmt: skip

RED_GREEN = Theme(
    "red-green", "For deuteranopia and protanopia: nothing depends on red against green.", True,
    Colours(
        background="#101214", surface="#171b1f", lane="#1c2124", field="#22282d", grid="#2a3036",
        border="#2c3338", lit="#4a5862", text="#e8e8e8", dim="#8a9199", caption="#ffffff", outline="#4a1a00",
        cursor="#ffffff", accent="#62b8f0", on_accent="#101214", alarm="#a52e00", alarm_text="#ff8a2a",
        good="#00cca8", good_text="#00cca8", notice="#ffffb0", on_notice="#101214", thread="#beaeff",
    ),
    {
        "q": Shades("#5d7468", "#a9beb3", "#a9beb3"),
        "r": Shades("#00cca8", "#00cca8", "#00cca8"),
        "B": Shades("#a52e00", "#722600", "#ff8a2a"),
        "a": Shades("#2a565e", "#7cc4f0", "#62b8f0"),
        "y": Shades("#e8ad00", "#b98a00", "#f5ba1a"),
        "t": Shades("#ffffb0", "#94903a", "#ffffb0"),
        "h": Shades("#beaeff", "#6a58b8", "#beaeff"),
        "p": Shades("#0a70f2", "#a8ccff", "#6cb0ff"),
        "v": Shades("#381f00", "#dcb46a", "#dcb46a"),
        "s": Shades("#1c0cb4", "#a49cff", "#a49cff"),
    },
    ("deuteranopia", "protanopia"),
)  # fmt: skip

BLUE_YELLOW = Theme(
    "blue-yellow", "For tritanopia: nothing depends on blue against green.", True,
    Colours(
        background="#101214", surface="#171b1f", lane="#1c2124", field="#22282d", grid="#2a3036",
        border="#2c3338", lit="#4a5862", text="#e8e8e8", dim="#8a9199", caption="#ffffff", outline="#5a0a00",
        cursor="#ffffff", accent="#2adcd0", on_accent="#101214", alarm="#cc1400", alarm_text="#ff7a66",
        good="#2adcd0", good_text="#2adcd0", notice="#e2ff3c", on_notice="#101214", thread="#f08cff",
    ),
    {
        "q": Shades("#7a7a74", "#c0c0b8", "#b4b4ac"),
        "r": Shades("#2adcd0", "#2adcd0", "#2adcd0"),
        "B": Shades("#cc1400", "#930b00", "#ff7a66"),
        "a": Shades("#01543a", "#40c898", "#40c898"),
        "y": Shades("#ffb21e", "#cd8e16", "#ffb21e"),
        "t": Shades("#e2ff3c", "#869a00", "#e2ff3c"),
        "h": Shades("#e048f0", "#701c7c", "#f08cff"),
        "p": Shades("#0c68f5", "#a8ccff", "#6cacff"),
        "v": Shades("#560a06", "#f09080", "#f09080"),
        "s": Shades("#64149a", "#cc96ff", "#cc96ff"),
    },
    ("tritanopia",),
)  # fmt: skip

THEMES: tuple[Theme, ...] = (DARK, LIGHT, HIGH_CONTRAST, RED_GREEN, BLUE_YELLOW)
"""All that can be asked for, in the order in which a key goes through them."""

_OTHER_NAMES = {
    "contrast": "high-contrast",
    "deuteranopia": "red-green",
    "protanopia": "red-green",
    "tritanopia": "blue-yellow",
}

TERMINAL = Theme(
    "terminal", "For reports: on the terminal's own background, dark or light.", True,
    Colours(
        background="default", surface="default", lane="default", field="default", grid="default",
        border="default", lit="default", text="default", dim="default", caption="#ffffff", outline="default",
        cursor="default", accent="#1f80bd", on_accent="#ffffff", alarm="#b22e00", alarm_text="#d84a14",
        good="#00875f", good_text="#00875f", notice="#a08000", on_notice="default", thread="#b0608f",
    ),
    {
        "q": Shades("default", "#7f858b", "#7f858b"),
        "r": Shades("#00b884", "#00b884", "#00875f"),
        "B": Shades("#b22e00", "#6e1a00", "#d84a14"),
        "a": Shades("default", "#2a8cc8", "#1f80bd"),
        "y": Shades("#f2ae00", "#c28b00", "#a87000"),
        "t": Shades("#e8e04a", "#8c8400", "#8a7d00"),
        "h": Shades("#c57fb0", "#77406a", "#b0608f"),
        "p": Shades("#1f63d2", "#8fbcff", "#3f7de0"),
        "v": Shades("default", "#a87c30", "#a07428"),
        "s": Shades("default", "#8a70e0", "#846cd8"),
    },
)  # fmt: skip
"""What commands print with: words have no background, and can be read on black and on white."""

SIXTEEN = Theme(
    "sixteen", "For terminals with 16 colours: on the terminal's own background.", True,
    Colours(
        background="default", surface="default", lane="default", field="default", grid="default",
        border="default", lit="blue", text="default", dim="default", caption="white", outline="default",
        cursor="default", accent="cyan", on_accent="black", alarm="red", alarm_text="red", good="green",
        good_text="green", notice="yellow", on_notice="black", thread="magenta",
    ),
    {
        "q": Shades("default", "default", "default"),
        "r": Shades("green", "green", "green"),
        "B": Shades("red", "white", "red"),
        "a": Shades("default", "cyan", "cyan"),
        "y": Shades("yellow", "black", "yellow"),
        "t": Shades("default", "yellow", "yellow"),
        "h": Shades("magenta", "white", "magenta"),
        "p": Shades("blue", "white", "blue"),
        "v": Shades("default", "green", "green"),
        "s": Shades("default", "magenta", "magenta"),
    },
)  # fmt: skip
"""Where a terminal has no others. Only eight of its colours: not every terminal has bright backgrounds."""


def theme_named(name: str) -> Theme:
    """The theme with this name, or with the name of the kind of colour blindness that it is for.

    Raises `InputError` for any other name.
    """
    wanted = name.strip().lower()
    wanted = _OTHER_NAMES.get(wanted, wanted)
    for theme in THEMES:
        if theme.name == wanted:
            return theme
    raise InputError(f"There is no theme {name!r}.\nThere are: {', '.join(theme.name for theme in THEMES)}.")


def next_theme(name: str) -> Theme:
    """The theme after the one with this name; after the last one, the first."""
    names = [theme.name for theme in THEMES]
    return THEMES[(names.index(name) + 1) % len(THEMES)]
