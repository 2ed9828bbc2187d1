"""The pools whose size can be chosen to be changed, as the screen names them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from loopviz.draw.safe import printable
from loopviz.model import Timeline
from loopviz.stream.several import letter

__all__ = ["Knob", "knobs_of"]

_MOST = 50
"""Pools that can be chosen; a program that makes one for each request has thousands."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A pool of the application's."""

    number: int
    kind: str
    name: str
    size: int
    """The most workers that it has; -1 if it has no limit, or it is not known."""

    @property
    def fixed(self) -> bool:
        """Whether its size cannot be changed."""
        return self.kind == "processes"


_NAMES = {"limiter": "CapacityLimiter", "default-executor": "asyncio's executor"}


def knobs_of(timeline: Timeline) -> tuple[Knob, ...]:
    """The pools that were seen, in the order of their numbers, without AnyIO's default limiter."""
    pools = [
        pool
        for _, pool in sorted(timeline.pools.by_number.items())
        if pool.kind != "default-limiter" and not pool.is_for_one
    ]
    found: list[Knob] = []
    seen: Counter[str] = Counter()
    for pool in pools[:_MOST]:
        name = _NAMES.get(pool.kind) or printable(pool.title, 30)
        name += f" of {letter(pool.worker)}" if timeline.several else ""
        seen[name] += 1
        name += f" {seen[name]}" if seen[name] > 1 else ""
        found.append(Knob(pool.number, pool.kind, name, pool.size))
    return tuple(found)
