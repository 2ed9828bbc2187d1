"""Health probes, and what a load balancer would have made of them. Times are nanoseconds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from loopviz.model.limits import MAX_INCIDENTS, Limits

__all__ = ["FALL", "RISE", "Health", "Out", "Probe"]

FALL: Final = 3
"""After so many failed probes in a row a load balancer sends no more requests: HAProxy's default."""
RISE: Final = 2
"""After so many answered ones in a row it does again."""
_MOST_PENDING: Final = 1_000


@dataclass(slots=True)
class Probe:
    """One probe."""

    sent: int
    ended: int | None = None
    """When it was answered, or had failed; None while it is neither."""
    ok: bool = False
    why: str = ""
    """Why it has failed."""


@dataclass(slots=True)
class Out:
    """A time in which a load balancer would have sent no requests."""

    start: int
    end: int | None = None

    def lasted(self, now: int) -> int:
        """How long, up to `now`."""
        return max(0, min(now, now if self.end is None else self.end) - self.start)


def _sent(probe: Probe) -> int:
    return probe.sent


class Health:
    """The probes, in the order in which they were sent, and the times out."""

    def __init__(self, limits: Limits) -> None:
        self.path = ""
        """What the latest probes ask for; empty if there were none."""
        self.timeout = 0
        self.since = 0
        """When the probes began that are sent now; 0 if none are."""
        self.probes: list[Probe] = []
        """Those that are kept; not to be changed."""
        self.outs: deque[Out] = deque(maxlen=MAX_INCIDENTS)
        """The times out, the oldest first; the last one may not be over."""
        self.ended = 0
        """How many were answered or have failed."""
        self.failed = 0
        self.longest = 0
        """The longest time until an answer."""
        self._most = limits.probes
        self._pending: dict[int, Probe] = {}
        self._answered_in_a_row = self._failed_in_a_row = 0

    # -- queries -------------------------------------------------------------------------------

    def between(self, start: int, end: int) -> Iterator[Probe]:
        """Those that were sent from `start` on and before `end`."""
        first = bisect_left(self.probes, start, key=_sent)
        return islice(self.probes, first, bisect_left(self.probes, end, first, key=_sent))

    def newest_first(self, now: int) -> Iterator[Probe]:
        """Those that had been sent by `now`."""
        for at in range(bisect_right(self.probes, now, key=_sent) - 1, -1, -1):
            yield self.probes[at]

    def out_at(self, now: int) -> Out | None:
        """The time out that `now` is in, or else the last one before; None if there was none."""
        return next((out for out in reversed(self.outs) if out.start <= now), None)

    def out_for(self, now: int) -> int:
        """How long all times out were together, up to `now`."""
        return sum(out.lasted(now) for out in self.outs if out.start <= now)

    # -- events --------------------------------------------------------------------------------

    def probing(self, t: int, path: str, timeout: int) -> None:
        """PROBING: probes are sent from now on, or no more."""
        self._pending.clear()
        self._answered_in_a_row = self._failed_in_a_row = 0
        if self.outs and self.outs[-1].end is None:
            self.outs[-1].end = t
        self.since = t if path else 0
        self.probes = [probe for probe in self.probes if probe.ended is not None]
        if path:
            self.path, self.timeout = path, timeout

    def probed(self, t: int, sent: int, took: int | None, ok: int | None, why: str) -> None:
        """HEALTH: a probe is sent, is answered, or has failed."""
        if ok is None:
            self._known(sent)
            return
        probe = self._pending.pop(sent, None) or self._known(sent)
        self._pending.pop(sent, None)
        if probe is None or probe.ended is not None:
            return
        probe.ended, probe.ok, probe.why = max(t, sent), ok == 1, why
        self.ended += 1
        if took is not None:
            self.longest = max(self.longest, took)
        out = self.outs[-1] if self.outs and self.outs[-1].end is None else None
        if probe.ok:
            self._answered_in_a_row, self._failed_in_a_row = self._answered_in_a_row + 1, 0
            if out is not None and self._answered_in_a_row >= RISE:
                out.end = t
        else:
            self.failed += 1
            self._answered_in_a_row, self._failed_in_a_row = 0, self._failed_in_a_row + 1
            if out is None and self._failed_in_a_row >= FALL:
                self.outs.append(Out(t))

    def _known(self, sent: int) -> Probe | None:
        """A new probe; None if it is not in order, or if there are too many."""
        if (self.probes and sent <= self.probes[-1].sent) or len(self._pending) >= _MOST_PENDING:
            return None
        probe = self._pending[sent] = Probe(sent)
        self.probes.append(probe)
        if len(self.probes) > self._most + self._most // 4:
            del self.probes[: len(self.probes) - self._most]
        return probe

    def prune(self, horizon: int) -> None:
        """Remove what was sent before `horizon`."""
        if self.probes and self.probes[0].sent < horizon:
            del self.probes[: bisect_left(self.probes, horizon, key=_sent)]
        while self.outs and (end := self.outs[0].end) is not None and end < horizon:
            self.outs.popleft()
