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
    room = columns.says - 1
    texts = (f"{status}{why}", f"{status}{name}")
    fitting = [text for text in texts if cell_len(text) + 1 + cell_len(latency) <= room]
    fitting += [text for text in (f"{status}{name}", name) if cell_len(text) <= room]
    text = next((text for text in fitting if text), "failed")
    gap = room - cell_len(text) - cell_len(latency)  # the latency ends where those of other rows do
    return pen.says(line, [f"{text}{' ' * gap}{latency}" if gap > 0 else text], columns, pen.alarm)


def timed(pen: Pen, line: Line, claimed: int, latency: str, columns: Columns) -> Line:
    """Add what a timer of the server said beside what the user waited: ``timer 12 ms · user 1.0 s``."""
    whole = [f"timer {words.duration(claimed)}", f"user {latency}"]
    if cell_len(pen.separator.join(whole)) < columns.says:
        return pen.says(line, whole, columns, pen.text)
    if columns.says < 24 and claimed >= 0.05 * NS:
        whole[0] = f"timer {claimed / NS:.1f} s"
    return pen.says(line, [whole[0], latency], columns, pen.text, align=True)
