"""The last lines: the keys, each with where it can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.draw.serving import place_after, rate
from loopviz.tui.keymap import FootItem
from loopviz.tui.knobs import Knob
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.view import View

__all__ = ["HitLine", "foot"]

HitLine = tuple[list[tuple[int, int, Hit]], Line]
"""A line, and its columns from and to where something can be clicked."""


def foot(pen: Pen, facts: Facts, view: View, width: int, *, unanswered: bool = False) -> list[HitLine]:
    """The keys of scenarios, of other screens and of the picture: in one line if they fit, else in two.

    `unanswered` says whether requests are not answered: then there is something to give up.
    """
    keyed = [file for file in facts.scenarios if file.facts.key and facts.live]
    numbers = {view.count_of(file.facts.requests) for file in keyed or facts.scenarios}
    count = words.count(numbers.pop(), "request") if len(numbers) == 1 else "requests"
    load, chosen = view.load, view.chosen
    if load is not None:  # then + and - change it
        count = rate(load.per_second)
    scenarios = [_scenario(file.facts.key or "", file.name) for file in keyed]
    names = {
        "requests": count,
        "threads": f"thread limit {view.threads}" if chosen is None else f"{chosen.name} {_size(chosen)}",
        "knobs": "other pools",
        "freeze": "freeze" if view.moves else "continue",
        "move": place_after(facts.mode),
        "load": "end load",
        "output": f"output ({view.unread:,} new)",
        "scenarios": facts.keys.said("all scenarios"),
    }
    dead = facts.keys.foot(names, "dead") if facts.death is not None else []
    written = facts.keys.foot(names, "written") if view.unread else []
    side, short = [*facts.keys.foot(names, "side"), *written], [*dead, *facts.keys.foot(names, "always")]
    more = [*dead, *facts.keys.foot(names, "always", "roomy")]
    always = [*dead, *facts.keys.foot(names, "always")]
    # What is there for a while is behind the others, which stay where they are.
    brief = [
        *(facts.keys.foot(names, "loading") if load is not None else ()),
        *(facts.keys.foot(names, "unanswered") if unanswered else ()),
        *(facts.keys.foot(names, "pools") if view.knobs else ()),
    ]
    for item in brief:
        short = [*short, item] if _fits(pen, [*short, item], width) else short
        more = _with(pen, more, item, [known for known in more if known not in always], width)
    narrow = names | {
        "requests": count.partition(" ")[0],
        "threads": f"limit {_size(chosen) if chosen else view.threads}",
    }
    least = [*dead, *facts.keys.foot(narrow, "always")]
    for rows in (
        [[*scenarios, *side, *more]],
        [[*scenarios, *side], more],
        [[*scenarios, *side], short],
        [[*scenarios, *side[:1]], short],
        [scenarios, short],
        *([[*scenarios[:first], *side[:1]], short] for first in range(len(scenarios) - 1, 0, -1)),
        [scenarios[:6] or side[:1], least],
    ):
        made = [_line(pen, row) for row in rows if row]
        if all(_cells(line) <= width for _, line in made):
            break
    return made


def _with(
    pen: Pen, row: list[FootItem], item: FootItem, optional: list[FootItem], width: int
) -> list[FootItem]:
    """The row with one more item; the last of those that are `optional` make room for it."""
    left = list(optional)
    while True:
        kept = [known for known in row if known not in optional or known in left]
        if _fits(pen, [*kept, item], width):
            return [*kept, item]
        if not left:
            return row
        left.pop()


def _size(pool: Knob) -> str:
    return str(pool.size) if pool.size >= 0 else "no limit"


def _fits(pen: Pen, row: Sequence[FootItem], width: int) -> bool:
    return _cells(_line(pen, row)[1]) <= width


def _cells(line: Line) -> int:
    return sum(segment.cell_length for segment in line)


def _scenario(key: str, name: str) -> FootItem:
    return FootItem(((key, key),), printable(name, 40), key)


def _line(pen: Pen, items: Sequence[FootItem]) -> HitLine:
    """A line of keys: each as it is shown, and what it does."""
    line: Line = []
    hits = []
    x = 0
    strong = pen.palette.style(pen.palette.colours.accent, bold=True)
    for item in items:
        line += [Segment(f" {item.shown}", strong), Segment(f" {item.words} ", pen.dim)]
        parts = [*item.keys, (f" {item.words} ", item.press)]
        parts[0] = (f" {parts[0][0]}", parts[0][1])
        for text, press in parts:
            hits.append((x, x + cell_len(text), Hit(key=press)))
            x += cell_len(text)
    return hits, line
