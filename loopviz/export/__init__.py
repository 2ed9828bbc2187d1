"""Exports: what a timeline holds, in the formats of other tools. Pure: a timeline in, text out.

One module a format, each with one function that makes the text in pieces, so that a long recording
is written as it is told. Nothing here reads a file, and nothing that was recorded leaves as it came:
text passes `loopviz.draw.words.printable` first, so that no control character, escape sequence or
bidirectional override of a path reaches a viewer or a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loopviz.export.document import document
from loopviz.export.material import Material, Window
from loopviz.export.page import page
from loopviz.export.perfetto import trace
from loopviz.export.svg import picture
from loopviz.export.table import table

__all__ = ["FORMATS", "WINDOWED", "Material", "Window"]

FORMATS: dict[str, tuple[str, Callable[[Material, Window | None], Iterator[str]]]] = {
    "perfetto": (".perfetto.json", lambda material, _: trace(material)),
    "svg": (".svg", picture),
    "html": (".html", page),
    "csv": (".csv", lambda material, _: table(material)),
    "json": (".json", lambda material, _: document(material)),
}
"""Of each format its suffix, and what makes its text."""

WINDOWED = frozenset({"svg", "html"})
"""The formats that show a window of the recording; the others hold the whole."""
