"""Which view is shown, and the keys of the others: the end of the headline."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment

from loopviz.tui.keymap import Keys
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.view import Look

__all__ = ["views"]

_LOOKS: tuple[Look, ...] = ("timeline", "code", "machine", "reasons")


def views(pen: Pen, keys: Keys, look: Look, room: int, spare: int) -> tuple[Line, list[tuple[int, int, Hit]]]:
    """The words, and which columns of them press which key, in at most `room` cells; nothing if none fits.

    All names if they fit into what is `spare`, or that of the view that is shown (``1 code 3 4``), or the
    keys alone.
    """
    for names, most in ((_LOOKS, spare), ((look,), room), ((), room)):
        line, hits = _written(pen, keys, look, names)
        if sum(segment.cell_length for segment in line) <= most:
            return line, hits
    return [], []


def _written(
    pen: Pen, keys: Keys, look: Look, names: Sequence[Look]
) -> tuple[Line, list[tuple[int, int, Hit]]]:
    line: Line = []
    hits: list[tuple[int, int, Hit]] = []
    x = 0
    for one in _LOOKS:
        key = keys.shown(f"picture.{one}")
        if not key:
            continue
        all_named = len(names) > 1
        text = f"{key} {one}" if all_named else one if one in names else key
        if line:
            line.append(Segment("  " if all_named else " ", pen.dim))
            x += 2 if all_named else 1
        line.append(Segment(text, pen.title if one == look else pen.dim))
        start = hits[-1][1] if hits else x
        hits.append((start, x + len(text), Hit(key=keys.of(f"picture.{one}")[0])))
        x += len(text)
    return line, hits
