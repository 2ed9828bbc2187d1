"""The text form of a recorded run: a table with a bar of states for each request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.segment import Segment, Segments
from rich.text import Text

from loopviz.cli.console import shown
from loopviz.clock import NS
from loopviz.draw.look import BLOCK, CODES, LABELS, Palette
from loopviz.draw.raster import code_of, raster, request_stretches
from loopviz.draw.safe import printable
from loopviz.draw.words import count, culprits, duration, holder, line, requests_named
from loopviz.model import Block, Request, Starvation, State, Timeline
from loopviz.scenario import Load, ScenarioFile

__all__ = ["print_report"]


def print_report(
    console: Console,
    palette: Palette,
    timeline: Timeline,
    scenario: ScenarioFile,
    *,
    requests: int,
    threads: int,
) -> None:
    """Print what happened in a run of `requests` requests with a thread limit of `threads`."""
    rows = sorted(timeline.requests.values(), key=lambda request: request.id)
    zero = min(request.start for request in rows)
    end = max(request.done or timeline.last for request in rows)
    title = palette.text("title")
    separator = " · " if palette.unicode else " | "
    facts = scenario.facts
    load = f"{count(requests, 'request')}, thread limit {threads}"
    head = separator.join((scenario.name, facts.title, load))
    console.print(Text(shown(head, palette), title))
    console.print(Text(shown(facts.expect, palette), palette.text("dim")))
    console.print()
    names = max(cell_len(_name(r, palette)) for r in rows) + 1
    numbers = len(str(rows[-1].id)) + 1
    width = max(20, min(100, console.width) - names - numbers - 18)
    half = max(1, -(-(end - zero) // (2 * width)))
    for request in rows:
        console.print(Segments(_row(palette, timeline, request, names, numbers, width, half, zero, end)))
    console.print()
    console.print(_legend(palette, rows, timeline.threshold))
    console.print()
    for name, value in _figures(timeline, scenario, rows, zero, end, requests, threads):
        console.print(Text.assemble((f"{name:<10}", palette.text("dim")), shown(value, palette)))


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
    shifted = (
        (s - zero, e - zero, code) for s, e, code in request_stretches(request, timeline.threshold, end)
    )
    codes = raster(shifted, half, 0, 2 * width)
    yield Segment(f"{f'#{request.id}':>{numbers}} {set_cell_size(_name(request, palette), names)}")
    yield Segment(f"{request.status or '---':>3} ", palette.text("alarm" if request.failed else "text"))
    for left, right in zip(codes[::2], codes[1::2], strict=True):
        yield Segment(*palette.cell(left, right))
    yield Segment(shown(f" {duration(request.latency(end)):>7}", palette))
    if request.error:
        yield Segment(shown(f"  {printable(request.error, 60)}", palette), palette.text("alarm"))
    yield Segment.line()


def _legend(palette: Palette, rows: list[Request], threshold: int) -> Text:
    """The states that occurred, and each one's share of the requests' time."""
    totals: Counter[str] = Counter()
    for request in rows:
        for state, time in request.totals.items():
            totals[CODES[state]] += time
        for segment in request.segments:
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
) -> Iterator[tuple[str, str]]:
    makespan = duration(end - zero)
    law = scenario.facts.makespan
    if law is not None:
        single = timeline.computed / len(rows) / NS
        expected = law(Load.here(requests, threads, scenario.facts.seconds, single)) * NS
        makespan += f" from the first request to the last answer; expected {duration(expected)}"
    yield "makespan", makespan
    busy = timeline.busy(zero, end)
    lag = f", longest lag {duration(timeline.lag_since(zero))}" if timeline.sees_iterations else ""
    yield "loop", f"busy for {duration(busy)}{lag}"
    blocks = [block for block in timeline.blocks if block.end is not None and block.end > zero]
    for block in blocks[:4]:
        yield "block", _block(block, zero)
    if len(blocks) > 4:
        yield "", f"and {count(len(blocks) - 4, 'more block')}"
    starvations = [s for s in timeline.starvations if s.end is not None and s.end > zero]
    for starvation in starvations[:4]:
        yield "starved", _starvation(timeline, starvation, zero)
    if len(starvations) > 4:
        yield "", f"and {count(len(starvations) - 4, 'more time')} of starvation"
    workers = Counter(lane.role for lane in timeline.workers.values())
    if workers["process"]:
        yield "processes", f"{workers['process']} used"
    if workers["thread"]:
        waited = max(
            (s.end - s.start for r in rows for s in r.segments if s.state is State.TOKEN_WAIT), default=0
        )
        wait = f"; longest wait for a thread {duration(waited)}" if waited > 1_000_000 else ""
        yield "threads", f"{workers['thread']} used, at most {timeline.peak} of {threads} at once{wait}"


def _starvation(timeline: Timeline, starvation: Starvation, zero: int) -> str:
    lasted, begins = starvation.lasted(timeline.last), max(0, starvation.start - zero)
    return (
        f"short steps or callbacks in a row held the event loop for {duration(lasted)},"
        f" beginning at {duration(begins)}: {culprits(timeline, starvation)};"
        f" delayed for up to {duration(starvation.longest)}: {requests_named(starvation.victims, 8)}"
    )


def _block(block: Block, zero: int) -> str:
    end = block.end or block.start
    parts = [holder(block)]
    parts.append(
        f"held the event loop for {duration(end - block.start)}, beginning at {duration(block.start - zero)},"
    )
    if block.where is not None:
        parts.append(
            f"at {line(block.where)}" + (f" ({printable(block.where.calls)})" if block.where.calls else "")
        )
    kind = f", {block.kind}" if block.kind else ""
    victims = f"; it delayed {requests_named(sorted(block.victims), 8)}" if block.victims else ""
    return " ".join(parts) + kind + victims
