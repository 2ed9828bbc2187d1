"""How scenarios stand in a comparison, in words: the same in the screen and on the command line."""

from __future__ import annotations

from loopviz.draw.safe import printable
from loopviz.model.comparison import Entry, Ranking

__all__ = ["said", "standing"]


def standing(entry: Entry, ranked: Ranking) -> str:
    """How one compares with the others that are over; empty while there is nothing to say."""
    errors = entry.sample.errors
    if errors:
        return f"{len(errors)} of {len(entry.sample.requests)} failed: {printable(errors[0], 60)}"
    if entry is ranked.winner:
        return "the fastest"
    if entry in ranked.behind:
        return f"{ranked.factor(entry) or 1:.1f} times as long"
    return "no clear winner, within the noise" if len(ranked.first) > 1 else ""


def said(ranked: Ranking) -> str:
    """The result in a sentence, with the ratio of each makespan to the shortest one."""
    if len(ranked.first) + len(ranked.behind) < 2:
        return "No winner: requests failed." if ranked.failed else "Nothing to compare it with."
    others = [f"{e.scenario} took {ranked.factor(e) or 1:.1f} times as long" for e in ranked.behind]
    if ranked.winner is not None:
        return f"{ranked.winner.scenario} wins: {', '.join(others)}."
    near = " and ".join(entry.scenario for entry in ranked.first)
    return " ".join(
        [f"No clear winner: {near} are within the noise of each other.", *(f"{other}." for other in others)]
    )
