"""One measured run of a scenario without a screen: serve, fire, wait for all events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

from loopviz.clock import now_ns
from loopviz.draw.source import lines_of
from loopviz.errors import NotVisibleError
from loopviz.experiment.alone import Cancelled, Progress, begin
from loopviz.findings import Finding
from loopviz.findings.listed import documents, of_run
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.model.summary import summarise
from loopviz.probe.sampler import CLOCKS_EVERY, PERIOD
from loopviz.recording import Place
from loopviz.scenario import THREAD_LIMIT, ScenarioFile
from loopviz.stream.blind import nothing_visible
from loopviz.stream.events import Event
from loopviz.stream.source import Death, Environment, Vitals

__all__ = [
    "Cancelled",
    "Course",
    "Progress",
    "Run",
    "Tap",
    "conduct",
    "follow",
    "measure",
    "measure_on",
    "require_visible",
    "settle",
]

Tap = Callable[[list[Event]], None]
"""Called with the events of a run as they come in; often, also without any."""

_PATIENCE = 1.0
"""Seconds of silence before progress is shown."""
_LONG = 5.0
"""Seconds without progress after which the user is shown what else can be done."""
_SETTLE = 2.0
"""The longest wait for the server's last events after the client has the last answer (s)."""
_INTERRUPTED = 0.2
"""The longest wait for the events of another process after an interruption (s)."""
_NEXT_READING = (CLOCKS_EVERY + 1) * PERIOD
"""The longest time until the sampler's next reading of the CPU clocks, which classifies a block (s)."""


@dataclass(frozen=True)
class Run:
    """A measured run and its results."""

    scenario: ScenarioFile
    requests: int
    threads: int
    timeline: Timeline
    environment: Environment
    vitals: Vitals
    blind: tuple[tuple[str, str], ...]
    recorded: int = 0
    """How many events were recorded in a file."""
    unrecorded: str | None = None
    """Why recording failed; None if it did not."""
    interrupted: int | None = None
    """When it was interrupted, with requests that have no answer (ns); None if it was not."""
    lost: int = 0
    """How many events are not in the file because the disk was too slow."""
    death: Death | None = None
    """How the server's process has ended meanwhile; None if it has not."""

    def summary(self) -> dict[str, Any]:
        """The JSON document of the run; see `loopviz.model.summary`."""
        return summarise(
            self.timeline,
            scenario=self.scenario.name,
            environment=asdict(self.environment),
            limit=self.threads,
            dropped=self.vitals.dropped,
            blind=self.blind,
            interrupted=self.interrupted,
            findings=documents(self.findings),
        )

    @cached_property
    def findings(self) -> list[Finding]:
        """What was found in it, the gravest first."""
        return of_run(
            self.timeline,
            partial(lines_of, self.timeline),
            repaired=self.scenario.facts.repaired,
            gil=self.environment.gil,
            dropped=self.vitals.dropped,
            now=self.interrupted,
        )


def measure(
    scenario: ScenarioFile,
    *,
    requests: int | None = None,
    threads: int = THREAD_LIMIT,
    loop: str = "asyncio",
    progress: Progress | None = None,
    output: str | Place | None = None,
    interruption: AbstractContextManager[threading.Event] | None = None,
) -> Run:
    """Serve `scenario` on a fresh server, fire `requests` at once, and wait for every answer.

    The events are also recorded in the file `output`, if it is given. `interruption` is entered while
    answers are waited for; when its event is set, the run ends with what was seen so far. Raises `InputError`
    if the server of an earlier measurement does not end; see `loopviz.experiment.alone`.
    """
    count = requests or scenario.facts.requests
    session = Session([scenario], threads=threads, loop=loop)
    return measure_on(session, scenario, count, progress=progress, output=output, interruption=interruption)


def measure_on(
    session: Session,
    scenario: ScenarioFile,
    requests: int,
    *,
    progress: Progress | None = None,
    output: str | Place | None = None,
    interruption: AbstractContextManager[threading.Event] | None = None,
    tap: Tap | None = None,
) -> Run:
    """The same on a session that is not started yet, and is stopped here."""

    def fire(course: Course) -> None:
        course.follow([session.fire(scenario, requests)], requests)

    return conduct(
        session,
        scenario,
        requests,
        fire,
        progress=progress,
        output=output,
        interruption=interruption,
        tap=tap,
    )


