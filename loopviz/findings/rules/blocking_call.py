"""A call in `async def` that holds the event loop: it sleeps, or it computes.

It is a block, or a step of each request that is a little shorter than one.
"""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import ENOUGH, Held, held
from loopviz.findings.repairs import of_call
from loopviz.findings.seen import Seen
from loopviz.findings.steps import Steps, long_steps
from loopviz.findings.words import called, count, named, times, unseen, waited
from loopviz.model import BLOCK_THRESHOLD

__all__ = ["look"]


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each function that holds the loop."""
    for one in held(seen, "call"):
        found = _finding(seen, one)
        if found is not None:
            yield found
    for steps in long_steps(seen):
        found = None if steps.takes_turns(seen) else _of_steps(seen, steps)
        if found is not None:
            yield found


def _finding(seen: Seen, one: Held) -> Finding | None:
    loss = one.loss(seen)
    if not seen.matters(loss):
        return None
    where, kind = one.where, one.kind
    computes = kind == "computing"
    requests = (seen.by_number.get(block.request) for block in one.blocks)
    place = called(where) if where is not None else unseen(requests)
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
    cpu, computes = steps.cpu(seen), steps.computes(seen)
    if seen.gil and computes is False and steps.beside_threads(seen):
        return None  # they may have waited for the GIL, as each step does then
    advice = of_call(seen, where, computes=computes is True)
    place = called(where) if where is not None else unseen(map(seen.by_number.get, steps.of))
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
        why=f"{_WHY[_KINDS[computes]]} It is short, but every request does it.",
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


_KINDS = {True: "computing", False: "sleeping", None: ""}
_WHY = {
    "sleeping": "The call waits on the event loop's own thread and does not await: until it returns, no other"
    " request can run.",
    "computing": "It computes on the event loop's own thread: until it is done, no other request can run.",
    "": "It did not await: until it returned, no other request could run.",
}
