"""A picture of a window of time as SVG, for slides: no script, no network, no font of its own.

It is as exact as it can be seen: each row has 2,400 columns, drawn as runs, so its size depends
on the window's rows and not on how much was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape

from rich.cells import cell_len, set_cell_size

from loopviz.draw.look import APPEARANCES, BACKGROUND, DIM, LABELS, NAMES, TEXT, look_of
from loopviz.draw.raster import (
    BLOCK,
    CODES,
    NOTHING,
    Stretch,
    lane_stretches,
    loop_levels,
    raster,
    request_stretches,
    token_levels,
)
from loopviz.draw.words import duration, headline, line, state_name
from loopviz.export.material import Material, Window, extent, requests_by_number, text, told_blocks
from loopviz.model import Lane, Request, State, Timeline

__all__ = ["MOST_LANES", "MOST_REQUESTS", "picture"]

MOST_LANES = 16
"""Worker lanes in a picture. More could not be read on a wall."""
MOST_REQUESTS = 32
"""Requests in a picture."""

_WIDTH = 1_600
_LEFT = 330
"""Where the plot begins; labels are before it."""
_PLOT = 1_120
_ROW = 30
_BAR = 22
_CHARACTER = 9.7
"""How wide a character of 16 pixels may get in any monospaced font."""
_COLUMNS = 2_400
_COARSE = 560
"""Columns of what has a height: the loop's load and the tokens."""
_FINEST = 5_000_000
"""The loop's load is known to 5 ms."""


