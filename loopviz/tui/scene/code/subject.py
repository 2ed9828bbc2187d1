"""Whose code is shown: of the selected request, of the newest burst, or of what other clients ask for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from loopviz.model import Burst, Request, Timeline
from loopviz.tui.view import View

__all__ = ["Subject", "subject"]

_LATEST = 2_000
"""So many requests of other clients are looked at, the latest."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The requests whose time at each line is shown."""

    requests: Sequence[Request]
    """In the order of their arrival, up to the moment that is shown."""
    burst: Burst | None
    selected: Request | None

    @property
    def of(self) -> object:
        """What stays the same while the same functions are shown."""
        return None if self.burst is None else self.burst.number

    @property
    def key(self) -> object:
        """What stays the same while requests are only added."""
        return self.of, self.selected and self.selected.id


def subject(timeline: Timeline, view: View) -> Subject:
    """Whose code is shown at the moment of this view."""
    moment = view.moment
    loaded = view.load is not None and view.behind is None
    burst = None if loaded else view.burst(timeline)
    selected = timeline.requests.get(view.cursor or 0)
    if selected is not None:
        return Subject([selected], timeline.burst_of(selected.id), selected)
    stop = bisect_right(timeline.arrivals, moment, key=lambda request: request.start)
    latest = timeline.arrivals[max(0, stop - _LATEST) : stop]
    if burst is None:
        return Subject(latest, None, None)
    own = [request for request in burst.requests if request.start <= moment]
    others = [r for r in latest if not r.own and r.start >= burst.fired]
    return Subject([*own, *others], burst, None)
