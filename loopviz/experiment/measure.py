"""One measured run of a scenario without a screen: serve, fire, wait for the last word."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass
from typing import Any

from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.model.summary import summarise
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Event
from loopviz.stream.source import Environment, Vitals

__all__ = ["Cancelled", "Progress", "Run", "Tap", "follow", "judge", "measure"]

Tap = Callable[[list[Event]], None]
"""Called with the events of a run as they come in."""
Progress = Callable[[str], None]
"""Called now and then with what to show a person who waits; with "" when it is over."""

_PATIENCE = 1.0
"""Seconds of silence before progress is shown."""
_SETTLE = 2.0
"""How long to wait for the server's last words after the client's last answer, at most."""
_JUDGEMENT = 0.12
"""A block's kind is judged by the sampler's next reading, which is that far away at most."""


class Cancelled(Exception):  # noqa: N818 - it is no error
    """Whoever wanted the measurement does not want it any more."""


@dataclass(frozen=True)
class Run:
    """What a run was, and what it left."""

    scenario: ScenarioFile
    requests: int
    threads: int
    timeline: Timeline
    environment: Environment
    vitals: Vitals
    blind: tuple[tuple[str, str], ...]
    recorded: int = 0
    """How many events were written to a file."""
    unrecorded: str | None = None
    """What went wrong with that file, if anything did."""

    def summary(self) -> dict[str, Any]:
        """The JSON document of the run; see `loopviz.model.summary`."""
        return summarise(
            self.timeline,
            scenario=self.scenario.name,
            environment=asdict(self.environment),
            limit=self.threads,
            dropped=self.vitals.dropped,
            blind=self.blind,
        )


def measure(
    scenario: ScenarioFile,
    *,
    requests: int | None = None,
    threads: int = 40,
    loop: str = "asyncio",
    progress: Progress | None = None,
    output: str | None = None,
) -> Run:
    """Serve `scenario` on a fresh server, fire `requests` at once, and wait for every answer.

    The events are written to `output` if that is given.
    """
    count = requests or scenario.facts.requests
    session = Session([scenario], threads=threads, loop=loop)
    timeline = Timeline()
    try:
        recorder = None if output is None else session.record(output)
        session.start()
        session.wait()
        answered = session.fire(scenario, count)
        follow(session, timeline, [answered], count, progress=progress or _silent)
        judge(session, timeline)
    finally:
        session.end_recording()  # what happens from here on is not in the timeline either
        session.stop()
    return Run(
        scenario,
        count,
        threads,
        timeline,
        session.environment,
        session.vitals(),
        tuple(session.blind),
        recorder.events if recorder else 0,
        recorder.failed if recorder else None,
    )


def _silent(_: str) -> None:
    """No progress is wanted."""


def follow(
    session: Session,
    timeline: Timeline,
    answered: Sequence[Future[Any]],
    count: int,
    *,
    progress: Progress = _silent,
    cancelled: threading.Event | None = None,
    tap: Tap | None = None,
) -> None:
    """Feed the timeline until every answer is there, and the server has said all about it.

    `answered` are the futures of what was fired, `count` requests in all. Raises `Cancelled` within
    a tenth of a second after `cancelled` has been set.
    """

    def feed(events: list[Event]) -> None:
        timeline.feed(events)
        if tap is not None:
            tap(events)

    began = time.monotonic()
    while wait(answered, timeout=0.1 if tap is None else 0.03).not_done:
        if cancelled is not None and cancelled.is_set():
            raise Cancelled
        feed(session.drain())
        waited = time.monotonic() - began
        if waited > _PATIENCE:
            done = sum(1 for request in timeline.requests.values() if request.done is not None)
            progress(f"{done} of {count} answered, {waited:.0f} s")
    progress("")
    for future in answered:
        future.result()
    until = time.monotonic() + _SETTLE
    while True:
        feed(session.drain_all())
        if not timeline.live or time.monotonic() > until:
            break
        time.sleep(0.02)


def judge(session: Session, timeline: Timeline) -> None:
    """Give the sampler the time to say whether the last block slept or computed."""
    time.sleep(_JUDGEMENT)
    timeline.feed(session.drain_all())
