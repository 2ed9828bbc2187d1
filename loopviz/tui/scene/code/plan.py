"""Which lines of which functions have room, and which of them are in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from loopviz.tui.scene.code.sections import Section

__all__ = ["Row", "Rows", "plan", "scrolled"]

_CONTEXTS = (0, 1, 2, 3, 6, None)
"""How many lines are shown on each side of one at which something is or was; None for the whole function."""
_MARGIN = 2
"""Lines in sight above and below the one that is followed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the view."""

    kind: Literal["title", "above", "line", "gap", "frame", "empty"]
    section: Section
    number: int = 0
    """The line; of a gap, how many lines are left out."""
    index: int = 0
    """Which of the library's frames."""


Rows = Sequence[Row]


def plan(
    sections: Sequence[Section], room: int, frames: Mapping[tuple[Section, int], int], *, roomy: bool
) -> Rows:
    """The rows, as much of each function as there is room for; `frames` are shown below their lines.

    Where even the lines at which something is have no room, there are more rows than that.
    """
    levels = [0] * len(sections)
    made = [_rows(section, 0, frames) for section in sections]
    gaps = max(0, len(sections) - 1) if roomy else 0
    used = sum(map(len, made)) + gaps
    if used > room:
        gaps = 0
    for level in range(1, len(_CONTEXTS)):
        for at, section in enumerate(sections):
            if levels[at] != level - 1:
                continue
            more = _rows(section, level, frames)
            if used - len(made[at]) + len(more) <= room:
                used += len(more) - len(made[at])
                made[at], levels[at] = more, level
    rows: list[Row] = []
    for section, part in zip(sections, made, strict=True):
        if gaps and rows:
            rows.append(Row("empty", section))
        rows += part
    return rows


def _rows(section: Section, level: int, frames: Mapping[tuple[Section, int], int]) -> list[Row]:
    rows = [Row("title", section)]
    if section.answers:
        rows.append(Row("above", section))
    context = _CONTEXTS[level]
    numbers = section.numbers
    if context is not None and section.known:
        near = {section.function.line}
        for number in section.touched:
            near.update(range(number - context, number + context + 1))
        numbers = [number for number in numbers if number in near]
    before = section.function.first - 1
    for number in numbers:
        if section.known and number > before + 1 and rows[-1].kind not in {"title", "above"}:
            left_out = number - before - 1
            rows.append(Row("line", section, number - 1) if left_out == 1 else Row("gap", section, left_out))
        rows.append(Row("line", section, number))
        rows += [Row("frame", section, number, index) for index in range(frames.get((section, number), 0))]
        before = number
    end = section.function.first + len(section.text) - 1
    if section.known and before < end:
        rows.append(Row("line", section, end) if before == end - 1 else Row("gap", section, end - before))
    return rows


def scrolled(count: int, room: int, top: int, followed: int | None) -> int:
    """The first row in sight: the same as before, unless the row that is followed would be out of sight."""
    if followed is not None:
        margin = min(_MARGIN, max(0, (room - 1) // 2))
        top = min(max(top, followed - room + 1 + margin), max(0, followed - margin))
    return max(0, min(top, count - room))
