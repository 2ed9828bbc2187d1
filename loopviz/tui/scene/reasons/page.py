"""The lines of the reasons view: one finding opened, and the titles of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw.safe import printable
from loopviz.draw.words import count, duration
from loopviz.findings import Finding
from loopviz.tui.scene.code.ink import inked, style_of
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["looking", "nothing", "opened", "titled"]

_WIDEST = 116
"""Longer lines are hard to read."""
_INDENT = 3
_LABEL = 6
_FIGURE = re.compile(r"(?<=\d) (?=(?:ms|s)\b)")
"""The space between a figure and its unit, where a line does not end."""
_LONGEST = 1_000
_AROUND = 12
"""So much of a line is shown from where it differs on (cells)."""


def titled(pen: Pen, finding: Finding, width: int, *, chosen: bool) -> Line:
    """A finding in one line: how grave it is, its title, and what it cost."""
    mark = ("▾ " if chosen else "▸ ") if pen.palette.unicode else ("v " if chosen else "> ")
    delayed = len(finding.loss.requests) or len(finding.requests)
    cost = f"{count(delayed, 'request')}, {duration(finding.lost)} lost in all"
    likely = "  likely" if finding.confidence == "likely" else ""
    left: Line = [
        Segment(f" {mark}", pen.title if chosen else pen.dim),
        Segment(f"{finding.severity:<7}", _grave(pen, finding)),
        Segment(printable(finding.title), pen.title if chosen else pen.text),
        Segment(likely, pen.dim),
    ]
    used = sum(segment.cell_length for segment in left)
    room = min(width, _WIDEST) - used - 1
    if cell_len(cost) + 1 <= room:
        left.append(Segment(" " * (room - cell_len(cost)) + cost, pen.dim))
    return left


def opened(
    pen: Pen, facts: Facts, finding: Finding, width: int, twin: str, *, roomy: bool
) -> list[list[Line]]:
    """What there is to say of it, in parts: the first ones matter most.

    `twin` is the scenario served here that shows the repair of what was fired; empty if there is none.
    """
    room = min(width, _WIDEST) - _INDENT - _LABEL - 1
    gap: list[Line] = [[]] if roomy else []
    what = _said(pen, "", finding.what, room, pen.title)
    why = [*gap, *_said(pen, "Why", finding.why, room, pen.text)]
    do = [*gap, *_said(pen, "Do", finding.do, room, pen.text)]
    fires = [*gap, *_shows(pen, facts, finding, twin)]
    code = [*gap, *_change(pen, finding, room)]
    seen = "; ".join(f"{name}: {figure}" for name, figure in finding.evidence)
    evidence = [*gap, *_said(pen, "Seen", seen, room, pen.dim)]
    return [what, why, do, code, fires, evidence]


def looking(pen: Pen, name: str) -> Line:
    """That the rules need some frames more: there are many requests."""
    return [
        Segment(f"{' ' * _INDENT}Looking for what has cost requests time: {printable(name, 80)}.", pen.dim)
    ]


def nothing(pen: Pen, facts: Facts, name: str, width: int) -> list[Line]:
    """That nothing was found, and what cannot be seen here."""
    room = min(width, _WIDEST) - _INDENT
    sentences = [
        (f"Nothing was found that has cost requests time: {name}.", pen.title),
        (
            "A request may be slow for reasons of its own, or for some that cannot be seen: what another"
            " server, a database or the network does is seen only as the time that requests await it.",
            pen.text,
        ),
    ]
    sentences += [(f"Not visible here: {what} ({why}).", pen.dim) for what, why in facts.blind]
    lines: list[Line] = []
    for text, style in sentences:
        lines += [[], *([Segment(" " * _INDENT + part, style)] for part in _wrapped(text, room))]
    return lines[1:]


def _shows(pen: Pen, facts: Facts, finding: Finding, twin: str) -> list[Line]:
    """What the key of the repair does, and which scenario shows it; `twin` is one that is served here."""
    key = facts.keys.shown("picture.repaired")
    if key and facts.live and not facts.attached and (finding.repair or twin):
        shown = printable(twin, 40) or "the repaired code"
        said = f"shows the repair, and measures {shown} under the same load"
        strong = pen.palette.style(pen.palette.colours.accent, bold=True)
        return [_labelled(pen, Segment(f"{key:<{_LABEL}}", strong), said)]
    if finding.scenario:
        said = f"loopviz record {printable(finding.scenario, 40)}, which shows the repair"
        return [_labelled(pen, Segment(f"{'Try':<{_LABEL}}", pen.dim), said)]
    return []


def _labelled(pen: Pen, label: Segment, text: str) -> Line:
    return [Segment(" " * _INDENT, pen.text), label, Segment(text, pen.text)]


def _change(pen: Pen, finding: Finding, room: int) -> list[Line]:
    """The code before and after, a few lines each."""
    if finding.change is None:
        return []
    before, after = finding.change
    lines: list[Line] = []
    for mark, style, part, other in (
        ("-", pen.alarm, before, after),
        ("+", pen.palette.text("good"), after, before),
    ):
        for at, pieces in enumerate(inked(part)):
            line: Line = [Segment(" " * (_INDENT + _LABEL), pen.text), Segment(f"{mark} ", style)]
            code: Line = [Segment(text, style_of(pen.palette, role)) for text, role in pieces]
            left_out = _alike(part[at], other[at], room - 2) if at < len(other) else 0
            line += [Segment("…", pen.dim), *_behind(code, left_out)] if left_out else code
            lines.append(_cut(line, room + _INDENT + _LABEL))
    return lines


def _alike(text: str, other: str, room: int) -> int:
    """How many characters are left out at the beginning, so that the first difference is to be seen."""
    pairs = enumerate(zip(text, other, strict=False))
    same = next((at for at, (one, two) in pairs if one != two), min(len(text), len(other)))
    if max(cell_len(text), cell_len(other)) <= room or cell_len(text[:same]) + _AROUND <= room:
        return 0
    return max(0, same - room // 2)


def _behind(line: Line, characters: int) -> Line:
    """The line without so many characters at its beginning."""
    kept: Line = []
    for segment in line:
        if characters < len(segment.text):
            kept.append(Segment(segment.text[characters:], segment.style))
        characters = max(0, characters - len(segment.text))
    return kept


def _cut(line: Line, width: int) -> Line:
    """The line in at most so many cells."""
    used, kept = 0, list[Segment]()
    for segment in line:
        if used + segment.cell_length > width:
            kept.append(Segment(set_cell_size(segment.text, max(0, width - used - 1)) + "…", segment.style))
            break
        kept.append(segment)
        used += segment.cell_length
    return kept


def _said(pen: Pen, label: str, text: str, room: int, style: Style) -> list[Line]:
    """A sentence with what it is in front."""
    if not text:
        return []
    indent = Segment(" " * _INDENT, pen.text)
    head: Line = [indent, Segment(f"{label:<{_LABEL}}", pen.dim)] if label else [indent]
    room = room if label else room + _LABEL
    after = Segment(" " * (_INDENT + (_LABEL if label else 0)), pen.text)
    return [
        [*(head if number == 0 else [after]), Segment(part, style)]
        for number, part in enumerate(_wrapped(text, room))
    ]


def _wrapped(text: str, room: int) -> Sequence[str]:
    whole = _FIGURE.sub("\N{NO-BREAK SPACE}", printable(text, _LONGEST))
    parts = wrap(whole, max(20, room), break_on_hyphens=False)
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts]


def _grave(pen: Pen, finding: Finding) -> Style:
    """The style of how grave it is."""
    return {"high": pen.alarm, "medium": pen.title, "low": pen.dim}[finding.severity]
