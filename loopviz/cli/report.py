"""The text form of a recorded run: a table with a bar of states for each request."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.segment import Segment, Segments
from rich.text import Text

from loopviz.cli.console import shown
from loopviz.clock import NS
from loopviz.draw import health
from loopviz.draw.look import BLOCK, CODES, LABELS, Palette
from loopviz.draw.marks import request_codes
from loopviz.draw.raster import code_of
from loopviz.draw.safe import printable
from loopviz.draw.verdict import verdict
from loopviz.draw.words import (
    count,
    culprits,
    duration,
    holder,
    kind_name,
    line,
    requests_named,
    state_name,
    tag,
    task_name,
)
from loopviz.findings import Finding
from loopviz.model import Block, Request, Starvation, State, Timeline
from loopviz.paths import is_file
from loopviz.scenario import Load, Scenario, ScenarioFile, builtin_folder

__all__ = ["print_report"]

_MOST = 4
"""How many blocks, and how many requests without an answer, are listed."""


def print_report(
    console: Console,
    palette: Palette,
    timeline: Timeline,
    scenario: ScenarioFile,
    *,
    requests: int,
    threads: int,
    interrupted: int | None = None,
    found: Sequence[Finding] = (),
) -> None:
    """Print what happened in a run of `requests` requests with a thread limit of `threads`.

    `interrupted` is when it was interrupted (ns), and `found` what was found in it, the gravest first.
    """
    rows = sorted(timeline.requests.values(), key=lambda request: request.id)
    if not rows:
        console.print("No request was seen.")
        return
    zero = min(request.start for request in rows)
    last = timeline.last if interrupted is None else interrupted
    end = max(request.done or last for request in rows)
    title = palette.text("title")
    separator = " · " if palette.unicode else " | "
    facts = scenario.facts
    load = f"{count(requests, 'request')}, thread limit {threads}"
    head = separator.join((scenario.name, facts.title, load))
    console.print(Text(shown(head, palette), title))
    if facts.expect:
        console.print(Text(shown(facts.expect, palette), palette.text("dim")))
    console.print()
    names = max(cell_len(_name(r, palette)) for r in rows) + 1
    numbers = len(tag(rows[-1].id, rows[-1].letter))
    width = max(20, min(100, console.width) - names - numbers - 18)
    half = max(1, -(-(end - zero) // (2 * width)))
    for request in rows:
        console.print(Segments(_row(palette, timeline, request, names, numbers, width, half, zero, end)))
    console.print()
    console.print(_legend(palette, rows, timeline.threshold, interrupted))
    console.print()
    for name, value in _figures(
        timeline, scenario, rows, zero, end, requests, threads, interrupted=interrupted is not None
    ):
        console.print(Text.assemble((f"{name:<10}", palette.text("dim")), shown(value, palette)))
    for name, value in _findings(found):
        console.print(Text.assemble((f"{name:<10}", palette.text("dim")), shown(value, palette)))
    for name, value in _verdict(
        timeline, scenario, last, interrupted=interrupted is not None, found=bool(found)
    ):
        console.print(Text.assemble((f"{name:<10}", palette.text("dim")), shown(value, palette)))


def _findings(found: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Each finding in its three sentences: what was seen, why it is so, and what to do."""
    for finding in found[:_MOST]:
        likely = ", likely" if finding.confidence == "likely" else ""
        yield "finding", f"{finding.severity}{likely}: {printable(finding.what, 1_000)}"
        yield "  why", printable(finding.why, 1_000)
        yield "  do", printable(finding.do, 1_000)
    if len(found) > _MOST:
        yield "", f"and {count(len(found) - _MOST, 'more finding')}"


def _verdict(
    timeline: Timeline, scenario: ScenarioFile, last: int, *, interrupted: bool, found: bool
) -> Iterator[tuple[str, str]]:
    """Why the last burst took its time, unless a finding says it, and what to change."""
    burst = timeline.newest_burst(last)
    if interrupted or burst is None or not burst.over(last):
        return
    said = verdict(timeline, burst, scenario.facts, last)
    if said.mood == "alarm":
        yield "verdict", said.measured
    if said.why and not found:
        yield "why", said.why
    if said.repair:
        shown_by = _repaired(scenario)
        shows = f" 'loopviz record {shown_by}' shows it." if shown_by else ""
        yield "repair", f"{said.repair}{shows}"


