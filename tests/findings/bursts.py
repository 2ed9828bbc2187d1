"""Bursts by hand, and what is found in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from loopviz.findings import Finding
from loopviz.findings.table import of_burst
from loopviz.model import Timeline
from loopviz.stream.events import Event
from tests import streams
from tests.streams import feed, timeline

__all__ = ["burst", "findings", "ids", "sleeping_share"]


def burst(count: int = 1, *events: Event | Iterable[Event]) -> Timeline:
    """A timeline with a burst of so many requests, all sent at 1 ms and read at 3 ms, and more events."""
    line = timeline(streams.thread(0, 1, "loop"), streams.fired(0, 1, "x", 1, count))
    feed(line, [streams.sent(1, n) for n in range(1, count + 1)], streams.iteration(2))
    for n in range(1, count + 1):
        feed(line, streams.read(3, n, n), streams.made(3, n, n))
    feed(line, *events)
    return line


def ends(at: float, number: int = 1) -> list[Event]:
    """The request is answered, in the present step, which is its last one."""
    return [streams.status(at, 200, number), streams.responded(at, number), streams.end(at, number)]


def sleeping_share(at: float, used: float) -> Event:
    """A reading of the CPU clock of the loop's thread (ms)."""
    return streams.cpu(at, 1, used)


def findings(
    line: Timeline, lines: Mapping[str, Sequence[str]] | None = None, **more: object
) -> list[Finding]:
    """What is found in the newest burst; `lines` are the source files that are there."""
    newest = line.newest_burst(line.last)
    assert newest is not None
    known = lines or {}
    return of_burst(line, newest, lambda file: known.get(file, ()), **more)  # type: ignore[arg-type]


def ids(line: Timeline, **more: object) -> list[str]:
    """The ids of what is found."""
    return [finding.id for finding in findings(line, **more)]  # type: ignore[arg-type]
