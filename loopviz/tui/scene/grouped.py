"""The lines of a group: its heading, its rows, and the one line of a group that is folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from loopviz.draw import words
from loopviz.draw.fold import Fold
from loopviz.draw.look import NOTHING
from loopviz.draw.marks import request_codes
from loopviz.draw.safe import printable
from loopviz.model import Burst, Request
from loopviz.scenario import ScenarioFile
from loopviz.tui.scene.frame import Facts, Frame
from loopviz.tui.scene.pen import Line, Pen
from loopviz.tui.scene.requests import request_row

__all__ = ["fold_row", "folded_line", "heading", "longest_name", "longest_title", "others_heading"]

_OPENED = " ▸  "
"""What is around the name of a folded group."""
_NAMED = 4
"""As many of the newest groups have names that are not cut."""
_LONGEST = 28
"""A path that makes a row's name longer is in the heading instead."""


def longest_name(requests: Sequence[Request], limit: int) -> tuple[int, bool]:
    """The width of the longest name of a row, and whether it has the path, which must fit into `limit`."""
    ends = [*requests[:1], *requests[-1:]]
    full = max((cell_len(_name(Fold((request,)), paths=True)) for request in ends), default=0) + 2
    if full < min(limit, _LONGEST):
        return full, True
    last = words.tag(ends[-1].id, ends[-1].letter)
    return len(f"{last}–{last} ×{len(requests)}") + 2, False


def longest_title(newest_first: Iterable[Burst], opened: Burst | None) -> int:
    """The width of the longest name of the groups that are folded, without the number of requests."""
    names = [burst.scenario for burst in islice(newest_first, _NAMED) if burst is not opened]
    return max((cell_len(printable(name, 40)) for name in names), default=0) + len(_OPENED) - 1


def heading(
    pen: Pen, frame: Frame, facts: Facts, burst: Burst, *, paths: bool, hidden: int = 0, lanes: int = 0
) -> Line:
    """``▾ b blocking ×8``: the key, the scenario, how many requests; and how many are answered.

    It says how many requests are `hidden`, and how many `lanes` of workers: there is no room for them.
    """
    text = f" {_sign(pen, opened=True)} {_title(facts.scenarios, burst)}"
    first = next(iter(burst.requests), None)
    if not paths and first is not None:
        text += f"  {printable(_asked(first), 60)}"
    if hidden:
        text += f"  {hidden} more"
    if lanes:
        text += f"  {words.count(lanes, 'more worker')} above"
    columns = frame.columns
    text = _cut(text, columns.label + columns.time - 1)
    line = [
        Segment(text, pen.title),
        Segment(" " * (columns.label + columns.time - cell_len(text)), pen.text),
    ]
    return _outcome(pen, frame, line, burst)


def folded_line(pen: Pen, frame: Frame, facts: Facts, burst: Burst) -> Line:
    """A folded group: the states of its last request, its makespan, and how its requests came out.

    While a burst is shown, its states are drawn from zero on, so that the two can be compared.
    """
    columns, view, now = frame.columns, frame.view, frame.view.now
    shift = 0
    if view.clock is not None and burst.began:
        shift = 2 * round((view.clock.zero - burst.began) / columns.column_ns)
    sent = (request for request in burst.requests if request.start <= now)
    last = max(sent, key=lambda r: now if r.done is None else min(r.done, now), default=None)
    codes = NOTHING * 2 * columns.time
    if last is not None:
        threshold = frame.timeline.threshold
        codes = frame.standing(
            f"group {shift} {last.id} {burst.over(now)}",
            burst.number,
            shift,
            lambda a, b: request_codes(last, threshold, now, frame.half, a - shift, b - shift),
        )
    titles = _title(facts.scenarios, burst), f"{printable(burst.scenario, 40)} ×{burst.count}"
    room = columns.label - len(_OPENED)
    title = next((text for text in titles if cell_len(text) <= room), printable(burst.scenario, 40))
    name = _cut(f" {_sign(pen, opened=False)} {title}", columns.label - 1)
    line = [Segment(set_cell_size(name, columns.label), pen.dim), *pen.cells(codes)]
    return _outcome(pen, frame, line, burst, quiet=True)


def others_heading(pen: Pen, others: Sequence[Request]) -> Line:
    """The heading of requests that no key press has fired: other clients', and those of a steady load."""
    own = sum(request.own for request in others)
    text = "other clients" if not own else "steady load" if own == len(others) else "load and other clients"
    return [Segment(f" {_sign(pen, opened=True)} {text}", pen.title)]


def fold_row(pen: Pen, frame: Frame, fold: Fold, *, paths: bool) -> Line:
    """The row of a request, or of several that look the same."""
    latencies = [request.latency(frame.view.moment) for request in fold.requests]
    longest = max(latencies)
    differ = longest - min(latencies) > max(frame.columns.column_ns, longest // 10)
    return request_row(pen, frame, fold.first, _name(fold, paths=paths), longest if differ else None)


def _name(fold: Fold, *, paths: bool) -> str:
    """``#5 /blocking``, or ``#5–#8 ×4``."""
    return f"{fold.name} {printable(_asked(fold.first))}" if paths and fold.count == 1 else fold.name


def _asked(request: Request) -> str:
    """What it asks for; the method only where it is not GET."""
    return request.path if request.method == "GET" else f"{request.method} {request.path}"


def _title(scenarios: Iterable[ScenarioFile], burst: Burst) -> str:
    key = next((file.facts.key for file in scenarios if file.name == burst.scenario), None)
    name = printable(burst.scenario, 40)
    return f"{key} {name} ×{burst.count}" if key else f"{name} ×{burst.count}"


def _sign(pen: Pen, *, opened: bool) -> str:
    if pen.palette.unicode:
        return "▾" if opened else "▸"
    return "-" if opened else "+"


def _outcome(pen: Pen, frame: Frame, line: Line, burst: Burst, *, quiet: bool = False) -> Line:
    """Add how many are answered, or with which statuses all of them were; and the makespan."""
    moment, columns = frame.view.moment, frame.columns
    makespan = words.duration(burst.makespan(moment)) if 0 < burst.began <= moment else ""
    requests = [request for request in burst.requests if request.start <= moment]
    done = [request for request in requests if request.done is not None and request.done <= moment]
    failed = sum(request.failed for request in done)
    if failed:
        style, what = pen.alarm, f"{failed} of {burst.count} failed"
    elif not burst.over(moment):
        style, what = pen.dim if quiet else pen.text, f"{len(done)} of {burst.count}"
    else:
        ways = Counter(_came_out(request) for request in done)
        if burst.unsent:
            ways["given up"] += burst.unsent
        statuses = ways.most_common()
        style = pen.dim if quiet else pen.title
        what = ", ".join(f"{number}× {status}" for status, number in statuses)
        if cell_len(what) > columns.says - 8:  # beside the makespan
            what = f"{statuses[0][1]} of {burst.count} {statuses[0][0]}"
        if len(statuses) == 1:
            what = f"all {statuses[0][0]}" if burst.count > 1 else statuses[0][0]
    return pen.says(line, [what, makespan], columns, style, align=True)


def _came_out(request: Request) -> str:
    """Its status, or why it has none."""
    return "given up" if request.given_up else str(request.status or "no status")


def _cut(text: str, room: int) -> str:
    if cell_len(text) <= room:
        return text
    while cell_len(text) > room - 1:
        text = text[:-1]
    return text + "…"
