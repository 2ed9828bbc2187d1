"""Sentences about requests that were sent, or have arrived: those of a moment are one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loopviz.clock import NS
from loopviz.draw.expected import expected
from loopviz.draw.narrate.sentence import clock
from loopviz.draw.narrate.spoken import named, numbers
from loopviz.draw.safe import printable
from loopviz.draw.words import count, ordinary
from loopviz.model import Burst, Request, Timeline
from loopviz.scenario import Scenario

__all__ = ["SPREAD", "expectation", "since", "were_sent"]

SPREAD = NS // 5
"""What lies further apart (ns) did not happen in the same moment."""


def were_sent(requests: Sequence[Request], burst: Burst | None, zero: int) -> str:
    """That these were sent by loopviz, all of them in `burst`, or have arrived from other clients."""
    own = requests[0].own
    lines = Counter(f"{printable(r.method, 20)} {printable(r.path, 60)}" for r in requests)
    (most, number), *others = lines.most_common()
    tagged = [(request.id, request.letter) for request in requests]
    sockets = sum(request.websocket is not None for request in requests)
    deed = "was sent" if own else "has arrived"
    if len(requests) == 1:
        what = f"{named(tagged)}, {most}, {deed}."
    else:
        deed = "were sent" if own else "have arrived"
        to = f"to {most}"
        if others:
            to = f"to {len(lines)} paths{f', {number} of them to {most},' if number > 1 else ''}"
        noun = "WebSocket" if sockets == len(requests) else "request"
        what = f"{count(len(requests), noun)} {to} {deed}: {numbers(tagged)}."
    when = since([request.start for request in requests], zero)
    if when:
        what = what[:1].lower() + what[1:]
    if burst is None:
        return f"{when}{what}"
    if len(requests) < burst.count and what[0].isdecimal():
        what = f"{len(requests)} of {burst.count}{what.removeprefix(str(len(requests)))}"
    limit = f" The thread limit is {burst.threads}." if requests[0].id == burst.first else ""
    name = printable(burst.scenario, 60)
    if " " in name:  # a route is said with its path
        return f"{when}{what}{limit}"
    return f"{name}: {when}{what[:1].lower()}{what[1:]}{limit}"


def expectation(timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int) -> str:
    """What is expected of a burst that begins, and the lesson of its scenario; empty where there is none."""
    wanted = expected(timeline, burst, scenario, now)
    lesson = printable(scenario.expect, 200) if scenario is not None and scenario.makespan is not None else ""
    time = f"{ordinary(wanted.ns)}." if wanted is not None and wanted.declared and wanted.ns else ""
    said = " ".join(part for part in (time, lesson) if part)
    return f"Expected: {said}" if said else ""


def since(times: Sequence[int], zero: int) -> str:
    """``Between 1.200 s and 3.400 s, ``, if that is no moment; else empty."""
    first, last = min(times), max(times)
    return "" if last - first < SPREAD else f"Between {clock(first - zero)} and {clock(last - zero)}, "
