"""The canvas of the picture: its size, its scale, and the elements that it is drawn with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from rich.cells import cell_len, set_cell_size

from loopviz.draw.look import APPEARANCES, LABELS, look_of
from loopviz.draw.theme import Colours, Theme

__all__ = [
    "CHARACTER",
    "LEFT",
    "PLOT",
    "RIGHT",
    "SIZE",
    "WIDTH",
    "Canvas",
    "Scale",
    "cut",
    "patterns",
]

WIDTH = 1_600
"""Pixels of the picture."""
LEFT = 330
"""Where the plot begins; labels are before it."""
PLOT = 1_070
"""Pixels of the plot."""
RIGHT = LEFT + PLOT + 24
"""Where the words after the plot begin."""
SIZE = 20
"""Pixels of letters, where nothing else is said."""
CHARACTER = 0.606 * SIZE
"""The largest width of such a character in any monospaced font."""


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


@dataclass
class Canvas:
    """What all parts of a picture are drawn with."""

    theme: Theme
    scale: Scale
    now: int
    """Where the picture ends (ns of the clock); nothing is known of what comes later."""
    row: int
    """The height of a row."""
    used: set[str] = field(default_factory=set)
    """The codes that were drawn, for the legend."""

    @property
    def colours(self) -> Colours:
        """The colours that do not belong to one state."""
        return self.theme.colours

    @property
    def bar_height(self) -> int:
        """The height of the bars in a row."""
        return self.row - 8

    def base(self, y: float, tall: float | None = None) -> float:
        """The line below the letters in the middle of a bar that begins at `y`."""
        return y + (self.bar_height if tall is None else tall) / 2 + 0.35 * SIZE

    def bar(
        self, x: float, y: float, width: float, code: str, *, height: float = 0, after: bool = False
    ) -> str:
        """A rectangle in the look of a state; `after`: faint, since the response is out already."""
        self.used.add(code)
        faint = ' opacity="0.4"' if after else ""
        fill = f"url(#{_pattern(code)})"
        tall = height or self.bar_height
        return f'<rect x="{x:.2f}" y="{y:g}" width="{width:.2f}" height="{tall:g}" fill="{fill}"{faint}/>'

    def lane_back(self, y: float, height: float) -> str:
        """The background of a lane, over the whole width of the plot."""
        return f'<rect x="{LEFT}" y="{y:g}" width="{PLOT}" height="{height:g}" fill="{self.colours.lane}"/>'

    def answer(self, x: float, y: float) -> str:
        """The mark where the last byte was sent: a triangle that points to it, as ``◂`` on the screen."""
        half, middle = 0.28 * self.bar_height, y + self.bar_height / 2
        return (
            f'<path d="M{x + 1:.2f} {middle:g}l{1.3 * half:.1f} {-half:.1f}v{2 * half:.1f}z"'
            f' fill="{self.colours.text}"/>'
        )

    def label(self, words: str, y: float, *, fill: str = "", bold: bool = False) -> str:
        """The name of a row, cut to the room before the plot; `y` is its base."""
        return self.written(24, y, cut(words, LEFT - 34), fill=fill, bold=bold)

    def written(
        self,
        x: float,
        y: float,
        words: str,
        *,
        fill: str = "",
        size: int = SIZE,
        bold: bool = False,
        anchor: str = "",
        extra: str = "",
    ) -> str:
        """A text whose baseline begins at `x` and `y`."""
        attributes = f' font-size="{size}"' if size != SIZE else ""
        attributes += ' font-weight="bold"' if bold else ""
        attributes += f' text-anchor="{anchor}"' if anchor else ""
        return (
            f'<text x="{x:.1f}" y="{y:g}" fill="{fill or self.colours.text}"{attributes}{extra}'
            f' xml:space="preserve">{escape(words)}</text>\n'
        )


def cut(words: str, pixels: float, size: int = SIZE) -> str:
    """The words, cut to this room."""
    room = int(pixels / (0.606 * size))
    return words if cell_len(words) <= room else set_cell_size(words, room - 1) + "…"


def patterns(theme: Theme) -> Iterator[str]:
    """A tile of 8 by 8 for each state, with its colours and its texture."""
    yield "<defs>\n"
    for row in APPEARANCES:
        look, shades = look_of(row.code), theme.states[row.code]
        paint = (
            f'fill="none" stroke="{shades.ink}" stroke-width="{look.stroke}"'
            if look.stroke
            else f'fill="{shades.ink}"'
        )
        texture = f'<path d="{look.tile}" {paint}/>' if look.tile else ""
        yield (
            f'<pattern id="{_pattern(row.code)}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="{shades.fill}"/>{texture}</pattern>\n'
        )
    yield "</defs>\n"


def _pattern(code: str) -> str:
    return f"loopviz-{LABELS[code].lower().replace(' ', '-')}"
