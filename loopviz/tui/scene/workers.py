"""Worker threads and processes: the gauge of threads in use, and a lane for each worker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.segment import Segment

from loopviz.draw.look import CODES, LEVELS, NOTHING
from loopviz.draw.raster import lane_stretches, pool_levels, raster, token_levels
from loopviz.draw.words import tag
from loopviz.model import Burst, Lane, State, Tokens
from loopviz.model.lane import Span
from loopviz.model.past import begun
from loopviz.model.pools import Pool
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["thread_gauge", "worker_lane", "workers_seen"]

_MOST = 20
"""Calls of a worker, the latest, of which it is found out how much it computed."""


def thread_gauge(pen: Pen, frame: Frame) -> Line:
    """How many threads were in use, and when requests had to wait for one; or those of the chosen pool."""
    timeline, view, columns, palette = frame.timeline, frame.view, frame.columns, pen.palette
    pool = timeline.pools.by_number.get(view.knob) if view.chosen is not None else None
    if pool is not None:
        return _pool_gauge(pen, frame, pool)
    codes = frame.codes("tokens", 0, lambda a, b: token_levels(timeline, frame.half, a, b, view.now))
    line = [pen.label("THREADS", columns, pen.title)]
    levels, waits = LEVELS[palette.mode], CODES[State.TOKEN_WAIT]
    calm = palette.style(palette.colours.thread, palette.colours.lane)
    for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
        length = len(list(run))
        if waits in pair:
            text, style = palette.cell(waits, waits)
            line.append(Segment(text * length, style))
        elif NOTHING in pair:  # still to come
            line.append(Segment(" " * length, pen.text))
        else:
            line.append(Segment(levels[max(map(int, pair))] * length, calm))
    tokens = timeline.tokens_at(view.moment)
    if tokens is None:
        return pen.says(line, ["not visible"], columns, pen.dim)
    texts = [f"AnyIO {text}" for text in _in_use(tokens)] if _others_used(frame) else []
    says = next((text for text in [*texts, *_in_use(tokens)] if len(text) < columns.says), "")
    return pen.says(line, [says], columns, palette.name(waits)[1] if tokens.waiting else pen.text)


def _pool_gauge(pen: Pen, frame: Frame, pool: Pool) -> Line:
    """How many workers of a pool were in use; of a limiter, how many it gives."""
    view, columns, palette = frame.view, frame.columns, pen.palette
    chosen = view.chosen
    name = chosen.name if chosen is not None else pool.title
    line = [pen.label(f"POOL {name}", columns, pen.title)]
    waiting = len(frame.timeline.pools.waiting_at(view.moment).get(pool.number, ()))
    wait = f", {waiting} waiting" if waiting else ""
    style = palette.name(CODES[State.TOKEN_WAIT])[1] if waiting else pen.text
    if pool.is_limiter:
        line.append(Segment(" " * columns.time, pen.text))
        size = f"limit {pool.size}" if pool.size >= 0 else "no limit"
        return pen.says(line, [f"{size}{wait}"], columns, style)
    codes = frame.codes(
        "pool",
        pool.number,
        lambda a, b: pool_levels(pool, frame.half, a, b, view.now),
    )
    calm = palette.style(palette.colours.thread, palette.colours.lane)
    for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
        length = len(list(run))
        if NOTHING in pair:  # still to come
            line.append(Segment(" " * length, pen.text))
        else:
            line.append(Segment(LEVELS[palette.mode][max(map(int, pair))] * length, calm))
    busy = next(begun(pool.used, view.moment, lambda change: change[0]), (0, 0))[1]
    texts = (
        f"{busy} of {pool.size} in use{wait}",
        f"{busy} of {pool.size}{wait}",
        f"{busy}/{pool.size}{wait}",
    )
    return pen.says(line, [next((text for text in texts if len(text) < columns.says), "")], columns, style)


def _others_used(frame: Frame) -> bool:
    """Whether executors had work in the window: the gauge is about AnyIO's threads only."""
    begin, _ = frame.view.reach
    for pool in frame.timeline.pools.by_number.values():
        newest = next(begun(pool.used, frame.view.now, lambda change: change[0]), None)
        if newest is not None and (newest[0] > begin or newest[1]):
            return True
    return False


def _in_use(tokens: Tokens) -> Iterator[str]:
    """The gauge in words, from the longest form to the shortest."""
    used, total, waiting = tokens.borrowed, tokens.total, tokens.waiting
    if total < 0:
        yield f"{used} in use, {waiting} waiting" if waiting else f"{used} in use (no limit)"
        yield f"{waiting} waiting" if waiting else f"{used} in use"
    elif waiting:
        yield f"{used} of {total} in use, {waiting} waiting"
        yield f"{used} of {total}, {waiting} waiting"
        yield f"{used}/{total}, {waiting} waiting"
        yield f"{waiting} waiting"
    else:
        yield f"{used} of {total} in use"
        yield f"{used}/{total} in use"
        yield f"{used} in use"


def workers_seen(frame: Frame) -> list[Lane]:
    """The workers that did something in the window: threads, and below them processes."""
    now = frame.view.now
    begin, end = frame.view.reach
    lanes = []
    for lane in frame.timeline.workers.values():
        for span in lane.newest_first(now):
            if span.start < min(now, end):
                if span.end > begin:
                    lanes.append(lane)
                break
    return sorted(lanes, key=lambda lane: (lane.worker, lane.role == "process"))


def worker_lane(pen: Pen, frame: Frame, lane: Lane, burst: Burst | None = None) -> Line:
    """A worker's calls, the request it works for, and its share of a core.

    When the `burst` is over, it is what it used of a core while it worked for that.
    """
    view, columns = frame.view, frame.columns
    codes = frame.codes(
        "lane", lane.number, lambda a, b: raster(lane_stretches(lane, view.now), frame.half, a, b)
    )
    moment = view.moment
    span = lane.span_at(moment)
    request = span.request if span is not None else 0
    name = f" {lane.name}"
    line = [pen.label(f"{name:<11}{tag(request, lane.letter) if request else ''}", columns, pen.dim)]
    line += pen.cells(codes, 0)
    if not request:
        share = None if burst is None or not burst.over(moment) else _share(lane, burst, moment)
        said = "idle" if share is None else f"was on CPU {share:.0%}"
        return pen.says(line, [said], columns, pen.dim)
    share = lane.cpu_share(moment)
    return pen.says(line, [f"on CPU {share:.0%}"] if share is not None else ["busy"], columns, pen.text)


def _share(lane: Lane, burst: Burst, now: int) -> float | None:
    """The part of a core that it used while it worked for the burst; None if it did not, or by no reading."""
    spans: list[Span] = []
    for span in lane.newest_first(now):
        if span.end < burst.began or len(spans) >= _MOST:
            break
        if burst.first <= span.request < burst.stop:
            spans.append(span)
    if not spans or not lane.samples or lane.samples[-1][0] < spans[-1].start:
        return None
    busy = sum(span.end - span.start for span in spans)
    used = sum(lane.used(span.start, span.end) for span in spans)
    return min(1.0, used / busy) if busy else None
