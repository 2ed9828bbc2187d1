"""Of which requests the reasons are shown: of a selected time, of a burst, or of what happened lately."""

from __future__ import annotations

from dataclasses import dataclass

from loopviz.clock import NS
from loopviz.draw.safe import printable
from loopviz.draw.words import count, duration
from loopviz.model import Burst, Timeline
from loopviz.tui.view import View

__all__ = ["Subject", "subject"]

_LATELY = 10 * NS
"""Of requests that no key has fired, those of so long (ns)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A burst, or the time from `start` to `end` (ns)."""

    burst: Burst | None
    start: int
    end: int
    name: str
    """What it is, in words."""
    moves: bool
    """Whether it goes on: the answer may be another one in the next moment."""

    @property
    def key(self) -> object:
        """What stays the same while the same requests are described."""
        return (
            self.burst.number if self.burst is not None else (self.start, self.end) if not self.moves else ""
        )


def subject(timeline: Timeline, view: View) -> Subject:
    """What is described at the moment of this view."""
    moment = view.moment
    if view.mark is not None and view.at is not None and view.mark != view.at:
        start, end = sorted((view.mark, view.at))
        return Subject(None, start, end, f"the {duration(end - start)} that are selected", moves=False)
    loaded = view.load is not None and view.behind is None
    burst = None if loaded else view.burst(timeline)
    moves = view.moves and view.at is None
    if burst is not None and burst.fired <= moment:
        name = f"{printable(burst.scenario, 40)} ×{burst.count}"
        if not burst.over(moment):
            # In a picture that moves the findings may be those of a moment before.
            name += " so far" if moves else f", {duration(burst.makespan(moment))} after its first request"
        return Subject(burst, burst.began, moment, name, moves)
    start = max(timeline.began, moment - _LATELY)
    requests = sum(
        r.start < moment and (r.done is None or r.done > start) for r in timeline.arrivals[-2_000:]
    )
    lately = duration(moment - start) if timeline.began else "0 s"
    return Subject(None, start, moment, f"{count(requests, 'request')} of the last {lately}", moves)
