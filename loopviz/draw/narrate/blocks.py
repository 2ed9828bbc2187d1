"""Sentences about blocks that were not described while they lasted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loopviz.draw.narrate.sentence import clock
from loopviz.draw.narrate.spoken import spoken
from loopviz.draw.safe import printable
from loopviz.draw.words import count, duration, holder, line
from loopviz.model import Block

__all__ = ["were_left_out"]


def were_left_out(blocks: Sequence[Block], zero: int) -> str:
    """One block in hindsight; or how many there were, for how long, and at which line mostly."""
    if len(blocks) == 1:
        return _one(blocks[0], zero)
    held = Counter[str]()
    for block in blocks:
        where = block.culprit[1]
        held["" if where is None else line(where)] += block.lasted(block.end or block.start)
    place, longest = held.most_common(1)[0]
    at = f", {'all' if len(held) == 1 else duration(longest)} of it at {place}" if place else ""
    first = clock(min(block.start for block in blocks) - zero)
    return (
        f"{len(blocks)} blocks of the event loop since {first} are not described one by one: "
        f"{duration(held.total())} in all{at}."
    )


def _one(block: Block, zero: int) -> str:
    who = holder(block)
    if block.kind == "waiting_for_gil":
        keeper = block.keeper
        who = f"#{keeper.request}{block.letter}" if keeper is not None and keeper.request else "a thread"
        deed = "kept the GIL, and so held the event loop"
    else:
        deed = "held the event loop"
    _, where = block.culprit
    at = ""
    if where is not None:
        at = f" at {line(where)}" + (f" ({printable(where.calls, 30)})" if where.calls else "")
    lasted = duration(block.lasted(block.end or block.start))
    delayed = f"; it delayed {count(len(block.victims), 'request')}" if block.victims else ""
    said = f"{who} {deed} for {lasted}{at}, from {clock(block.start - zero)} on{delayed}."
    return spoken(said[:1].upper() + said[1:])
