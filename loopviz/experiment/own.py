"""One measured run of an application of the user's own: requests as asked for, or those of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

from loopviz.errors import InputError
from loopviz.experiment.alone import Progress
from loopviz.experiment.measure import Course, Run, Tap, conduct
from loopviz.live.session import Session
from loopviz.recording import Place
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.target import Application, asked_for
from loopviz.target.listing import brief
from loopviz.target.routes import MOST

__all__ = ["as_scenario", "measure_own", "watch"]

_LISTED: Final = 12
"""As many routes are named where one must be chosen."""
_LOOK: Final = 0.05
"""How often the events of others' requests are taken in (s)."""


def as_scenario(application: Application, title: str = "requests of others") -> ScenarioFile:
    """An application as what a run is of: its name, and what is measured as the title."""
    file = Path(application.file or application.module)
    return ScenarioFile(application.name, file, Scenario(title=title, expect=""), None, "GET", "/")


def measure_own(
    session: Session,
    application: Application,
    lines: Sequence[str],
    requests: int,
    *,
    progress: Progress | None = None,
    output: str | Place | None = None,
    interruption: AbstractContextManager[threading.Event] | None = None,
    tap: Tap | None = None,
) -> Run:
    """Fire each request line `requests` times, all of them together, and wait for every answer.

    Without lines, the application's only route is fired. Raises `InputError` if it has several, or if it
    lacks a value. For the other arguments see `loopviz.experiment.measure`.
    """
    chosen: list[ScenarioFile] = []

    def fire(course: Course) -> None:
        files = [asked_for(application, session.scenarios, line) for line in lines]
        chosen.extend(files or [_only(application, session.scenarios)])
        course.follow([session.fire(file, requests) for file in chosen], requests * len(chosen))

    named = as_scenario(application)
    run = conduct(
        session,
        named,
        requests * max(1, len(lines)),
        fire,
        progress=progress,
        output=output,
        interruption=interruption,
        tap=tap,
    )
    title = ", ".join(f"{file.method} {file.path}" for file in chosen)
    return replace(run, scenario=as_scenario(application, title))


def watch(
    session: Session,
    scenario: ScenarioFile,
    seconds: float,
    *,
    progress: Progress | None = None,
    output: str | Place | None = None,
    interruption: AbstractContextManager[threading.Event] | None = None,
    tap: Tap | None = None,
) -> Run:
    """Send nothing, and look so many seconds at what others send. An interruption ends it early, in order."""

    def look(course: Course) -> None:
        began = time.monotonic()
        shown = 0
        while (waited := time.monotonic() - began) < seconds:
            if (course.cancelled is not None and course.cancelled.is_set()) or session.death is not None:
                break
            course.feed()
            if int(waited) > shown:
                shown = int(waited)
                seen = len(course.timeline.requests)
                course.progress(
                    f"{session.address}: {seen} requests seen, {shown} of {seconds:g} s; Ctrl+C reports now"
                )
            time.sleep(min(_LOOK, max(0.0, began + seconds - time.monotonic())))
        course.progress("")

    run = conduct(
        session, scenario, 0, look, progress=progress, output=output, interruption=interruption, tap=tap
    )
    return replace(run, requests=len(run.timeline.requests))


def _only(application: Application, files: Sequence[ScenarioFile]) -> ScenarioFile:
    """The route that is meant where none is named."""
    if len(files) == 1:
        if files[0].lacking is not None:
            raise InputError(files[0].lacking)
        return files[0]
    example = "--request 'GET /path'"
    if not files:
        raise InputError(
            f"The routes of {application.name} cannot be read, or it has none.\n"
            f"Say what to fire: {example}, or --for 10s to watch what others send."
        )
    names = ", ".join(brief(file.name) for file in files[:_LISTED])
    more = f", and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    ready = [file.name for file in files if file.lacking is None] or [file.name for file in files]
    example = next((name for name in ready if name == brief(name) and name.isprintable()), ready[0])
    number = f"{MOST:,} routes or more" if len(files) >= MOST else f"{len(files)} routes"
    raise InputError(
        f"{application.name} has {number}: {names}{more}.\n"
        f"Say which to fire: --request '{example}'; or --for 10s to watch what others send."
    )
