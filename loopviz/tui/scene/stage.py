"""The picture for the stage: a big headline, the code with its live lines, and at most eight rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.big import big
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.model import Burst, Timeline
from loopviz.tui.scene.pen import Line, Pen, fitted
from loopviz.tui.scene.stage_lanes import MOST_ROWS, StageLanes

__all__ = ["Poster", "Stage"]


@dataclass(slots=True)
class Poster:
    """What the stage shows now."""

    place: str
    """``2 of 9``."""
    headline: str
    name: str = ""
    """The scenario, and what it is."""
    load: str = ""
    """How many requests, and the thread limit."""
    code: Sequence[tuple[int, str]] = ()
    """Lines of the scenario's file, with their numbers."""
    question: str = ""
    choices: Sequence[str] = ()
    guess: int = 0
    """Which of the choices the room has chosen, from 1; 0 for none."""
    picture: bool = False
    """Whether the lanes are shown."""
    burst: Burst | None = None
    window: int = 0
    """How much time the lanes show (ns)."""
    expected: int = 0
    """The expected makespan (ns); 0 if there is none."""
    sentences: Sequence[str] = ()
    """The first is the most important: on a low screen, two are shown."""
    mood: words.Mood = "good"
    hint: str = ""
    badge: str = ""
    """The key that was pressed last, for a moment."""
    live: dict[int, Counter[str]] = field(default_factory=dict)
    """For each line of the code, in which states requests are there, as codes."""


class Stage:
    """Composes the picture of a talk."""

    def __init__(self, palette: Palette) -> None:
        self._pen = Pen(palette)
        self._lanes = StageLanes(self._pen)

    def compose(self, timeline: Timeline, poster: Poster, now: int, width: int, height: int) -> list[Line]:
        """Exactly `height` lines of `width` cells."""
        pen = self._pen
        roomy = height >= 30
        gap: list[Line] = [[]] if roomy else []
        lines = [
            _top(pen, poster, width),
            *gap,
            *_headline(pen, poster.headline, width, 5 if roomy else 3),
            [],
        ]
        below = [*gap, *_story(pen, poster, width, 3 if roomy else 2), *gap, _foot(pen, poster, width)]
        room = height - len(lines) - len(below)
        if poster.question:
            asked = _asked(pen, poster, width, room)
            code = _code(pen, poster, width, room - len(asked) - 1)
            lines += [*code, [], *asked]
        elif poster.picture:
            lanes = 2 + min(MOST_ROWS, max(1, poster.burst.count if poster.burst else 1))
            code = _code(pen, poster, width, max(3, room - lanes - 1)) if poster.code else []
            if code:
                lines += [*code, *gap]
            lines += self._lanes.lines(
                timeline,
                poster.burst,
                poster.window,
                poster.expected,
                now,
                width,
                height - len(lines) - len(below),
            )
        else:
            lines += _code(pen, poster, width, room)
        lines += [[]] * (height - len(lines) - len(below))
        lines = [*lines[: height - len(below)], *below]
        return [fitted(line, width, pen.palette) for line in lines[:height]]


def _top(pen: Pen, poster: Poster, width: int) -> Line:
    left = f" {poster.place}  {poster.name}"
    gap = width - cell_len(left) - cell_len(poster.load) - 1
    load = " " * gap + poster.load if gap > 1 else ""
    return [Segment(left, pen.dim), Segment(load, pen.dim)]


def _headline(pen: Pen, text: str, width: int, height: int) -> list[Line]:
    blocks = big(text, width - 2, height) if pen.palette.unicode else None
    if blocks is None:
        return [[Segment(f" {part}", pen.title)] for part in words.wrapped([text], width - 2, 2)]
    return [[Segment(f" {row}", pen.title)] for row in blocks]


def _code(pen: Pen, poster: Poster, width: int, room: int) -> list[Line]:
    """The code, around its first live line where it does not fit, each live line in its state's colour."""
    if room < 1 or not poster.code:
        return []
    code = list(poster.code)
    if len(code) > room:
        at = next((i for i, (number, _) in enumerate(code) if number in poster.live), len(code) - room)
        first = max(0, min(at - room // 2, len(code) - room))
        code = code[first : first + room]
    lines = []
    for number, text in code:
        shown = printable(text, 200)
        there = poster.live.get(number)
        if not there:
            lines.append([Segment(f"  {number or '':>4}  ", pen.dim), Segment(shown, pen.text)])
            continue
        state, most = there.most_common(1)[0]
        name, style = pen.palette.name(state)
        said = f"{words.count(most, 'request')} here: {name}"
        mark = "▶" if pen.palette.unicode else ">"
        reverse = style + Style(reverse=True, bold=True)
        body = set_cell_size(f"{mark} {number:>4}  {shown}", max(0, width - cell_len(said) - 4))
        lines.append([Segment(f"{body}  {said}  ", reverse)])
    return lines


def _asked(pen: Pen, poster: Poster, width: int, room: int) -> list[Line]:
    """The question, with its choices side by side in big letters if they fit, else one below the other."""
    lines: list[Line] = [
        [Segment(f" {part}", pen.title)] for part in words.wrapped([printable(poster.question)], width - 2, 3)
    ]
    lines.append([])
    each = (width - 2) // max(1, len(poster.choices))
    blocks: list[list[str] | None] = []
    for tall in (5, 3) if room >= len(lines) + 12 else (3,):  # all in the same size
        blocks = [big(choice, each - 6, tall) if pen.palette.unicode else None for choice in poster.choices]
        if all(block is not None and len(block) == tall for block in blocks):
            break
    chosen = pen.title + Style(reverse=True)
    if poster.choices and all(blocks) and room >= len(lines) + 3:
        tall = max(len(block or ()) for block in blocks)
        for row in range(tall):
            line: Line = [Segment(" ", pen.text)]
            for number, block in enumerate(blocks, 1):
                key = f" {number} " if row == tall // 2 else "   "
                line.append(Segment(key, chosen if number == poster.guess else pen.dim))
                text = f" {block[row] if block and row < len(block) else ''}"
                style = pen.palette.text("good") if number == poster.guess else pen.title
                line.append(Segment(set_cell_size(text, each - 3), style))
            lines.append(line)
        return lines
    for number, choice in enumerate(poster.choices, 1):
        style = chosen if number == poster.guess else pen.title
        lines.append([Segment(f"   {number} ", pen.dim), Segment(f" {printable(choice)} ", style)])
    return lines


def _story(pen: Pen, poster: Poster, width: int, most: int) -> list[Line]:
    """A line for each sentence: two, or three where there is room."""
    style = pen.palette.text(poster.mood)
    bar = "▌" if pen.palette.unicode else "|"
    said = words.wrapped([printable(sentence, 400) for sentence in poster.sentences[:most]], width - 3, most)
    lines: list[Line] = [[Segment(f"{bar} ", style), Segment(text, pen.title)] for text in said]
    return [*lines, *([[]] * (most - len(lines)))]


def _foot(pen: Pen, poster: Poster, width: int) -> Line:
    """What the keys do, and at the right the key that was pressed."""
    badge = f" {poster.badge} " if poster.badge else ""
    hint = set_cell_size(f" {poster.hint}", max(0, width - cell_len(badge) - 1))
    return [Segment(hint, pen.dim), Segment(badge, pen.title + Style(reverse=True))]
