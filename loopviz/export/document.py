"""JSON: the summary of the run, the document that ``loopviz record --json`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator

from loopviz.export.material import Material
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
    )
    for piece in json.JSONEncoder(indent=2).iterencode(summary):
        yield piece.replace("\x7f", "\\u007f")  # the one control character that is left as it is
    yield "\n"
