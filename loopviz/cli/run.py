"""``loopviz run``: a server with scenarios, and the screen that shows it live."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import Any

from loopviz.cli.arguments import add_ascii, add_loop, add_requests, add_target, add_threads, number
from loopviz.errors import InputError

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser("run", help="show the live picture", description="Show the live picture.")
    add_target(parser)
    parser.add_argument(
        "--port",
        type=number(0, 65535),
        default=0,
        help="the server's port on 127.0.0.1 (default: a free port)",
    )
    add_requests(parser, "how many requests a key fires at once (default: the scenario's own number)")
    add_threads(parser)
    add_loop(parser)
    parser.add_argument(
        "--record",
        metavar="FILE",
        default=None,
        help="record all events in FILE, for 'loopviz replay'; compressed if its name ends in .gz",
    )
    add_ascii(parser)
    parser.add_argument(
        "--freeze-on",
        metavar="WHAT",
        help="freeze the picture when this happens: block>250ms, thread-wait>100ms, latency>2s, error",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Show the live picture until the user quits; the exit code."""
    from loopviz.cli.console import has_terminal, palette_for
    from loopviz.cli.importing import importing
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.scenario import find, read
    from loopviz.scenario.watch import Watcher
    from loopviz.tui import Aside, parse_trigger

    if not has_terminal():
        raise InputError(
            "The live picture needs a terminal.\n"
            "Without one, use 'loopviz record SCENARIO'; 'loopviz scenarios' lists them."
        )
    trigger = parse_trigger(options.freeze_on) if options.freeze_on else None
    aside = Aside()
    with Workspace():
        try:
            aside.read_nothing()
            with importing(aside.keys, lambda: aside.hold(screen=False)) as reading:
                files = read(find(options.target), reading)
            watcher = Watcher(options.target, files) if options.target else None
            return _show(files, options, palette_for(options), watcher, trigger, aside)
        finally:
            aside.release()


def _show(
    files: Any, options: argparse.Namespace, palette: Any, watcher: Any, trigger: Any, aside: Any
) -> int:
    from multiprocessing import resource_tracker

    from loopviz.draw.safe import printable
    from loopviz.draw.words import saved
    from loopviz.experiment.lab import Lab
    from loopviz.live.session import Session, leave
    from loopviz.tui import LoopvizApp

    if os.name == "posix":
        # A pool of spawned processes starts it, and would hand stderr down to it: Textual's has no
        # file descriptor. Started before the session, it also outlives it, and can clean up.
        resource_tracker.ensure_running()
    session = Session(files, port=options.port, threads=options.threads, loop=options.loop, lazily=True)

    def abandon() -> None:
        session.drain()
        session.end_recording()
        leave(0)

    app = LoopvizApp(
        session,
        palette,
        requests=options.requests,
        watcher=watcher,
        trigger=trigger,
        leave=abandon,
        aside=aside,
        experimenter=lambda watch, progress, cancelled: Lab(
            loop=options.loop, watch=watch, progress=progress, cancelled=cancelled
        ),
    )
    try:
        recorder = None if options.record is None else session.record(options.record, app.say)
    except InputError:
        session.stop()
        raise
    code = 1
    try:
        aside.take()
        app.run()
        code = app.return_code or app.return_value or 0
    finally:
        aside.release()
        with suppress(OSError):  # the terminal may be gone
            for line in (*aside.last_words(), *([f"loopviz: {session.stopped}"] if session.stopped else [])):
                print(printable(line, 4_000), file=sys.stderr)
        session.drain()
        session.end_recording()
        if recorder is not None:
            failed = recorder.failed and printable(recorder.failed, 1_000)
            print(failed or saved(recorder.events, options.record), file=sys.stderr)
        if not session.stop():
            leave(code)
    return code
