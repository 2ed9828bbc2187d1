"""The findings of a burst or of a time, kept for views that ask in every frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from loopviz.findings import Finding
from loopviz.findings.seen import Lines
from loopviz.model import Burst, Timeline

__all__ = ["Findings", "Interpreter"]

_AGAIN = 500_000_000
"""How often they are looked for while something happens (ns)."""
_SHARE = 30
"""Looking for them takes at most about one part in so many of the time."""
_KNOWN = 1_000_000_000
"""So long after the end of a burst all is known of it (ns)."""
_MOST = 4
"""So many answers are kept: the reasons may be those of another burst than the verdict."""


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
        self._kept: dict[object, tuple[object, int, list[Finding]]] = {}
        """Of a burst or a time: for what it is, up to which moment it is new enough, and the answer."""

    def forget(self) -> None:
        """Look again."""
        self._kept.clear()

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
            from loopviz.findings.table import of_burst  # noqa: PLC0415 - the first frame needs no rules

            return of_burst(
                timeline, burst, lines, now=now, repaired=repaired, gil=interpreter.gil,
                dropped=interpreter.dropped,
            )  # fmt: skip

        return self._of(burst.number, key, look, now, last=over or not moves)

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
            from loopviz.findings.table import of_time  # noqa: PLC0415 - the first frame needs no rules

            return of_time(timeline, start, end, lines, gil=interpreter.gil, dropped=interpreter.dropped)

        return self._of("time", key, look, end, last=not moves)

    def _of(
        self, what: object, key: object, look: Callable[[], list[Finding]], now: int, *, last: bool
    ) -> list[Finding]:
        """The answer; `last` if it will not change."""
        kept = self._kept.get(what)
        if kept is None or key != kept[0] or (not last and now >= kept[1]):
            began = time.perf_counter_ns()
            found = look()
            cost = time.perf_counter_ns() - began
            self._kept.pop(what, None)
            kept = self._kept[what] = key, now + max(_AGAIN, _SHARE * cost), found
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
        return kept[2]
