"""The rows of the picture: the event loop, the threads in use, each worker, each request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.cells import cell_len

from loopviz.draw.look import (
    AFTER_BLOCK,
    ALARM_TEXT,
    BLOCK,
    DIM,
    GOOD_TEXT,
    NOTHING,
    OUTLINE,
    TEXT,
    THREAD,
    WHITE,
)
from loopviz.draw.raster import (
    Stretch,
    lane_stretches,
    loop_levels,
    raster,
    request_stretches,
    token_levels,
)
from loopviz.draw.words import duration, headline, line
from loopviz.export.material import all_blocks, text
from loopviz.export.svg.canvas import BAR, CHARACTER, LEFT, PLOT, Scale, bar, label, lane_back, written
from loopviz.model import Lane, Request, Timeline
from loopviz.model.busy import BIN

__all__ = ["lane_row", "loop_row", "request_row", "thread_gauge"]

COLUMNS = 2_400
"""Columns of a row of states."""
COARSE = 560
"""Columns of a row that shows heights: how busy the loop is, and how many threads are in use."""
_HIGHEST = 8
"""The highest level of a row that shows heights."""
FINEST = BIN
"""The width of a column of the loop's row, at least (ns): its busy time is known to one bin."""


def loop_row(timeline: Timeline, scale: Scale, now: int, y: int) -> list[str]:
    """The lane of the event loop: how busy it was, as a height, and its blocks with their lines."""
    tall = 48
    made = [
        label("LOOP", y + 29, bold=True),
        lane_back(y, tall),
    ]
    width, first, stop = scale.grid(COARSE, FINEST)
    levels = loop_levels(timeline, width, first, stop, now)
    made += _heights(levels, width, first, scale, now, (y, tall), GOOD_TEXT)
    for block in all_blocks(timeline):
        end = block.end if block.end is not None else timeline.last
        if end <= scale.start or block.start >= now:
            continue
        left, right = scale.x(block.start), scale.x(min(end, now))
        made.append(bar(left, y, max(0.5, right - left), tall, BLOCK))
        request, where = block.culprit
        owner = f"#{request}" if request else "GIL" if block.kind == "waiting_for_gil" else "callback"
        made += _captions(owner, line(where) if where else "", left, right - left, y)
    busy = timeline.busy(scale.start, now)
    share = busy / max(1, now - scale.start)
    made.append(written(LEFT + PLOT + 14, y + 29, f"busy {min(1.0, share):.0%}"))
    return made


def _captions(owner: str, where: str, left: float, room: float, y: int) -> list[str]:
    """What blocks and its line, as far as there is room."""
    if where and room >= CHARACTER * (len(owner) + cell_len(where) + 2):
        lines = [f"{owner} {where}"]
    elif where and room >= CHARACTER * (max(len(owner), cell_len(where)) + 1):
        lines = [owner, where]
    elif room >= CHARACTER * (len(owner) + 0.5):
        lines = [owner]
    else:
        return []
    first = y + 29 - 10 * (len(lines) - 1)
    return [
        written(
            left + 6, first + 20 * index, part, fill=WHITE, bold=True,
            extra=f' stroke="{OUTLINE}" stroke-width="3" paint-order="stroke"',
        )
        for index, part in enumerate(lines)
    ]  # fmt: skip


def thread_gauge(timeline: Timeline, scale: Scale, now: int, y: int) -> list[str]:
    """The lane of the thread limit: the threads in use as a height, and when requests waited for one."""
    width, first, stop = scale.grid(COARSE)
    levels = token_levels(timeline, width, first, stop, now)
    tokens = timeline.tokens_at(now)
    says = ""
    if tokens is not None:
        limit = f" of {tokens.total}" if tokens.total >= 0 else ""
        says = f"{tokens.borrowed}{limit}"
        if tokens.waiting:  # then there is room for 14 characters only
            says = f"{says.replace(' of ', '/')}, {tokens.waiting} wait"
    return [
        label("THREADS in use", y + 17, bold=True),
        lane_back(y, BAR),
        *_heights(levels, width, first, scale, now, (y, BAR), THREAD),
        written(LEFT + PLOT + 14, y + 17, says, fill=DIM),
    ]


def _heights(
    levels: str,
    width: int,
    first: int,
    scale: Scale,
    now: int,
    band: tuple[int, int],
    colour: str,
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
            made.append(bar(x, y, end - x, tall, level))
            continue
        high = tall * int(level) / _HIGHEST
        made.append(
            f'<rect x="{x:.1f}" y="{y + tall - high:.1f}" width="{end - x:.1f}" height="{high:.1f}"'
            f' fill="{colour}"/>'
        )
    return made


def lane_row(lane: Lane, scale: Scale, now: int, y: int, used: set[str]) -> list[str]:
    """The lane of a worker; adds the codes drawn to `used`."""
    made = [label(f" {text(lane.name, 24)}", y + 17), *_stretches(lane_stretches(lane, now), scale, y, used)]
    share = lane.cpu_share(now)
    if share is not None:
        made.append(written(LEFT + PLOT + 14, y + 17, f"on CPU {share:.0%}", fill=DIM))
    return made


def request_row(
    request: Request, timeline: Timeline, scale: Scale, now: int, y: int, used: set[str]
) -> list[str]:
    """The row of a request; adds the codes drawn to `used`."""
    done = request.done is not None and request.done <= now
    failed = done and request.failed
    status = f" {request.status}" if done and request.status else ""
    colour = ALARM_TEXT if failed else TEXT
    stretches = request_stretches(request, timeline.threshold, now)
    length = duration(request.latency(now))
    return [
        label(headline(request), y + 17, fill=colour),
        *_stretches(stretches, scale, y, used),
        written(LEFT + PLOT + 14, y + 17, f"{length}{status}", fill=colour if failed else DIM),
    ]


def _stretches(newest_first: Iterator[Stretch], scale: Scale, y: int, used: set[str]) -> list[str]:
    """A row of bars, one for each run of columns of the same code."""
    width, first, stop = scale.grid(COLUMNS)
    column = first
    made = []
    for code, run in groupby(raster(newest_first, width, first, stop)):
        count = len(list(run))
        left, right = scale.x(column * width), scale.x((column + count) * width)
        column += count
        if code == NOTHING or right <= left:
            continue
        state = BLOCK if code in {BLOCK, AFTER_BLOCK} else code.lower()
        used.add(state)
        made.append(bar(left, y, right - left, BAR, state, after=code != state))
    return made
