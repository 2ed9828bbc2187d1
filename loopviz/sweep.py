"""``loopviz compare --sweep``: throughput and latency against the number of requests under way.

Each step keeps a number of requests under way: as soon as one is answered, the next is sent. A
scenario's server stays up for all steps. Throughput grows with the load until something is used up;
where that is, is the knee.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from loopviz.clock import NS
from loopviz.control import Environment
from loopviz.draw.look import Palette
from loopviz.draw.words import ascii_only, duration, printable
from loopviz.experiment import Bench, Shot
from loopviz.measure import Progress, show_progress
from loopviz.sample import Sample, percentile
from loopviz.scenario import ScenarioFile

__all__ = ["FORMAT", "GROWTH", "VERSION", "Course", "Knee", "Step", "chart", "document", "knee", "sweep"]

FORMAT = "loopviz-sweep"
VERSION = 1

GROWTH = 1.25
"""The knee is where twice the requests under way give less than this times the throughput."""

_MOST = 1_000
"""Requests in a step, at most."""
_MARKERS = "ox+*%"


@dataclass(frozen=True)
class Step:
    """What was measured with `concurrency` requests under way."""

    concurrency: int
    requests: int
    throughput: float
    """Requests per second."""
    p50: float
    p95: float
    errors: int
    threads_used: int = 0


@dataclass(frozen=True)
class Knee:
    """Where throughput stops growing with the load."""

    concurrency: int
    """The last step whose throughput was worth it."""
    at_tokens: bool
    """Whether the number of tokens is there: at this step, or on the way to it from the one before."""


@dataclass(frozen=True)
class Course:
    """A scenario's sweep."""

    scenario: str
    steps: tuple[Step, ...]
    knee: Knee | None
    """None if throughput grows to the end."""


def knee(steps: Sequence[Step], tokens: int) -> Knee | None:
    """The first step above which throughput grows by less than `GROWTH` per doubling."""
    for index, (step, above) in enumerate(pairwise(steps)):
        if step.throughput <= 0:
            continue
        doublings = math.log2(above.concurrency / step.concurrency)
        if (above.throughput / step.throughput) ** (1 / doublings) < GROWTH:
            before = steps[index - 1].concurrency if index else 0
            return Knee(step.concurrency, before < tokens <= step.concurrency)
    return None


def sweep(
    scenarios: Sequence[ScenarioFile],
    steps: Sequence[int],
    *,
    threads: int,
    loop: str,
    palette: Palette,
    as_json: bool,
    progress: Progress = show_progress,
) -> int:
    """Measure each scenario at every step, and print the table and the chart on standard output."""
    courses = []
    for number, file in enumerate(scenarios, 1):
        with Bench([file], threads=threads, loop=loop) as bench:
            environment = bench.environment
            measured: list[Step] = []
            bench.fire(Shot(file, 1))  # the first time, everything is slower
            for concurrency in steps:
                progress(f"{number} of {len(scenarios)}, {file.name}: {concurrency} under way")
                measured.append(_step(bench, file, concurrency, measured))
        courses.append(Course(file.name, tuple(measured), knee(measured, threads)))
    progress("")
    if as_json:
        print(json.dumps(document(courses, threads, environment), indent=2))
    else:
        console = Console(no_color=not palette.colour, highlight=False, soft_wrap=True)
        _print(console, palette, courses, threads)
    return 0


def _step(bench: Bench, file: ScenarioFile, concurrency: int, before: Sequence[Step]) -> Step:
    """So many rounds as take about a second, two at least: a step ends only with its last answer."""
    usual = before[-1].p50 if before else file.facts.seconds
    rounds = max(2, min(20, round(1 / max(usual, 0.001))))
    requests = max(concurrency, min(_MOST, rounds * concurrency))
    sample = bench.fire(Shot(file, requests, at_once=concurrency))
    return Step(
        concurrency,
        requests,
        round(_throughput(sample), 3),
        round(percentile(sample.latencies, 50), 6),
        round(percentile(sample.latencies, 95), 6),
        len(sample.errors),
        sample.threads_used,
    )


def _throughput(sample: Sample) -> float:
    good = len(sample.requests) - len(sample.errors)
    return good / sample.makespan if sample.makespan else 0.0


