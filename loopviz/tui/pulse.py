"""How fast frames come, which came late, and what the probe costs: over the last second."""

from __future__ import annotations

from collections import deque

from loopviz.clock import NS
from loopviz.stream.source import Vitals
from loopviz.tui.view import Pace

__all__ = ["FRAME_RATE", "Pulse"]

FRAME_RATE = 30
_LATE = 150_000_000
"""A frame that comes later than this after the previous one (ns) is late."""


class Pulse:
    """Measures the frames of the screen."""

    def __init__(self) -> None:
        self.late: deque[tuple[int, int]] = deque(maxlen=200)
        """Late frames: when each came, and how long after the previous one (ns)."""
        self._frames: deque[int] = deque(maxlen=FRAME_RATE)
        self._costs: deque[int] = deque(maxlen=FRAME_RATE)

    def beat(self, now: int, vitals: Vitals, pace: Pace, *, live: bool) -> None:
        """Take a frame into account, and update `pace`. In a recording no frame is late."""
        if live and self._frames and now - self._frames[-1] > _LATE:
            self.late.append((now, now - self._frames[-1]))
        self._frames.append(now)
        self._costs.append(vitals.cost_ns)
        pace.dropped = vitals.dropped
        pace.failures = len(vitals.failures)
        span = self._frames[-1] - self._frames[0]
        if span > 0:
            pace.fps = (len(self._frames) - 1) * NS / span
            pace.probe = max(0, self._costs[-1] - self._costs[0]) / span

    def stopped(self, now: int) -> int:
        """The program goes on after a stop: how long that was (ns). No frame is late because of it."""
        began = self._frames[-1] if self._frames else now
        if self.late and now - self.late[-1][0] <= _LATE:  # a frame has come before the signal was handled
            t, lasted = self.late.pop()
            began = t - lasted
        if now - began <= _LATE:
            return 0
        self._frames = deque([now], maxlen=FRAME_RATE)
        self._costs = deque(list(self._costs)[-1:] or [0], maxlen=FRAME_RATE)
        return now - began
