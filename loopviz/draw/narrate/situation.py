"""What happens at a moment, by the table of sentences: which row it is, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loopviz.clock import NS
from loopviz.draw.narrate.spoken import spoken
from loopviz.draw.story import TABLE, Moment, Sentence
from loopviz.draw.words import duration, line
from loopviz.model import Timeline

__all__ = ["Situation", "situation"]

_CALM: Final = frozenset({"nothing", "progress"})
"""Rows that say no more than that requests were sent, or answered."""
_HOLD_ALARM: Final = NS // 20
"""What is wrong is said when it has lasted so long (ns); a block has lasted longer by then."""
_HOLD: Final = NS // 4
"""The same of what is in order."""
_KNOWN: Final = 3 * NS // 10
"""A block that has lasted so long (ns) is said, even if it is not known yet what it does."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The row of the table that holds at a moment."""

    row: Sentence
    moment: Moment
    block: tuple[int, int] | None
    """Begin and worker of the block that it is about."""

    @property
    def kind(self) -> str:
        """What it is counted as: all rows on blocks are one kind."""
        return "block" if self.block is not None else self.row.id

    @property
    def key(self) -> tuple[str, tuple[int, int] | None]:
        """What it is about: another one is said anew."""
        return self.row.id, self.block

    @property
    def place(self) -> str:
        """The line of a block; empty for others. What is said of the first at a line is known of the next."""
        block = self.moment.block
        return "" if block is None or block.where is None else line(block.where)

    def ripe(self, since: int) -> bool:
        """Whether it can be said, if it has been so since then."""
        now, block = self.moment.now, self.moment.block
        if block is not None and self.block is not None:
            known = block.kind is not None and block.where is not None
            return block.lasted(now) >= (self.moment.timeline.threshold if known else _KNOWN)
        return now - since >= (_HOLD_ALARM if self.row.mood == "alarm" else _HOLD)

    def sentences(self) -> list[str]:
        """What is said of it."""
        return [spoken(sentence) for sentence in self.row.say(self.moment)]

    def again(self, since: int) -> str:
        """That it is still so."""
        first = self.sentences()[0]
        if self.block is None:
            return f"Still, for {duration(self.moment.now - since)}: {_small(first)}"
        return f"Still: {_small(first)}"


def situation(timeline: Timeline, now: int) -> Situation | None:
    """What is to be said of `now` (ns); None if no more than what is said of requests."""
    moment = Moment(timeline, now)
    row = next(row for row in TABLE if row.holds(moment))
    if row.id in _CALM:
        return None
    block = moment.block if "block" in row.id or row.id == "gil-kept" else None
    return Situation(row, moment, None if block is None else (block.start, block.worker))


def _small(sentence: str) -> str:
    """The sentence after a colon."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence
