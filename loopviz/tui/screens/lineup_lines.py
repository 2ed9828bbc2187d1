"""The lines of a comparison: runs stacked on one scale of time, what they took, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.fold import Fold, folded
from loopviz.draw.look import Palette
from loopviz.draw.marks import request_codes
from loopviz.draw.safe import printable
from loopviz.draw.standing import said, standing
from loopviz.model import Timeline
from loopviz.model.comparison import Ranking, ranking
from loopviz.tui.scene import Line, fitted, from_zero
from loopviz.tui.screens.lineup import Lineup

__all__ = ["compose_lineup"]

_LABEL, _SAYS = 11, 9
"""The widths of the requests' numbers and of their latencies (cells)."""


def compose_lineup(
    palette: Palette,
    timeline: Timeline,
    lineups: Sequence[Lineup],
    now: int,
    width: int,
    height: int,
    result: Sequence[Line] | None = None,
) -> list[Line]:
    """The frame: `height` lines of `width` cells; every run on the same scale of time.

    The last lines are the `result`; without one, that of a comparison.
    """
    cells = max(10, width - _LABEL - _SAYS)
    longest = max((lineup.makespan(now) for lineup in lineups), default=0)
    half = max(1, -(-max(longest, NS // 10) // (2 * cells)))
    ranked = ranking([lineup.entry for lineup in lineups if lineup.entry is not None])
    result = _result(palette, lineups, ranked, width) if result is None else result
    head: list[Line] = [[Segment(" " * _LABEL + from_zero(half, cells), palette.text("dim"))]]
    each = max(1, (height - len(head) - len(result)) // max(1, len(lineups)))
    gap: list[Line] = [[]] if each > 2 else []
    rooms = _rooms(lineups, each - 1 - len(gap), now, 2 * half)
    lines = head
    for lineup, rows in zip(lineups, rooms, strict=True):
        lines += _heading(palette, lineup, now, ranked, width, 1 + max(0, rows))
        lines += _rows(palette, timeline, lineup, now, half, cells, rows)
        lines += gap
    room = max(0, height - len(result))
    lines = [*lines[:room], *([[]] * (room - len(lines))), *result]
    return [fitted(line, width, palette) for line in lines[:height]]


def _rooms(lineups: Sequence[Lineup], each: int, now: int, within: int) -> list[int]:
    """How many rows each run has; when all are over, those that need few leave their room to the others."""
    rooms = [each] * len(lineups)
    if each < 1 or not all(lineup.over and not lineup.failure for lineup in lineups):
        return rooms
    needed = [len(folded(lineup.requests, now, within)) for lineup in lineups]
    spare = sum(max(0, room - need) for room, need in zip(rooms, needed, strict=True))
    for at, need in enumerate(needed):
        more = min(spare, max(0, need - rooms[at]))
        rooms[at], spare = min(need, rooms[at] + more), spare - more
    return rooms


def _rows(
    palette: Palette, timeline: Timeline, lineup: Lineup, now: int, half: int, cells: int, room: int
) -> list[Line]:
    """The requests, those that look the same in one row; of more than `room`, how many there are."""
    if not lineup.requests or room < 1:
        return []
    dim, text = palette.text("dim"), palette.text("text")
    rows = folded(lineup.requests, now, 2 * half)
    shown = rows if len(rows) <= room else rows[: room - 1]
    zero = min(request.start for request in lineup.requests)
    lines: list[Line] = []
    for row in shown:
        codes = request_codes(row.first, timeline.threshold, now, half, 0, 2 * cells, zero)
        line: Line = [Segment(f" {set_cell_size(_name(row, palette), _LABEL - 1)}", dim)]
        for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
            character, style = palette.cell(*pair)
            line.append(Segment(character * len(list(run)), style))
        line.append(Segment(f"{words.duration(row.first.latency(now)):>{_SAYS}}", text))
        lines.append(line)
    if len(rows) > len(shown):
        left = sum(row.count for row in rows[len(shown) :])
        lines.append([Segment(f" and {words.count(left, 'more request')}", dim)])
    return lines


def _name(row: Fold, palette: Palette) -> str:
    """``#5–#8 ×4``, or in less room ``#5 ×4``."""
    name = (
        row.name
        if cell_len(row.name) < _LABEL - 1
        else f"{words.tag(row.first.id, row.first.letter)} ×{row.count}"
    )
    return name if palette.unicode else words.ascii_only(name)


def _heading(
    palette: Palette, lineup: Lineup, now: int, ranked: Ranking, width: int, room: int
) -> list[Line]:
    """The name and what it took, then the title as far as there is room; or why it was not measured."""
    name = Segment(f" {printable(lineup.file.name, 40)}  ", palette.text("title"))
    if lineup.failure:
        parts = words.wrapped([printable(lineup.failure, 400)], width - 4, max(1, room))
        alarm = palette.text("alarm")
        if len(parts) == 1 and name.cell_length + cell_len(parts[0]) <= width:
            return [[name, Segment(parts[0], alarm)]]
        return [[name], *([Segment(f"   {part}", alarm)] for part in parts[: max(0, room - 1)])]
    if lineup.fired is None:
        waits = f"waits until {lineup.waits_for} has ended" if lineup.waits_for else "waits for its turn"
        said_of_it, role = waits, palette.text("dim")
    else:
        entry = lineup.entry
        took = words.duration(lineup.makespan(now) if entry is None else entry.sample.makespan * NS)
        took = took if lineup.requests else "running"
        how = standing(entry, ranked) if entry is not None else ""
        roles: dict[bool, Literal["alarm", "good", "text"]] = {
            entry is not None and bool(entry.sample.errors): "alarm",
            entry is not None and entry is ranked.winner: "good",
        }
        said_of_it, role = (f"{took}: {how}" if how else took), palette.text(roles.get(True, "text"))
    line = [name, Segment(said_of_it, role)]
    title = f"   {printable(lineup.file.facts.title)}"
    left = width - sum(segment.cell_length for segment in line)
    if cell_len(title) > left:
        title = set_cell_size(title, left - 1).rstrip() + "…" if left > 12 else ""
    return [[*line, Segment(title, palette.text("dim"))]]


def _result(palette: Palette, lineups: Sequence[Lineup], ranked: Ranking, width: int) -> list[Line]:
    """The result in a sentence, and the repair of what is slower; while one runs, how many have run."""
    done = sum(lineup.over for lineup in lineups)
    bar = "▌ " if palette.unicode else "| "
    running = next((lineup for lineup in lineups if not lineup.over), None)
    if running is not None:
        text = f"Running {printable(running.file.name, 40)}: {done + 1} of {len(lineups)}."
        if running.fired is None and running.waits_for:
            text = "Waiting for what still runs: the next one would be measured beside it."
        return [[], [Segment(bar, palette.text("dim")), Segment(text, palette.text("text"))]]
    role = palette.text("good" if ranked.winner else "title")
    sentences = [printable(said(ranked), 400)]
    winner = ranked.winner.scenario if ranked.winner else None
    for lineup in lineups:
        facts = lineup.file.facts
        if facts.repair and facts.repaired == winner:
            sentences.append(f"Repair of {printable(lineup.file.name, 40)}: {printable(facts.repair, 200)}")
            break
    lines = words.wrapped(sentences, width - 3, 3)
    return [
        [],
        *(
            [Segment(bar, role), Segment(part, palette.text("title" if not at else "text"))]
            for at, part in enumerate(lines)
        ),
    ]
