"""What happens at a moment, and why: one or two sentences from a table, each with its condition.

`table` has the rows; `moment` what they are made of; `of_loop`, `of_workers` and `of_calm` the sentences.
"""

from __future__ import annotations

from typing import NamedTuple

from loopviz.draw.story.moment import Moment
from loopviz.draw.story.table import TABLE, Sentence
from loopviz.draw.words import Mood
from loopviz.model import Timeline

__all__ = ["TABLE", "Moment", "Said", "Sentence", "say", "story"]


class Said(NamedTuple):
    """What is said of a moment."""

    row: Sentence
    sentences: list[str]
    repair: str
    """What repairs it; empty where nothing is to be repaired, or it is not known."""
    requests: list[int]
    """The requests that it is about."""

    @property
    def mood(self) -> Mood:
        """``alarm``, ``good`` or ``dim``."""
        return self.row.mood


def say(timeline: Timeline, now: int, *, brief: bool = False) -> Said:
    """The first row of the table whose condition holds at `now` (ns), and its sentences."""
    moment = Moment(timeline, now, brief=brief)
    row = next(row for row in TABLE if row.holds(moment))
    repair = row.repair(moment) if row.repair is not None else ""
    return Said(row, row.say(moment), repair, moment.concerned(row.id))


def story(timeline: Timeline, now: int, *, brief: bool = False) -> tuple[Mood, list[str]]:
    """The mood and the sentences of `now`; each fits into 77 columns if it is to be `brief`."""
    said = say(timeline, now, brief=brief)
    return said.mood, said.sentences
