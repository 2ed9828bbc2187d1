"""Large letters for a headline, of half blocks, in the largest size that fits."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["big"]

_ROWS = 5
"""The height of a letter in dots."""
_HALVES = {"  ": " ", "# ": "▀", " #": "▄", "##": "█"}
"""Two dots, one above the other, in a cell."""

_WIDE = {
    "A": " ## /#  #/####/#  #/#  #", "B": "### /#  #/### /#  #/### ", "C": " ###/#   /#   /#   / ###",
    "D": "### /#  #/#  #/#  #/### ", "E": "####/#   /### /#   /####", "F": "####/#   /### /#   /#   ",
    "G": " ###/#   /# ##/#  #/ ###", "H": "#  #/#  #/####/#  #/#  #", "I": "#/#/#/#/#",
    "J": "   #/   #/   #/#  #/ ## ", "K": "#  #/# # /##  /# # /#  #", "L": "#   /#   /#   /#   /####",
    "M": "#   #/## ##/# # #/#   #/#   #", "N": "#   #/##  #/# # #/#  ##/#   #",
    "O": " ## /#  #/#  #/#  #/ ## ", "P": "### /#  #/### /#   /#   ", "Q": " ## /#  #/#  #/# # / # #",
    "R": "### /#  #/### /# # /#  #", "S": " ###/#   / ## /   #/### ", "T": "#####/  #  /  #  /  #  /  #  ",
    "U": "#  #/#  #/#  #/#  #/ ## ", "V": "#   #/#   #/#   #/ # # /  #  ",
    "W": "#   #/#   #/# # #/## ##/#   #", "X": "#   #/ # # /  #  / # # /#   #",
    "Y": "#   #/ # # /  #  /  #  /  #  ", "Z": "####/  # / #  /#   /####", "0": " ## /#  #/#  #/#  #/ ## ",
    "1": " #/##/ #/ #/ #", "2": "### /   #/ ## /#   /####", "3": "### /   #/ ## /   #/### ",
    "4": "#  #/#  #/####/   #/   #", "5": "####/#   /### /   #/### ", "6": " ## /#   /### /#  #/ ## ",
    "7": "####/   #/  # / #  / #  ", "8": " ## /#  #/ ## /#  #/ ## ", "9": " ## /#  #/ ###/   #/ ## ",
    " ": "  /  /  /  /  ", ".": " / / / /#", ",": "  /  /  / #/# ", "!": "#/#/#/ /#",
    "?": "### /   #/ ## /    / #  ", ":": " /#/ /#/ ", ";": "  / #/  / #/# ", "-": "   /   /###/   /   ",
    "+": "   / # /###/ # /   ", "'": "#/#/ / / ", "’": "#/#/ / / ", '"': "# #/# #/   /   /   ",  # noqa: RUF001
    "/": "  #/  #/ # /#  /#  ", "(": " #/# /# /# / #", ")": "# / #/ #/ #/# ", "=": "   /###/   /###/   ",
    "×": "   /# #/ # /# #/   ", "%": "#  #/  # / #  /#   /#  #", "_": "    /    /    /    /####",
    "*": "   /# #/ # /# #/   ", "&": " #  /# # / #  /# # / # #", "<": "  #/ # /#  / # /  #",
    ">": "#  / # /  #/ # /#  ",
}  # fmt: skip
"""Each sign as rows of dots. There are only capitals: they are the same size, and read from furthest away."""
_NARROW = _WIDE | {
    "A": " # /# #/###/# #/# #", "B": "## /# #/## /# #/## ", "C": " ##/#  /#  /#  / ##",
    "D": "## /# #/# #/# #/## ", "E": "###/#  /## /#  /###", "F": "###/#  /## /#  /#  ",
    "G": " ##/#  /# #/# #/ ##", "H": "# #/# #/###/# #/# #", "J": "  #/  #/  #/# #/ # ",
    "K": "# #/# #/## /# #/# #", "L": "#  /#  /#  /#  /###", "O": " # /# #/# #/# #/ # ",
    "P": "## /# #/## /#  /#  ", "Q": " # /# #/# #/ # /  #", "R": "## /# #/## /# #/# #",
    "S": " ##/#  / # /  #/## ", "T": "###/ # / # / # / # ", "U": "# #/# #/# #/# #/###",
    "V": "# #/# #/# #/# #/ # ", "X": "# #/# #/ # /# #/# #", "Y": "# #/# #/ # / # / # ",
    "Z": "###/  #/ # /#  /###", "0": " # /# #/# #/# #/ # ", "2": "## /  #/ # /#  /###",
    "3": "## /  #/ # /  #/## ", "4": "# #/# #/###/  #/  #", "5": "###/#  /## /  #/## ",
    "6": " # /#  /## /# #/ # ", "7": "###/  #/ # / # / # ", "8": " # /# #/ # /# #/ # ",
    "9": " # /# #/ ##/  #/ # ", " ": " / / / / ", "?": "## /  #/ # /   / # ",
}  # fmt: skip


def big(text: str, width: int, height: int) -> list[str] | None:
    """The text in lines of blocks, at most `width` by `height` cells; None if it does not fit.

    None as well if it has a sign that the font lacks: it is to be written plainly then.
    """
    wide, narrow = _dots(text, _WIDE), _dots(text, _NARROW)
    if not wide or not narrow or height < (_ROWS + 1) // 2:
        return None
    if height >= _ROWS and 2 * len(wide[0]) <= width:
        return ["".join("██" if dot == "#" else "  " for dot in row) for row in wide]
    rows = wide if len(wide[0]) <= width else narrow
    if len(rows[0]) > width:
        return None
    rows = [*rows, " " * len(rows[0])]
    return [
        "".join(_HALVES[upper + lower] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]


def _dots(text: str, font: Mapping[str, str]) -> list[str]:
    """The rows of dots of a text; none if the font lacks one of its signs."""
    glyphs = [font.get(sign, "") for sign in text.upper()]
    if not all(glyphs):
        return []
    return [" ".join(rows) for rows in zip(*(glyph.split("/") for glyph in glyphs), strict=True)]
