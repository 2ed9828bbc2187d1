"""The text of ``loopviz compare``: a bar and the figures for each scenario, and the winner."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from loopviz.cli.console import console_for, shown
from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.standing import said
from loopviz.draw.words import duration
from loopviz.errors import InputError
from loopviz.experiment.measure import Progress, Run, measure, require_visible
from loopviz.model.comparison import Entry, document, ranking
from loopviz.model.sample import Sample, percentile, sampled
from loopviz.scenario import ScenarioFile

__all__ = ["run_comparison"]


def run_comparison(
    scenarios: Sequence[ScenarioFile],
    *,
    requests: int | None,
    threads: int,
    loop: str,
    palette: Palette,
    as_json: bool,
    progress: Progress,
) -> int:
    """Measure each in turn, and print the comparison on standard output.

    An `InputError` ends it: what was measured before is printed, then the error is raised.
    """
    count = requests or max(file.facts.requests for file in scenarios)
    runs: list[Run] = []
    failure: InputError | None = None
    for number, file in enumerate(scenarios, 1):
        try:
            run = measure(
                file,
                requests=count,
                threads=threads,
                loop=loop,
                progress=_prefixed(progress, f"{number} of {len(scenarios)}, {file.name}: "),
            )
            require_visible(run.blind)
        except InputError as error:
            failure = error
            break
        runs.append(run)
    if runs:
        entries = [_entry(run) for run in runs]
        if as_json:
            summaries = [run.summary() for run in runs]
            environment = asdict(runs[0].environment)
            print(json.dumps(document(entries, summaries, count, threads, environment, failure), indent=2))
        else:
            _print(console_for(palette), palette, entries, count, threads)
    if failure is not None:
        progress("")
        raise failure
    return 0


def _bar(palette: Palette, share: float, width: int) -> str:
    """A bar that fills `share` of `width` cells, but at least one."""
    return ("█" if palette.unicode else "#") * max(1, round(share * width))


def _prefixed(progress: Progress, prefix: str) -> Progress:
    return lambda text: progress(prefix + text if text else "")


def _entry(run: Run) -> Entry:
    timeline, name = run.timeline, run.scenario.name
    own = [number for number, request in timeline.requests.items() if request.own]
    asked = (run.scenario.method, run.scenario.path)
    sample = sampled(timeline, own, {asked: name}, threads=run.threads)
    return Entry(name, sample, timeline.sees_iterations)


_COLUMNS: Sequence[tuple[str, Callable[[Sample], str]]] = (
    ("makespan", lambda sample: duration(sample.makespan * NS)),
    ("p50", lambda sample: duration(percentile(sample.latencies, 50) * NS)),
    ("p95", lambda sample: duration(percentile(sample.latencies, 95) * NS)),
    ("lag", lambda sample: duration(sample.max_lag * NS)),
    ("no thread", lambda sample: duration(sample.max_token_wait * NS)),
    ("threads", lambda sample: str(sample.threads_used)),
)


def _print(console: Console, palette: Palette, entries: Sequence[Entry], requests: int, threads: int) -> None:
    dim = palette.text("dim")
    load = f"{words.count(requests, 'request')} at once to each, thread limit {threads}"
    console.print(Text(load, palette.text("title")))
    console.print()
    names = max(8, *(cell_len(printable(entry.scenario, 24)) for entry in entries))
    columns = [(head, max(len(head), 7)) for head, _ in _COLUMNS]
    rest = console.width - names - sum(width + 2 for _, width in columns) - 2
    width = max(10, min(60, rest))
    head = "".join(f"  {name:>{size}}" for name, size in columns)
    console.print(Text(" " * (names + 2 + width) + head, dim))
    longest = max(entry.sample.makespan for entry in entries) or 1.0
    ranked = ranking(entries)
    for entry in entries:
        sample = entry.sample
        values = [
            "?" if name == "lag" and not entry.sees_lag else shown(value(sample), palette)
            for name, value in _COLUMNS
        ]
        role = palette.text("good" if entry is ranked.winner else "text")
        drawn = _bar(palette, sample.makespan / longest, width)
        row = Text(set_cell_size(shown(printable(entry.scenario, 24), palette), names) + "  ")
        row.append(f"{drawn:<{width}}", role)
        for value, (_, size) in zip(values, columns, strict=True):
            row.append(f"  {value:>{size}}")
        console.print(row)
        if sample.errors:
            failed = f"{len(sample.errors)} of {len(sample.requests)} failed: {sample.errors[0]}"
            console.print(
                Text(" " * (names + 2) + shown(printable(failed, 100), palette), palette.text("alarm"))
            )
    console.print()
    console.print(Text(shown(said(ranked), palette), palette.text("good" if ranked.winner else "title")))
