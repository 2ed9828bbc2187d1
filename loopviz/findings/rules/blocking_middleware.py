"""A middleware that holds the event loop: it does so for every request, whatever the endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import ENOUGH, Held, held
from loopviz.findings.repairs import of_call
from loopviz.findings.seen import Seen
from loopviz.findings.words import called, named, times, waited, whose

__all__ = ["look"]


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each middleware that holds the loop."""
    for one in held(seen, "middleware"):
        found = _finding(seen, one)
        if found is not None:
            yield found


def _finding(seen: Seen, one: Held) -> Finding | None:
    loss, where = one.loss(seen), one.where
    if where is None or not seen.matters(loss):
        return None
    advice = of_call(seen, where, computes=one.kind == "computing")
    name = whose((one.middleware or where).function)
    return Finding(
        id="blocking-middleware",
        severity=seen.severity(loss),
        confidence="measured" if one.kind and one.lines.total() >= ENOUGH else "likely",
        title="A middleware that blocks",
        what=f"The middleware {name} held the event loop at {called(where)} {times(len(one.blocks))}, "
        f"for {duration(one.length)} in all; {waited(loss)}.",
        why="A middleware runs on the event loop for every request, whatever its endpoint: all of them wait "
        "for it, those of plain def endpoints too.",
        do=f"{advice.do} A middleware has no thread of its own: plain def is no way out here."
        if advice.kind == "to-thread"
        else advice.do,
        where=where,
        requests=named(loss.requests),
        culprits=named(block.request for block in one.blocks),
        evidence=tuple(one.evidence(loss)),
        lost=loss.total,
        change=advice.change,
        repair=advice.kind,
        scenario=advice.scenario,
        loss=loss,
        explains=one.explains(seen),
    )
