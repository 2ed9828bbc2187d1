"""``loopviz record``: fire a scenario, wait for the answers, report."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from loopviz.cli.arguments import add_ascii, add_force, add_json, add_loop, add_requests, add_threads

if TYPE_CHECKING:
    from loopviz.draw.look import Palette
    from loopviz.experiment.measure import Run

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "record",
        help="fire a scenario without a screen, and report",
        description="Fire a scenario, wait for the answers, and report.",
    )
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="a scenario's name (see 'loopviz scenarios') or file"
    )
    add_requests(parser, "how many requests to send at once (default: the scenario's own number)")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default=None,
        help="record all events in FILE, for 'loopviz replay'; compressed if its name ends in .gz",
    )
    add_force(parser, "FILE")
    add_json(parser)
    add_threads(parser)
    add_loop(parser)
    add_ascii(parser)
    parser.set_defaults(command=record)


def record(options: argparse.Namespace) -> int:
    """Run the scenario once and print the report on standard output; the exit code."""
    from loopviz.cli.console import palette_for, show_progress
    from loopviz.cli.interruption import Interruption
    from loopviz.cli.recorded import place_for
    from loopviz.cli.scenarios import one
    from loopviz.experiment.measure import measure
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.live.session import leave
    from loopviz.scenario import find

    interruption = Interruption()
    files = find(options.scenario)
    with place_for(options.output, files, force=options.force) as place, Workspace():
        run = measure(
            one(options.scenario),
            requests=options.requests,
            threads=options.threads,
            loop=options.loop,
            progress=show_progress,
            output=place,
            interruption=interruption,
        )
    code = _print(run, options, palette_for(options))
    if run.interrupted is not None:
        leave(interruption.code)  # what the requests that have no answer have started may never end
    return code


def _print(run: Run, options: argparse.Namespace, palette: Palette) -> int:
    """Print the report, and what became of the recording; the exit code."""
    from loopviz.cli.recorded import print_recorded

    if options.json:
        print(json.dumps(run.summary(), indent=2))
    else:
        _report(run, palette)
    if options.output is None:
        return 0
    return print_recorded(options.output, run.recorded, run.lost, run.unrecorded)


def _report(run: Run, palette: Palette) -> None:
    from loopviz.cli.console import console_for, shown
    from loopviz.cli.report import print_report
    from loopviz.draw.incidents import sentence
    from loopviz.draw.words import count
    from loopviz.stream.blind import REQUESTS, TASKS, nothing_visible

    unseen = nothing_visible(run.blind)
    if unseen is not None:
        print(shown(unseen, palette))
    print_report(
        console_for(palette),
        palette,
        run.timeline,
        run.scenario,
        requests=run.requests,
        threads=run.threads,
        interrupted=run.interrupted,
    )
    for what, why in run.blind:
        if what not in {TASKS, REQUESTS}:  # they are in the report
            print(shown(f"not visible here: {what} ({why})", palette), file=sys.stderr)
    for incident in run.timeline.incidents:
        print(shown(sentence(run.timeline, incident), palette), file=sys.stderr)
    if run.vitals.dropped:
        lost = count(run.vitals.dropped, "event")
        print(f"{lost} lost: the figures may be wrong", file=sys.stderr)
