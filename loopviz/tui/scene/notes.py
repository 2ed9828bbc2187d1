"""The speaker's notes: what to say, what comes next, and the clock."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.talk import Note
from loopviz.tui.scene.pen import Line, Pen, fitted

__all__ = ["compose_notes"]

_PHASES = {
    "code": "the code is shown",
    "question": "the room is asked",
    "running": "fired",
    "over": "it is over",
}


def compose_notes(
    palette: Palette, note: Note | None, notice: str, now: int, width: int, height: int
) -> list[Line]:
    """Exactly `height` lines of `width` cells; `notice` is said where the keys are."""
    pen = Pen(palette)
    lines: list[Line] = [] if note is None else _of(pen, note, now, width, height - 2)
    lines = [*lines, *([[]] * (height - 1 - len(lines)))][: height - 1]
    lines.append([Segment(f" {printable(notice)}", pen.dim)])
    return [fitted(line, width, palette) for line in lines]


def _of(pen: Pen, note: Note, now: int, width: int, room: int) -> list[Line]:
    talk, step = (now - note.began) / NS, (now - note.since) / NS
    lines = [
        _sides(width, (note.title, pen.dim), _clock(pen, talk, note.planned_all)),
        _sides(
            width,
            (f"{note.position} of {note.steps}  {note.headline}", pen.title),
            _clock(pen, step, note.planned),
        ),
    ]
    late = talk - note.planned_before - note.planned
    pace = f"{_time(late)} behind the plan" if note.planned_all and late > 0 else ""
    lines += [_sides(width, (_PHASES[note.phase], pen.dim), (pace, pen.alarm)), []]
    if note.question:
        asked = f"Ask: {note.question}" + (f" ({note.answer})" if note.answer else "")
        lines += [[Segment(f" {part}", pen.palette.text("good"))] for part in _wrapped([asked], width)] + [[]]
    following: list[Line] = [[], [Segment(f" next: {note.next_headline or 'the end'}", pen.dim)]]
    following += [
        [Segment(f"   {part}", pen.dim)] for part in _wrapped(note.next_say.split("\n"), width - 2)[:3]
    ]
    for sentence in note.say.split("\n"):
        mark = "• " if pen.palette.unicode else "- "
        for at, part in enumerate(_wrapped([sentence], width - 2)):
            lines.append([Segment(f" {mark if at == 0 else '  '}{part}", pen.title)])
    lines = lines[: max(6, room - len(following))]
    return [*lines, *following][:room]


def _sides(width: int, left: tuple[str, Style], right: tuple[str, Style]) -> Line:
    """Something at the left, and something at the right."""
    text = printable(right[0])
    body = set_cell_size(f" {printable(left[0])}", max(0, width - cell_len(text) - 2))
    return [Segment(f"{body} ", left[1]), Segment(text, right[1])]


def _clock(pen: Pen, elapsed: float, planned: float) -> tuple[str, Style]:
    said = f"{_time(elapsed)} of {_time(planned)}" if planned else _time(elapsed)
    return said, pen.alarm if planned and elapsed > planned else pen.text


def _time(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02}"


def _wrapped(sentences: list[str], width: int) -> list[str]:
    return words.wrapped([printable(sentence, 4_000) for sentence in sentences if sentence], width - 2, 200)
