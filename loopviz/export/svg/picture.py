"""The picture: what is above and below its rows, and where everything is."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from loopviz.draw.look import BLOCK, NAMES
from loopviz.export.material import Framing, Material, all_blocks, extent, requests_by_number, text
from loopviz.export.svg.canvas import CHARACTER, LEFT, SIZE, WIDTH, Canvas, Scale, cut, patterns
from loopviz.export.svg.code import CODE_LINE, MOST_CODE, blocked_lines, code_below, code_rows
from loopviz.export.svg.layout import fitted, height_of
from loopviz.export.svg.rows import lane_row, loop_row, request_row, thread_gauge
from loopviz.export.svg.story import facts, moment, story
from loopviz.model import Lane, Request, Timeline

__all__ = ["picture"]

_LOOP = 1.7
"""The height of the event loop's lane, in rows."""
_GAP = 10
_LEGEND = 46
"""The height of the legend, if it is one line."""
_ABOVE_CODE = 16
_AROUND = 2 * _GAP + _LEGEND + _ABOVE_CODE + _GAP
"""What is between the rows, and below them, without the code."""


def picture(material: Material, framing: Framing) -> Iterator[str]:
    """The picture of the window, or of the whole; a line for each row."""
    timeline = material.timeline
    zero, last = extent(timeline)
    start, end = (
        (zero, last) if framing.window is None else (zero + framing.window[0], zero + framing.window[1])
    )
    scale = Scale(start, max(end, start + 1))
    now = min(end, timeline.last)
    lanes = [lane for lane in timeline.workers.values() if _worked(lane, start, now)]
    requests = [r for r in requests_by_number(timeline) if r.start < end and _until(r, timeline) > start]
    head = list(_lines_above(material))
    top = head[-1][0] + 54
    blocked = blocked_lines(material, (start, now))
    code = code_below(material.caption, blocked)
    gauge = bool(timeline.tokens)
    layout = fitted(
        lanes,
        requests,
        (start, now),
        others=_LOOP * len(timeline.processes) + gauge,
        height=None if framing.ratio is None else height_of(framing.ratio) - top - _AROUND,
        code=min(len(code), MOST_CODE),
        code_line=CODE_LINE,
    )
    canvas = Canvas(framing.theme, scale, now, layout.row)
    body: list[str] = []
    y = top
    tall = round(_LOOP * layout.row)
    for process in timeline.processes:
        body += loop_row(canvas, timeline, y, tall, process)
        y += tall + _GAP
    if gauge:
        body += thread_gauge(canvas, timeline, y)
        y += layout.row
    for lane in layout.lanes:
        body += lane_row(canvas, lane, y)
        y += layout.row
    y += _GAP
    for fold in layout.folds:
        body += request_row(canvas, fold, timeline, y)
        y += layout.row
    if layout.more:
        body.append(canvas.written(LEFT, canvas.base(y), layout.more, fill=canvas.colours.dim))
        y += layout.row
    if any(block.start < now and (block.end or now) > start for block in all_blocks(timeline)):
        canvas.used.add(BLOCK)
    below, legend_end = _legend(canvas, y + _LEGEND - 12)
    below += code_rows(canvas, code, layout.code, blocked, legend_end + _ABOVE_CODE)
    used = legend_end + (_ABOVE_CODE + layout.code * CODE_LINE if layout.code else 0)
    height = used + _GAP if framing.ratio is None else height_of(framing.ratio)
    title = f"{text(material.name, 80)}: what runs on the event loop"
    yield from _head(title, story(material, requests, layout.folds, zero, start, end), height)
    yield from patterns(canvas.theme)
    yield f'<rect width="{WIDTH}" height="{height}" fill="{canvas.colours.background}"/>\n'
    for base, size, bold, words in head:
        colour = canvas.colours.text if size > SIZE else canvas.colours.dim
        yield canvas.written(24, base, cut(words, WIDTH - 48, size), size=size, bold=bold, fill=colour)
    yield from _axis(canvas, zero, top, y)
    for part in (*body, *below):
        yield part + "\n"
    yield "</svg>\n"


def _lines_above(material: Material) -> Iterator[tuple[int, int, bool, str]]:
    """What is written above the picture: base, size, whether it is bold, and the words."""
    caption = material.caption
    yield 52, 36, True, text(material.name, 60) + (f" · {text(caption.title, 120)}" if caption else "")
    y = 52
    if caption and caption.lesson:
        y += 40
        yield y, 25, False, text(caption.lesson, 200)
    yield y + 34, 18, False, facts(material)


def _head(title: str, description: str, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-labelledby="loopviz-title loopviz-desc"'
        f' font-family="monospace" font-size="{SIZE}">\n'
    )
    yield f'<title id="loopviz-title">{escape(title)}</title>\n'
    yield f'<desc id="loopviz-desc">{escape(description)}</desc>\n'


def _axis(canvas: Canvas, zero: int, top: int, bottom: int) -> Iterator[str]:
    """About eight marks at round times, counted from the first request."""
    scale, colours = canvas.scale, canvas.colours
    step = next(
        (
            unit * factor
            for unit in (10**power for power in range(20))
            for factor in (1, 2, 5)
            if unit * factor * 8 >= scale.length
        ),
    )
    mark = -(-(scale.start - zero) // step) * step
    while mark <= scale.end - zero:
        x = scale.x(zero + mark)
        yield f'<path d="M{x:.1f} {top - 12}V{bottom}" stroke="{colours.grid}"/>\n'
        yield canvas.written(x, top - 18, moment(mark, step), fill=colours.dim, anchor="middle")
        mark += step


def _legend(canvas: Canvas, y: int) -> tuple[list[str], int]:
    """The states that were drawn, with their names, and where the legend ends."""
    codes = [code for code in NAMES if code in canvas.used]
    if not codes:
        return [], y - _LEGEND + 12
    made = []
    x = 24.0
    for code in codes:
        width = 38 + CHARACTER * (len(NAMES[code]) + 2)
        if x + width > WIDTH:
            x, y = 24.0, y + 32
        made.append(canvas.bar(x, y - 16, 30, code, height=20))
        made.append(canvas.written(x + 38, y, NAMES[code], fill=canvas.theme.states[code].text))
        x += width
    return made, y + 12


def _until(request: Request, timeline: Timeline) -> int:
    """When the last thing happened to the request (ns)."""
    return request.since if request.ended else timeline.last


def _worked(lane: Lane, start: int, now: int) -> bool:
    """Whether the worker executed anything between `start` and `now`."""
    for span in lane.newest_first(now):
        if span.start < now:
            return span.end > start or any(s.end > start and s.start < now for s in lane.spans)
    return False
