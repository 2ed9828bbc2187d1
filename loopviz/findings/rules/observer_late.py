"""What was measured is not the server's own doing: the program was stopped, or events were lost."""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.held import held
from loopviz.findings.loss import Loss, merged, overlaps
from loopviz.findings.seen import Seen
from loopviz.findings.words import count, named, times, waited

__all__ = ["look"]


_MOST = 1 / 3
"""A machine without a free core is worth a finding if clients lost this part of their time to it."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for stops of the whole program, one for a machine without a core, one for lost events."""
    for found in (_stopped(seen), _no_core(seen), _lost(seen)):
        if found is not None:
            yield found


def _stopped(seen: Seen) -> Finding | None:
    """The whole program was stopped."""
    stops = [
        (max(since, seen.start), min(until, seen.end))
        for since, until in merged(seen.timeline.stops)
        if since < seen.end and until > seen.start
    ]
    loss = Loss()
    for request in seen.requests:
        end = seen.end if request.done is None else min(seen.end, request.done)
        for since, until in overlaps(stops, max(request.start, seen.start), end):
            loss.add(request.id, since, until)
    if not seen.matters(loss):
        return None
    length = sum(until - since for since, until in stops)
    return Finding(
        id="observer-late",
        severity=seen.severity(loss),
        confidence="measured",
        title="The whole program was stopped",
        what=f"The whole program was stopped {times(len(stops))}, for {duration(length)} in all, and "
        f"{count(len(loss.requests), 'request')} with it.",
        why="A stop (ctrl+z, SIGSTOP, a debugger, a machine that sleeps) stops every thread: what is "
        "lost in that time says nothing about the server.",
        do="Measure again.",
        where=None,
        requests=named(loss.requests),
        culprits=(),
        evidence=(("stopped", f"{duration(length)}, {times(len(stops))}"),),
        lost=loss.total,
        loss=loss,
    )


def _no_core(seen: Seen) -> Finding | None:
    """The loop was held although nothing held it: the machine had no core for it."""
    blocks = [block for one in held(seen, "machine") for block in one.blocks]
    loss = Loss()
    for one in held(seen, "machine"):
        loss.include(one.loss(seen))
    if loss.total < _MOST * seen.waited or not seen.matters(loss):
        return None
    length = sum(block.lasted(seen.now) for block in blocks)
    return Finding(
        id="observer-late",
        severity="low",
        confidence="measured",
        title="The machine had no free core",
        what=f"The event loop could have run and had no core, {times(len(blocks))}, for {duration(length)} "
        f"in all; {waited(loss)}.",
        why="Other programs, or other threads of this one, had all cores: most of what requests lost says "
        "nothing about the code of the server.",
        do="Measure again on a machine that does nothing else.",
        where=None,
        requests=named(loss.requests),
        culprits=(),
        evidence=(("held without a core", f"{duration(length)}, {times(len(blocks))}"),),
        lost=loss.total,
        loss=loss,
    )


def _lost(seen: Seen) -> Finding | None:
    """Events were lost."""
    if not seen.dropped:
        return None
    return Finding(
        id="observer-late",
        severity="low",
        confidence="measured",
        title="Events were lost",
        what=f"{count(seen.dropped, 'event')} of what happened could not be kept, because there was more "
        "than loopviz could take in.",
        why="What is lost is missing in the picture: a request may seem to be in a state for longer than "
        "it was, and figures are a little too small.",
        do="Fire fewer requests at once, or leave more of the machine to loopviz.",
        where=None,
        requests=(),
        culprits=(),
        evidence=(("lost", count(seen.dropped, "event")),),
        lost=0,
    )
