"""The first line: what was fired, or what runs and where; what the picture shows, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.draw.serving import place, place_in_short
from loopviz.model import Timeline
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.lesson import Lesson
from loopviz.tui.scene.pen import Hit, Line, Pen, fitted
from loopviz.tui.scene.views import views
from loopviz.tui.view import View

__all__ = ["header", "together"]

_WIDE = 120
"""From this width on the whole address is in the headline."""
_OWN = 40
"""What is said at least of the server, before anything was fired (cells)."""
_ALL = 80
"""What is said of it where there is room."""
_PLACE = 14
"""What is said of where it runs, beside its address."""

_TITLE = 16
"""What is said at least of what was fired, behind its name (cells)."""

_SLOW = 20
"""Fewer frames a second are slow."""
_DEAR = 0.05
"""A probe that uses more than this part of a core is reported."""


def header(
    pen: Pen, facts: Facts, view: View, width: int, lesson: Lesson | None = None, workers: Sequence[str] = ()
) -> tuple[list[tuple[int, int, Hit]], Line]:
    """The line, and which columns of it can be clicked.

    With a `lesson` it is the headline of what was fired last. `workers` is what `together` says.
    """
    wanted = sum(cell_len(text) + 3 for text, _ in _right(pen, facts, view)) + 6
    more = _ALL - _OWN
    if lesson is None:
        wanted += _OWN
    else:
        wanted += cell_len(f"{lesson.name}{lesson.title}{lesson.waits or ''}")
        load = [cell_len(text) + 3 for text in lesson.load]
        wanted, more = wanted + sum(load[:1]), sum(load[1:]) + cell_len(facts.address) + _PLACE
    end, hits = views(pen, facts.keys, view.look, width - wanted - 3, width - wanted - more - 3)
    if not end and lesson is not None and view.behind is not None:  # of the past, the load matters less
        room = width - wanted + sum(load[:1]) + max(0, cell_len(lesson.title) - _TITLE) - 3
        end, hits = views(pen, facts.keys, view.look, room, 0)
    taken = sum(segment.cell_length for segment in end) + 3
    if not end:
        return [], _line(pen, facts, view, width, lesson, workers)
    at = width - taken + 2
    line = fitted(_line(pen, facts, view, width - taken, lesson, workers), width - taken, pen.palette)
    line += [Segment(pen.separator.lstrip(), pen.dim), *end, Segment(" ", pen.text)]
    return [(at + first, at + stop, hit) for first, stop, hit in hits], line


def _line(
    pen: Pen, facts: Facts, view: View, width: int, lesson: Lesson | None, workers: Sequence[str]
) -> Line:
    """All but the views; what runs is shortened until it fits beside what must be seen."""
    right = _right(pen, facts, view)
    if lesson is not None:
        return _headline(pen, facts, lesson, right, width, workers)
    right.append(_help_key(pen, facts))
    environment = facts.environment
    version = printable(environment.python, 20)
    gil = "GIL on" if environment.gil else "GIL off"
    loop, address = printable(environment.event_loop, 20), printable(facts.address, 40)
    port = ":" + address.rpartition(":")[2]
    at = [*workers, *([facts.mode] if facts.attached else [])] if workers else [place(facts.mode, facts.pid)]
    brief = workers or [place_in_short(facts.mode, facts.pid)]
    wide = [f"Python {version}", gil, loop, *at, address]
    short = [version.rpartition(".")[0], gil, loop]
    right_length = sum(cell_len(text) + 3 for text, _ in right)
    narrow = ([*short[first:], *brief, port] for first in range(4))
    for items in (wide, [*short, *at, port], *narrow, [port]):
        left = pen.separator.join(items)
        if len(" loopviz  ") + cell_len(left) + right_length <= width:
            break
    line = [Segment(" loopviz", pen.title), Segment(f"  {left}", pen.dim)]
    gap = max(1, width - sum(s.cell_length for s in line) - right_length + 2)
    line.append(Segment(" " * gap, pen.text))
    for index, (text, style) in enumerate(right):
        if index:
            line.append(Segment(pen.separator, pen.dim))
        line.append(Segment(text, style))
    line.append(Segment(" ", pen.text))
    return line


def together(timeline: Timeline, moment: int) -> list[str]:
    """Of a server with several workers: how many, and their sums. Empty for one that is one process."""
    if not timeline.several:
        return []
    running = [
        process for process in timeline.processes if process.ended is None or process.ended[0] > moment
    ]
    said = [words.count(len(running), "worker")]
    if unanswered := len(timeline.alive_at(moment)):
        said.append(f"{words.count(unanswered, 'request')} now")
    lanes = [*(process.loop.lane for process in running), *timeline.workers.values()]
    shares = [share for lane in lanes if (share := lane.cpu_share(moment)) is not None]
    if shares:
        said.append(f"{sum(shares):.1f} cores")
    return said


def _headline(
    pen: Pen,
    facts: Facts,
    lesson: Lesson,
    right: list[tuple[str, Style]],
    width: int,
    workers: Sequence[str],
) -> Line:
    """Name and title of what was fired last; beside them the load, as far as it fits."""
    waits = [(f"{lesson.waits} …", pen.alarm)] if lesson.waits else []
    address = printable(facts.address, 40)
    if width < _WIDE:
        address = ":" + address.rpartition(":")[2]
    own = [place_in_short(facts.mode, facts.pid)] if facts.pid and not workers else []
    load = [(text, pen.dim) for text in (*workers, *lesson.load, *own, address)]
    needed = sum(cell_len(text) + 3 for text, _ in (*waits, *right))
    title, most = lesson.title, max(1, width - cell_len(lesson.name) - needed - 5)
    if cell_len(title) > most:
        title = set_cell_size(title, most - 1) + "…"
    left = [Segment(f" {lesson.name}", pen.title), Segment(f"   {title}", pen.text)]
    room = width - sum(segment.cell_length for segment in left) - 1
    shown: list[tuple[str, Style]] = []
    for text, style in [*waits, *right, *load, _help_key(pen, facts)]:
        if room < cell_len(text) + 3:
            break
        room -= cell_len(text) + 3
        shown.append((text, style))
    line = [*left, Segment(" " * max(1, room + 3), pen.text)]
    for index, (text, style) in enumerate(shown):
        line += [Segment(pen.separator, pen.dim)] * (index > 0) + [Segment(text, style)]
    return line


def _help_key(pen: Pen, facts: Facts) -> tuple[str, Style]:
    return f"{facts.keys.shown('app.help')} help", pen.dim


def _how(view: View, behind: int) -> str:
    """How a picture of the past moves, and how far behind it is."""
    how = f"PLAYING {view.speed:g} x" if view.speed else "FROZEN"
    if view.paused is not None:
        how = f"PAUSED {view.paused:g} x"
    if not behind:
        return "at the end" if view.ends else how
    return f"{how} {words.duration(behind)} behind"


def _right(pen: Pen, facts: Facts, view: View) -> list[tuple[str, Style]]:
    """How the server's process has ended; what part is shown and how, its pace, and what is wrong with it."""
    pace = view.pace
    parts: list[tuple[str, Style]] = []
    if facts.death is not None:
        parts.append((f"DEAD: {printable(facts.death.how, 40)}", pen.alarm))
    if view.behind is not None:
        palette = pen.palette
        colours = palette.colours
        frozen = palette.style(colours.on_notice, colours.notice, bold=True, reverse=not palette.colour)
        parts.append((f" {_how(view, view.behind)} ", frozen))
    filters = [f"/{printable(view.words, 20)}"] if view.words else []
    filters += [f"by {view.sort}"] if view.sort != "arrival" else []
    parts += [(text, pen.title) for text in filters]
    # The help has these figures; here they are only where they are bad.
    if 0 < pace.fps < _SLOW:
        parts.append((f"{pace.fps:.0f} fps", pen.alarm))
    if pace.probe > _DEAR:
        parts.append((f"probe {pace.probe:.0%}", pen.alarm))
    if pace.dropped:
        parts.append((f"{pace.dropped} lost", pen.alarm))
    if pace.failures:
        parts.append((words.count(pace.failures, "probe error"), pen.alarm))
    return parts
