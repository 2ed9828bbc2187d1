"""Requests that wait for their clients: the body comes slowly, or the response is not taken."""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.loss import Loss
from loopviz.findings.seen import Seen
from loopviz.findings.words import count, named
from loopviz.model import State

__all__ = ["look"]

_MOST = 0.5
"""A request waits for its client if that is this part of its latency: it is the main thing that it does."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for clients that send slowly, and one for clients that do not take their responses."""
    for state, finding in ((State.RECEIVING, _SENDS), (State.SENDING, _TAKES)):
        loss = Loss()
        for request in seen.requests:
            if request.own:
                continue  # loopviz sends and takes as fast as the machine lets it
            waits = [s for s in seen.segments(request) if s.state is state]
            if sum(s.end - s.start for s in waits) >= _MOST * max(1, seen.latency(request)):
                for segment in waits:
                    loss.add(request.id, segment.start, segment.end)
        if not seen.matters(loss):
            continue
        many = count(len(loss.requests), "request")
        yield Finding(
            id="client-wait",
            severity="low",  # nothing in the server makes it faster
            confidence="measured",
            title=finding[0],
            what=f"{many} waited for {finding[1]}, up to {duration(loss.longest)}: most of their time.",
            why=finding[2],
            do=finding[3],
            where=None,
            requests=named(loss.requests),
            culprits=(),
            evidence=(
                (f"state {state.value}", duration(loss.total)),
                ("requests", many),
                ("longest wait", duration(loss.longest)),
            ),
            lost=loss.total,
            loss=loss,
        )


_SENDS = (
    "Waiting for the client's body",
    "their bodies",
    "The client sends the body more slowly than the server reads it. The server is not slow, and its event "
    "loop is free meanwhile.",
    "Nothing in the server. A proxy that buffers request bodies keeps slow clients away from it.",
)
_TAKES = (
    "Waiting for the client to read",
    "their clients to take the response",
    "The client takes the response more slowly than the server sends it. The server is not slow, and its "
    "event loop is free meanwhile.",
    "Nothing in the endpoint. A proxy that buffers responses keeps slow clients away from the server.",
)
