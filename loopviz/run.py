"""``loopviz run``: a session, and the screen that shows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from multiprocessing import resource_tracker

from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.lab import Lab
from loopviz.reload import Watcher
from loopviz.replay import Replay, timeline_for_replay
from loopviz.scenario import ScenarioFile
from loopviz.session import Session, leave
from loopviz.tui import LoopvizApp, Trigger

__all__ = ["replay", "run"]


def run(
    files: Sequence[ScenarioFile],
    *,
    palette: Palette,
    port: int,
    requests: int | None,
    threads: int,
    loop: str,
    watcher: Watcher | None = None,
    trigger: Trigger | None = None,
    record: str | None = None,
) -> int:
    """Show the live picture until the user quits; the exit code. `record` names a file for the events."""
    if os.name == "posix":
        # A pool of spawned processes starts it, and would hand stderr down to it: Textual's has no
        # file descriptor. Started before the session, it also outlives it, and can clear up.
        resource_tracker.ensure_running()
    session = Session(files, port=port, threads=threads, loop=loop, lazily=True)
    app = LoopvizApp(
        session,
        palette,
        requests=requests,
        watcher=watcher,
        trigger=trigger,
        experimenter=lambda watch, progress, cancelled: Lab(
            loop=loop, watch=watch, progress=progress, cancelled=cancelled
        ),
    )
    try:
        recorder = None if record is None else session.record(record, app.say)
    except InputError:
        session.stop()
        raise
    code = 1
    try:
        app.run()
        code = app.return_code or app.return_value or 0
    finally:
        session.drain()
        session.end_recording()
        if recorder is not None:
            said = recorder.failed or f"{recorder.events} events are in {record}: loopviz replay {record}"
            print(said, file=sys.stderr)
        if not session.stop():
            leave(code)
    return code


def replay(source: Replay, *, palette: Palette) -> int:
    """Show a recording until the user quits; the exit code."""
    app = LoopvizApp(source, palette, timeline=timeline_for_replay())
    try:
        app.run()
    finally:
        source.stop()
        if source.damage is not None:
            print(f"{source.recording.path}: {source.damage}", file=sys.stderr)
    return app.return_code or app.return_value or 0
