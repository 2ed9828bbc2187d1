"""Sentences about processes that have ended."""

from __future__ import annotations

from loopviz.clock import NS
from loopviz.draw.safe import printable
from loopviz.model import Incident, Timeline

__all__ = ["latest", "sentence"]

_SHOWN = 8 * NS
"""How long a sentence is shown (ns)."""


def latest(timeline: Timeline, now: int) -> str | None:
    """The sentence on what has ended last, for some seconds after it has."""
    for incident in reversed(timeline.incidents):
        if incident.t <= now:
            return sentence(timeline, incident) if now - incident.t < _SHOWN else None
    return None


def sentence(timeline: Timeline, incident: Incident) -> str:
    """What has ended, why, and what follows from it."""
    name, reason = printable(incident.name), printable(incident.reason)
    if not name:
        lane = timeline.workers.get(incident.thread)
        which = f", {lane.name}," if lane is not None else ""
        return (
            f"A worker process of the application{which} has ended ({reason}):"
            " its pool is broken, and every call in it fails."
        )
    name = name[:1].upper() + name[1:]
    if incident.change == "given up":
        return f"{name} is not started again: {reason}."
    follows = "it was started again" if incident.change == "restarted" else "it is being started again"
    if not reason:  # of a process that others have started, nothing more is known
        return f"{name} has ended{f'; {follows}' if incident.change == 'restarted' else ''}."
    return f"{name} has ended ({reason}); {follows}."
