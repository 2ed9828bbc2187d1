"""``loopviz run``: a server with scenarios, and the screen that shows it live."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from loopviz.cli.arguments import (
    add_ascii,
    add_health,
    add_loop,
    add_port,
    add_recording,
    add_requests,
    add_runnable,
    add_theme,
    add_threads,
)
from loopviz.cli.own import add_application, changes_of, files_of, notice, session_for, target_of
from loopviz.cli.plain import add_plain
from loopviz.errors import InputError

if TYPE_CHECKING:
    from loopviz.live.session import Session
    from loopviz.target import Application

__all__ = ["add_parser", "show"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser("run", help="show the live picture", description="Show the live picture.")
    add_runnable(parser)
    add_port(parser)
    add_requests(parser, "how many requests a key fires at once (default: the scenario's own number)")
    add_threads(parser)
    add_loop(parser, own=True)
    add_recording(parser, "--record", force="the file of --record")
    add_health(parser)
    add_theme(parser)
    add_ascii(parser)
    add_plain(parser)
    parser.add_argument(
        "--freeze-on",
        metavar="WHAT",
        help="freeze the picture when this happens: block>250ms, thread-wait>100ms, latency>2s, error",
    )
    add_application(parser)
    parser.add_argument(
        "--reload",
        action="store_true",
        help="start the application again when one of its Python files is saved",
    )
    parser.add_argument(
        "--cmd",
        action="store_true",
        help="start the command that follows, and show the server in it: --cmd -- gunicorn shop:app",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Show the live picture until the user quits; the exit code."""
    if options.cmd:
        from loopviz.cli.attach import command

        return command(options)
    from loopviz.cli.console import require_terminal, screen_palette
    from loopviz.cli.recorded import place_for
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.scenario import read
    from loopviz.target import Application

    if options.plain:
        return _plain(options)
    gc.disable()  # until the first frame: imports leave nothing to collect, and looking for it takes long
    palette = screen_palette(options)
    require_terminal("Without one, use --plain, or 'loopviz record TARGET'; see 'loopviz scenarios'.")
    found = target_of(options.target, options)
    own = found if isinstance(found, Application) else None
    paths = files_of(found)
    with place_for(options.record, paths, force=options.force) as place, Workspace():
        begun = None if own is None else session_for(own, [], options, lazily=True)
        try:
            if begun is not None:
                begun.start()  # its process starts while this one imports Textual
            from loopviz.cli.importing import importing
            from loopviz.scenario.watch import Watcher
            from loopviz.tui import Aside, parse_trigger

            trigger = parse_trigger(options.freeze_on) if options.freeze_on else None
            aside = Aside()
        except BaseException:
            if begun is not None:
                begun.stop()
            raise
        try:
            aside.read_nothing()
            if own is not None:
                return show([], options, palette, None, trigger, place, aside, own=own, begun=begun)
            with importing(aside.keys, lambda: aside.hold(screen=False)) as reading:
                files = read(paths, reading, tolerant=True)
            watcher = Watcher(options.target, files) if options.target else None
            return show(files, options, palette, watcher, trigger, place, aside)
        finally:
            aside.release()


def _plain(options: argparse.Namespace) -> int:
    """Say what happens in sentences, in place of the picture; the exit code."""
    from loopviz.cli.console import without_progress
    from loopviz.cli.plain import served
    from loopviz.cli.recorded import place_for
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.target import Application

    for option in ("--freeze-on", "--reload"):
        if getattr(options, option.removeprefix("--").replace("-", "_")):
            raise InputError(f"{option} needs the picture.\nLeave it out, or --plain.")
    found = target_of(options.target, options)
    own = found if isinstance(found, Application) else None
    paths = files_of(found)
    place_of = place_for(options.record, paths, force=options.force)
    with without_progress(), place_of as place, Workspace():
        return served(options, own, paths, place)


def _experimenter(loop: str, watch: Any, progress: Any, cancelled: Any) -> Any:
    """What does the experiments of claims."""
    from loopviz.experiment.lab import Lab

    return Lab(loop=loop, watch=watch, progress=progress, cancelled=cancelled)


def show(
    files: Any,
    options: argparse.Namespace,
    palette: Any,
    watcher: Any,
    trigger: Any,
    place: Any,
    aside: Any,
    lecture: Any = None,
    own: Application | None = None,
    begun: Session | None = None,
) -> int:
    """Serve these scenarios, or an application of the user's `own`, and show the picture, or the stage.

    `begun` is the session of that application, which has been started.
    Returns the exit code when the user has quit.
    """
    from multiprocessing import resource_tracker

    from loopviz.cli.recorded import print_recorded
    from loopviz.draw.safe import printable
    from loopviz.live.session import leave
    from loopviz.tui import LoopvizApp

    if os.name == "posix":
        # A pool of spawned processes starts it, and would hand stderr down to it: Textual's has no
        # file descriptor. Started before the session, it also outlives it, and can clean up.
        resource_tracker.ensure_running()
    session = begun or session_for(own, files, options, lazily=True)

    def abandon() -> None:
        session.drain()
        session.end_recording()
        leave(0)

    app = LoopvizApp(
        session,
        palette,
        requests=options.requests,
        watcher=watcher,
        changes=changes_of(own),
        trigger=trigger,
        leave=abandon,
        aside=aside,
        lecture=lecture,
        experimenter=partial(_experimenter, options.loop),
    )
    if own is not None and (said := notice(own)):
        app.say(said, seconds=8)
    try:
        recorder = None if place is None else session.record(place, partial(app.say, seconds=10))
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
        app.finish_saving(1.0)
        session.drain()
        session.end_recording()
        with suppress(OSError):  # the terminal may be gone
            for line in (*aside.last_words(), *([f"loopviz: {session.stopped}"] if session.stopped else [])):
                print(printable(line, 4_000), file=sys.stderr)
        if recorder is not None:
            if code == 2:  # the server did not start
                place.discard()
            else:
                recorded = print_recorded(options.record, recorder.events, recorder.dropped, recorder.failed)
                code = code or recorded
        if not session.stop():
            leave(code)
    return code
