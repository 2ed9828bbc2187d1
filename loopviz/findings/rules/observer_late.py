"""What was measured is not the server's own doing: the program was stopped, or events were lost."""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.loss import Loss, merged, overlaps
from loopviz.findings.seen import Seen
from loopviz.findings.words import count, named, times

__all__ = ["look"]


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for stops of the whole program, and one for lost events."""
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
    if seen.matters(loss):
        length = sum(until - since for since, until in stops)
        yield Finding(
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
    if seen.dropped:
        yield Finding(
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
