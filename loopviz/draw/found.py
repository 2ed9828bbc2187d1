"""The findings of a burst or of a time, kept for views that ask in every frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loopviz.findings import Finding, of_burst, of_time
from loopviz.model import Burst, Timeline

__all__ = ["Findings", "Interpreter"]

_AGAIN = 500_000_000
"""How often they are looked for while something happens (ns)."""
_SHARE = 30
"""Looking for them takes at most about one part in so many of the time."""
_KNOWN = 1_000_000_000
"""So long after the end of a burst all is known of it (ns)."""

Lines = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What the events do not say of the server."""

    gil: bool = True
    """Whether its interpreter has a GIL."""
    dropped: int = 0
    """How many events were lost."""


class Findings:
    """Keeps the latest answer: rules read every segment of a burst, which is too much for every frame."""

    def __init__(self) -> None:
        self._key: object = None
        self._found: list[Finding] = []
        self._until = 0
        """Up to this moment the answer is new enough."""

    def forget(self) -> None:
        """Look again."""
        self._key = None

    def of_burst(
        self,
        timeline: Timeline,
        burst: Burst,
        lines: Lines,
        now: int,
        interpreter: Interpreter = Interpreter(),
        *,
        repaired: str | None = None,
        moves: bool = True,
    ) -> list[Finding]:
        """Of a burst at `now` (ns). In a picture that `moves` it may be the answer of a moment before."""
        over = burst.done is not None and burst.done + _KNOWN < now
        key = (
            id(timeline),
            burst.number,
            burst.first,
            over,
            moves or now,
            timeline.events if not moves else 0,
        )

        def look() -> list[Finding]:
            return of_burst(
                timeline, burst, lines, now=now, repaired=repaired, gil=interpreter.gil,
                dropped=interpreter.dropped,
            )  # fmt: skip

        return self._of(key, look, now, last=over or not moves)

    def of_time(
        self,
        timeline: Timeline,
        start: int,
        end: int,
        lines: Lines,
        interpreter: Interpreter = Interpreter(),
        *,
        moves: bool = True,
    ) -> list[Finding]:
        """Of the requests between `start` and `end` (ns)."""
        key = (id(timeline), moves or (start, end), timeline.events if not moves else 0)

        def look() -> list[Finding]:
            return of_time(timeline, start, end, lines, gil=interpreter.gil, dropped=interpreter.dropped)

        return self._of(key, look, end, last=not moves)

    def _of(self, key: object, look: Callable[[], list[Finding]], now: int, *, last: bool) -> list[Finding]:
        """The answer; `last` if it will not change."""
        if key != self._key or (not last and now >= self._until):
            began = time.perf_counter_ns()
            self._key, self._found = key, look()
            cost = time.perf_counter_ns() - began
            self._until = now + max(_AGAIN, _SHARE * cost)
        return self._found
