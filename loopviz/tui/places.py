"""Places to jump to: blocks, starvation, waits for a thread, errors, late frames, changes of state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.model import Block, Request, Starvation, State, Timeline, Tokens

__all__ = ["Place", "StateChange", "next_change", "next_place"]


class Place(NamedTuple):
    """A moment, and what is there."""

    t: int
    what: str
    lasts: int = 0
    """How long it lasts (ns); 0 for what has no length."""
    least: int = 1
    """How long it has to last until it is known as what it is (ns)."""

    def inside(self, margin: int) -> int:
        """A moment at which it is there, and known: about `margin` (ns) after its beginning."""
        return self.t + min(self.lasts, max(margin, self.least))


class StateChange(NamedTuple):
    """A request's change from one state to another."""

    t: int
    request: int
    what: str


class _Stop(NamedTuple):
    lasted: int


_What = Block | Starvation | Tokens | Request | _Stop | int
"""What is at a place; for a late frame, how late it was (ns)."""


def next_place(
    timeline: Timeline, moment: int, direction: int, late_frames: Iterable[tuple[int, int]] = ()
) -> Place | None:
    """The next place after `moment` (`direction` 1), or the one before it (-1)."""
    best: tuple[int, _What] | None = None
    for t, what in _places(timeline, late_frames):
        if direction * (t - moment) > 0 and (best is None or direction * (t - best[0]) < 0):
            best = t, what
    if best is None:
        return None
    t, found = best
    lasts, least = _extent(timeline, t, found)
    return Place(t, _described(found, timeline.last), lasts, least)


def _extent(timeline: Timeline, t: int, what: _What) -> tuple[int, int]:
    """How long something lasts, and how long it has to last until it is known as what it is (ns)."""
    if isinstance(what, Block | Starvation):
        return what.lasted(timeline.last), timeline.threshold
    if isinstance(what, Tokens):
        end = next((at for at, tokens in timeline.tokens if at > t and not tokens.waiting), timeline.last)
        return end - t, 1
    return 0, 1


def _places(timeline: Timeline, late_frames: Iterable[tuple[int, int]]) -> Iterator[tuple[int, _What]]:
    for block in timeline.blocks:
        yield block.start, block
    held = timeline.block_at(timeline.last)
    if held is not None and held.end is None:
        yield held.start, held
    for starvation in timeline.starvations:
        yield starvation.start, starvation
    waiting = 0
    for t, tokens in timeline.tokens:
        if tokens.waiting and not waiting:
            yield t, tokens
        waiting = tokens.waiting
    for request in timeline.requests.values():
        if request.failed and request.done is not None:
            yield request.done, request
    for since, t in timeline.stops:
        yield t, _Stop(t - since)
    yield from late_frames


def _described(what: _What, now: int) -> str:
    if isinstance(what, Block):
        request, line = what.culprit
        where = f" at {words.line(line)}" if line else ""
        who = words.holder(what)
        if what.kind == "waiting_for_gil":
            who = (
                f"the GIL, kept by {words.tag(request, what.letter)}"
                if what.keeper and request
                else "waiting for the GIL"
            )
        lasts = "" if what.end is not None else " so far"
        delays = ""
        if what.victims:
            verb = "delay" if what.by == "callbacks" else "delays"
            delays = f" {verb} {words.count(len(what.victims), 'request')}"
        return f"A block of {words.duration(what.lasted(now))}{lasts}: {who}{where}{delays}."
    if isinstance(what, Starvation):
        delays = words.count(len(what.victims), "request")
        return f"Many short steps or callbacks for {words.duration(what.lasted(now))}: they delay {delays}."
    if isinstance(what, Tokens):
        in_use = f"All {what.total} threads are in use" if what.total != 1 else "The only thread is in use"
        return f"{in_use}, and a request begins to wait for one."
    if isinstance(what, Request):
        return f"An error: {words.headline(what)}: {printable(what.failure or '', 60)}."
    if isinstance(what, _Stop):
        return f"The program was stopped for {words.duration(what.lasted)}: nothing ran meanwhile."
    return f"A late frame: the screen was {words.duration(what)} late."


def next_change(
    requests: Sequence[Request], moment: int, direction: int, now: int, after: int | None = None
) -> StateChange | None:
    """The next change of state after `moment` (`direction` 1), or the one before it (-1), up to `now`.

    `requests` are in the order of their arrival. Where several of them change at the same time,
    they do so in the order of their numbers: the search continues from request `after`, if given.
    """
    here = moment, after if after is not None else 1 << 62 if direction > 0 else -1
    best: tuple[tuple[int, int], Request] | None = None
    for request in requests if direction > 0 else reversed(requests):
        ends = request.since if request.ended else now
        if (ends < moment) if direction > 0 else (request.start > moment):
            continue  # all of its changes are on the other side
        if best is not None and (request.start > best[0][0] if direction > 0 else ends < best[0][0]):
            continue
        for t, _ in _changes(request, now):
            at = t, request.id
            if (at > here if direction > 0 else at < here) and (
                best is None or (at < best[0] if direction > 0 else at > best[0])
            ):
                best = at, request
    if best is None:
        return None
    (t, _), request = best
    return StateChange(t, request.id, f"{words.headline(request)}: {dict(_changes(request, now))[t]}.")


def _changes(request: Request, now: int) -> Iterator[tuple[int, str]]:
    """When the request changes, and how, in the order of time."""
    before: State | None = None
    done = request.done if request.done is not None and request.done <= now else None
    end = request.start
    for segment in request.history(now):
        if segment.start == done:
            yield segment.start, f"response sent, then {_name(segment.state)}"
        elif segment.state is not before:
            change = f"from {_name(before)} to" if before is not None else "sent, now"
            yield segment.start, f"{change} {_name(segment.state)}"
        before, end = segment.state, segment.end
    if done is not None and (request.ended or end == done) and end <= now:
        yield end, f"from {_name(before)} to done"


def _name(state: State | None) -> str:
    return words.state_name(state) if state is not None else "nothing"
