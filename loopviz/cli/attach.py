"""``loopviz attach``: the live picture of a server that runs already."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import suppress
from typing import Any

from loopviz.cli.arguments import add_ascii, add_json, add_recording, add_theme, period
from loopviz.cli.plain import add_plain
from loopviz.errors import InputError

__all__ = ["add_parser", "command"]

_WHOLE = 300.0
"""A report is of everything that was seen in a shorter time (s); of a longer one it is of its last part."""


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "attach",
        help="show the live picture of a server that runs already",
        description="Show the live picture of a server that runs already; without PID, list the servers.",
    )
    parser.add_argument(
        "process", nargs="?", metavar="PID", help="the number of a process, or the path of its socket"
    )
    parser.add_argument(
        "--for",
        dest="duration",
        type=period,
        metavar="TIME",
        default=None,
        help="watch so long without a screen, and report: 10s, 2m or 500ms",
    )
    add_json(parser)
    add_recording(parser, "-o", "--output", force="FILE")
    add_theme(parser)
    add_ascii(parser)
    add_plain(parser)
    parser.set_defaults(command=attach)


def attach(options: argparse.Namespace) -> int:
    """Show a server, report on it, or list the servers; the exit code."""
    if not hasattr(os, "getuid"):
        raise InputError("This system has no Unix sockets, which loopviz needs to attach to a server.")
    if options.process is None:
        return _list(options)
    from loopviz.cli.recorded import place_for

    with place_for(options.output, [], force=options.force) as place:
        if options.duration is not None:
            if options.plain:
                raise InputError(
                    "--for reports when it is over, --plain while it happens.\nLeave one of them out."
                )
            return _report(options, place)
        if options.json:
            raise InputError("--json needs to know how long to watch.\nSay for example --for 10s.")
        return _screen(options, place)


def _list(options: argparse.Namespace) -> int:
    from loopviz.draw.safe import printable
    from loopviz.live.attach.processes import candidates

    found = candidates()
    if options.json:
        servers = [
            {
                "pid": one.pid,
                "listens": list(one.ports),
                "command": one.command,
                "attach": one.how or None,
                "why_not": one.why_not or None,
            }
            for one in found
        ]
        print(json.dumps({"format": "loopviz-servers", "version": 1, "servers": servers}, indent=2))
        return 0
    if not found:
        print("No Python process of this user listens.")
        return 0
    ports = [", ".join(one.ports) or "-" for one in found]
    width = max(len("LISTENS"), *map(len, ports))
    how = [one.how or "no" for one in found]
    wide = max(len("ATTACH"), *map(len, how))
    print(f"{'PID':>8}  {'LISTENS':{width}}  {'ATTACH':{wide}}  COMMAND")
    for one, listens, by in zip(found, ports, how, strict=True):
        print(f"{one.pid:>8}  {listens:{width}}  {by:{wide}}  {printable(one.command, 200)}")
        if one.why_not:
            print(f"{'':>8}  {one.why_not}")
    return 0


def _reached(options: argparse.Namespace) -> Any:
    from loopviz.cli.console import show_progress
    from loopviz.live.attach.reach import reach_all
    from loopviz.live.following import Following

    reached = reach_all(options.process, show_progress)
    source = Following(options.process, reached)
    source.start()
    try:
        show_progress("waiting for the server's event loop")
        source.wait()
    except InputError:
        source.stop()
        raise
    finally:
        show_progress("")
    return source


def _screen(options: argparse.Namespace, place: Any) -> int:
    from loopviz.cli.console import require_terminal, screen_palette, without_progress

    palette = screen_palette(options)
    if options.plain:
        from loopviz.cli.plain import attached

        with without_progress():
            return attached(_reached(options), options, place, options.output)
    require_terminal("Without one, use --plain, or 'loopviz attach PID --for 10s'.")
    return _show(_reached(options), palette, place, options.output)


def command(options: argparse.Namespace) -> int:
    """``loopviz run --cmd``: start a command, and show the server in it; the exit code."""
    from loopviz.cli.console import require_terminal, screen_palette, without_progress
    from loopviz.cli.recorded import place_for
    from loopviz.live.commanded import Commanded

    if options.target is not None:
        raise InputError("--cmd starts the server, so there can be no TARGET.\nLeave one of them out.")
    if options.health is not None:
        raise InputError(
            "A server that --cmd starts gets no probes from loopviz: it is only watched.\nLeave out --health."
        )
    if not hasattr(os, "getuid"):
        raise InputError("This system has no Unix sockets, which loopviz needs to watch another program.")
    palette = screen_palette(options)
    if options.plain:
        from loopviz.cli.plain import attached

        with without_progress(), place_for(options.record, [], force=options.force) as place:
            return attached(Commanded(options.words), options, place, options.record)
    require_terminal("Without one, use --plain, or start the command, and 'loopviz attach PID --for 10s'.")
    with place_for(options.record, [], force=options.force) as place:
        return _show(Commanded(options.words), palette, place, options.record)


def _show(source: Any, palette: Any, place: Any, output: str | None) -> int:
    """Show a server that is attached to until the user quits; the exit code."""
    from functools import partial

    from loopviz.cli.recorded import print_recorded
    from loopviz.draw.safe import printable
    from loopviz.tui import Aside, LoopvizApp

    aside = Aside()
    app = LoopvizApp(source, palette, leave=lambda: os._exit(0), aside=aside)
    code = 1
    try:
        recorder = None if place is None else source.record(place, partial(app.say, seconds=10))
        aside.read_nothing()
        aside.take()
        app.run()
        code = app.return_code or app.return_value or 0
    finally:
        aside.release()
        app.finish_saving(1.0)
        source.stop()
        source.drain()
        source.end_recording()
        ended = source.stopped or (f"The server has ended: {source.death.how}." if source.death else "")
        with suppress(OSError):
            for line in (*aside.last_words(), *([f"loopviz: {ended}"] if ended else [])):
                print(printable(line, 4_000), file=sys.stderr)
    if recorder is not None and output is not None:
        code = code or print_recorded(output, recorder.events, recorder.dropped, recorder.failed)
    return code


def _report(options: argparse.Namespace, place: Any) -> int:
    """Watch without a screen, and report; the exit code."""
    from dataclasses import asdict
    from functools import partial

    from loopviz.cli.console import console_for, palette_for, show_progress, shown
    from loopviz.cli.recorded import print_recorded
    from loopviz.cli.report import print_report
    from loopviz.draw.source import lines_of
    from loopviz.findings.listed import documents, of_run
    from loopviz.model import Timeline
    from loopviz.model.summary import summarise

    source = _reached(options)
    timeline = Timeline(whole=options.duration <= _WHOLE)
    recorder = None if place is None else source.record(place)
    palette = palette_for(options)
    began = time.monotonic()
    try:
        while (passed := time.monotonic() - began) < options.duration:
            timeline.feed(source.drain())
            if source.death is not None or source.stopped is not None:
                break
            if passed > 1.0:
                show_progress(f"{len(timeline.requests)} requests, {passed:.0f} of {options.duration:g} s")
            time.sleep(0.03)
    except KeyboardInterrupt:
        pass
    finally:
        show_progress("")
        timeline.feed(source.drain_all())
        source.end_recording()
        source.stop()
    found = of_run(
        timeline, partial(lines_of, timeline), gil=source.environment.gil, dropped=source.vitals().dropped
    )
    if options.json:
        document = summarise(
            timeline,
            scenario=None,
            environment=asdict(source.environment),
            limit=source.threads,
            dropped=source.vitals().dropped,
            blind=tuple(source.blind),
            findings=documents(found),
        )
        print(json.dumps(document, indent=2))
    else:
        print_report(
            console_for(palette),
            palette,
            timeline,
            _facts(source),
            requests=len(timeline.requests),
            threads=source.threads,
            found=found,
        )
        for what, why in source.blind:
            print(shown(f"not visible here: {what} ({why})", palette), file=sys.stderr)
    if source.death is not None:
        print("loopviz: The server has ended while it was watched.", file=sys.stderr)
    if recorder is None:
        return 0
    return print_recorded(options.output, recorder.events, recorder.dropped, recorder.failed)


def _facts(source: Any) -> Any:
    """What the report says of the server, where it would say what a scenario is."""
    from pathlib import Path

    from loopviz.scenario import Scenario, ScenarioFile

    facts = Scenario(title=f"attached at {source.address}" if source.address else "attached", expect="")
    processes = ", ".join(map(str, source.pids))
    named = f"{'processes' if len(source.pids) > 1 else 'process'} {processes}"
    return ScenarioFile(named, Path(), facts, None, "GET", "/")
