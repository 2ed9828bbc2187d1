"""Worker threads and processes: the gauge of threads in use, and a lane for each worker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.segment import Segment

from loopviz.draw.look import CODES, LEVELS, NOTHING
from loopviz.draw.raster import lane_stretches, raster, token_levels
from loopviz.model import Lane, State, Tokens
from loopviz.tui.scene.frame import Frame
from loopviz.tui.scene.pen import Line, Pen

__all__ = ["thread_gauge", "worker_lane", "workers_seen"]


def thread_gauge(pen: Pen, frame: Frame) -> Line:
    """How many threads were in use, and when requests had to wait for one."""
    timeline, view, columns, palette = frame.timeline, frame.view, frame.columns, pen.palette
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
    says = next((text for text in _in_use(tokens) if len(text) < columns.says), "")
    return pen.says(line, [says], columns, palette.name(waits)[1] if tokens.waiting else pen.text)


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
    return sorted(lanes, key=lambda lane: lane.role == "process")


def worker_lane(pen: Pen, frame: Frame, lane: Lane) -> Line:
    """A worker's calls, the request it works for, and its share of a core."""
    view, columns = frame.view, frame.columns
    codes = frame.codes(
        "lane", lane.number, lambda a, b: raster(lane_stretches(lane, view.now), frame.half, a, b)
    )
    moment = view.moment
    span = lane.span_at(moment)
    request = span.request if span is not None else 0
    name = f" {lane.name}"
    line = [pen.label(f"{name:<11}{f'#{request}' if request else ''}", columns, pen.dim)]
    line += pen.cells(codes, 0)
    if not request:
        return pen.says(line, ["idle"], columns, pen.dim)
    share = lane.cpu_share(moment)
    return pen.says(line, [f"on CPU {share:.0%}"] if share is not None else ["busy"], columns, pen.text)
