"""The lane of health probes: a mark for each, where it was sent, by what became of it."""

from __future__ import annotations

from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from loopviz.draw.health import FAILED, FAST, LATE, WAITING, probe_codes, state
from loopviz.draw.look import CODES, LEVELS
from loopviz.draw.safe import printable
from loopviz.model import State
from loopviz.stream.marked import OWN_ENDPOINT
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["health_lane"]

_WORST = (FAILED, LATE, WAITING, FAST)
_MARGIN = 500_000_000
"""A result is in the timeline so long (ns) after the probe's timeout at the latest."""


def health_lane(pen: Pen, frame: Frame) -> Line | None:
    """The lane; None where no probes are sent, and none were in the time that is shown."""
    health, view, columns, half = frame.timeline.health, frame.view, frame.columns, frame.half
    begin, end = view.reach
    if not 0 < health.since <= view.now and next(health.between(begin, min(end, view.now + 1)), None) is None:
        return None
    # A mark may change until the probe's timeout is over: only older columns are kept.
    shift = -((health.timeout + _MARGIN) // half + 1)
    codes = frame.standing("health", 0, shift, lambda a, b: probe_codes(health, half, a, b, view.now))
    styles = _styles(pen)
    name = f"HEALTH {printable(health.path, 60)}"
    if health.path == OWN_ENDPOINT or cell_len(name) >= columns.label:
        name = "HEALTH"
    line = [pen.label(name, columns, pen.title)]
    marks = [next((code for code in _WORST if code in pair), " ") for pair in _pairs(codes)]
    for code, run in groupby(marks[: frame.live]):
        text, style = styles[code]
        line.append(Segment(text * len(list(run)), style))
    line.append(Segment(" " * (columns.time - frame.live), pen.text))
    said, bad = state(health, view.moment)
    return pen.says(line, [said], columns, pen.alarm if bad else pen.dim)


def _pairs(codes: str) -> list[str]:
    return [codes[at : at + 2] for at in range(0, len(codes), 2)]


def _styles(pen: Pen) -> dict[str, tuple[str, Style]]:
    """The marks: low for a fast answer, high for a late one, in the alarm's colour for a failure."""
    palette, levels = pen.palette, LEVELS[pen.palette.mode]
    colours = palette.colours
    calm = palette.style(colours.good_text, colours.lane)
    late = palette.style(palette.theme.states[CODES[State.TOKEN_WAIT]].text, colours.lane)
    dim = palette.style(colours.dim, colours.lane)
    return {
        FAST: (levels[2], calm),
        LATE: (levels[5], late),
        FAILED: ("x", palette.style(colours.caption, colours.alarm, bold=True, reverse=not palette.colour)),
        WAITING: ("·" if palette.unicode else "~", dim),
        " ": (" ", calm),
    }