class _Scale:
    """From nanoseconds of the clock to pixels, and the grids of columns."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.length = max(1, end - start)

    def x(self, t: int) -> float:
        return _LEFT + _PLOT * (min(max(t, self.start), self.end) - self.start) / self.length

    def grid(self, columns: int, finest: int = 1) -> tuple[int, int, int]:
        """The width of a column (ns), the first column, and the one after the last."""
        width = max(finest, -(-self.length // columns))
        return width, self.start // width, -(-self.end // width)


def picture(material: Material, window: Window | None) -> Iterator[str]:
    """The picture of `window`, or of the whole; a line for each row."""
    timeline = material.timeline
    zero, last = extent(timeline)
    start, end = (zero, last) if window is None else (zero + window[0], zero + window[1])
    scale = _Scale(start, max(end, start + 1))
    now = min(end, timeline.last)
    lanes = [lane for lane in timeline.workers.values() if _at_work(lane, start, now)]
    rows = [r for r in requests_by_number(timeline) if r.start < end and _until(r, timeline) > start]
    shown_lanes, shown_rows = lanes[:MOST_LANES], rows[:MOST_REQUESTS]
    more = [
        f"and {len(all_) - len(some)} more {what}"
        for all_, some, what in ((lanes, shown_lanes, "workers"), (rows, shown_rows, "requests"))
        if len(all_) > len(some)
    ]
    body: list[str] = []
    used: set[str] = set()
    y = 130
    body += _loop(timeline, scale, now, y)
    y += 62
    if timeline.tokens:
        body += _tokens(timeline, scale, now, y)
        y += _ROW + 8
    for lane in shown_lanes:
        body += _lane(lane, scale, now, y, used)
        y += _ROW
    y += 10 if shown_lanes else 0
    for request in shown_rows:
        body += _request(request, timeline, scale, now, y, used)
        y += _ROW
    if more:
        body.append(_text(_LEFT, y + 17, ", ".join(more), fill=DIM))
        y += _ROW
    if any(block.start < now and (block.end or now) > start for block in told_blocks(timeline)):
        used.add(BLOCK)
    legend = [code for code in NAMES if code in used]
    height = y + (64 if legend else 24)
    title = f"{text(material.name, 80)}: who is on the event loop"
    yield from _head(title, _story(material, rows, zero, start, end), height)
    yield from _patterns()
    yield f'<rect width="{_WIDTH}" height="{height}" fill="{BACKGROUND}"/>\n'
    yield _text(24, 44, text(material.name, 60), size=28, bold=True)
    yield _text(24, 76, _facts(material), fill=DIM)
    yield from _axis(scale, zero, y)
    for part in body:
        yield part + "\n"
    yield from _legend(legend, y + 36)
    yield "</svg>\n"


# -- the frame ---------------------------------------------------------------------------------


def _head(title: str, description: str, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
        f' height="{height}" role="img" aria-labelledby="loopviz-title loopviz-desc"'
        ' font-family="monospace" font-size="16">\n'
    )
    yield f'<title id="loopviz-title">{escape(title)}</title>\n'
    yield f'<desc id="loopviz-desc">{escape(description)}</desc>\n'


def _story(material: Material, rows: list[Request], zero: int, start: int, end: int) -> str:
    """The picture in words, for who does not see it."""
    timeline = material.timeline
    count = "1 request" if len(rows) == 1 else f"{len(rows)} requests"
    parts = [f"From {_at(start - zero)} to {_at(end - zero)}: {count}."]
    blocks = [b for b in told_blocks(timeline) if b.start < end and (b.end or end) > start]
    for block in blocks[:8]:
        who = f"Request {block.request}" if block.request else "A callback"
        where = f" at {line(block.where)}" if block.where else ""
        kind = f", {block.kind}," if block.kind else ""
        parts.append(
            f"{who} blocks the event loop{where}{kind} for {duration(block.lasted(timeline.last))}"
            f" from {_at(block.start - zero)} on; victims: {len(block.victims)}."
        )
    if len(blocks) > 8:
        parts.append(f"And {len(blocks) - 8} more blocks.")
    for request in rows[:MOST_REQUESTS]:
        spent = sorted(request.totals.items(), key=lambda item: -item[1])
        states = ", ".join(f"{state_name(state)} {duration(ns)}" for state, ns in spent[:3] if ns)
        parts.append(f"{headline(request)}: {duration(request.latency(timeline.last))} ({states}).")
    return " ".join(parts)


def _facts(material: Material) -> str:
    timeline, environment = material.timeline, material.environment
    counts = [(len(timeline.requests), "request"), (len(told_blocks(timeline)), "block")]
    if material.limit:
        counts.append((material.limit, "token"))
    parts = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts]
    if "python" in environment:
        parts.append(f"Python {text(environment['python'], 20)}")
    if "gil" in environment:
        parts.append(f"GIL {'on' if environment['gil'] else 'off'}")
    if "event_loop" in environment:
        parts.append(text(environment["event_loop"], 20))
    if material.dropped:
        parts.append(f"{material.dropped} events lost")
    return " · ".join(parts)


def _patterns() -> Iterator[str]:
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
            f'<pattern id="{_name(row.code)}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="{look.fill}"/>{texture}</pattern>\n'
        )
    yield "</defs>\n"


def _name(code: str) -> str:
    return f"loopviz-{LABELS[code].lower().replace(' ', '-')}"


def _axis(scale: _Scale, zero: int, bottom: int) -> Iterator[str]:
    """About eight marks at round times, counted from the first request."""
    step = next(
        (
            unit * factor
            for unit in (10**power for power in range(18))
            for factor in (1, 2, 5)
            if unit * factor * 8 >= scale.length
        ),
    )
    mark = -(-(scale.start - zero) // step) * step
    while mark <= scale.end - zero:
        x = scale.x(zero + mark)
        yield f'<path d="M{x:.1f} 114V{bottom}" stroke="#2a3036"/>\n'
        yield _text(x, 106, _at(mark, step), fill=DIM, anchor="middle")
        mark += step


def _at(ns: int, step: int = 1_000_000) -> str:
    """A time since the first request, as exact as the steps of its axis."""
    if step >= 1_000_000_000:
        return f"{ns / 1e9:.0f} s"
    if step >= 1_000_000:
        digits = 1 if step >= 100_000_000 else 2 if step >= 10_000_000 else 3
        return f"{ns / 1e9:.{digits}f} s"
    return f"{ns / 1e6:.3f} ms" if step >= 1_000 else f"{ns / 1e3:.3f} µs"


def _legend(codes: list[str], y: int) -> Iterator[str]:
    x = float(_LEFT)
    for code in codes:
        label = NAMES[code]
        yield _bar(x, y - 15, 30, 18, code) + "\n"
        yield _text(x + 38, y, label, fill=look_of(code).text)
        x += 38 + _CHARACTER * (len(label) + 2)


# -- rows --------------------------------------------------------------------------------------


def _loop(timeline: Timeline, scale: _Scale, now: int, y: int) -> list[str]:
    """The loop's lane: its load as a height, its blocks with their line."""
    tall = 48
    made = [
        _label("LOOP", y + 29, bold=True),
        f'<rect x="{_LEFT}" y="{y}" width="{_PLOT}" height="{tall}" fill="#1a2126"/>',
    ]
    width, first, stop = scale.grid(_COARSE, _FINEST)
    levels = loop_levels(timeline, width, first, stop, now)
    made += _heights(levels, width, first, scale, now, (y, tall), "#00c792", 8)
    for block in told_blocks(timeline):
        end = block.end if block.end is not None else timeline.last
        if end <= scale.start or block.start >= now:
            continue
        left, right = scale.x(block.start), scale.x(min(end, now))
        made.append(_bar(left, y, max(0.5, right - left), tall, BLOCK))
        made += _captions(block.request, line(block.where) if block.where else "", left, right - left, y)
    busy = timeline.busy(scale.start, now)
    share = busy / max(1, now - scale.start)
    made.append(_text(_LEFT + _PLOT + 14, y + 29, f"busy {min(1.0, share):.0%}"))
    return made


