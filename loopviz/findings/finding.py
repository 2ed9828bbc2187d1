"""A finding: what was seen in a timeline, why it is so, and what to do about it.

Its texts may have names from outside, such as a function's: who shows them passes
`loopviz.draw.safe.printable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from loopviz.findings.loss import Loss
from loopviz.model import Where

__all__ = ["IDS", "MOST", "Change", "Confidence", "Finding", "Severity"]

Severity: TypeAlias = Literal["high", "medium", "low"]
Confidence: TypeAlias = Literal["measured", "likely"]
Change: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Lines before, and lines after."""

IDS = (
    "blocking-call",
    "blocking-middleware",
    "background-work",
    "computing-in-threads",
    "gil-kept",
    "thread-limit",
    "pool-exhausted",
    "sequential-awaits",
    "slow-dependency",
    "convoy",
    "short-steps",
    "trivial-def",
    "worker-imbalance",
    "client-wait",
    "observer-late",
)
"""The ids of all findings that there are."""
MOST = 50
"""Requests that a finding names; its figures are of all."""

_ORDER = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. Times are nanoseconds."""

    id: str
    """Which rule it is of, one of `IDS`."""
    severity: Severity
    confidence: Confidence
    """``measured``: every part of the cause was measured. ``likely``: a part of it follows from others."""
    title: str
    """Three to six words."""
    what: str
    """What was seen, with figures."""
    why: str
    """Why it is so."""
    do: str
    """What to do."""
    where: Where | None
    """The line to look at."""
    requests: tuple[int, ...]
    """Whom it delays, those that lose most first; at most `MOST`."""
    culprits: tuple[int, ...]
    """Which requests cause it; at most `MOST`."""
    evidence: tuple[tuple[str, str], ...]
    """What was measured: a name and a figure each."""
    lost: int
    """How long requests waited because of it, all together."""
    change: Change | None = None
    """A few lines of the source, before and after the repair."""
    repair: str | None = None
    """The kind of the repair in `loopviz.repair`, if there is one."""
    scenario: str | None = None
    """The built-in scenario that shows the repair."""
    loss: Loss = field(default_factory=Loss, compare=False, repr=False)
    """Which requests waited because of it, and when."""
    explains: Loss | None = field(default=None, compare=False, repr=False)
    """What it explains, where that is more than `loss`: no other finding counts this time again."""

    @property
    def order(self) -> tuple[int, int]:
        """The gravest finding has the smallest."""
        return _ORDER.index(self.severity), -self.lost
