"""Places worth going to: blocks, token waits, errors, late frames, and every change of state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from loopviz.draw import words
from loopviz.model import Request, State, Timeline

__all__ = ["Change", "Place", "next_change", "next_place"]


class Place(NamedTuple):
    """A moment, and what is there."""

    t: int
    what: str


class Change(NamedTuple):
    """A request's change from one state to another."""

    t: int
    request: int
    what: str


def next_place(
    timeline: Timeline, moment: int, direction: int, late_frames: Iterable[tuple[int, int]] = ()
) -> Place | None:
    """The next place after `moment` (`direction` 1), or the one before it (-1)."""
    found = [place for place in _places(timeline, late_frames) if direction * (place.t - moment) > 0]
    if not found:
        return None
    return min(found) if direction > 0 else max(found)


def _places(timeline: Timeline, late_frames: Iterable[tuple[int, int]]) -> Iterable[Place]:
    for block in timeline.blocks:
        where = f" at {words.line(block.where)}" if block.where else ""
        who = f"#{block.request}" if block.request else "a callback"
        length = words.duration((block.end or block.start) - block.start)
        yield Place(block.start, f"A block of {length}: {who}{where}, {len(block.victims)} victims.")
    waiting = 0
    for t, tokens in timeline.tokens:
        if tokens.waiting and not waiting:
            yield Place(t, f"All {tokens.total} threads are taken: the first request waits for one.")
        waiting = tokens.waiting
    for request in timeline.requests.values():
        failed = request.error is not None or (request.status or 0) >= 500
        if failed and request.done is not None:
            why = words.printable(request.error or str(request.status), 60)
            yield Place(request.done, f"An error: {words.headline(request)}: {why}.")
    for t, gap in late_frames:
        yield Place(t, f"A late frame: the screen itself had to wait for {words.duration(gap)}.")


def next_change(requests: Sequence[Request], moment: int, direction: int) -> Change | None:
    """The next change of state after `moment` (`direction` 1), or the one before it (-1)."""
    best: Change | None = None
    for request in requests:
        change = _nearest(request, moment, direction)
        if change is not None and (best is None or direction * (change.t - best.t) < 0):
            best = change
    return best


def _nearest(request: Request, moment: int, direction: int) -> Change | None:
    before: State | None = None
    last: Change | None = None
    for segment in (*request.segments, *request.after):
        if direction > 0 and segment.start > moment:
            return _change(request, segment.start, before, segment.state)
        if direction < 0 and segment.start >= moment:
            return last
        last = _change(request, segment.start, before, segment.state)
        before = segment.state
    end = request.done
    if end is not None and not request.after and direction * (end - moment) > 0:
        return _change(request, end, before, None)
    return last if direction < 0 else None


def _change(request: Request, t: int, before: State | None, after: State | None) -> Change:
    old = words.state_name(before) if before is not None else "not there"
    new = words.state_name(after) if after is not None else "done"
    return Change(t, request.id, f"{words.headline(request)}: {old} becomes {new}.")