def _captions(request: int, where: str, left: float, room: float, y: int) -> list[str]:
    """Whose block it is and at which line, as far as there is room."""
    owner = f"#{request}" if request else "callback"
    if where and room >= _CHARACTER * (len(owner) + cell_len(where) + 2):
        lines = [f"{owner} {where}"]
    elif where and room >= _CHARACTER * (max(len(owner), cell_len(where)) + 1):
        lines = [owner, where]
    elif room >= _CHARACTER * (len(owner) + 0.5):
        lines = [owner]
    else:
        return []
    first = y + 29 - 10 * (len(lines) - 1)
    return [
        _text(
            left + 6, first + 20 * index, part, fill="#ffffff", bold=True,
            extra=' stroke="#5a2700" stroke-width="3" paint-order="stroke"',
        )
        for index, part in enumerate(lines)
    ]  # fmt: skip


def _tokens(timeline: Timeline, scale: _Scale, now: int, y: int) -> list[str]:
    width, first, stop = scale.grid(_COARSE)
    levels = token_levels(timeline, width, first, stop, now)
    tokens = timeline.tokens_at(now)
    says = ""
    if tokens is not None:
        of = f" of {tokens.total}" if tokens.total >= 0 else ""
        says = f"{tokens.borrowed}{of}" + (f", {tokens.waiting} wait" if tokens.waiting else "")
    return [
        _label("TOKENS taken", y + 17, bold=True),
        f'<rect x="{_LEFT}" y="{y}" width="{_PLOT}" height="{_BAR}" fill="#1a2126"/>',
        *_heights(levels, width, first, scale, now, (y, _BAR), "#CC79A7", 8),
        _text(_LEFT + _PLOT + 14, y + 17, says, fill=DIM),
    ]


