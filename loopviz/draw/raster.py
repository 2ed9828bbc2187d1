"""From stretches of time to a row of codes, one letter for each half column of the screen.

The grid is absolute: half column `i` covers ``[i * width, (i + 1) * width)`` nanoseconds of the
clock, whatever the window. A column that has passed never changes, so it is drawn once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loopviz.draw.look import AFTER_BLOCK, BLOCK, CODES, NOTHING
from loopviz.model import Lane, Request, State, Timeline
from loopviz.model.past import begun
from loopviz.model.pools import Pool

__all__ = [
    "Stretch",
    "after_response",
    "code_of",
    "columns",
    "lane_code",
    "lane_stretches",
    "loop_levels",
    "map_codes",
    "pool_levels",
    "raster",
    "request_stretches",
    "token_levels",
]

Stretch = tuple[int, int, str]
"""Start, end (ns) and code."""


def code_of(state: State, length: int, threshold: int) -> str:
    """The code of a state that lasts for `length` (ns); running for `threshold` (ns) or more is a block."""
    return BLOCK if state is State.RUNNING and length >= threshold else CODES[state]


def lane_code(lane: Lane) -> str:
    """The code of a worker's calls."""
    return CODES[State.IN_PROCESS if lane.role == "process" else State.IN_THREAD]


def after_response(code: str) -> str:
    """The code of the same state once the response is out."""
    return code.upper() if code != BLOCK else AFTER_BLOCK


def raster(newest_first: Iterable[Stretch], width: int, first: int, stop: int) -> str:
    """The codes of half columns `first` up to `stop`, each `width` ns wide.

    A half column shows the code that covers most of it, so that even the shortest request is
    seen. Stretches are given from the newest to the oldest, and are read only as far back as the
    window goes.
    """
    return "".join(columns(newest_first, width, first, stop)[0])


def columns(
    newest_first: Iterable[Stretch], width: int, first: int, stop: int
) -> tuple[list[str], dict[int, dict[str, int]]]:
    """As `raster`, as a list; and how long each code lasts in the half columns that have several (ns)."""
    cells = [NOTHING] * (stop - first)
    shared: dict[int, dict[str, int]] = {}
    begin, end = first * width, stop * width
    for since, until, code in newest_first:
        if until <= begin:
            break
        start, finish = max(since, begin), min(until, end)
        if start >= finish:
            continue
        left, right = start // width, (finish - 1) // width
        if left == right:
            covered = shared.setdefault(left, {})
            covered[code] = covered.get(code, 0) + finish - start
            continue
        whole = -(-start // width)
        if whole > left:
            covered = shared.setdefault(left, {})
            covered[code] = covered.get(code, 0) + whole * width - start
        last_whole = finish // width
        if last_whole > whole:
            cells[whole - first : last_whole - first] = code * (last_whole - whole)
        if finish > last_whole * width:
            covered = shared.setdefault(last_whole, {})
            covered[code] = covered.get(code, 0) + finish - last_whole * width
    for index, covered in shared.items():
        cells[index - first] = max(covered, key=covered.__getitem__)
    return cells, shared


def request_stretches(request: Request, threshold: int, now: int) -> Iterator[Stretch]:
    """A request's segments; see `code_of` for `threshold`."""
    done = request.done
    for state, start, until, *_ in request.newest_first(now):
        if start >= now:
            continue
        end = min(until, now)
        code = code_of(state, end - start, threshold)
        if done is not None and start >= done:
            code = after_response(code)
        yield start, end, code


def lane_stretches(lane: Lane, now: int) -> Iterator[Stretch]:
    """A worker's calls."""
    code = lane_code(lane)
    for span in lane.newest_first(now):
        if span.start < now:
            yield span.start, min(span.end, now), code


def loop_levels(timeline: Timeline, width: int, first: int, stop: int, now: int, worker: int = 0) -> str:
    """How busy the loop of a worker was in each half column: ``0`` (idle) to ``8``, or the block's code."""
    loop = timeline.process(worker).loop
    begin, end = first * width, stop * width
    busy = [0] * (stop - first)
    blocked = [False] * (stop - first)
    for span in loop.spans(now):
        if span.end <= begin:
            break
        start, finish = max(span.start, begin), min(span.end, end, now)
        if start >= finish:
            continue
        is_block = min(span.end, now) - span.start >= loop.threshold
        for index in range(start // width, -(-finish // width)):
            covered = min(finish, (index + 1) * width) - max(start, index * width)
            busy[index - first] += covered
            if is_block and covered * 2 >= min(width, now - index * width):
                blocked[index - first] = True
    for index in range(first, stop):
        busy[index - first] += loop.busy_bins.busy(index * width, (index + 1) * width)
    return "".join(
        BLOCK if held else str(min(8, -(-8 * time // width)))
        for time, held in zip(busy, blocked, strict=True)
    )


def token_levels(timeline: Timeline, width: int, first: int, stop: int, now: int) -> str:
    """The share of threads in use in each half column, ``0`` to ``8``, or the code of waiting for one."""
    most = [0] * (stop - first)
    waited = [False] * (stop - first)
    until = min(now, stop * width)
    for t, tokens in timeline.tokens_until(until):
        if t >= until:
            continue
        taken = 0 if tokens.total < 0 else -(-8 * tokens.borrowed // max(1, tokens.total))
        for index in range(max(first, t // width), min(stop, -(-until // width))):
            most[index - first] = max(most[index - first], min(8, taken))
            # A short wait while a thread starts must not fill the whole column.
            part = min(until, (index + 1) * width) - max(t, index * width)
            waited[index - first] |= tokens.waiting > 0 and 4 * part >= width
        until = t
        if t < first * width:
            break
    return "".join(
        CODES[State.TOKEN_WAIT] if waits else str(level) for level, waits in zip(most, waited, strict=True)
    )


def pool_levels(pool: Pool, width: int, first: int, stop: int, now: int) -> str:
    """The share of an executor's workers in use in each half column, ``0`` to ``8``."""
    most = [0] * (stop - first)
    until = min(now, stop * width)
    for t, busy in begun(pool.used, until, lambda change: change[0]):
        level = min(8, -(-8 * busy // max(1, pool.size)))
        for index in range(max(first, t // width), min(stop, -(-until // width))):
            most[index - first] = max(most[index - first], level)
        until = t
        if t < first * width:
            break
    return "".join(map(str, most))


def map_codes(timeline: Timeline, start: int, width: int, cells: int) -> str:
    """Everything that is kept, in `cells` columns from `start` on.

    ``B`` stands for a block, ``0`` to ``8`` for how many requests began there.
    """
    began = [0] * cells
    for request in timeline.requests.values():
        index = (request.start - start) // width
        if 0 <= index < cells:
            began[index] += 1
    most = max(began, default=0) or 1
    codes = [str(-(-8 * number // most)) for number in began]
    for block in timeline.blocks:
        first = max(0, (block.start - start) // width)
        last = min(cells - 1, ((block.end or block.start) - start) // width)
        if first <= last:
            codes[first : last + 1] = BLOCK * (last + 1 - first)
    return "".join(codes)
