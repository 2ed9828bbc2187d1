"""The last lines: the keys, each with where it can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.look import ACCENT
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.view import View

__all__ = ["HitLine", "Item", "foot", "foot_lines"]

Item = tuple[str, str, str]
"""A key as it is shown, what it does, and the name of the key that a click presses."""
HitLine = tuple[list[tuple[int, int, Hit]], Line]
"""A line, and its columns from and to where something can be clicked."""

_LEFT_OUT = ("enter", "x", "space")
"""Keys that are not shown where there is little room."""


def foot(pen: Pen, facts: Facts, view: View, width: int) -> list[HitLine]:
    """The keys of scenarios, of other screens and of the picture."""
    keyed = [file for file in facts.scenarios if file.facts.key]
    numbers = {view.requests or file.facts.requests for file in keyed}
    count = f"{numbers.pop()} requests" if len(numbers) == 1 else "requests"
    scenarios = [(f.facts.key or "", words.printable(f.name, 40), f.facts.key or "") for f in keyed]
    more = [
        ("+/-", count, "plus"),
        ("[/]", f"{view.threads} threads", "right_square_bracket"),
        ("space", "go on" if view.behind is not None else "freeze", "space"),
        ("enter", "detail", "enter"),
        ("x", "clear", "x"),
        ("?", "help", "question_mark"),
        ("q", "quit", "q"),
    ]
    side = [("tab", "all scenarios", "tab"), ("v", "compare", "v"), ("m", "claims", "m")]
    short = [item for item in more if item[0] not in _LEFT_OUT]
    return foot_lines(pen, scenarios, side, more, short, width)


def foot_lines(
    pen: Pen,
    scenarios: Sequence[Item],
    side: Sequence[Item],
    more: Sequence[Item],
    short: Sequence[Item],
    width: int,
) -> list[HitLine]:
    """The keys in one line if they fit and else in two; `short` is `more` where there is little room."""
    for rows in (
        [[*scenarios, *side, *more]],
        [[*scenarios, *side], more],
        [[*scenarios, *side], short],
        [scenarios, short],
        [scenarios[:6], short[:4]],
    ):
        made = [_line(pen, row) for row in rows if row]
        if all(sum(s.cell_length for s in line) <= width for _, line in made):
            break
    return made


def _line(pen: Pen, items: Sequence[Item]) -> HitLine:
    line: Line = []
    hits = []
    x = 1
    strong = pen.palette.style(ACCENT, bold=True)
    for key, text, press in items:
        line += [Segment(f" {key}", strong), Segment(f" {text} ", pen.dim)]
        length = cell_len(key) + cell_len(text) + 3
        hits.append((x - 1, x - 1 + length, Hit(key=press)))
        x += length
    return hits, line
