"""How much a timeline keeps, so that its memory is bounded whatever is fed to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = [
    "EXPORTED",
    "LIVE",
    "MAX_BURST",
    "MAX_BURSTS",
    "MAX_CHANGES",
    "MAX_CHILDREN",
    "MAX_FRAMES",
    "MAX_INCIDENTS",
    "MAX_LANES",
    "MAX_LINES",
    "MAX_OPEN",
    "MAX_READINGS",
    "MAX_SEGMENTS",
    "MAX_SHARED",
    "MAX_SOURCE",
    "MAX_SOURCES",
    "MAX_TEXT",
    "WHOLE",
    "Limits",
]

MAX_SEGMENTS = 4_000
"""Segments kept of one request, the newest. Its totals stay exact."""
MAX_CHILDREN = 1_000
"""Child tasks followed of one request, the oldest; and calls of one of them at a time."""
MAX_CHANGES = 3_000
"""Numbers kept of a child task until they are made into its states."""
MAX_OPEN = 50_000
"""Requests, tasks and calls followed at once: events may be lost, so their ends may never come."""
MAX_LANES = 10_000
"""Threads and processes distinguished, and calls followed of one request."""
MAX_INCIDENTS = 1_000
"""Ends of processes that are kept, the newest."""
MAX_LINES = 100
"""Source lines counted for one block."""
MAX_READINGS = 400
"""Readings of one CPU clock that are searched."""
MAX_BURST = 5_000
"""Requests examined to find a burst, or of one."""
MAX_BURSTS = 1_000
"""Bursts kept, the newest."""
MAX_FRAMES = 20
"""Frames kept of one sample."""
MAX_SOURCE = 20_000
"""Lines kept of one source file, from a recording."""
MAX_SOURCES = 200
"""Source files kept."""
MAX_TEXT = 16_000_000
"""Characters of all source files together: a recording carries no more than half of that."""
MAX_SHARED = 50_000
"""Shared values kept; see `loopviz.model.shared`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that differ between a live server and a recording; None for no limit."""

    ended: int
    """Requests that have ended."""
    blocks: int
    """Blocks that have ended."""
    started: int
    """Rows of tasks that requests have started, which have ended."""
    children: int
    """Child tasks of requests."""
    tokens: int
    """Changes of AnyIO's limiter."""
    bins: int
    """Bins of the loop's short stretches."""
    spans: int | None
    """Spans of one lane."""
    readings: int | None
    """Readings of one CPU clock."""
    lags: int | None
    """Numbers about long iterations, two for each."""
    late: int | None
    """Timers that have fired late."""
    probes: int
    """Health probes."""
    looks: int | None
    """How much of what is kept is examined again, over the life of the timeline; see `Shared.look`."""


LIVE = Limits(
    ended=5_000, blocks=1_000, started=1_000, children=20_000, tokens=20_000, bins=60_000,
    spans=20_000, readings=MAX_READINGS, lags=40_000, late=10_000, probes=6_000, looks=None,
)  # fmt: skip
"""A live server runs without end, so old data is removed."""
WHOLE = Limits(
    ended=500_000, blocks=500_000, started=20_000, children=50_000, tokens=500_000, bins=500_000, spans=None,
    readings=None, lags=None, late=None, probes=500_000, looks=20_000_000,
)  # fmt: skip
"""A recording has an end, so all of it is kept; a forged one could have any number of blocks."""
EXPORTED = replace(LIVE, ended=500_000, looks=WHOLE.looks)
"""An export holds all requests of a recording, and of the rest as much as a screen."""
