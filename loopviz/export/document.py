"""JSON: the summary of the run, the document that ``loopviz record --json`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from loopviz.export.material import Material
from loopviz.findings.listed import documents
from loopviz.model.summary import summarise

__all__ = ["document"]


def document(material: Material) -> Iterator[str]:
    """The summary as JSON in ASCII. Recorded texts are complete, with control characters escaped."""
    summary = summarise(
        material.timeline,
        scenario=material.scenario,
        environment=material.environment,
        limit=material.limit,
        dropped=material.dropped,
        blind=material.blind,
        findings=documents(material.findings),
        listed=_Passing,
    )
    for piece in json.JSONEncoder(indent=2).iterencode(summary):
        yield piece.replace("\x7f", "\\u007f")  # the one control character that is left as it is
    yield "\n"


class _Passing(list[dict[str, Any]]):
    """Looks like a list to the encoder, and has only one item at a time: all would take gigabytes."""

    def __init__(self, items: Iterator[dict[str, Any]]) -> None:
        first = list(islice(items, 1))  # an empty list is written as such
        super().__init__(first)
        self._items = chain(first, items)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._items