def _heights(
    levels: str,
    width: int,
    first: int,
    scale: _Scale,
    now: int,
    band: tuple[int, int],
    colour: str,
    most: int,
) -> list[str]:
    """Bars as high as the levels say; a level that is a state's code fills the band."""
    y, tall = band
    made = []
    column = first
    for level, run in groupby(levels):
        count = len(list(run))
        left, right = column * width, min((column + count) * width, now)
        column += count
        if level == "0" or right <= scale.start or left >= right:
            continue
        x, end = scale.x(left), scale.x(right)
        if level == BLOCK:  # drawn to the microsecond by the caller
            continue
        if not level.isdigit():
            made.append(_bar(x, y, end - x, tall, level))
            continue
        high = tall * int(level) / most
        made.append(
            f'<rect x="{x:.1f}" y="{y + tall - high:.1f}" width="{end - x:.1f}" height="{high:.1f}"'
            f' fill="{colour}"/>'
        )
    return made


def _lane(lane: Lane, scale: _Scale, now: int, y: int, used: set[str]) -> list[str]:
    code = CODES[State.IN_PROCESS if lane.role == "process" else State.IN_THREAD]
    stretches = ((start, end, code) for start, end, _ in lane_stretches(lane, now))
    made = [_label(f" {text(lane.name, 24)}", y + 17), *_stretches(stretches, scale, y, used)]
    share = lane.cpu_share(now)
    if share is not None:
        made.append(_text(_LEFT + _PLOT + 14, y + 17, f"on CPU {share:.0%}", fill=DIM))
    return made


def _request(
    request: Request, timeline: Timeline, scale: _Scale, now: int, y: int, used: set[str]
) -> list[str]:
    done = request.done is not None and request.done <= now
    failed = done and (request.error is not None or (request.status or 0) >= 500)
    status = f" {request.status}" if done and request.status else ""
    colour = look_of(BLOCK).text if failed else TEXT
    stretches = request_stretches(request, timeline.threshold, now)
    length = duration(request.latency(now))
    return [
        _label(headline(request), y + 17, fill=colour),
        *_stretches(stretches, scale, y, used),
        _text(_LEFT + _PLOT + 14, y + 17, f"{length}{status}", fill=colour if failed else DIM),
    ]


def _stretches(newest_first: Iterator[Stretch], scale: _Scale, y: int, used: set[str]) -> list[str]:
    """A row of bars, one for each run of columns of the same code."""
    width, first, stop = scale.grid(_COLUMNS)
    column = first
    made = []
    for code, run in groupby(raster(newest_first, width, first, stop)):
        count = len(list(run))
        left, right = scale.x(column * width), scale.x((column + count) * width)
        column += count
        if code == NOTHING or right <= left:
            continue
        state = code if code == BLOCK else code.lower()
        used.add(state)
        made.append(_bar(left, y, right - left, _BAR, state, after=code != state))
    return made


# -- pieces ------------------------------------------------------------------------------------


def _bar(x: float, y: float, width: float, height: float, code: str, *, after: bool = False) -> str:
    faint = ' opacity="0.5"' if after else ""
    return (
        f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{height}" fill="url(#{_name(code)})"{faint}/>'
    )


def _label(words: str, y: float, *, fill: str = TEXT, bold: bool = False) -> str:
    room = int((_LEFT - 34) / _CHARACTER)
    if cell_len(words) > room:
        words = set_cell_size(words, room - 1) + "…"
    return _text(24, y, words, fill=fill, bold=bold)


def _text(
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
    attributes = f' font-size="{size}"' if size != 16 else ""
    attributes += ' font-weight="bold"' if bold else ""
    attributes += f' text-anchor="{anchor}"' if anchor else ""
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{fill}"{attributes}{extra} xml:space="preserve">'
        f"{escape(words)}</text>\n"
    )


def _until(request: Request, timeline: Timeline) -> int:
    return request.since if request.ended else timeline.last


def _at_work(lane: Lane, start: int, now: int) -> bool:
    for span in lane.newest_first(now):
        if span.start < now:
            return span.end > start or any(s.end > start and s.start < now for s in lane.spans)
    return False
