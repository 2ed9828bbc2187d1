"""The event loop's lane: how busy it is, and who blocks it."""

from __future__ import annotations

from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.look import BLOCK, LEVELS, NOTHING
from loopviz.draw.raster import loop_levels
from loopviz.draw.safe import printable
from loopviz.model.loop import Loop
from loopviz.model.process import Process
from loopviz.stream.blind import IDLE
from loopviz.tui.scene.frame import Facts, Frame
from loopviz.tui.scene.pen import Line, Pen, split

__all__ = ["loop_lanes"]

_LOOK = 10 * NS
"""So much of the time that is shown decides which loops have a lane (ns): more would take long."""


def loop_lanes(
    pen: Pen, facts: Facts, frame: Frame, *, tall: bool, most: int
) -> list[tuple[str, list[Line]]]:
    """The lane of each worker's loop, and the worker's letter: one lane for most servers.

    At most so many, those that do most; the last one stands for all others.
    """
    processes = list(frame.timeline.processes)
    left = processes[:0]
    if len(processes) > most:
        now = frame.view.moment
        until = min(now, (frame.last + 1) * frame.columns.column_ns)
        since = max(until - _LOOK, min(until - 1, frame.first * frame.columns.column_ns))

        def does(one: Process) -> float:
            """The parts of the time that is shown, and of the last second, for which it was busy."""
            if one.ended is not None:
                return 3.0
            return one.loop.busy(since, until) / (until - since) + one.loop.busy(now - NS, now) / NS

        left = sorted(processes, key=does)[: len(processes) - most + 1]
    lanes = [
        (process.letter, _lane(pen, facts, frame, process, tall=tall))
        for process in processes
        if process not in left
    ]
    if left:
        busy = max(one.loop.busy(frame.view.moment - NS, frame.view.moment) / NS for one in left)
        said = f" {len(left)} more loops, each busy for at most {min(1.0, busy):.0%} of the last second"
        lanes.append(("", [[Segment(said, pen.dim)]]))
    return lanes


def _lane(pen: Pen, facts: Facts, frame: Frame, process: Process, *, tall: bool) -> list[Line]:
    """The lane in one line, or in two where there is room for a `tall` one."""
    timeline, view, columns = frame.timeline, frame.view, frame.columns
    # Where the past has changed, the lane is drawn anew.
    worker, loop = process.worker, process.loop
    codes = frame.codes(
        f"loop {worker}" if worker else "loop",
        loop.rewritten,
        lambda a, b: loop_levels(timeline, frame.half, a, b, view.now, worker),
    )
    first, second, style = _says(pen, facts, frame, process)
    upper, lower = _levels(pen, codes, tall=tall)
    name = f"LOOP {process.letter}".rstrip()
    lower = _ended(pen, frame, _captioned(pen, frame, lower, loop), process)
    line = [pen.label(name, columns, pen.title), *lower]
    if not tall:
        return [pen.says(line, [first, *second], columns, style)]
    above = [Segment(" " * columns.label, pen.text), *upper]
    return [pen.says(above, [first], columns, style), pen.says(line, second or [""], columns, style)]


def _says(pen: Pen, facts: Facts, frame: Frame, process: Process) -> tuple[str, list[str], Style]:
    """What the loop does, and for which request."""
    timeline, view, loop = frame.timeline, frame.view, process.loop
    second: list[str] = []
    if process.ended is not None and process.ended[0] <= view.moment:
        reason = printable(process.ended[1], 40)
        return f"ended: {reason}" if reason else "ended", second, pen.alarm
    block = loop.block_at(view.moment)
    if block is not None:
        request, where = block.culprit
        waits = block.kind == "waiting_for_gil"
        if request:
            second.append(words.tag(request, block.letter))
        elif block.task and not waits:
            second.append(words.task_name(block.task))
        if where is not None:
            second.append(words.line(where))
        return (
            f"{'NO GIL' if waits else 'BLOCKED'} {words.duration(block.lasted(view.moment))}",
            second,
            pen.alarm,
        )
    starvation = loop.starvation_at(view.moment)
    if starvation is not None:
        second.append(words.culprits(timeline, starvation, 1))
        return f"STARVES {words.duration(starvation.longest)}", second, pen.alarm
    busy = loop.busy(view.moment - NS, view.moment) / NS
    running = loop.running_at(view.moment) if view.behind is None else 0
    if running:
        second.append(f"runs {words.tag(running, process.letter)}")
    tokens = next((tokens for _, tokens in process.threads.tokens_until(view.moment)), None)
    if process.letter and tokens is not None and (tokens.borrowed or tokens.waiting):
        second.insert(0, words.count(tokens.borrowed, "thread"))
    if not loop.sees_iterations and IDLE in dict(facts.blind):
        second.append("idle not visible")
    return f"busy {min(1.0, busy):.0%}", second, pen.text


def _levels(pen: Pen, codes: str, *, tall: bool) -> tuple[Line, Line]:
    """The cells, upper and lower: height for busy, the alarm's colour for a block."""
    palette = pen.palette
    levels = LEVELS[palette.mode]
    calm = palette.style(palette.colours.good_text, palette.colours.lane)
    upper, lower = [], []
    for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
        length = len(list(run))
        if BLOCK in pair:
            text, style = palette.cell(BLOCK, BLOCK)
            upper.append(Segment(text * length, style))
            lower.append(Segment(text * length, style))
            continue
        if NOTHING in pair:  # still to come
            upper.append(Segment(" " * length, pen.text))
            lower.append(Segment(" " * length, pen.text))
            continue
        level = max(map(int, pair))
        low = min(8, 2 * level) if tall and level > 1 else level
        high = max(0, 2 * level - 8)
        upper.append(Segment(levels[high] * length, calm))
        lower.append(Segment(levels[low] * length, calm))
    return upper, lower


def _ended(pen: Pen, frame: Frame, line: Line, process: Process) -> Line:
    """Mark where the process has ended."""
    columns = frame.columns
    if process.ended is None or process.ended[0] > frame.view.now:
        return line
    at = process.ended[0] // columns.column_ns - frame.first
    if not 0 <= at < columns.time:
        return line
    before, _, after = split(line, at, at + 1)
    return [*before, Segment("X", pen.alarm), *after]


def _captioned(pen: Pen, frame: Frame, line: Line, loop: Loop) -> Line:
    """Write each block's request and line into it, where there is room."""
    now, columns = frame.view.now, frame.columns
    palette = pen.palette
    colours = palette.colours
    style = palette.style(colours.caption, colours.alarm, bold=True, reverse=not palette.colour)
    captions = []
    for block in loop.blocks_until(now):
        end = block.start + block.lasted(now)
        if end // columns.column_ns < frame.first:
            break
        if end - block.start < loop.threshold:
            continue
        left = max(0, block.start // columns.column_ns - frame.first + 1)
        right = min(columns.time, end // columns.column_ns - frame.first)
        request, line_at = block.culprit
        where = f" {words.line(line_at)}" if line_at else ""
        waits = block.kind == "waiting_for_gil"
        name = words.task_name(block.task) if block.task and not waits else ""
        who = words.tag(request, block.letter) if request else name
        if waits and who:
            who = f"GIL {who}"
        for text in (f"{who}{where}", who):
            if who and right - left >= cell_len(text):
                captions.append((left, text))
                break
    for left, text in captions:
        before, _, after = split(line, left, left + cell_len(text))
        line = [*before, Segment(text, style), *after]
    return line
