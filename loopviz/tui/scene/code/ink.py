"""Source code as pieces of text, each with the role that says how it is written."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from rich.style import Style

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable

__all__ = ["Piece", "Role", "inked", "style_of"]

Role = Literal["plain", "keyword", "name", "quiet"]
"""``name``: what is being defined. ``quiet``: texts, comments and decorators."""
Piece = tuple[str, Role]

_LONGEST = 400
"""Characters of a line that are kept."""
_NEXT = re.compile(
    r"""(?P<quiet>\#.*|^\s*@[\w.]*)
    |(?:\b[bBfFrRtTuU]{1,2})?(?P<opens>"{3}|'{3})
    |(?P<text>(?:\b[bBfFrRtTuU]{1,2})?(?:"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?))
    |(?P<word>\b[^\W\d]\w*)""",
    re.VERBOSE,
)
_ENDS = {
    '"""': re.compile(r'(?:\\.|(?!""").)*(?P<end>""")?'),
    "'''": re.compile(r"(?:\\.|(?!''').)*(?P<end>''')?"),
}
"""What is left of a text of several lines that began with these quotes."""


def inked(lines: Sequence[str], *, python: bool = True) -> list[list[Piece]]:
    """Lines of a file that begin with a statement: as they are safe to print, without tabs, in pieces."""
    made: list[list[Piece]] = []
    quotes = ""
    for line in lines:
        safe = printable(line.rstrip().expandtabs(4), _LONGEST)
        pieces: list[Piece] = []
        if python:
            quotes = _add(pieces, safe, quotes)
        elif safe:
            pieces.append((safe, "plain"))
        made.append(pieces)
    return made


def style_of(palette: Palette, role: Role) -> Style:
    """How a piece is written. States have the other colours: what a line does is to stand out."""
    if role == "keyword":
        return palette.style(palette.colours.accent) if palette.colour else palette.style(bold=True)
    if role == "quiet":
        return palette.text("dim")
    return palette.text("title" if role == "name" else "text")


def _add(pieces: list[Piece], line: str, quotes: str) -> str:
    """Add the pieces of a line that begins within these quotes; returns those within which it ends."""
    for text, role, after in _pieces(line, quotes):
        quotes = after
        if text and pieces and pieces[-1][1] == role:
            pieces[-1] = (pieces[-1][0] + text, role)
        elif text:
            pieces.append((text, role))
    return quotes


def _pieces(line: str, quotes: str) -> Iterator[tuple[str, Role, str]]:
    at, defines = 0, False
    while at < len(line):
        if quotes:
            found = _ENDS[quotes].match(line, at)
            end = len(line) if found is None else max(found.end(), at + 1)
            if found is not None and found["end"]:
                quotes = ""
            yield line[at:end], "quiet", quotes
            at = end
            continue
        found = _NEXT.search(line, at)
        if found is None:
            break
        if found.start() > at:
            yield line[at : found.start()], "plain", ""
        at = found.end()
        word = found["word"]
        if found["opens"]:
            quotes = found["opens"]
            yield found[0], "quiet", quotes
        elif word is None:
            yield found[0], "quiet", ""
        else:
            role: Role = "name" if defines else "keyword" if keyword.iskeyword(word) else "plain"
            defines = word in {"def", "class"}
            yield word, role, ""
    if at < len(line):
        yield line[at:], "plain", quotes
