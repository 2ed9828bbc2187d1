"""The signs of requests at a line: numbers where there are few, counts where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.look import LABELS
from loopviz.tui.scene.code.places import ORDER, Mark
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["counted", "inside", "marked"]

_NAMED = 6
"""More requests than this are counted, however much room there is."""

Group = tuple[str, list[Mark]]


def grouped(marks: Sequence[Mark]) -> list[Group]:
    """The marks by state, in the order in which states are named."""
    ordered = sorted(marks, key=lambda mark: (ORDER[mark.code], abs(mark.request), mark.request, mark.task))
    return [(code, list(group)) for code, group in groupby(ordered, key=lambda mark: mark.code)]


def marked(pen: Pen, marks: Sequence[Mark], width: int, cursor: int | None) -> Line:
    """The marks of a line in at most `width` cells; the request `cursor` is named first."""
    groups = grouped(marks)
    if not groups:
        return []
    if len(marks) == 1 and not marks[0].request and not marks[0].task:
        return _fitting(pen, [[(marks[0].code, "callback", False)], [(marks[0].code, "", False)]], width)
    chosen = [mark for mark in marks if cursor is not None and mark.request == cursor]
    variants = []
    if len(marks) <= _NAMED or len({mark.request for mark in marks}) <= 2:
        variants.append([(code, _names(group), _has(group, cursor)) for code, group in groups])
    if chosen:
        code = grouped(chosen)[0][0]
        rest = len(marks) - len(chosen)
        name = _names([mark for mark in chosen if mark.code == code])
        variants.append([(code, name, True), *([("", f"+{rest}", False)] if rest else [])])
    if len(groups) == 1:
        code, group = groups[0]
        variants += [[(code, f"{len(group)} {what}", False)] for what in _what(group, LABELS[code])]
    variants.append([(code, str(len(group)), False) for code, group in groups])
    variants.append([(groups[0][0], f"{len(groups[0][1])}+{len(marks) - len(groups[0][1])}", False)])
    variants.append([(groups[0][0], str(len(marks)), False)])
    return _fitting(pen, variants, width)


def inside(pen: Pen, marks: Sequence[Mark], width: int) -> Line:
    """What is in a function that was called at a line, in at most `width` cells."""
    if not marks:
        return []
    sign = "↓" if pen.palette.unicode else "v"
    requests = sorted({mark.request for mark in marks})
    names = " ".join(words.tag(number) if number > 0 else "task" for number in requests)
    text = f"{sign}{names}" if len(requests) <= _NAMED and len(names) < width else f"{sign}{len(requests)}"
    return [Segment(text[:width], pen.dim)]


def counted(pen: Pen, marks: Sequence[Mark], width: int) -> Line:
    """How many are in which state, with the states' names, as far as there is room."""
    line: Line = []
    left = width
    for code, group in grouped(marks):
        sign, style = pen.palette.cell(code, code)
        name, words_style = pen.palette.name(code)
        text = f" {len(group)} {name}"
        if cell_len(text) + 1 > left:
            break
        line += [Segment(sign, style), Segment(f"{text}   ", words_style)]
        left -= cell_len(text) + 4
    return line


def _has(group: Sequence[Mark], cursor: int | None) -> bool:
    return cursor is not None and any(mark.request == cursor for mark in group)


def _what(group: Sequence[Mark], label: str) -> list[str]:
    return ["tasks", "tasks"] if any(mark.task for mark in group) else [label]


def _names(group: Sequence[Mark]) -> str:
    """The numbers of requests: ``#1 #2``, and how many tasks of one there are: ``#1×10``."""
    names = []
    for number, same in groupby(group, key=lambda mark: mark.request):
        many = len(list(same))
        name = words.tag(number) if number > 0 else "task"
        names.append(f"{name}×{many}" if many > 1 else name)
    return " ".join(names)


def _fitting(pen: Pen, variants: Sequence[Sequence[tuple[str, str, bool]]], width: int) -> Line:
    """The first of these that fits; signs, words, and whether the selected request is among them."""
    for parts in variants:
        if sum(bool(code) + cell_len(text) for code, text, _ in parts) + len(parts) - 1 <= width:
            break
    else:
        parts = [(variants[-1][0][0], "", False)]
    line: Line = []
    for at, (code, text, strong) in enumerate(parts):
        if at:
            line.append(Segment(" ", pen.text))
        if code:
            sign, style = pen.palette.cell(code, code)
            line.append(Segment(sign, style))
            _, named = pen.palette.name(code)
            line.append(Segment(text, pen.palette.style(bold=True, reverse=True) if strong else named))
        else:
            line.append(Segment(text, pen.dim))
    return line
