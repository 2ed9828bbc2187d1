"""``--freeze-on``: the picture freezes at the moment when something has happened."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loopviz.errors import InputError
from loopviz.model import State, Timeline

__all__ = ["Trigger", "parse_trigger"]

_UNITS = {"us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_FORM = re.compile(r"(block|token-wait|latency)>(\d+(?:\.\d+)?)(us|µs|ms|s)")


@dataclass(slots=True)
class Trigger:
    """What to freeze on. It fires once for each moment, so that one can go on."""

    kind: str
    """``block``, ``token-wait``, ``latency`` or ``error``."""
    over: int = 0
    """Longer than this (ns)."""
    fired: int = 0
    """The latest moment for which it has fired."""

    def moment(self, timeline: Timeline, now: int) -> int | None:
        """When it has happened, if it has, after the last time that it fired."""
        found = self._look(timeline, now)
        if found is None or found <= self.fired:
            return None
        self.fired = now
        return found

    def _look(self, timeline: Timeline, now: int) -> int | None:
        if self.kind == "block":
            block = timeline.block_at(now)
            if block is None and timeline.blocks:
                block = timeline.blocks[-1]
            if block is not None and block.lasted(now) > self.over:
                return block.start + self.over
            return None
        recent = [*timeline.alive_at(now), *timeline.last_burst(now)[:100]]
        for request in recent:
            if self.kind == "latency" and request.latency(now) > self.over:
                return request.start + self.over
            if self.kind == "error" and (request.error or (request.status or 0) >= 500):
                return request.done or now
            if self.kind == "token-wait":
                segment = request.state_at(now)
                if segment and segment.state is State.TOKEN_WAIT and now - segment.start > self.over:
                    return segment.start + self.over
        return None


def parse_trigger(text: str) -> Trigger:
    """A trigger from its text, such as ``block>250ms``. Raises `InputError`."""
    if text == "error":
        return Trigger("error")
    found = _FORM.fullmatch(text.replace(" ", ""))
    if found is None:
        raise InputError(
            f"There is no trigger {text!r}.\nTake block>250ms, token-wait>100ms, latency>2s or error."
        )
    kind, number, unit = found.groups()
    return Trigger(kind, int(float(number) * _UNITS[unit]))