def document(courses: Sequence[Course], threads: int, environment: Environment) -> dict[str, Any]:
    """The JSON document that ``loopviz compare --sweep --json`` prints."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": asdict(environment),
        "threads": threads,
        "runs": [
            {
                "scenario": course.scenario,
                "steps": [
                    {
                        "concurrency": step.concurrency,
                        "requests": step.requests,
                        "throughput_rps": step.throughput,
                        "latency_p50_s": step.p50,
                        "latency_p95_s": step.p95,
                        "errors": step.errors,
                        "threads_used": step.threads_used,
                    }
                    for step in course.steps
                ],
                "knee": None if course.knee is None else asdict(course.knee),
            }
            for course in courses
        ],
    }


def _print(console: Console, palette: Palette, courses: Sequence[Course], threads: int) -> None:
    def shown(text: str) -> str:
        return text if palette.unicode else ascii_only(text)

    dim = palette.text("dim")
    names = [printable(course.scenario, 24) for course in courses]
    console.print(Text(f"Throughput and p95 latency, {threads} tokens", palette.text("title")))
    console.print()
    width = max(20, *(cell_len(name) for name in names))
    console.print(Text("under way" + "".join(f"  {shown(name):>{width}}" for name in names), dim))
    for index, step in enumerate(courses[0].steps):
        row = Text(f"{step.concurrency:>9}")
        for course in courses:
            here = course.steps[index]
            cell = f"{_rate(here.throughput)}/s {duration(here.p95 * NS):>8}"
            bent = course.knee is not None and course.knee.concurrency == here.concurrency
            row.append("  ")
            row.append(shown(f"{cell:>{width}}"), palette.text("alarm" if here.errors else "text"))
            row.append("<" if bent else " ", palette.text("title"))
        console.print(row)
    console.print()
    drawn = chart(courses, threads, min(100, console.width), palette)
    if drawn is None:
        console.print(Text("For a chart: pip install 'loopviz[charts]'", dim))
    else:
        console.print(Text("requests/s over requests under way", dim))
        console.print(drawn)
        keys = "   ".join(f"{marker} {shown(name)}" for marker, name in zip(_MARKERS, names, strict=False))
        console.print(Text(f"{keys}   {'│' if palette.unicode else '|'} {threads} tokens", dim))
    console.print()
    for course in courses:
        console.print(shown(_said(course, threads)))
        failed = sum(step.errors for step in course.steps)
        if failed:
            console.print(Text(f"{failed} requests to {course.scenario} failed.", palette.text("alarm")))


def _rate(throughput: float) -> str:
    return f"{throughput:.0f}" if throughput >= 100 else f"{throughput:.1f}"


def _said(course: Course, threads: int) -> str:
    name = printable(course.scenario, 24)
    if course.knee is None:
        return f"{name}: throughput grows up to {course.steps[-1].concurrency} requests under way."
    bend = f"{name}: no more throughput above {course.knee.concurrency} requests under way (<)"
    if course.knee.at_tokens:
        return f"{bend}: the {threads} tokens are used up."
    used = course.steps[-1].threads_used
    if 0 < used <= course.knee.concurrency:
        return f"{bend}: it has {used} threads of its own, whatever the {threads} tokens are."
    return f"{bend}; the {threads} tokens are not why."


def chart(courses: Sequence[Course], tokens: int, width: int, palette: Palette) -> Text | None:
    """Throughput over concurrency, in equal steps; None if plotext is not installed."""
    try:
        from plotext import figure
    except ImportError:
        return None
    places = [step.concurrency for step in courses[0].steps]
    top = max(step.throughput for course in courses for step in course.steps)
    figure.clear()
    figure.plot_size(width, 16)
    figure.theme("colorless")
    line = _place(places, tokens)
    if line is not None:
        figure.line(line, "v")
    for course, marker in zip(courses, _MARKERS, strict=False):
        rates = [step.throughput for step in course.steps]
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


def _place(places: Sequence[int], concurrency: int) -> float | None:
    """Where `concurrency` lies on an axis on which `places` are equally far from each other."""
    for index, (low, high) in enumerate(pairwise(places)):
        if low <= concurrency <= high:
            return index + math.log(concurrency / low) / math.log(high / low)
    return None
