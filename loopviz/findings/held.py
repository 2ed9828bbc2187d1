"""Blocks, sorted by what causes them, for the rules that look at blocks.

Each block has one cause, so that it is in one finding only: what is most specific comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from loopviz.findings.loss import Loss, merged
from loopviz.findings.seen import Seen
from loopviz.model import Block, Where

__all__ = ["Held", "held"]


@dataclass(slots=True)
class Held:
    """Blocks of one function: how it has held the loop."""

    blocks: list[Block] = field(default_factory=list)
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was seen, and how often."""
    length: int = 0
    """How long the loop was held, all together (ns)."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How long by each kind of block (ns); "" where the kind is not known."""

    @property
    def where(self) -> Where | None:
        """The line at which it was seen most often; of equal ones, the first that was seen."""
        return self.lines.most_common(1)[0][0] if self.lines else None

    @property
    def kind(self) -> str:
        """``sleeping``, ``computing``, ``waiting_for_gil``, or "" if that is not known."""
        return self.kinds.most_common(1)[0][0]

    @property
    def cpu(self) -> float | None:
        """The part of the time in which the loop's thread computed; None if it was not measured."""
        known = [(b.shares, (b.end or b.start) - b.start) for b in self.blocks if b.shares is not None]
        whole = sum(length for _, length in known)
        return sum((s.cpu + s.core) * length for s, length in known) / whole if whole else None

    def loss(self, seen: Seen) -> Loss:
        """What requests waited because of it: those that could have run meanwhile."""
        stretches = merged(
            (block.start, seen.now if block.end is None else block.end) for block in self.blocks
        )
        victims: set[int] = set()
        for block in self.blocks:
            victims.update(seen.timeline.victims(block, seen.now))
        return seen.behind(stretches, victims)


def held(seen: Seen, blocks: Iterable[Block]) -> list[Held]:
    """The blocks, put together by the function that holds the loop; the longest first.

    A function that is seen at several lines is one: a loop that computes is seen at each of its lines.
    """
    found: dict[object, Held] = {}
    for block in blocks:
        where = block.where
        one = found.setdefault(None if where is None else (where.file, where.function), Held())
        length = block.lasted(seen.now)
        one.blocks.append(block)
        one.lines.update(block.lines)
        one.length += length
        one.kinds[block.kind or ""] += length
    return sorted(found.values(), key=lambda one: -one.length)
