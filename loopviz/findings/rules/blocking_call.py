"""A call in `async def` that holds the event loop: it sleeps, or it computes.

It is a block, or a step of each request that is a little shorter than one.
"""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import ENOUGH, Held, held
from loopviz.findings.loss import merged
from loopviz.findings.repairs import of_call
from loopviz.findings.seen import Seen
from loopviz.findings.steps import Steps, long_steps
from loopviz.findings.words import called, count, named, times, waited
from loopviz.model import BLOCK_THRESHOLD

__all__ = ["look"]

_COMPUTES = 0.25
"""Short steps compute if the loop's thread used the CPU for this part of their time: a call that waits uses
some of it as well, and on a busy machine one that computes does not get all of it."""
_APART = 50_000_000
"""Steps with less than this in between (ns) are one stretch: the CPU clock is not read between them."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each function that holds the loop."""
    for one in held(seen, "call"):
        found = _finding(seen, one)
        if found is not None:
            yield found
    for steps in long_steps(seen):
        found = _of_steps(seen, steps)
        if found is not None:
            yield found


def _finding(seen: Seen, one: Held) -> Finding | None:
    loss = one.loss(seen)
    if not seen.matters(loss):
        return None
    where, kind = one.where, one.kind
    computes = kind == "computing"
    place = called(where) if where is not None else "A call whose line could not be seen"
    advice = of_call(seen, where, computes=computes)
    return Finding(
        id="blocking-call",
        severity=seen.severity(loss),
        confidence="measured" if kind and one.lines.total() >= ENOUGH else "likely",
        title="Computing in async def" if computes else "A blocking call in async def",
        what=f"{place} held the event loop {times(len(one.blocks))}, for {duration(one.length)} in all; "
        f"{waited(loss)}.",
        why=_WHY[kind],
        do=advice.do,
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


def _of_steps(seen: Seen, steps: Steps) -> Finding | None:
    loss, where = steps.loss(seen), steps.where
    if loss.longest < BLOCK_THRESHOLD or not seen.matters(loss):
        return None
    cpu = _cpu(seen, steps)
    computes = cpu is not None and cpu >= _COMPUTES
    advice = of_call(seen, where, computes=computes)
    place = called(where) if where is not None else "A call whose line could not be seen"
    evidence = [
        ("held the loop", f"{duration(steps.length)}, {times(steps.count)}"),
        ("delayed", count(len(loss.requests), "request")),
        ("longest wait", duration(loss.longest)),
    ]
    if cpu is not None:
        evidence.append(("CPU of the loop's thread meanwhile", f"{cpu:.0%}"))
    return Finding(
        id="blocking-call",
        severity=seen.severity(loss),
        confidence="measured"
        if where is not None and cpu is not None and steps.count >= ENOUGH
        else "likely",
        title="Computing in async def" if computes else "A blocking call in async def",
        what=f"{place} held the event loop {times(steps.count)}, for up to {duration(steps.longest)} each; "
        f"{waited(loss)}.",
        why=f"{_WHY['computing' if computes else 'sleeping' if cpu is not None else '']} It is short, but "
        "every request does it.",
        do=advice.do,
        where=where,
        requests=named(loss.requests),
        culprits=named(steps.culprits),
        evidence=tuple(evidence),
        lost=loss.total,
        change=advice.change,
        repair=advice.kind,
        scenario=advice.scenario,
        loss=loss,
    )


def _cpu(seen: Seen, steps: Steps) -> float | None:
    """The part of the steps' time in which the loop's thread computed, about; None if that is not known.

    Its CPU clock is read ten times a second: that says what it did in all steps together.
    """
    stretches = merged(((s.start, s.end) for one in steps.of.values() for s in one), _APART)
    if seen.several or not seen.timeline.loop.measures(stretches[0][0]):
        return None
    used = sum(seen.timeline.loop.used(start, end) for start, end in stretches)
    return min(1.0, used / sum(end - start for start, end in stretches))


_WHY = {
    "sleeping": "The call waits on the event loop's own thread and does not await: until it returns, no other"
    " request can run.",
    "computing": "It computes on the event loop's own thread: until it is done, no other request can run.",
    "": "It did not await: until it returned, no other request could run.",
}
