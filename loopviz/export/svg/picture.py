"""The picture: which rows it has, and where they are."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from loopviz.draw.look import BACKGROUND, BLOCK, DIM, GRID, NAMES, look_of
from loopviz.draw.words import count
from loopviz.export.material import Material, Window, all_blocks, extent, requests_by_number, text
from loopviz.export.svg.canvas import CHARACTER, LEFT, ROW, WIDTH, Scale, bar, patterns, written
from loopviz.export.svg.rows import lane_row, loop_row, request_row, thread_gauge
from loopviz.export.svg.story import facts, moment, story
from loopviz.model import Lane, Request, Timeline

__all__ = ["MOST_LANES", "MOST_REQUESTS", "picture"]

MOST_LANES = 16
"""Worker lanes in a picture, at most: more are not readable on a slide."""
MOST_REQUESTS = 32
"""Requests in a picture, at most."""


def picture(material: Material, window: Window | None) -> Iterator[str]:
    """The picture of `window`, or of the whole; a line for each row."""
    timeline = material.timeline
    zero, last = extent(timeline)
    start, end = (zero, last) if window is None else (zero + window[0], zero + window[1])
    scale = Scale(start, max(end, start + 1))
    now = min(end, timeline.last)
    lanes = [lane for lane in timeline.workers.values() if _worked(lane, start, now)]
    rows = [r for r in requests_by_number(timeline) if r.start < end and _until(r, timeline) > start]
    shown_lanes, shown_rows = lanes[:MOST_LANES], rows[:MOST_REQUESTS]
    more = [
        f"and {count(len(all_) - len(some), what)}"
        for all_, some, what in ((lanes, shown_lanes, "more worker"), (rows, shown_rows, "more request"))
        if len(all_) > len(some)
    ]
    body: list[str] = []
    used: set[str] = set()
    y = 130
    body += loop_row(timeline, scale, now, y)
    y += 62
    if timeline.tokens:
        body += thread_gauge(timeline, scale, now, y)
        y += ROW + 8
    for lane in shown_lanes:
        body += lane_row(lane, scale, now, y, used)
        y += ROW
    y += 10 if shown_lanes else 0
    for request in shown_rows:
        body += request_row(request, timeline, scale, now, y, used)
        y += ROW
    if more:
        body.append(written(LEFT, y + 17, ", ".join(more), fill=DIM))
        y += ROW
    if any(block.start < now and (block.end or now) > start for block in all_blocks(timeline)):
        used.add(BLOCK)
    legend = [code for code in NAMES if code in used]
    height = y + (64 if legend else 24)
    title = f"{text(material.name, 80)}: what runs on the event loop"
    yield from _head(title, story(material, rows, shown_rows, zero, start, end), height)
    yield from patterns()
    yield f'<rect width="{WIDTH}" height="{height}" fill="{BACKGROUND}"/>\n'
    yield written(24, 44, text(material.name, 60), size=28, bold=True)
    yield written(24, 76, facts(material), fill=DIM)
    yield from _axis(scale, zero, y)
    for part in body:
        yield part + "\n"
    yield from _legend(legend, y + 36)
    yield "</svg>\n"


def _head(title: str, description: str, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-labelledby="loopviz-title loopviz-desc"'
        ' font-family="monospace" font-size="16">\n'
    )
    yield f'<title id="loopviz-title">{escape(title)}</title>\n'
    yield f'<desc id="loopviz-desc">{escape(description)}</desc>\n'


def _axis(scale: Scale, zero: int, bottom: int) -> Iterator[str]:
    """About eight marks at round times, counted from the first request."""
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
        yield f'<path d="M{x:.1f} 114V{bottom}" stroke="{GRID}"/>\n'
        yield written(x, 106, moment(mark, step), fill=DIM, anchor="middle")
        mark += step


def _legend(codes: list[str], y: int) -> Iterator[str]:
    widths = [38 + CHARACTER * (len(NAMES[code]) + 2) for code in codes]
    x = float(LEFT) if LEFT + sum(widths) <= WIDTH else 24.0  # below the names, if there are many states
    for code, width in zip(codes, widths, strict=True):
        label = NAMES[code]
        yield bar(x, y - 15, 30, 18, code) + "\n"
        yield written(x + 38, y, label, fill=look_of(code).text)
        x += width


def _until(request: Request, timeline: Timeline) -> int:
    """When the last thing happened to the request (ns)."""
    return request.since if request.ended else timeline.last


def _worked(lane: Lane, start: int, now: int) -> bool:
    """Whether the worker executed anything between `start` and `now`."""
    for span in lane.newest_first(now):
        if span.start < now:
            return span.end > start or any(s.end > start and s.start < now for s in lane.spans)
    return False
