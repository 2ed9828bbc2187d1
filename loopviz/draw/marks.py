"""Marks in a request's row: where its answer went out, where a step ended an await, and that it takes turns.

They are a part of the row's codes, so that a row with marks costs no more than one without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import dropwhile, islice

from loopviz.draw.look import ANSWERED, CODES, NOTHING, TICKS
from loopviz.draw.raster import Stretch, after_response, code_of, columns, request_stretches
from loopviz.model import Request, State

__all__ = ["GROUP", "child_codes", "request_codes", "turns"]

_RUNNING, _READY = CODES[State.RUNNING], CODES[State.READY]
_RUNS = {_RUNNING, _RUNNING.upper()}
_STEPS = {_RUNNING, _READY, _RUNNING.upper(), _READY.upper()}
"""What a task does between two awaits."""
_APART = 4
"""At least so many half columns without a step are before a tick: otherwise there is no room for ticks."""
GROUP = 16
"""Half columns over which a request's turns are counted, aligned with the grid."""
_TURNS = 4
"""A request takes turns if it runs at least so often in a group, each time for less than a half column."""
_FEWEST, _MOST = 0.04, 0.92
"""A smaller share of running is no turn worth drawing; a larger one is just running."""
_PERIODS = ((0.42, 2), (0.28, 3), (0.18, 4), (0.0, 8))
"""Of so many columns, one is drawn as running if its share is at least this."""
_RECENT = 600_000_000
"""How far back turns are counted for what a row says now (ns)."""
_SHORT = 60_000_000
"""A step that is longer (ns) is no turn."""


def request_codes(
    request: Request, threshold: int, now: int, width: int, first: int, stop: int, zero: int = 0
) -> str:
    """The codes of a request's half columns `first` to `stop`, each `width` ns wide, with all marks.

    Columns are counted from `zero`.
    """

    def stretches() -> Iterator[Stretch]:
        found = request_stretches(request, threshold, now)
        return found if not zero else ((start - zero, end - zero, code) for start, end, code in found)

    codes = _marked(stretches, width, first, stop, request.id)
    if not request.answered or request.done is None or request.done > now:
        return codes
    at = 2 * ((request.done - zero - 1) // (2 * width) + 1)  # the column behind the answer's
    if not first <= at < stop:
        return codes
    behind = codes[at - first]
    behind = behind if behind.isupper() else NOTHING
    return codes[: at - first] + (ANSWERED + behind)[: stop - at] + codes[at - first + 2 :]


def child_codes(
    row: Request, answered: int | None, threshold: int, now: int, width: int, first: int, stop: int
) -> str:
    """As `request_codes`, of a child task: what it does after its request was `answered` is dimmed."""
    return _marked(lambda: _child_stretches(row, answered, threshold, now), width, first, stop, row.id)


def _child_stretches(row: Request, answered: int | None, threshold: int, now: int) -> Iterator[Stretch]:
    for state, start, until, *_ in row.newest_first(now):
        if start >= now:
            continue
        end = min(until, now)
        code = code_of(state, end - start, threshold)
        if answered is None or end <= answered:
            yield start, end, code
            continue
        yield max(start, answered), end, after_response(code)
        if start < answered:
            yield start, answered, code


def _marked(
    newest_first: Callable[[], Iterator[Stretch]], width: int, first: int, stop: int, phase: int
) -> str:
    """The codes from `first` to `stop`; what they are depends on some more columns on both sides."""
    # Whole groups: what a column shows must not depend on which others are drawn with it.
    begin, end = (first - _APART) // GROUP * GROUP, -(-(stop + _APART) // GROUP) * GROUP
    cells, shared = columns(newest_first(), width, begin, end)
    turning = {at // GROUP for at, within in shared.items() if _RUNNING in within and _READY in within}
    if turning:
        _take_turns(cells, newest_first(), width, begin, phase, turning)
    _tick(cells, shared, begin)
    return "".join(cells[first - begin : stop - begin])


def _tick(cells: list[str], shared: dict[int, dict[str, int]], begin: int) -> None:
    """Mark the steps that are too short to be seen between two awaits, where there is room."""
    marked = {
        index - begin
        for index, within in shared.items()
        if cells[index - begin] in TICKS and not _STEPS.isdisjoint(within)
    }
    ticks = []
    for at in marked:
        if not marked.isdisjoint(range(at - _APART, at)) or at + 2 in marked:
            continue
        following = at + 1 + (at + 1 in marked)
        if at and following < len(cells) and cells[at - 1] == cells[at] == cells[following]:
            ticks.append(at)
    for at in ticks:
        cells[at] = TICKS[cells[at]]


def _take_turns(
    cells: list[str], newest_first: Iterator[Stretch], width: int, begin: int, phase: int, turning: set[int]
) -> None:
    """Draw many short turns in these groups as a pattern: as many columns are running as its share is.

    Rows with numbers that follow each other have patterns that do, too.
    """
    first = begin // GROUP
    shares = _shares(newest_first, width, first, -(-(begin + len(cells)) // GROUP))
    for at, cell in enumerate(cells):
        group = (begin + at) // GROUP
        share = shares[group - first]
        if share is None or group not in turning or cell not in _STEPS:
            continue
        period = next(period for least, period in _PERIODS if min(share, 1 - share) >= least)
        chosen = ((begin + at) // 2 + phase) % period == 0
        code = _RUNNING if chosen is (share <= 0.5) else _READY
        cells[at] = code if cell.islower() else code.upper()


def _shares(newest_first: Iterator[Stretch], width: int, first: int, stop: int) -> list[float | None]:
    """How much of the groups from `first` to `stop` it runs; None where it does not take turns."""
    group, groups = GROUP * width, stop - first
    start = first * group
    running, both, runs = [0] * groups, [0] * groups, [0] * groups
    for since, until, code in newest_first:
        if until <= start:
            break
        if code not in _STEPS:
            continue
        for index in range(max(0, (since - start) // group), min(groups, -(-(until - start) // group))):
            left = start + index * group
            length = min(until, left + group) - max(since, left)
            both[index] += length
            if code in _RUNS:
                running[index] += length
                runs[index] += 1 if until - since <= 4 * width else -GROUP  # a long one is seen as it is
    shares = (ran / max(1, total) for ran, total in zip(running, both, strict=True))
    return [
        share if often >= _TURNS and _FEWEST <= share <= _MOST else None
        for share, often in zip(shares, runs, strict=True)
    ]


def turns(request: Request, now: int) -> float | None:
    """The share of its time in which it runs, if it takes turns at `now`; else None."""
    running = both = runs = 0
    past = dropwhile(lambda segment: segment.start >= now, request.newest_first(now))
    for segment in islice(past, 6 * _TURNS):
        if segment.end <= now - _RECENT:
            break
        end = min(segment.end, now)
        if segment.state not in {State.RUNNING, State.READY} or end - segment.start > _RECENT:
            return None
        length = end - max(segment.start, now - _RECENT)
        both += length
        if segment.state is State.RUNNING:
            if length > _SHORT:
                return None
            running += length
            runs += 1
    share = running / both if both else 0.0
    return share if runs >= _TURNS and _FEWEST <= share <= _MOST else None
