"""The findings of a burst or of a time, kept for views that ask in every frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopviz.findings import Finding
from loopviz.findings.seen import Lines
from loopviz.model import Burst, Timeline

if TYPE_CHECKING:
    from loopviz.findings.table import InPieces

__all__ = ["Findings", "Interpreter"]

_AGAIN = 500_000_000
"""How often they are looked for while something happens (ns)."""
_SHARE = 30
"""Looking for them takes at most about one part in so many of the time."""
_KNOWN = 1_000_000_000
"""So long after the end of a burst all is known of it (ns)."""
_PIECE = 15_000_000
"""A frame of a moving picture waits no longer for rules than so much CPU time (ns), and one rule more."""
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
        self._kept: dict[object, _Kept] = {}
        """Of a burst or a time."""

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
    ) -> list[Finding] | None:
        """Of a burst at `now` (ns). In a picture that `moves` it may be the answer of a moment before.

        None if the rules have been asked for the first time, and need some frames more.
        """
        done = burst.done is not None and burst.done <= now  # what is said of its end is of its end
        over = burst.done is not None and burst.done + _KNOWN < now
        subject = id(timeline), burst.number, burst.first
        key = (done, over) if moves else (over, now, timeline.events)

        def look() -> InPieces:
            from loopviz.findings.table import burst_in_pieces  # noqa: PLC0415 - the first frame needs none

            return burst_in_pieces(
                timeline, burst, lines, now=now, repaired=repaired, gil=interpreter.gil,
                dropped=interpreter.dropped,
            )  # fmt: skip

        return self._of(subject, key, look, now, at_once=not moves, last=over or not moves)

    def of_time(
        self,
        timeline: Timeline,
        start: int,
        end: int,
        lines: Lines,
        interpreter: Interpreter = Interpreter(),
        *,
        moves: bool = True,
    ) -> list[Finding] | None:
        """Of the requests between `start` and `end` (ns)."""
        subject = id(timeline), moves or (start, end)
        key = () if moves else (timeline.events,)

        def look() -> InPieces:
            from loopviz.findings.table import time_in_pieces  # noqa: PLC0415 - the first frame needs none

            return time_in_pieces(
                timeline, start, end, lines, gil=interpreter.gil, dropped=interpreter.dropped
            )

        return self._of(subject, key, look, end, at_once=not moves, last=not moves)

    def _of(
        self,
        subject: object,
        key: object,
        look: Callable[[], InPieces],
        now: int,
        *,
        at_once: bool,
        last: bool,
    ) -> list[Finding] | None:
        """The answer; `last` if it will not change."""
        kept = self._kept.get(subject) or _Kept()
        whole = last and kept.looking is None and key == kept.key
        if not whole and not 0 <= now - kept.asked < _KNOWN:
            kept = _Kept()  # another view was shown meanwhile
        kept.asked = now
        if key != kept.key or (kept.looking is None and not last and now >= kept.until):
            kept.key, kept.looking, kept.since, kept.cost = key, look(), now, 0
            self._kept.pop(subject, None)
            self._kept[subject] = kept
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
        kept.go_on(None if at_once else _PIECE)
        return kept.found


@dataclass(slots=True)
class _Kept:
    """What is known of a burst or of a time."""

    key: object = None
    """For what that is so."""
    looking: InPieces | None = None
    """What has still to be looked at; None when all has been."""
    asked: int = 0
    """For which moment it was asked last (ns)."""
    since: int = 0
    """The moment that is looked at (ns)."""
    cost: int = 0
    """What looking has cost so far (CPU time, ns)."""
    found: list[Finding] | None = None
    """The latest whole answer."""
    until: int = 0
    """Up to which moment it is new enough."""

    def go_on(self, most: int | None) -> None:
        """Ask some of the rules, until it has cost so much (ns); all, if there is no limit."""
        if self.looking is None:
            return
        began, cost = time.thread_time_ns(), 0
        try:
            while most is None or cost < most:
                next(self.looking)
                cost = time.thread_time_ns() - began
        except StopIteration as end:
            self.found, self.looking = end.value, None
        except BaseException:
            self.looking = None  # it cannot go on
            raise
        self.cost += time.thread_time_ns() - began
        if self.looking is None:
            self.until = self.since + max(_AGAIN, _SHARE * self.cost)
