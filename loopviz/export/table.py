"""CSV: one line for each segment of each request, for pandas and for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from loopviz.draw.words import awaited
from loopviz.export.material import Material, exact_seconds, extent, requests_by_number, segments, text

__all__ = ["COLUMNS", "table"]

COLUMNS = (
    "request", "method", "path", "state", "start_s", "end_s", "duration_s", "thread", "file", "line",
    "function", "after_response", "awaits",
)  # fmt: skip

_FORMULA = re.compile('(?:^|(?<=;))[ "]*(?=[-=+@\uff1d\uff0b\uff0d\uff20])')
"""Where a cell begins with a sign, full-width forms included, that makes it a formula of a spreadsheet.

Some also split lines at semicolons, and leave out spaces and quotes. A tab or a line break is written out.
"""


def table(material: Material) -> Iterator[str]:
    """The header line, then one piece for each request, with a line for each of its segments."""
    timeline = material.timeline
    zero, _ = extent(timeline)
    yield ",".join(COLUMNS) + "\n"
    for request in requests_by_number(timeline):
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        method, path = _cell(request.method), _cell(request.path)
        for segment, after in segments(request, timeline.last):
            lane, where = timeline.workers.get(segment.thread), segment.where
            writer.writerow((
                request.id,
                method,
                path,
                segment.state.value,
                exact_seconds(segment.start - zero),
                exact_seconds(segment.end - zero),
                exact_seconds(segment.end - segment.start),
                _cell(lane.name) if lane else "",
                _cell(where.file) if where else "",
                where.line if where else "",
                _cell(where.function) if where else "",
                "true" if after else "false",
                _cell(awaited(segment.awaits)) if segment.awaits else "",
            ))  # fmt: skip
        yield lines.getvalue()


def _cell(recorded: str) -> str:
    """A recorded text, with an apostrophe before what a spreadsheet could take for a formula."""
    return _FORMULA.sub(_apostrophe, text(recorded))


def _apostrophe(before: re.Match[str]) -> str:
    return f"'{before[0]}"