def _repaired(scenario: ScenarioFile) -> str:
    """The built-in scenario, or the file beside this one, that shows the repair; empty if there is none."""
    name = f"{scenario.facts.repaired or ''}.py"
    beside = scenario.file.with_name(name) if "/" not in name else scenario.file
    for file in (builtin_folder() / name, beside):
        if file.name == name and is_file(file):
            return file.stem if file.parent == builtin_folder() else shlex.quote(printable(str(file)))
    return ""


def _name(request: Request, palette: Palette) -> str:
    return shown(printable(f"{request.method} {request.path}", 40), palette)


def _row(
    palette: Palette,
    timeline: Timeline,
    request: Request,
    names: int,
    numbers: int,
    width: int,
    half: int,
    zero: int,
    end: int,
) -> Iterator[Segment]:
    codes = request_codes(request, timeline.threshold, end, half, 0, 2 * width, zero)
    yield Segment(
        f"{tag(request.id, request.letter):>{numbers}} {set_cell_size(_name(request, palette), names)}"
    )
    yield Segment(f"{request.status or '---':>3} ", palette.text("alarm" if request.failed else "text"))
    for left, right in zip(codes[::2], codes[1::2], strict=True):
        yield Segment(*palette.cell(left, right))
    yield Segment(shown(f" {duration(request.latency(end)):>7}", palette))
    if request.error:
        yield Segment(shown(f"  {printable(request.error, 60)}", palette), palette.text("alarm"))
    yield Segment.line()


def _legend(palette: Palette, rows: list[Request], threshold: int, interrupted: int | None) -> Text:
    """The states that occurred, and each one's share of the requests' time."""
    totals: Counter[str] = Counter()
    for request in rows:
        for state, time in request.totals.items():
            totals[CODES[state]] += time
        open_now = (
            () if request.done is not None or interrupted is None else request.open_segments(interrupted)
        )
        unfinished = list(open_now)
        for segment in unfinished:
            totals[CODES[segment.state]] += segment.end - segment.start
        for segment in (*request.segments, *unfinished):
            length = segment.end - segment.start
            if code_of(segment.state, length, threshold) == BLOCK:
                totals[CODES[State.RUNNING]] -= length
                totals[BLOCK] += length
    whole = max(1, sum(totals.values()))
    legend = Text()
    for code in LABELS:
        if totals[code] * 1000 < whole:
            continue
        character, style = palette.cell(code, code)
        if legend:
            legend.append("   ")
        legend.append(character * 2, style)
        name, style = palette.name(code)
        legend.append(f" {name} ", style)
        legend.append(f"{totals[code] / whole:.0%}")
    return legend


def _figures(
    timeline: Timeline,
    scenario: ScenarioFile,
    rows: list[Request],
    zero: int,
    end: int,
    requests: int,
    threads: int,
    *,
    interrupted: bool,
) -> Iterator[tuple[str, str]]:
    makespan = duration(end - zero)
    unanswered = [request for request in rows if request.done is None]
    if interrupted:
        missing = f"{len(unanswered)} of {count(requests, 'request')} without an answer"
        makespan = f"none: interrupted {makespan} after the first request, {missing}"
    elif scenario.facts.makespan is not None:
        single = timeline.computed / len(rows) / NS
        load = Load.here(requests, threads, scenario.facts.seconds, single)
        makespan += f" from the first request to the last answer; {_expected(scenario.facts, load)}"
    yield "makespan", makespan
    if interrupted:
        yield from _open_ends(unanswered, timeline, zero, end)
    yield from _loop_figures(timeline, zero, end)
    if timeline.health.path:
        yield "health", health.probed(timeline.health, timeline.last)
    workers = Counter(lane.role for lane in timeline.workers.values())
    if workers["process"]:
        yield "processes", f"{workers['process']} used"
    if workers["thread"]:
        waited = max(r.longest(State.TOKEN_WAIT, end) for r in rows)
        wait = f"; longest wait for a thread {duration(waited)}" if waited > 1_000_000 else ""
        yield "threads", f"{workers['thread']} used, at most {timeline.peak} of {threads} at once{wait}"


