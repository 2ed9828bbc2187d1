"""A block: the event loop is held for as long as the threshold, or longer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from loopviz.model.limits import MAX_LINES
from loopviz.model.segments import Where

__all__ = ["BLOCK_THRESHOLD", "Block", "By"]

By: TypeAlias = Literal["step", "callback", "callbacks"]

BLOCK_THRESHOLD = 100_000_000
"""A stretch of the loop that lasts at least this long (ns) is a block."""


@dataclass(slots=True)
class Block:
    """A stretch (ns) in which a step, or callbacks, held the loop at least as long as the threshold."""

    start: int
    end: int | None
    """None while it lasts."""
    request: int
    """The request whose step or callback it is; 0 for a task or a callback of no request."""
    computing: bool | None = None
    """Whether the loop's thread used the CPU meanwhile; None where that cannot be seen."""
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was seen, and how often."""
    victims: list[int] = field(default_factory=list)
    """The requests that could have run meanwhile."""
    late: dict[int, int] = field(default_factory=dict)
    """Those of them that were known only afterwards, and since when each could have run."""
    by: By = "step"
    """What held the loop: a step of a task, one callback, or callbacks of which it is not known whether
    they were one."""

    @property
    def where(self) -> Where | None:
        """The line at which it was seen most often."""
        return self.lines.most_common(1)[0][0] if self.lines else None

    @property
    def kind(self) -> str | None:
        """``sleeping``, ``computing``, or None where that cannot be seen."""
        return None if self.computing is None else "computing" if self.computing else "sleeping"

    def seen_at(self, where: Where) -> None:
        """A sample found it at this line."""
        if where in self.lines or len(self.lines) < MAX_LINES:
            self.lines[where] += 1

    def lasted(self, now: int) -> int:
        """Its length up to `now`."""
        return (now if self.end is None else min(self.end, now)) - self.start
