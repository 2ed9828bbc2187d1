"""Runs a load under the real probe, and compares what loopviz says with the truth."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.scenario import Scenario, ScenarioFile
from tests.served import serving
from tests.truth.application import Application
from tests.truth.programs import Load
from tests.truth.states import GONE, Stretch, Truth

__all__ = ["TOLERANCE", "Comparison", "Judged", "compare", "judge"]

TOLERANCE = 2_000_000
"""A disagreement shorter than this counts as agreement (ns): between a stamp of the application's and the
same moment's stamp of the probe, another thread may have the GIL."""
_NUMBER = re.compile(rb"x-loopviz-request: *\w+-(\d+)", re.IGNORECASE)
_PATIENCE = 20.0


@dataclass
class Judged:
    """A request, and where what was shown is not the truth."""

    number: int
    truth: list[Stretch]
    shown: list[tuple[str, int, int]]
    total: int = 0
    agreed: int = 0
    ambiguous: int = 0
    """How much of the time more than one state is right."""
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Time by true and shown state (ns)."""
    wrong: list[tuple[int, int, str, str]] = field(default_factory=list)
    """Start and end of each disagreement, the true state and the one shown."""
    why: list[str] = field(default_factory=list)
    """For each disagreement, what may have been taken for the request's state."""

    @property
    def share(self) -> float:
        """How much of its time the right state was shown."""
        return self.agreed / self.total if self.total else 1.0


@dataclass
class Comparison:
    """A load that was run, and its requests."""

    load: Load
    requests: list[Judged]
    trouble: list[str]
    """What is wrong with the run itself: then it says nothing about loopviz."""

    @property
    def total(self) -> int:
        """The time of all requests (ns)."""
        return sum(request.total for request in self.requests)

    @property
    def agreed(self) -> int:
        """How much of it was shown right (ns)."""
        return sum(request.agreed for request in self.requests)

    @property
    def share(self) -> float:
        """How much of the requests' time was shown right."""
        return self.agreed / self.total if self.total else 1.0


def judge(number: int, truth: list[Stretch], shown: list[tuple[str, int, int]]) -> Judged:
    """Compare a request's true states with those shown: state, start and end, without gaps."""
    judged = Judged(number, truth, shown)
    edges = sorted({e for s in truth for e in (s.start, s.end)} | {e for _, *both in shown for e in both})
    pieces: list[tuple[int, int, str, str, bool]] = []
    for one, next_one in pairwise(edges):
        true = next((s for s in truth if s.start <= one and next_one <= s.end), None)
        said = next((state for state, start, end in shown if start <= one and next_one <= end), GONE)
        if true is None or (true.state == said == GONE):
            continue
        right = said == true.state or said in true.also
        judged.ambiguous += (next_one - one) if true.also else 0
        if pieces and pieces[-1][1] == one and pieces[-1][2:] == (true.state, said, right):
            one = pieces.pop()[0]  # noqa: PLW2901
        pieces.append((one, next_one, true.state, said, right))
    for start, end, state, said, right in pieces:
        judged.total += end - start
        small = end - start < TOLERANCE
        if right or small:
            judged.agreed += end - start
            judged.confusion[state, state] += end - start
        else:
            judged.confusion[state, said] += end - start
            judged.wrong.append((start, end, state, said))
    return judged


@contextmanager
def reads(stamps: list[Any]) -> Iterator[None]:
    """Stamp when uvicorn is given the bytes of a request."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    protocols: list[Any] = [H11Protocol]
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        pass
    else:
        protocols.append(HttpToolsProtocol)
    before = [(protocol, protocol.data_received) for protocol in protocols]

    def hooked(original: Any) -> Any:
        def data_received(self: Any, data: bytes) -> None:
            now = time.monotonic_ns()
            stamps.extend((now, "read", int(number)) for number in _NUMBER.findall(data))
            original(self, data)

        return data_received

    for protocol, original in before:
        protocol.data_received = hooked(original)
    try:
        yield
    finally:
        for protocol, original in before:
            protocol.data_received = original


def compare(load: Load, *, loop: str = "asyncio", settle: float = 0.03) -> Comparison:
    """Run a load on a fresh server under the real probe, and judge each request."""
    app = Application(load)
    facts = Scenario(title="truth", expect="what is shown is true")
    file = ScenarioFile("truth", Path(__file__), facts, app, "GET", "/truth")
    trouble: list[str] = []
    with reads(app.stamps):
        session = Session([file], threads=load.threads, loop=loop)
        timeline = Timeline()
        session.start()
        try:
            session.wait()
            fired = [session.fire(file, 1, delay=delay / 1000) for delay, _ in load.programs]
            until = time.monotonic() + _PATIENCE
            closing: Future[None] | None = None
            while time.monotonic() < until:  # drained as often as the screen does
                if closing is None and not wait(fired, timeout=1 / 30).not_done:
                    # The next load's threads and tasks are not to be disturbed by those of this one.
                    closing = serving(session).server.submit(app.close())
                if closing is not None and wait([closing], timeout=1 / 30).done:
                    break
                timeline.feed(session.drain())
            time.sleep(settle)
            timeline.feed(session.drain_all())
            vitals = session.vitals()
            trouble += [f"the probe failed: {why}" for why in vitals.failures]
            if vitals.dropped:
                trouble.append(f"{vitals.dropped} events were lost")
        finally:
            if not session.stop():
                trouble.append("the server did not stop")
    return judged(load, app, timeline, trouble)


def judged(load: Load, app: Application, timeline: Timeline, trouble: list[str]) -> Comparison:
    """Judge each request of a run."""
    truth = Truth(app.stamps)
    steps = truth.running()
    for (_, end, one), (start, _, other) in pairwise(steps):
        if start < end and one != other:
            trouble.append(
                f"the truth is wrong: steps of actors {one} and {other} overlap by {end - start} ns"
            )
    found = []
    for number, request in timeline.requests.items():
        if number not in truth.done:
            trouble.append(f"request {number} was not answered")
            continue
        shown = [(s.state.value, s.start, s.end) for s in request.segments]
        end = max(truth.done[number], request.done or 0)
        one_judged = judge(number, truth.states(number, request.start, end), shown)
        one_judged.why += [truth.explain(number, (s + e) // 2, said) for s, e, _, said in one_judged.wrong]
        found.append(one_judged)
    if len(found) != len(load.programs):
        trouble.append(f"{len(found)} of {len(load.programs)} requests were seen")
    return Comparison(load, found, trouble)
