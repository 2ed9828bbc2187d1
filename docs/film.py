"""Frames of a terminal as one animated SVG: no script, no network, no font of its own.

The frames lie side by side, and a CSS animation moves the strip by one frame at a time. A line of cells
that occurs in several frames is stored once. What fills a cell (blocks, lines, textures) is drawn as
shapes, so that it fits the grid whatever monospaced font the viewer has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import NamedTuple, TypeVar
from xml.sax.saxutils import escape

from loopviz.draw.themes import DARK

__all__ = ["Caption", "Cell", "Frame", "animated_svg", "still_svg"]

BACKGROUND, BORDER, TEXT = DARK.colours.background, DARK.colours.border, DARK.colours.text

WIDTH, HEIGHT = 8, 17
"""A cell in pixels."""
_TOP = -13
"""A cell's upper edge: y is counted from the line's base, so that text needs no y of its own."""
_MARGIN = 14
_STRIP = 44
"""The height of the strip with the keys and the caption."""
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"

_LEFT = dict(zip("▏▎▍▌▋▊▉█", range(1, 9), strict=True))
"""Blocks, and how many eighths of a cell each fills, from the left."""
_LOWER = dict(zip("▁▂▃▄▅▆▇", range(1, 8), strict=True))
"""Blocks, and how many eighths of a cell each fills, from below."""
_UPPER = "▀"


class Cell(NamedTuple):
    """One cell of a terminal; colours as ``#rrggbb``."""

    text: str
    ink: str
    fill: str
    bold: bool = False


@dataclass(frozen=True)
class Caption:
    """What is said below the terminal."""

    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Frame:
    """One picture: lines of cells, and for how many seconds it is shown."""

    lines: tuple[tuple[Cell, ...], ...]
    caption: Caption
    seconds: float


