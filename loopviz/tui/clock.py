"""The burst clock: zero is the first request of what was fired last, and the picture is as wide as it takes.

The window is the expected time and a little more. It is doubled when nine tenths of it have passed. When all
is done, it ends a little after what is used of it, if that is less than `_NARROW`; then it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loopviz.clock import NS
from loopviz.draw.expected import Expected, earlier, expected
from loopviz.model import Burst, Timeline
from loopviz.scenario import Scenario, ScenarioFile

__all__ = ["BurstClock", "Clock"]

_LONGEST = 300 * NS
"""No window is longer (ns): older requests are removed."""
_SHORTEST = 40_000_000
_UNKNOWN = NS
"""The first window (ns) where nothing is known of the burst."""
_MARGIN = 1.2
_FULL = 0.9
_NARROW = 0.75
"""When all is done and less than this part of the window is used, the window ends `_AFTER` the end."""
_AFTER = 1.08
_PHASES = 64
"""How many column widths are tried, so that zero lies at the beginning of a column."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the axis of a burst is. Times are ns."""

    zero: int
    """The left edge: the first request sent."""
    window: int
    """How much time is shown, from zero on."""
    expected: Expected | None = None
    """The expected makespan, to be marked; None for no mark."""
    press: int = 0
    """The number of the burst; 0 where a part of the past is shown that is none."""

    @property
    def mark(self) -> int | None:
        """The moment at which the burst is expected to be over."""
        return None if self.expected is None else self.zero + self.expected.ns

    def width(self, columns: int) -> int:
        """The width of a column (ns) if there are `columns` of them: even, and with zero at its beginning."""
        least = 2 * max(1, -(-self.window // (2 * max(1, columns - 1))))
        most = least + max(2, least // 20)
        step = 2 * max(1, (most - least) // (2 * _PHASES))
        return min(range(least, most, step), key=lambda width: self.zero % width / width)


class BurstClock:
    """Finds the clock for each frame; what does not change during a burst is computed once."""

    def __init__(self, timeline: Timeline, scenarios: Callable[[], Iterable[ScenarioFile]]) -> None:
        self._timeline = timeline
        self._scenarios = scenarios
        self._burst: Burst | None = None
        self._over = False
        self._first = 0
        self._expected: Expected | None = None
        self._lasted: int | None = None

    def at(self, now: int, present: int) -> Clock | None:
        """The clock of the burst that was fired last at `now`; None if there was none. See `of`."""
        return self.of(self._timeline.newest_burst(now), present)

    def of(self, burst: Burst | None, present: int) -> Clock | None:
        """The clock of this burst; None if there is none.

        What is known by the `present` counts: a burst that is played back has its whole window at once.
        """
        if burst is None:
            return None
        zero = burst.began or burst.fired
        if burst is not self._burst:
            self._burst, self._lasted, self._over = burst, None, False
            self._learn(burst, zero, present)
        if not self._over and burst.over(present):
            self._over = True  # what one request has computed is known now, and a law may depend on it
            self._expected = expected(self._timeline, burst, self._facts(burst), present) or self._expected
        window, passed = self._first, self._passed(burst, zero, present)
        answered = burst.makespan(present)
        # What follows the last response may fill the window to its end.
        while (answered > _FULL * window or passed > window) and window < _LONGEST:
            window *= 2
        marked = self._expected
        if marked is not None and marked.ns < window // 50:
            marked = None  # it would be a mark at zero
        if self._lasted is not None:
            used = max(passed, 0 if marked is None else marked.ns)
            if used < _NARROW * window:
                window = max(_SHORTEST, round(_AFTER * used))
        return Clock(zero, min(window, _LONGEST), marked, burst.number)

    def _facts(self, burst: Burst) -> Scenario | None:
        return next((file.facts for file in self._scenarios() if file.name == burst.scenario), None)

    def _learn(self, burst: Burst, zero: int, present: int) -> None:
        """Find what is expected, and the first window. That stays as it is, or the picture would jump."""
        facts, before = self._facts(burst), earlier(self._timeline, burst)
        self._expected = expected(self._timeline, burst, facts, present)
        known = [0 if self._expected is None else self._expected.ns]
        if before is not None and (before.count, before.threads) == (burst.count, burst.threads):
            known.append(before.makespan(present))
        if burst.settled(present):
            known.append(self._passed(burst, zero, present))
        longest = max(known)
        if not longest and facts is not None and facts.makespan is not None:
            longest = round(facts.seconds * NS)
        elif not longest:
            longest = _UNKNOWN
        self._first = max(_SHORTEST, round(longest * _MARGIN) + (_SHORTEST if longest > _SHORTEST else 0))

    def _passed(self, burst: Burst, zero: int, present: int) -> int:
        """How long the burst has lasted, with what follows its responses (ns)."""
        if self._lasted is not None:
            return self._lasted
        if not burst.settled(present):
            return max(0, present - zero)
        after = [request.since - zero for request in burst.requests]
        self._lasted = max([burst.makespan(present), *after])
        return self._lasted
