"""``loopviz record``: fire a scenario, wait for the answers, report."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from loopviz.draw.look import Palette
from loopviz.measure import Run, measure, show_progress
from loopviz.report import print_report
from loopviz.scenario import ScenarioFile

__all__ = ["record"]


def record(
    scenario: ScenarioFile,
    *,
    requests: int | None,
    threads: int,
    loop: str,
    palette: Palette,
    as_json: bool,
    output: str | None = None,
) -> int:
    """Run `scenario` once and print the report on standard output."""
    run = measure(
        scenario, requests=requests, threads=threads, loop=loop, progress=show_progress, output=output
    )
    _report(run, palette, as_json=as_json)
    if run.unrecorded is not None:
        print(f"loopviz: {run.unrecorded}", file=sys.stderr)
        return 2
    if output is not None:
        print(f"{run.recorded} events are in {output}: loopviz replay {output}", file=sys.stderr)
    return 0


def _report(run: Run, palette: Palette, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(run.summary(), indent=2))
        return
    console = Console(no_color=not palette.colour, highlight=False, soft_wrap=True)
    print_report(console, palette, run.timeline, run.scenario, requests=run.requests, threads=run.threads)
    for what, why in run.blind:
        print(f"not seen: {what} ({why})", file=sys.stderr)
    if run.vitals.dropped:
        print(f"{run.vitals.dropped} events were lost: the figures may be wrong", file=sys.stderr)
