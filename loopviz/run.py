"""``loopviz run``: a session, and the screen that shows it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing import resource_tracker

from loopviz.draw.look import Palette
from loopviz.lab import Lab
from loopviz.reload import Watcher
from loopviz.scenario import ScenarioFile
from loopviz.session import Session, leave
from loopviz.tui import LoopvizApp, Trigger

__all__ = ["run"]


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
) -> int:
    """Show the live picture until the user quits; the exit code."""
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
    code = 1
    try:
        app.run()
        code = app.return_code or app.return_value or 0
    finally:
        if not session.stop():
            leave(code)
    return code
