"""The sums of a part of the time that was selected, computed again when there is something new."""

from __future__ import annotations

from bisect import bisect_right

from loopviz.draw.sums import sums
from loopviz.model import Timeline
from loopviz.model.interval import summed
from loopviz.tui.view import View

__all__ = ["Selected"]

_MOST = 2_000
"""At most so many requests are summed up: the newest that were sent before the end."""
_OFTEN = 250_000_000
"""Between two computations while the selected time is not over, or has just ended (ns)."""


class Selected:
    """Keeps the sentences until something has changed."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._sentences: list[str] = []

    def sentences(self, timeline: Timeline, view: View) -> list[str]:
        """The sums between the mark and the time cursor; nothing without both."""
        if view.mark is None or view.at is None or view.mark == view.at:
            return []
        start, end = sorted((view.mark, view.at))
        late = min(timeline.last, end + 4 * _OFTEN) // _OFTEN
        key = (start, end, view.words, late, len(timeline.requests))
        if key != self._key:
            arrivals = timeline.arrivals
            stop = bisect_right(arrivals, end, key=lambda request: request.start)
            requests = [r for r in arrivals[max(0, stop - _MOST) : stop] if view.matches(r)]
            self._key, self._sentences = key, sums(summed(timeline, requests, start, end))
        return self._sentences
