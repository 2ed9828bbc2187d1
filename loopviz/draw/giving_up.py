"""What to say when the user gives up what is running: how much that was, and what cannot be stopped."""

from __future__ import annotations

from loopviz.draw import words
from loopviz.model import Request, State, Timeline

__all__ = ["given_up"]

_DOES = {"sleeping": "sleeps", "computing": "computes"}


def given_up(timeline: Timeline, now: int, number: int) -> str:
    """The sentences for `number` requests that were given up at `now`."""
    said = f"Given up: {words.count(number, 'request')}."
    block = timeline.block_at(now)
    holder = block.request if block is not None and block.end is None else 0
    if block is not None and holder:
        if block.kind == "waiting_for_gil":
            return f"{said} The event loop waits for the GIL, which another thread has."
        where = f" at {words.line(block.where)}" if block.where else ""
        does = _DOES.get(block.kind or "", "holds the loop")
        return (
            f"{said} {words.tag(holder, block.letter)} still {does}{where}: a thread cannot be interrupted."
        )
    left = [request for request in timeline.alive_at(now) if request.own and _in_worker(request, now)]
    if left:
        named = words.tags(left)
        verb, workers = ("is", "a worker thread") if len(left) == 1 else ("are", "worker threads")
        return f"{said} {named} {verb} still in {workers}, which cannot be interrupted."
    return said


def _in_worker(request: Request, now: int) -> bool:
    segment = request.state_at(now)
    return segment is not None and segment.state is State.IN_THREAD
