"""What the loop's thread did with its time: it computed, waited for a core or for the GIL, or slept.

This follows from readings of the operating system's counters, taken from time to time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

from loopviz.model.block import Block, Shares
from loopviz.model.lane import Lane
from loopviz.model.limits import MAX_READINGS, Limits

__all__ = ["Readings"]

_RIVALRY = 0.1
"""If the sampler waited for the GIL for a smaller part of the time, no other thread wanted it."""
_CORE_WAIT = 10.0
"""Who computes waits no longer for a core than this many times its CPU time, however busy the machine is."""
_UNCLEAR = 0.3
"""A thread that waits for a core in this part of a time, and hardly uses one, does not sleep either."""
_SAMPLED = 0.25
"""What the sampler adds to the limit of the wait for the GIL while a thread computes: 5 ms in every 20 ms."""


class Readings:
    """Counters of the loop's thread and of the sampler, and the times at which they were read."""

    def __init__(self, lane: Lane, limits: Limits, stopped: Callable[[int, int], int]) -> None:
        """`stopped(start, end)` is for how much of that time (ns) the whole program was stopped."""
        self._stopped = stopped
        self._clock = lane.samples
        self._switches: deque[tuple[int, int]] = deque(maxlen=limits.readings)
        self._waits: deque[tuple[int, int]] = deque(maxlen=limits.readings)
        self._late: deque[tuple[int, int]] = deque(maxlen=limits.readings)

    @property
    def latest(self) -> int:
        """When the sampler has last read them; 0 if it has not."""
        return self._late[-1][0] if self._late else 0

    def switched(self, t: int, switched: int) -> None:
        """The most that the loop's thread has waited for the GIL."""
        self._switches.append((t, switched))

    def waited(self, t: int, core: int, late: int) -> None:
        """How long the loop's thread has waited for a core, and the sampler for the GIL."""
        self._waits.append((t, core))
        self._late.append((t, late))

    def shares(self, start: int, end: int, block: Block | None) -> Shares | None:
        """What the thread did from `start` to `end`, by the readings nearest to both.

        `block` is the block of that time, as far as it is known.
        """
        stopped = self._stopped(start, end)
        used = self._rise(self._clock, start, end)
        if used is None:
            return None
        cpu = min(1.0, max(0.0, used))
        if not self._late:
            return Shares(cpu, 0.0, None if _kept(block, start, end) else 0.0)
        wanted = min(1 - cpu, max(0.0, self._rise(self._waits, start, end) or 0.0))
        # Who was stopped has come late because of that.
        late = max(0, _around(self._late, start, end) - stopped) / max(1, end - start - stopped)
        plausible = min(wanted, _CORE_WAIT * cpu)
        if wanted - plausible > _UNCLEAR:
            return Shares(cpu, plausible, None)
        if late < _RIVALRY:
            # A sampler that cannot run has not been late yet; then it was seen from outside.
            return Shares(cpu, plausible, 1 - cpu - plausible if _kept(block, start, end) else 0.0)
        switched = self._rise(self._switches, start, end)
        if switched is None:
            return Shares(cpu, wanted, None)
        # The sampler itself makes a thread that computes give up the GIL once in each of its rounds.
        asked = min(1 - cpu - wanted, max(0.0, switched - _SAMPLED * (cpu + wanted)))
        # Who only asks for the GIL, 200 times a second, waits for a core as well as who computes.
        core = wanted * cpu / (cpu + asked) if asked > 0 else wanted
        gil = asked + wanted - core
        # The sampler has not seen the thread, since it waited for the GIL itself: whether the thread
        # slept, or waited for another one that had to wait for the GIL, is not known.
        rest = 1 - cpu - core
        unseen = (block is None or not block.lines) and rest - gil > max(gil, cpu + core)
        known = rest if _kept(block, start, end) else None
        return Shares(cpu, core, known if unseen else gil)

    def _rise(self, readings: deque[tuple[int, int]], start: int, end: int) -> float | None:
        """How fast a counter rose from `start` to `end`, by the nearest readings; None if they are too far.

        The time in which the whole program was stopped does not count.
        """
        first = last = None
        for reading in islice(reversed(readings), MAX_READINGS):
            if last is None or abs(reading[0] - end) < abs(last[0] - end):
                last = reading
            if first is None or abs(reading[0] - start) <= abs(first[0] - start):
                first = reading
            if reading[0] <= start:
                break
        if first is None or last is None:
            return None
        covered = min(last[0], end) - max(first[0], start)
        if covered <= 0 or covered * 2 < end - start:
            return None
        ran = covered - self._stopped(max(first[0], start), min(last[0], end))
        return (last[1] - first[1]) / ran if ran > 0 else None


def _kept(block: Block | None, start: int, end: int) -> bool:
    """Whether another thread is known to have kept the GIL for most of the time."""
    return block is not None and block.keeper is not None and 2 * block.keeper.kept > end - start


def _around(readings: deque[tuple[int, int]], start: int, end: int) -> int:
    """How much a counter rose between the last reading before `start` and the first one after `end`."""
    first = last = None
    for reading in islice(reversed(readings), MAX_READINGS):
        if last is None or reading[0] > end:
            last = reading
        first = reading
        if reading[0] <= start:
            break
    return last[1] - first[1] if first is not None and last is not None else 0
