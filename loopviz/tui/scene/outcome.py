"""How a request has ended, in the words behind its row."""

from __future__ import annotations

from rich.cells import cell_len

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.model import Request
from loopviz.tui.scene.frame import Columns
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["failure", "timed"]


def failure(pen: Pen, line: Line, request: Request, latency: str, columns: Columns) -> Line:
    """Add its status, the exception and its latency: ``500 RuntimeError: no seats 12 ms``.

    Of these the message is left out first if there is no room, then the latency, and then the status.
    """
    why = printable(request.error or request.failure or "")
    name = why.partition(":")[0]
    status = f"{request.status} " if request.error and request.status else ""
    room, end = columns.says - 1, _end(columns)
    texts = (f"{status}{why}", f"{status}{name}")
    fitting = [text for text in texts if cell_len(text) + 1 + cell_len(latency) <= room]
    fitting += [text for text in (f"{status}{name}", name) if cell_len(text) <= room]
    text = next((text for text in fitting if text), "failed")
    used = cell_len(text) + cell_len(latency)
    gap = max(end - used, min(1, room - used))  # the latency ends where those of other rows do
    return pen.says(line, [f"{text}{' ' * gap}{latency}" if gap > 0 else text], columns, pen.alarm)


def timed(pen: Pen, line: Line, claimed: int, waited: int, columns: Columns) -> Line:
    """Add what a timer of the server said beside what the user waited: ``timer 12 ms · user 1.0 s``."""
    room = _end(columns)  # the times of other rows end there
    texts = [
        f"timer {words.duration(claimed)}{pen.separator}user {words.duration(waited)}",
        f"timer {words.duration(claimed)} user {words.duration(waited)}",
        f"timer {_short(claimed)} user {_short(waited)}",
        f"timer {_short(claimed)} {_short(waited)}",
    ]
    text = next((text for text in texts if cell_len(text) <= room), texts[-1])
    return pen.says(line, [text.rjust(room)], columns, pen.text)


def _end(columns: Columns) -> int:
    """How many cells there are up to the end of the times behind rows."""
    return min(columns.says - 1, columns.state + 6)


def _short(ns: int) -> str:
    """A duration in seconds, from 50 ms on."""
    return f"{ns / NS:.1f} s" if ns >= 0.05 * NS else words.duration(ns)