def animated_svg(frames: Sequence[Frame], still: int, title: str, description: str) -> str:
    """The frames as an SVG that repeats; `still` is shown where motion is not wanted or not possible."""
    columns, rows = len(frames[0].lines[0]), len(frames[0].lines)
    width, height = columns * WIDTH + 2 * _MARGIN, rows * HEIGHT + 2 * _MARGIN + _STRIP
    parts = _Parts()
    strip = []
    for number, frame in enumerate(frames):
        used = [(parts.line(line), _MARGIN - _TOP + y * HEIGHT) for y, line in enumerate(frame.lines)]
        used.append((parts.caption(frame.caption), rows * HEIGHT + 2 * _MARGIN))
        uses = "".join(f'<use href="#{name}" y="{y}"/>' for name, y in used if name)
        strip.append(f'<g transform="translate({number * width + _MARGIN})">{uses}</g>')
    total = sum(frame.seconds for frame in frames)
    moments, began = [], 0.0
    for number, frame in enumerate(frames):
        moments.append(f"{began / total:.3%}{{transform:translateX({-number * width}px)}}")
        began += frame.seconds
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
role="img" aria-labelledby="title desc">
<title id="title">{escape(title)}</title>
<desc id="desc">{escape(description)}</desc>
<style>
text{{font:14px {_FONT};white-space:pre;fill:{TEXT}}}
path{{shape-rendering:crispEdges}}
.b{{font-weight:bold}}
{parts.styles()}
#film{{transform:translateX({-still * width}px)}}
@media (prefers-reduced-motion:no-preference){{#film{{animation:film {total:.2f}s step-end infinite}}}}
@keyframes film{{{"".join(moments)}}}
</style>
<defs>
<clipPath id="window"><rect width="{width}" height="{height}" rx="10"/></clipPath>
{parts.definitions()}
</defs>
<g clip-path="url(#window)">
<rect width="{width}" height="{height}" fill="{BACKGROUND}"/>
<path d="M0 {height - _STRIP}h{width}" stroke="{BORDER}"/>
<g id="film">
{chr(10).join(strip)}
</g>
</g>
<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9.5" fill="none" stroke="{BORDER}"/>
</svg>
"""


def still_svg(lines: Sequence[Sequence[Cell]], title: str, description: str, text: str = "") -> str:
    """One picture of a terminal as an SVG; `text` is what is on it, for programs."""
    width, height = len(lines[0]) * WIDTH + 2 * _MARGIN, len(lines) * HEIGHT + 2 * _MARGIN
    parts = _Parts()
    drawn = "\n".join(
        f'<g transform="translate({_MARGIN} {_MARGIN - _TOP + y * HEIGHT})">{parts.draw(line)}</g>'
        for y, line in enumerate(lines)
        if not _empty(line)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
role="img" aria-labelledby="title desc">
<title id="title">{escape(title)}</title>
<desc id="desc">{escape(description)}</desc>
<metadata>{escape(text)}</metadata>
<style>
text{{font:14px {_FONT};white-space:pre;fill:{TEXT}}}
path{{shape-rendering:crispEdges}}
.b{{font-weight:bold}}
{parts.styles()}
</style>
<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>
{drawn}
<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="7.5" fill="none" stroke="{BORDER}"/>
</svg>
"""


class _Parts:
    """What the frames share: each line and each caption once, and a class for each colour."""

    def __init__(self) -> None:
        self._names: dict[Caption | tuple[Cell, ...], str] = {}
        self._definitions: list[str] = []
        self._colours: dict[str, str] = {}

    def line(self, line: tuple[Cell, ...]) -> str:
        """The name of a line of cells, or nothing if it is empty."""
        return "" if _empty(line) else self._named(line, lambda: self.draw(line))

    def caption(self, caption: Caption) -> str:
        """The name of a caption."""
        return self._named(caption, lambda: _draw_caption(caption))

    def styles(self) -> str:
        """A class for each colour, filled or stroked, and for each texture."""
        textures = "".join(f".{_CLASSES[shape]}{{{style}}}" for shape, style in _STROKES.items())
        return textures + "".join(
            f".{name}{{fill:{colour}}}.s{name}{{stroke:{colour};fill:none}}"
            for colour, name in self._colours.items()
        )

    def definitions(self) -> str:
        """Everything that has a name."""
        return "\n".join(self._definitions)

    def _named(self, key: Caption | tuple[Cell, ...], draw: Callable[[], str]) -> str:
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"l{len(self._names)}"
            self._definitions.append(f'<g id="{name}">{draw()}</g>')
        return name

    def _colour(self, colour: str) -> str:
        return self._colours.setdefault(colour, f"c{len(self._colours)}")

    def draw(self, line: Sequence[Cell]) -> str:
        """The cells of a line as elements."""
        drawn = []
        for fill, x, cells in _runs(line, lambda cell: cell.fill):
            if fill != BACKGROUND:
                drawn.append(_rect(self._colour(fill), x * WIDTH, 0, len(cells) * WIDTH, HEIGHT))
        inked = accumulate(line, lambda before, cell: before._replace(text=" ") if cell.text == " " else cell)
        for (ink, bold, shape), x, cells in _runs(inked, lambda c: (c.ink, c.bold, _shape(c.text))):
            name = self._colour(ink)
            if shape:
                drawn.append(_texture(shape, name, x * WIDTH, len(cells)))
            else:
                drawn += _words(name, bold, x, "".join(cell.text for cell in cells))
        return "".join(drawn)


def _empty(line: Sequence[Cell]) -> bool:
    return all(cell.text == " " and cell.fill == BACKGROUND for cell in line)


_Key = TypeVar("_Key")


def _runs(line: Sequence[Cell], key: Callable[[Cell], _Key]) -> Iterator[tuple[_Key, int, list[Cell]]]:
    """Neighbouring cells with equal keys: the key, the first one's column, and the cells."""
    x = 0
    for value, group in groupby(line, key):
        cells = list(group)
        yield value, x, cells
        x += len(cells)


def _shape(text: str) -> str:
    """The character if it is drawn as a shape, otherwise nothing."""
    return text if text in _LEFT or text in _LOWER or text in _STROKES or text == _UPPER else ""


def _words(name: str, bold: bool, x: int, text: str) -> Iterable[str]:
    """Words of text; single blanks belong to it, wider gaps do not."""
    start = 0
    for part in text.split("  "):
        word = part.strip()
        if word:
            left = x + start + len(part) - len(part.lstrip())
            kind = f"{name} b" if bold else name
            place = f'x="{left * WIDTH}" textLength="{len(word) * WIDTH}"'
            yield f'<text class="{kind}" {place}>{escape(word)}</text>'
        start += len(part) + 2


def _rect(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<path class="{name}" d="M{x:g} {_TOP + y:g}h{width:g}v{height:g}h{-width:g}z"/>'


_STROKES = {
    "╱": "stroke-width:1.6;shape-rendering:auto",
    "▚": f"stroke-width:{HEIGHT / 2};stroke-dasharray:{WIDTH // 2}",
    "░": "stroke-width:1.5;stroke-dasharray:1.5 2.5",
    "·": f"stroke-width:2;stroke-linecap:round;shape-rendering:auto;stroke-dasharray:0 {WIDTH}",
    "─": "stroke-width:1.4",
    "═": "stroke-width:1.4",
    "≡": "stroke-width:1.4",
}
_CLASSES = {shape: f"t{number}" for number, shape in enumerate(_STROKES)}


def _texture(shape: str, name: str, x: int, count: int) -> str:
    """A run of equal characters as a shape."""
    width, top = count * WIDTH, _TOP
    if shape == "█":
        return _rect(name, x, 0, width, HEIGHT)
    if shape in _LEFT:
        return "".join(_rect(name, x + i * WIDTH, 0, WIDTH * _LEFT[shape] / 8, HEIGHT) for i in range(count))
    if shape in _LOWER:
        tall = HEIGHT * _LOWER[shape] / 8
        return _rect(name, x, HEIGHT - tall, width, tall)
    if shape == _UPPER:
        return _rect(name, x, 0, width, HEIGHT / 2)
    if shape == "╱":
        path = f"M{x} {top + HEIGHT}" + f"l{WIDTH}-{HEIGHT}m0 {HEIGHT}" * count
    elif shape == "▚":
        left, half = x + WIDTH // 2, WIDTH // 2
        path = f"M{x} {top + HEIGHT / 4:g}h{width}M{left} {top + HEIGHT * 3 / 4:g}h{width - half}"
    elif shape == "░":
        path = (
            f"M{x + 1} {top + 3.5:g}h{width}M{x + 3} {top + 8.5:g}h{width - 2}M{x + 1} {top + 13.5:g}h{width}"
        )
    elif shape == "·":
        path = f"M{x + WIDTH // 2} {top + 8.5:g}h{width - WIDTH + 0.1:g}"
    else:
        heights = {"─": (8.5,), "═": (6.0, 11.0), "≡": (4.5, 8.5, 12.5)}[shape]
        path = "".join(f"M{x} {top + y:g}h{width}" for y in heights)
    return f'<path class="s{name} {_CLASSES[shape]}" d="{path}"/>'


def _draw_caption(caption: Caption) -> str:
    drawn, x = [], 0
    for key in caption.keys:
        width = len(key) * WIDTH + 16
        drawn.append(
            f'<rect x="{x}" y="10" width="{width}" height="24" rx="5" fill="#262b31" stroke="#4b535c"/>'
            f'<text class="b" x="{x + 8}" y="27">{escape(key)}</text>'
        )
        x += width + 8
    drawn.append(f'<text x="{x + 4 if x else 0}" y="27">{escape(caption.text)}</text>')
    return "".join(drawn)
