"""The code below a picture: the endpoint, and what held the event loop if that is elsewhere in its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice

from loopviz.export.material import Caption, Material, all_blocks, text
from loopviz.export.svg.canvas import CHARACTER, WIDTH, Canvas, cut
from loopviz.scenario.code import endpoint_code, function_code

__all__ = ["CODE_LINE", "MOST_CODE", "Line", "blocked_lines", "code_below", "code_rows"]

CODE_LINE = 25
"""The height of a line of code."""
MOST_CODE = 16
"""Lines of code below a picture, at most."""

Line = tuple[int, str]
"""The number of a line, and its text; 0 for a gap."""


def blocked_lines(material: Material, window: tuple[int, int]) -> list[int]:
    """The lines of the scenario's file that held the event loop in the window, the most frequent first."""
    start, now = window
    if material.caption is None:
        return []
    found = (
        where.line
        for block in all_blocks(material.timeline)
        if block.start < now and (block.end or now) > start
        and (where := block.culprit[1]) is not None and where.file == material.caption.file
    )  # fmt: skip
    return [line for line, _ in Counter(found).most_common()]


def code_below(caption: Caption | None, blocked: Sequence[int]) -> list[Line]:
    """The endpoint, and the function that held the event loop most often, in the order of the file."""
    if caption is None:
        return []
    endpoint = endpoint_code(caption.source, caption.path)
    parts = [] if endpoint is None else [endpoint]
    if blocked:
        other = function_code(caption.source, blocked[0])
        if other is not None and other not in parts:
            parts.append(other)
    lines: list[Line] = []
    for part in sorted(parts):
        lines += [(0, "")] if lines else []
        lines += enumerate(part.lines, part.first)
    return lines


def code_rows(
    canvas: Canvas, lines: Sequence[Line], most: int, blocked: Collection[int], y: int
) -> list[str]:
    """At most so many lines with their numbers; those that held the event loop are in an alarm's colour."""
    colours, made = canvas.colours, []
    for index, (number, line) in enumerate(islice(lines, most)):
        alarm = colours.alarm_text if number in blocked else ""
        base = y + CODE_LINE * (index + 0.75)
        if not number and not line:
            continue
        if number:
            made.append(canvas.written(24, base, f"{number:>4}", fill=alarm or colours.dim))
        ends = index == most - 1 and len(lines) > most
        shown = "…" if ends else cut(text(line.expandtabs(4), 200), WIDTH - 120)
        made.append(canvas.written(24 + 6 * CHARACTER, base, shown, bold=bool(alarm), fill=alarm))
    return made
