"""Sentences about requests that hold nothing: they wait, or take turns; and about none."""

from __future__ import annotations

from collections import Counter

from loopviz.draw.story.moment import Moment
from loopviz.draw.words import awaited, count, duration, fitting, state_name
from loopviz.model import Awaits, State

__all__ = ["awaiting", "clients", "nothing", "progress", "taking_turns"]


def taking_turns(moment: Moment) -> list[str]:
    """Requests that run in many short steps, and wait for the loop in between."""
    shares = moment.turns
    average = f"{sum(shares) / len(shares):.0%}"
    return [
        f"{len(shares)} requests take turns on the loop: each runs {average} of the time, on average.",
        "None of them blocks the loop; for the rest of its time, each is ready to run.",
    ]


def clients(moment: Moment) -> list[str]:
    """Requests that wait for their clients: to take the response, or to send the body."""
    for state, deed in ((State.SENDING, "take the response"), (State.RECEIVING, "send the body")):
        if number := moment.states[state]:
            whom = "waits for its client" if number == 1 else "wait for their clients"
            costs = "" if moment.brief else _costs(moment)
            subject = "It" if costs else "The event loop"
            return [f"{count(number, 'request')} {whom} to {deed}.{costs}", _idle(moment, subject)]
    return []


def awaiting(moment: Moment) -> list[str]:
    """Requests that are suspended at an await, and what they await."""
    who = count(moment.states[State.AWAITING], "request is", "requests are")
    if moment.brief:
        named = _kinds(moment.awaits)
        costs = "That costs the loop nothing: it" if moment.free else "The event loop"
        return [
            fitting(
                f"{who} suspended at an await{f': {named}' if named else ''}.",
                f"{who} suspended at an await.",
            ),
            _idle(moment, costs),
        ]
    named = _awaited_by(moment.awaits)
    idle = f"{named}{_idle(moment, 'The loop' if named else 'It')}"
    return [f"{who} suspended at an await.{_costs(moment)}", idle]


def progress(moment: Moment) -> list[str]:
    """What requests do while no sentence says more."""
    states = moment.states.most_common(3)
    named = ", ".join(f"{number} {state_name(state)}" for state, number in states)
    said = f"{count(len(moment.live), 'request is', 'requests are')} in progress"
    return [f"{said}: {named}." if named else f"{said}."]


def nothing(moment: Moment) -> list[str]:
    """The requests that were answered last; without any, the WebSockets that are open."""
    burst = moment.timeline.last_burst(moment.now)
    if not burst:
        number = moment.sockets
        return [f"{count(number, 'WebSocket is', 'WebSockets are')} open."] if number else []
    start = min(request.start for request in burst)
    end = max(request.done or start for request in burst)
    errors = sum(request.failed for request in burst)
    failed = f", {errors} failed" if errors else ""
    return [f"Done: {count(len(burst), 'request')} in {duration(end - start)}{failed}."]


def _costs(moment: Moment) -> str:
    """That waiting costs nothing, if the loop was free."""
    return " That costs the event loop nothing." if moment.free else ""


def _idle(moment: Moment, subject: str) -> str:
    """For how much of the last second the loop was idle, as measured."""
    if not moment.timeline.sees_iterations:
        return "Whether the event loop is idle cannot be seen here."
    if subject == "It" and not moment.free:
        subject = "The event loop"
    return f"{subject} was idle for {1 - moment.busy:.0%} of the last second."


def _awaited_by(awaits: Counter[Awaits]) -> str:
    """A sentence on what requests await, before the one on the loop; empty where that is not known."""
    named = _kinds(awaits)
    if not named:
        return ""
    who = "It awaits" if awaits.total() == 1 else "They await"
    return f"{who}: {named}. "


def _kinds(awaits: Counter[Awaits]) -> str:
    """The kinds of what is awaited, the most frequent first: ``connection (6), thread (2)``."""
    kinds: Counter[str] = Counter()
    for kind, number in awaits.items():
        kinds[awaited(kind, brief=True)] += number
    named = [kind if number == 1 else f"{kind} ({number})" for kind, number in kinds.most_common(3)]
    return ", ".join(named) + (", …" if len(kinds) > 3 else "")
