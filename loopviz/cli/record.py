"""``loopviz record``: fire a scenario, or requests to an application, wait for the answers, report."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from loopviz.cli.arguments import (
    add_ascii,
    add_health,
    add_json,
    add_loop,
    add_port,
    add_recording,
    add_requests,
    add_threads,
    period,
)
from loopviz.cli.own import add_application, files_of, session_for, target_of
from loopviz.errors import InputError

if TYPE_CHECKING:
    from loopviz.cli.interruption import Interruption
    from loopviz.cli.plain import Narration
    from loopviz.draw.look import Palette
    from loopviz.experiment.measure import Run
    from loopviz.recording import Place
    from loopviz.target import Application

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "record",
        help="fire a scenario, or requests to an application, without a screen, and report",
        description="Fire a scenario, or requests to an application of your own, wait for the answers, and "
        "report.",
    )
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="a scenario's name (see 'loopviz scenarios') or file, or an application: module:attribute, a "
        "file, or a project's folder",
    )
    parser.add_argument(
        "--request",
        action="append",
        default=[],
        metavar="LINE",
        help="what to send to an application: 'GET /slow', 'POST /items {\"a\": 1}'; may be repeated",
    )
    add_requests(
        parser, "how many requests to send at once, of each LINE (default: the scenario's own number)"
    )
    parser.add_argument(
        "--for",
        type=period,
        default=None,
        dest="seconds",
        metavar="TIME",
        help="send nothing, and watch so long what others send: 10s, 500ms, 2m",
    )
    add_port(parser)
    add_recording(parser, "-o", "--output", force="FILE")
    add_json(parser)
    parser.add_argument(
        "--narrate",
        action="store_true",
        help="say in plain sentences what happens, while it does, in place of the table; with --json on "
        "standard error",
    )
    add_threads(parser)
    add_loop(parser, own=True)
    add_health(parser)
    add_ascii(parser)
    add_application(parser)
    parser.set_defaults(command=record)


def record(options: argparse.Namespace) -> int:
    """Measure once and print the report on standard output; the exit code."""
    from loopviz.cli.console import palette_for, without_progress
    from loopviz.cli.interruption import Interruption
    from loopviz.cli.recorded import place_for
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.live.session import leave
    from loopviz.target import Application

    interruption = Interruption()
    found = target_of(options.target, options)
    own = found if isinstance(found, Application) else None
    _check(options, own)
    with place_for(options.output, files_of(found), force=options.force) as place, Workspace():
        if options.narrate:
            with without_progress():
                run = _narrated(options, own, place, interruption)
        else:
            run = _measured(options, own, place, interruption)
    code = _print(run, options, palette_for(options))
    if run.interrupted is not None:
        leave(interruption.code)  # what the requests that have no answer have started may never end
    return code


def _check(options: argparse.Namespace, own: Application | None) -> None:
    """Refuse what does not go together, and request lines that cannot be read."""
    if options.seconds is not None and (options.request or options.requests):
        given = "--request" if options.request else "--requests"
        raise InputError(f"With --for nothing is sent.\nLeave out {given}, or --for.")
    if own is None and options.request:
        from loopviz.cli.scenarios import one

        one(options.target)  # a file with neither a scenario nor an application is refused as that
        raise InputError(
            "--request is for an application of your own: a scenario declares what it is fired with.\n"
            "Leave it out, or name the application: module:attribute."
        )
    if options.request:
        from loopviz.target import parse

        for line in options.request:
            parse(line)


def _measured(
    options: argparse.Namespace,
    own: Application | None,
    place: Place | None,
    interruption: Interruption,
    narration: Narration | None = None,
) -> Run:
    from loopviz.cli.console import show_progress
    from loopviz.cli.scenarios import one
    from loopviz.experiment.measure import measure_on
    from loopviz.experiment.own import as_scenario, measure_own, watch

    common: dict[str, Any] = {"progress": show_progress, "output": place, "interruption": interruption}
    if own is not None:
        _warn(own)
    scenario = one(options.target) if own is None else as_scenario(own)
    session = session_for(own, [scenario] if own is None else [], options)
    if narration is not None:
        narration.begin(session)
        common |= {"tap": narration.tap, "progress": None}
    if options.seconds is not None:
        return watch(session, scenario, options.seconds, **common)
    if own is None:
        return measure_on(session, scenario, options.requests or scenario.facts.requests, **common)
    from loopviz.scenario import DEFAULT_REQUESTS

    return measure_own(session, own, options.request, options.requests or DEFAULT_REQUESTS, **common)


def _narrated(
    options: argparse.Namespace, own: Application | None, place: Place | None, interruption: Interruption
) -> Run:
    """The same, and what happens is said meanwhile."""
    from loopviz.cli.plain import Narration

    narration = Narration(options, sys.stderr if options.json else sys.stdout)
    run = _measured(options, own, place, interruption, narration)
    narration.end(run.interrupted or 0)
    return run


def _warn(own: Application) -> None:
    """Say on standard error that the requests of before cannot be read."""
    from loopviz.draw.safe import printable
    from loopviz.target.remembering import read

    try:
        read(own.folder)
    except InputError as error:
        print(printable(f"loopviz: {error}. Its requests are not used.", 2_000), file=sys.stderr)


def _print(run: Run, options: argparse.Namespace, palette: Palette) -> int:
    """Print the report, and what became of the recording; the exit code."""
    from loopviz.cli.console import shown
    from loopviz.cli.recorded import print_recorded

    if run.death is not None:
        last = f" Its last line: {run.death.tail[-1]}" if run.death.tail else ""
        said = f"loopviz: The server's process has ended: {run.death.how}.{last}"
        print(shown(said, palette), file=sys.stderr)
    if options.json:
        print(json.dumps(run.summary(), indent=2))
    elif not options.narrate:
        _report(run, palette)
    else:
        _say_unseen(run, palette)
    if options.output is None:
        return 0
    return print_recorded(options.output, run.recorded, run.lost, run.unrecorded)


def _report(run: Run, palette: Palette) -> None:
    from loopviz.cli.console import console_for, shown
    from loopviz.cli.report import print_report
    from loopviz.stream.blind import nothing_visible

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
        found=run.findings,
    )
    _say_unseen(run, palette)


def _say_unseen(run: Run, palette: Palette) -> None:
    """Say on standard error what was not visible, or is lost, and which processes have ended."""
    from loopviz.cli.console import shown
    from loopviz.draw.incidents import sentence
    from loopviz.draw.words import count
    from loopviz.stream.blind import REQUESTS, TASKS

    for what, why in run.blind:
        if what not in {TASKS, REQUESTS}:  # they are in the report
            print(shown(f"not visible here: {what} ({why})", palette), file=sys.stderr)
    for incident in run.timeline.incidents:
        print(shown(sentence(run.timeline, incident), palette), file=sys.stderr)
    if run.vitals.dropped:
        lost = count(run.vitals.dropped, "event")
        print(f"{lost} lost: the figures may be wrong", file=sys.stderr)
