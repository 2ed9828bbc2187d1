"""``loopviz record``: fire a scenario, wait for the answers, report."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from loopviz.draw.look import Palette
from loopviz.measure import measure, show_progress
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
) -> int:
    """Run `scenario` once and print the report on standard output."""
    run = measure(scenario, requests=requests, threads=threads, loop=loop, progress=show_progress)
    if as_json:
        print(json.dumps(run.summary(), indent=2))
        return 0
    console = Console(no_color=not palette.colour, highlight=False, soft_wrap=True)
    print_report(console, palette, run.timeline, scenario, requests=run.requests, threads=threads)
    for what, why in run.blind:
        print(f"not seen: {what} ({why})", file=sys.stderr)
    if run.vitals.dropped:
        print(f"{run.vitals.dropped} events were lost: the figures may be wrong", file=sys.stderr)
    return 0