def _expected(facts: Scenario, load: Load) -> str:
    """The makespan that the scenario expects, or why there is none."""
    try:
        expected = facts.expected(load)
    except ValueError as error:
        return f"no expected one: {printable(str(error), 200)}"
    return f"expected {duration(expected * NS)}"


def _loop_figures(timeline: Timeline, zero: int, end: int) -> Iterator[tuple[str, str]]:
    """What the loop did: its blocks, starvation, and tasks that still run."""
    busy = timeline.busy(zero, end)
    lag = f", longest lag {duration(timeline.lag_since(zero))}" if timeline.sees_iterations else ""
    yield "loop", f"busy for {duration(busy)}{lag}"
    blocks = [block for block in timeline.blocks if block.end is not None and block.end > zero]
    for block in blocks[:_MOST]:
        yield "block", _block(block, zero)
    if len(blocks) > _MOST:
        yield "", f"and {count(len(blocks) - _MOST, 'more block')}"
    alive = [row for row in timeline.started(timeline.last) if not row.ended]
    for row in alive[:_MOST]:
        name = task_name(row.path)
        by = tag(row.started_by, row.letter)
        yield "task", f"{name}, started by {by} and not awaited, goes on after its response"
    if len(alive) > _MOST:
        yield "", f"and {count(len(alive) - _MOST, 'more task')}"
    starvations = [s for s in timeline.starvations if s.end is not None and s.end > zero]
    for starvation in starvations[:_MOST]:
        yield "starved", _starvation(timeline, starvation, zero)
    if len(starvations) > _MOST:
        yield "", f"and {count(len(starvations) - _MOST, 'more time')} of starvation"


def _open_ends(
    unanswered: list[Request], timeline: Timeline, zero: int, end: int
) -> Iterator[tuple[str, str]]:
    """What had not ended when the run was interrupted: requests, and a block."""
    for request in unanswered[:_MOST]:
        yield "no answer", _unanswered(request, end)
    if len(unanswered) > _MOST:
        yield "", f"and {count(len(unanswered) - _MOST, 'more request')}"
    held = timeline.block_at(end)
    if held is not None and held.end is None:
        delayed = timeline.victims(held, end)
        yield "block", _block(replace(held, end=end, victims=delayed), zero) + "; it had not ended"


def _unanswered(request: Request, end: int) -> str:
    """What a request without an answer was doing at the end, and where."""
    segment = request.state_at(end)
    who = tag(request.id, request.letter)
    if segment is None:
        return who
    where = f" at {line(segment.where)}" if segment.where is not None else ""
    return f"{who}: {state_name(segment.state)} for {duration(segment.end - segment.start)}{where}"


def _starvation(timeline: Timeline, starvation: Starvation, zero: int) -> str:
    lasted, begins = starvation.lasted(timeline.last), max(0, starvation.start - zero)
    victims = requests_named(starvation.victims, 8, starvation.letter)
    return (
        f"short steps or callbacks in a row held the event loop for {duration(lasted)},"
        f" beginning at {duration(begins)}: {culprits(timeline, starvation)};"
        f" delayed for up to {duration(starvation.longest)}: {victims}"
    )


def _block(block: Block, zero: int) -> str:
    end = block.end or block.start
    parts = [holder(block)]
    if block.kind == "waiting_for_gil" and block.keeper is not None:
        keeper = tag(block.keeper.request, block.letter) if block.keeper.request else "a thread"
        parts = [f"{keeper} kept the GIL, and so"]
    lasted, begins = duration(end - block.start), duration(block.start - zero)
    parts.append(f"held the event loop for {lasted}, beginning at {begins}")
    _, where = block.culprit
    if where is not None:
        parts[-1] += ","
        parts.append(f"at {line(where)}" + (f" ({printable(where.calls)})" if where.calls else ""))
    kind = f", {name}" if (name := kind_name(block)) else ""
    victims = (
        f"; it delayed {requests_named(sorted(block.victims), 8, block.letter)}" if block.victims else ""
    )
    return " ".join(parts) + kind + victims
