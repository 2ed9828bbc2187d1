"""Measurements with one server: several loads at once, with offsets, or one after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from loopviz.claims import Burst
from loopviz.experiment.alone import Progress, begin
from loopviz.experiment.measure import Tap, follow, require_visible
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.model.sample import Sample, sampled
from loopviz.scenario import THREAD_LIMIT, ScenarioFile
from loopviz.stream.source import Environment

__all__ = ["Bench"]


class Bench:
    """A server that stays up for several bursts; a context manager.

    Entering it waits until the server of an earlier measurement has ended, as `loopviz.experiment.alone`
    says. `tap` is called with the events as well, so that they can be drawn.
    """

    def __init__(
        self,
        scenarios: Sequence[ScenarioFile],
        *,
        threads: int = THREAD_LIMIT,
        loop: str = "asyncio",
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
        tap: Tap | None = None,
    ) -> None:
        self._session = Session(scenarios, threads=threads, loop=loop)
        self._timeline = Timeline()
        self._scenarios = {file.name: file for file in scenarios}
        self._progress = progress or (lambda _: None)
        self._cancelled = cancelled
        self._tap = tap

    @property
    def environment(self) -> Environment:
        """What the server runs on."""
        return self._session.environment

    def __enter__(self) -> Self:
        try:
            begin(self._session, list(self._scenarios), self._progress, self._cancelled)
            self._session.wait()
        except BaseException:
            self._session.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.stop()

    def fire(self, *bursts: Burst) -> Sample:
        """Fire these bursts together and wait until all of their events have arrived.

        Raises `NotVisibleError` where no request can be seen.
        """
        timeline = self._timeline
        events = self._session.drain_all()
        timeline.feed(events)
        if self._tap is not None:
            self._tap(events)
        before = set(timeline.requests)
        futures = [
            self._session.fire(
                self._scenarios[burst.scenario],
                burst.requests,
                at_once=burst.at_once,
                delay=burst.after,
            )
            for burst in bursts
        ]
        count = sum(burst.requests for burst in bursts)
        follow(
            self._session,
            timeline,
            futures,
            count,
            progress=self._progress,
            cancelled=self._cancelled,
            tap=self._tap,
        )
        require_visible(self._session.blind)
        fired = [n for n, request in timeline.requests.items() if request.own and n not in before]
        names = {(file.method, file.path): file.name for file in self._scenarios.values()}
        return sampled(timeline, fired, names, threads=self._session.threads)