@dataclass(frozen=True)
class Course:
    """A run while it takes its course: what it is fed from, and who waits for it."""

    session: Session
    timeline: Timeline
    progress: Progress
    cancelled: threading.Event | None
    """Set when the run is to end with what was seen so far."""
    tap: Tap | None = None

    def feed(self) -> None:
        """Take in the events that there are."""
        _feed(self.timeline, self.session.drain(), self.tap)

    def follow(self, answered: Sequence[Future[Any]], count: int) -> None:
        """Feed the timeline until all has been answered; see `follow`."""
        follow(
            self.session,
            self.timeline,
            answered,
            count,
            progress=self.progress,
            cancelled=self.cancelled,
            tap=self.tap,
            hint="Ctrl+C reports what was seen" if self.cancelled is not None else "Ctrl+C ends it",
        )


def conduct(
    session: Session,
    scenario: ScenarioFile,
    requests: int,
    act: Callable[[Course], object],
    *,
    progress: Progress | None = None,
    output: str | Place | None = None,
    interruption: AbstractContextManager[threading.Event] | None = None,
    tap: Tap | None = None,
) -> Run:
    """Start a session, let `act` send requests to it or wait for those of others, and end it.

    `scenario` is what the results are said to be of, and `requests` how many were asked for; for the others
    see `measure`. The session is stopped in any case.
    """
    progress = progress or _silent
    timeline = Timeline()
    interrupted: int | None = None
    recorder = death = None
    try:
        recorder = None if output is None else session.record(output)
        begin(session, [scenario.name], progress)
        session.wait()
        try:
            with interruption or nullcontext() as cancelled:
                act(Course(session, timeline, progress, cancelled, tap))
            settle(session, timeline, tap)
        except Cancelled:
            progress("")
            session.catch_up(_INTERRUPTED)
            _feed(timeline, session.drain_all(), tap)
            interrupted = max(now_ns(), timeline.last)
        death = session.death
    finally:
        session.end_recording()  # later events are not in the timeline either
        session.stop()
    return Run(
        scenario,
        requests,
        session.threads,
        timeline,
        session.environment,
        session.vitals(),
        tuple(session.blind),
        recorder.events if recorder else 0,
        recorder.failed if recorder else None,
        interrupted,
        recorder.dropped if recorder else 0,
        death,
    )


def _silent(_: str) -> None:
    """No progress is wanted."""


def _feed(timeline: Timeline, events: list[Event], tap: Tap | None) -> None:
    timeline.feed(events)
    if tap is not None:
        tap(events)


def follow(
    session: Session,
    timeline: Timeline,
    answered: Sequence[Future[Any]],
    count: int,
    *,
    progress: Progress = _silent,
    cancelled: threading.Event | None = None,
    tap: Tap | None = None,
    hint: str = "",
) -> None:
    """Feed the timeline until every answer has arrived and the server has no request left.

    `answered` are the futures of what was fired, `count` requests in all. Raises `Cancelled` within
    0.1 s after `cancelled` has been set. `hint` is added to the progress when it takes long.
    """
    began = time.monotonic()
    before = set(timeline.requests)  # of bursts before on the same server
    while wait(answered, timeout=0.1 if tap is None else 0.03).not_done:
        if cancelled is not None and cancelled.is_set():
            raise Cancelled
        _feed(timeline, session.drain(), tap)
        waited = time.monotonic() - began
        if waited > _PATIENCE:
            fired = [r for n, r in timeline.requests.items() if r.own and n not in before]
            done = sum(request.done is not None for request in fired)
            said = f"{done} of {count} answered, {waited:.0f} s"
            if hint and waited > _LONG:
                said = f"{count - done} of {count} still without an answer after {waited:.0f} s; {hint}"
            progress(said)
    progress("")
    for future in answered:
        future.result()
    session.catch_up(_SETTLE)
    until = time.monotonic() + _SETTLE
    while True:
        _feed(timeline, session.drain_all(), tap)
        if not timeline.live or time.monotonic() > until:
            break
        time.sleep(0.02)


def require_visible(blind: Iterable[tuple[str, str]]) -> None:
    """Raise `NotVisibleError` where no request can be seen: figures without requests would be wrong."""
    unseen = nothing_visible(blind)
    if unseen is not None:
        raise NotVisibleError(f"{unseen}\nUse another version of what is named, or report this.")


def settle(session: Session, timeline: Timeline, tap: Tap | None = None) -> None:
    """Wait until the sampler has classified the last block as sleeping or computing."""
    time.sleep(_NEXT_READING)
    session.catch_up(_SETTLE)
    _feed(timeline, session.drain_all(), tap)
