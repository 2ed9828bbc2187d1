"""The text of ``loopviz compare --sweep``: a table, a chart, and the knee of each scenario."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from loopviz.claims import Burst
from loopviz.cli.console import console_for, shown
from loopviz.clock import NS
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.words import count, duration
from loopviz.errors import InputError
from loopviz.experiment.bench import Bench
from loopviz.experiment.measure import Progress
from loopviz.experiment.sweep import Course, SweepPoint, document, knee, measure_point
from loopviz.scenario import ScenarioFile

__all__ = ["chart", "run_sweep"]

_MARKERS = "ox+*%"


def run_sweep(
    scenarios: Sequence[ScenarioFile],
    loads: Sequence[int],
    *,
    threads: int,
    loop: str,
    palette: Palette,
    as_json: bool,
    progress: Progress,
) -> int:
    """Measure each scenario at every load, and print the table and the chart on standard output.

    An `InputError` ends it: the scenarios measured before are printed, then the error is raised.
    """
    courses: list[Course] = []
    failure: InputError | None = None
    for number, file in enumerate(scenarios, 1):
        try:
            with Bench([file], threads=threads, loop=loop) as bench:
                environment = bench.environment
                measured: list[SweepPoint] = []
                bench.fire(Burst(file.name, 1))  # a warm-up: the first run is slower
                for concurrency in loads:
                    progress(f"{number} of {len(scenarios)}, {file.name}: {_concurrent(concurrency)}")
                    measured.append(measure_point(bench, file, concurrency, measured))
        except InputError as error:
            failure = error
            break
        courses.append(Course(file.name, tuple(measured), knee(measured, threads)))
    progress("")
    if courses and as_json:
        print(json.dumps(document(courses, threads, asdict(environment), failure), indent=2))
    elif courses:
        _print(console_for(palette), palette, courses, threads)
    if failure is not None:
        raise failure
    return 0


def _print(console: Console, palette: Palette, courses: Sequence[Course], threads: int) -> None:
    dim = palette.text("dim")
    names = [printable(course.scenario, 24) for course in courses]
    console.print(Text(f"Throughput and p95 latency, thread limit {threads}", palette.text("title")))
    console.print()
    width = max(20, *(cell_len(name) for name in names))
    console.print(
        Text(f"{'concurrent':>10}" + "".join(f"  {shown(name, palette):>{width}}" for name in names), dim)
    )
    for index, point in enumerate(courses[0].points):
        row = Text(f"{point.concurrency:>10}")
        for course in courses:
            here = course.points[index]
            cell = f"{_rate(here.throughput)}/s {duration(here.p95 * NS):>8}"
            bent = course.knee is not None and course.knee.concurrency == here.concurrency
            row.append("  ")
            row.append(shown(f"{cell:>{width}}", palette), palette.text("alarm" if here.errors else "text"))
            row.append("<" if bent else " ", palette.text("title"))
        console.print(row)
    console.print()
    drawn = chart(courses, threads, min(100, console.width), palette)
    if drawn is None:
        console.print(Text("For a chart: pip install 'loopviz[charts]'", dim))
    else:
        console.print(Text("requests/s over concurrent requests", dim))
        console.print(drawn)
        keys = "   ".join(
            f"{marker} {shown(name, palette)}" for marker, name in zip(_MARKERS, names, strict=False)
        )
        console.print(Text(f"{keys}   {'│' if palette.unicode else '|'} thread limit {threads}", dim))
    console.print()
    for course in courses:
        console.print(shown(_said(course, threads), palette))
        failed = sum(point.errors for point in course.points)
        if failed:
            said = f"{count(failed, 'request')} to {printable(course.scenario)} failed."
            console.print(Text(said, palette.text("alarm")))


def _rate(throughput: float) -> str:
    return f"{throughput:.0f}" if throughput >= 100 else f"{throughput:.1f}"


def _concurrent(requests: int) -> str:
    return count(requests, "concurrent request")


def _said(course: Course, threads: int) -> str:
    name = printable(course.scenario, 24)
    if course.knee is None:
        return f"{name}: throughput grows up to {_concurrent(course.points[-1].concurrency)}."
    bend = f"{name}: no more throughput above {_concurrent(course.knee.concurrency)} (<)"
    if course.knee.at_tokens:
        return f"{bend}: the thread limit of {threads} is reached."
    used = course.points[-1].threads_used
    if 0 < used <= course.knee.concurrency:
        own = count(used, "thread")
        return f"{bend}: it has {own} of its own. The thread limit of {threads} does not apply."
    return f"{bend}. The thread limit of {threads} is not the reason."


def chart(courses: Sequence[Course], limit: int, width: int, palette: Palette) -> Text | None:
    """A chart of throughput over concurrency; None if plotext is not installed."""
    try:
        from plotext import figure
    except ImportError:
        return None
    places = [point.concurrency for point in courses[0].points]
    top = max(point.throughput for course in courses for point in course.points)
    figure.clear()
    figure.plot_size(width, 16)
    figure.theme("colorless")
    line = _position(places, limit)
    if line is not None:
        figure.line(line, "v")
    for course, marker in zip(courses, _MARKERS, strict=False):
        rates = [point.throughput for point in course.points]
        figure.draw(figure.signal(list(range(len(places))), rates, marker=marker).lines())
    figure.ruler("x", 0).ticks(list(range(len(places))), [str(place) for place in places])
    figure.ruler("y", 0).lim(0, top or 1)
    plain = Text.from_ansi(figure.build().string()).plain
    if not palette.unicode:
        plain = plain.translate(str.maketrans("┌┐└┘├┤┬┴┼│─", "+++++++++|-"))
    drawn = Text(plain)
    roles: tuple[Literal["good", "alarm", "title", "text", "dim"], ...] = (
        "good",
        "alarm",
        "title",
        "text",
        "dim",
    )
    for marker, role in zip(_MARKERS, roles, strict=True):
        drawn.highlight_regex(f"[{marker}]", palette.text(role))
    return drawn


def _position(places: Sequence[int], concurrency: int) -> float | None:
    """The position of `concurrency` on an axis with `places` at equal distances; None outside of it."""
    for index, (low, high) in enumerate(pairwise(places)):
        if low <= concurrency <= high:
            return index + math.log(concurrency / low) / math.log(high / low)
    return None
