"""The rows of the picture: the event loop, the threads in use, each worker, each request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.cells import cell_len

from loopviz.draw.fold import Fold
from loopviz.draw.look import BLOCK, NOTHING
from loopviz.draw.raster import Stretch, code_of, lane_stretches, loop_levels, raster, token_levels
from loopviz.draw.words import duration, headline, line, tag
from loopviz.export.material import all_blocks, text
from loopviz.export.svg.canvas import CHARACTER, LEFT, RIGHT, Canvas
from loopviz.model import Lane, Request, Timeline
from loopviz.model.busy import BIN
from loopviz.model.process import Process

__all__ = ["lane_row", "loop_row", "request_row", "thread_gauge"]

COLUMNS = 2_400
"""Columns of a row of states."""
COARSE = 560
"""Columns of a row that shows heights: how busy the loop is, and how many threads are in use."""
_HIGHEST = 8
"""The highest level of a row that shows heights."""
FINEST = BIN
"""The width of a column of the loop's row, at least (ns): its busy time is known to one bin."""


def loop_row(canvas: Canvas, timeline: Timeline, y: int, tall: int, process: Process) -> list[str]:
    """The lane of a process's event loop: how busy it was, as a height, and its blocks with their lines."""
    scale, now = canvas.scale, canvas.now
    made = [
        canvas.label(f"EVENT LOOP {process.letter}".rstrip(), canvas.base(y, tall), bold=True),
        canvas.lane_back(y, tall),
    ]
    width, first, stop = scale.grid(COARSE, FINEST)
    levels = loop_levels(timeline, width, first, stop, now, process.worker)
    made += _heights(canvas, levels, width, first, (y, tall), canvas.colours.good_text)
    for block in all_blocks(timeline):
        end = block.end if block.end is not None else timeline.last
        if end <= scale.start or block.start >= now or block.worker != process.worker:
            continue
        left, right = scale.x(block.start), scale.x(min(end, now))
        made.append(canvas.bar(left, y, max(0.5, right - left), BLOCK, height=tall))
        request, where = block.culprit
        owner = (
            tag(request, block.letter)
            if request
            else "GIL"
            if block.kind == "waiting_for_gil"
            else "callback"
        )
        made += _captions(canvas, owner, line(where) if where else "", left, right - left, (y, tall))
    share = process.loop.busy(scale.start, now) / max(1, now - scale.start)
    made.append(canvas.written(RIGHT, canvas.base(y, tall), f"busy {min(1.0, share):.0%}"))
    return made


def _captions(
    canvas: Canvas, owner: str, where: str, left: float, room: float, band: tuple[int, int]
) -> list[str]:
    """What blocks and its line, as far as there is room."""
    if where and room >= CHARACTER * (len(owner) + cell_len(where) + 2):
        lines = [f"{owner} {where}"]
    elif where and room >= CHARACTER * (max(len(owner), cell_len(where)) + 1):
        lines = [owner, where]
    elif room >= CHARACTER * (len(owner) + 0.5):
        lines = [owner]
    else:
        return []
    y, tall = band
    first = canvas.base(y, tall) - 11 * (len(lines) - 1)
    colours = canvas.colours
    return [
        canvas.written(
            left + 6, first + 22 * index, part, fill=colours.caption, bold=True,
            extra=f' stroke="{colours.outline}" stroke-width="3" paint-order="stroke"',
        )
        for index, part in enumerate(lines)
    ]  # fmt: skip


def thread_gauge(canvas: Canvas, timeline: Timeline, y: int) -> list[str]:
    """The lane of the thread limit: the threads in use as a height, and when requests waited for one."""
    width, first, stop = canvas.scale.grid(COARSE)
    levels = token_levels(timeline, width, first, stop, canvas.now)
    tokens = timeline.tokens_at(canvas.now)
    says = ""
    if tokens is not None:
        limit = f" of {tokens.total}" if tokens.total >= 0 else ""
        says = f"{tokens.borrowed}{limit}"
        if tokens.waiting:  # then there is room for 14 characters only
            says = f"{says.replace(' of ', '/')}, {tokens.waiting} wait"
    tall = canvas.bar_height
    return [
        canvas.label("THREADS in use", canvas.base(y), bold=True),
        canvas.lane_back(y, tall),
        *_heights(canvas, levels, width, first, (y, tall), canvas.colours.thread),
        canvas.written(RIGHT, canvas.base(y), says, fill=canvas.colours.dim),
    ]


def _heights(
    canvas: Canvas, levels: str, width: int, first: int, band: tuple[int, int], colour: str
) -> list[str]:
    """Bars as high as the levels say; a level that is a state's code fills the band."""
    scale, now = canvas.scale, canvas.now
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
            made.append(canvas.bar(x, y, end - x, level, height=tall))
            continue
        high = tall * int(level) / _HIGHEST
        made.append(
            f'<rect x="{x:.1f}" y="{y + tall - high:.1f}" width="{end - x:.1f}" height="{high:.1f}"'
            f' fill="{colour}"/>'
        )
    return made


def lane_row(canvas: Canvas, lane: Lane, y: int) -> list[str]:
    """The lane of a worker."""
    made = [
        canvas.label(f" {text(lane.name, 24)}", canvas.base(y)),
        *_stretches(canvas, lane_stretches(lane, canvas.now), y),
    ]
    share = lane.cpu_share(canvas.now)
    if share is not None:
        made.append(canvas.written(RIGHT, canvas.base(y), f"on CPU {share:.0%}", fill=canvas.colours.dim))
    return made


def request_row(canvas: Canvas, fold: Fold, timeline: Timeline, y: int) -> list[str]:
    """The row of a request, or of several that look the same."""
    request, now, colours = fold.first, canvas.now, canvas.colours
    done = request.done if request.done is not None and request.done <= now else None
    failed = done is not None and request.failed
    status = f" {request.status}" if done is not None and request.status else ""
    name = headline(request)
    if fold.count > 1 or cell_len(name) * CHARACTER > LEFT - 34:
        name = f"{fold.name} {text(request.path, 200)}"
    made = [
        canvas.label(name, canvas.base(y), fill=colours.alarm_text if failed else ""),
        *_stretches(canvas, _states(request, timeline.threshold, now, after=False), y),
        *_stretches(canvas, _states(request, timeline.threshold, now, after=True), y, after=True),
        canvas.written(
            RIGHT, canvas.base(y), f"{duration(request.latency(now))}{status}",
            fill=colours.alarm_text if failed else colours.dim,
        ),
    ]  # fmt: skip
    if done is not None and canvas.scale.start <= done <= canvas.scale.end:
        made.append(canvas.answer(canvas.scale.x(done), y))
    return made


def _states(request: Request, threshold: int, now: int, *, after: bool) -> Iterator[Stretch]:
    """What it was in before its response was out, or `after`; from the newest to the oldest."""
    for segment in request.newest_first(now):
        if segment.start < now and (request.done is not None and segment.start >= request.done) is after:
            end = min(segment.end, now)
            yield segment.start, end, code_of(segment.state, end - segment.start, threshold)


def _stretches(canvas: Canvas, newest_first: Iterator[Stretch], y: int, *, after: bool = False) -> list[str]:
    """A row of bars, one for each run of columns of the same code."""
    scale = canvas.scale
    width, first, stop = scale.grid(COLUMNS)
    column = first
    made = []
    for code, run in groupby(raster(newest_first, width, first, stop)):
        count = len(list(run))
        left, right = scale.x(column * width), scale.x((column + count) * width)
        column += count
        if code != NOTHING and right > left:
            made.append(canvas.bar(left, y, right - left, code, after=after))
    return made
