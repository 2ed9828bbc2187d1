"""``loopviz record``: fire a scenario, wait for the answers, report."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import Future, wait
from dataclasses import asdict
from typing import Any

from rich.console import Console

from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.model.summary import summarise
from loopviz.report import print_report
from loopviz.scenario import ScenarioFile
from loopviz.session import Session

__all__ = ["record"]

_PATIENCE = 1.0
"""Seconds of silence before progress is shown."""
_SETTLE = 2.0
"""How long to wait for the server's last words after the client's last answer, at most."""


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
    count = requests or scenario.facts.requests
    session = Session([scenario], threads=threads, loop=loop)
    timeline = Timeline()
    session.start()
    try:
        session.wait()
        answered = session.fire(scenario, count)
        _follow(session, timeline, answered, count)
    finally:
        session.stop()
    vitals = session.vitals()
    if as_json:
        document = summarise(
            timeline,
            scenario=scenario.name,
            environment=asdict(session.environment),
            limit=threads,
            dropped=vitals.dropped,
            blind=session.blind,
        )
        print(json.dumps(document, indent=2))
        return 0
    console = Console(no_color=not palette.colour, highlight=False, soft_wrap=True)
    print_report(console, palette, timeline, scenario, requests=count, threads=threads)
    for what, why in session.blind:
        print(f"not seen: {what} ({why})", file=sys.stderr)
    if vitals.dropped:
        print(f"{vitals.dropped} events were lost: the figures may be wrong", file=sys.stderr)
    return 0


def _follow(session: Session, timeline: Timeline, answered: Future[Any], count: int) -> None:
    """Feed the timeline until every answer is there, and the server has said all about it."""
    began = time.monotonic()
    progress = sys.stderr.isatty()
    shown = False
    while not answered.done():
        wait([answered], timeout=0.1)
        timeline.feed(session.drain())
        if progress and time.monotonic() - began > _PATIENCE:
            done = sum(1 for request in timeline.requests.values() if request.done is not None)
            print(
                f"\r{done} of {count} answered, {time.monotonic() - began:.0f} s",
                end="",
                file=sys.stderr,
                flush=True,
            )
            shown = True
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    answered.result()
    until = time.monotonic() + _SETTLE
    while True:
        timeline.feed(session.drain_all())
        if not timeline.live or time.monotonic() > until:
            break
        time.sleep(0.02)
    # A block's kind is judged by the sampler's next reading, which may still be to come.
    time.sleep(0.12)
    timeline.feed(session.drain_all())
