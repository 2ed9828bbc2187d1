"""Exports: the content of a timeline in the formats of other tools.

Each format has one module, or package, with one function from a timeline to text. The text is made in
pieces, so that the export of a long recording is never in memory as a whole. Recorded texts pass
through `loopviz.draw.safe.printable`, which replaces control characters, escape sequences and
bidirectional overrides, so that none of them reaches a viewer or a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loopviz.export.document import document
from loopviz.export.material import Caption, Framing, Material, Window
from loopviz.export.page import page
from loopviz.export.perfetto import trace
from loopviz.export.svg import picture
from loopviz.export.table import table

__all__ = ["FORMATS", "SHAPED", "WINDOWED", "Caption", "Framing", "Material", "Window"]

FORMATS: dict[str, tuple[str, Callable[[Material, Framing], Iterator[str]]]] = {
    "perfetto": (".perfetto.json", lambda material, _: trace(material)),
    "svg": (".svg", picture),
    "html": (".html", page),
    "csv": (".csv", lambda material, _: table(material)),
    "json": (".json", lambda material, _: document(material)),
}
"""The suffix and the function of each format."""

WINDOWED = frozenset({"svg", "html"})
"""The formats that can show a part of the recording; the others always hold all of it."""

SHAPED = frozenset({"svg"})
"""The formats with a theme and a ratio."""
