"""The canvas of the picture: its size, its scale, and the elements that it is drawn with."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from rich.cells import cell_len, set_cell_size

from loopviz.draw.look import APPEARANCES, LABELS, LANE, TEXT

__all__ = [
    "BAR",
    "CHARACTER",
    "LEFT",
    "PLOT",
    "ROW",
    "WIDTH",
    "Scale",
    "bar",
    "label",
    "lane_back",
    "patterns",
    "written",
]

WIDTH = 1_600
"""Pixels of the picture."""
LEFT = 330
"""Where the plot begins; labels are before it."""
PLOT = 1_120
"""Pixels of the plot."""
ROW = 30
BAR = 22
"""Pixels of a row, and of the bar in it."""
CHARACTER = 9.7
"""The largest width of a character of 16 pixels in any monospaced font."""


class Scale:
    """From nanoseconds of the clock to pixels, and the grids of columns."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.length = max(1, end - start)

    def x(self, t: int) -> float:
        """The pixel of a moment; moments outside of the window are moved to its edge."""
        return LEFT + PLOT * (min(max(t, self.start), self.end) - self.start) / self.length

    def grid(self, columns: int, finest: int = 1) -> tuple[int, int, int]:
        """The width of a column (ns), the first column, and the one after the last."""
        width = max(finest, -(-self.length // columns))
        return width, self.start // width, -(-self.end // width)


def patterns() -> Iterator[str]:
    """A tile of 8 by 8 for each state, with its colours and its texture."""
    yield "<defs>\n"
    for row in APPEARANCES:
        look = row.look
        paint = (
            f'fill="none" stroke="{look.ink}" stroke-width="{look.stroke}"'
            if look.stroke
            else f'fill="{look.ink}"'
        )
        texture = f'<path d="{look.tile}" {paint}/>' if look.tile else ""
        yield (
            f'<pattern id="{_pattern(row.code)}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="{look.fill}"/>{texture}</pattern>\n'
        )
    yield "</defs>\n"


def _pattern(code: str) -> str:
    return f"loopviz-{LABELS[code].lower().replace(' ', '-')}"


def bar(x: float, y: float, width: float, height: float, code: str, *, after: bool = False) -> str:
    """A rectangle in the look of a state; `after`: faint, since the response is out already."""
    faint = ' opacity="0.5"' if after else ""
    fill = f"url(#{_pattern(code)})"
    return f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{height}" fill="{fill}"{faint}/>'


def lane_back(y: float, height: float) -> str:
    """The background of a lane, over the whole width of the plot."""
    return f'<rect x="{LEFT}" y="{y}" width="{PLOT}" height="{height}" fill="{LANE}"/>'


def label(words: str, y: float, *, fill: str = TEXT, bold: bool = False) -> str:
    """The name of a row, cut to the room before the plot."""
    room = int((LEFT - 34) / CHARACTER)
    if cell_len(words) > room:
        words = set_cell_size(words, room - 1) + "…"
    return written(24, y, words, fill=fill, bold=bold)


def written(
    x: float,
    y: float,
    words: str,
    *,
    fill: str = TEXT,
    size: int = 16,
    bold: bool = False,
    anchor: str = "",
    extra: str = "",
) -> str:
    """A text whose baseline begins at `x` and `y`."""
    attributes = f' font-size="{size}"' if size != 16 else ""
    attributes += ' font-weight="bold"' if bold else ""
    attributes += f' text-anchor="{anchor}"' if anchor else ""
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{fill}"{attributes}{extra} xml:space="preserve">'
        f"{escape(words)}</text>\n"
    )
