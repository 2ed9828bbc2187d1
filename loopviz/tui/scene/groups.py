"""Which rows there are: one group for each key press, the newest first, older ones as one line.

Equal rows fold into one where a group has many, or where there is no room. What other clients send, and
started tasks whose request has no row, come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from loopviz.draw.fold import Fold, Histories, folded
from loopviz.model import Burst, Request
from loopviz.tui.scene.frame import Frame

__all__ = ["Arranged", "Groups"]

_FEW = 8
"""So many requests have a row each, if there is room."""
_OLDER = 3
"""Older groups that are shown although newer rows could use the room."""
_WIDEST = 8
"""How often the time in which rows may differ is doubled until they fit."""
_AGAIN = 200_000_000
"""For how long rows of a moving picture stay folded as they are (ns)."""
_MANY = 200
"""With so many more requests, it is as much longer: to fold them takes longer."""
_EXAMINED = 400
"""Requests in which those of other clients are looked for."""


@dataclass(slots=True)
class Arranged:
    """The rows of a picture, from top to bottom."""

    newer: Sequence[Burst] = ()
    """Folded groups above the open one."""
    opened: Burst | None = None
    """The group that has rows: that of the selected request, or else the newest."""
    rows: Sequence[Fold] = ()
    hidden: int = 0
    """Requests of the open group that have no row."""
    older: Sequence[Burst] = ()
    """Folded groups below the open one."""
    others: Sequence[Request] = ()
    """Other clients' requests."""
    lanes: int = 0
    """For how many workers there is room."""
    spare: int = 0
    """Lines that are left."""

    @property
    def firsts(self) -> list[Request]:
        """The first request of each row of the open group."""
        return [fold.first for fold in self.rows]

    @property
    def shown(self) -> set[int]:
        """The requests that have a row, or share one."""
        return {r.id for fold in self.rows for r in fold.requests} | {r.id for r in self.others}


class Groups:
    """Arranges the rows of each frame, and keeps what is folded for a moment."""

    def __init__(self) -> None:
        self._kept: dict[bool, tuple[object, list[Fold]]] = {}
        """Equal rows as one, and whether rows that differ are, too: for what that is so, and the rows."""
        self._histories = Histories(-1)
        self._loose: dict[int, int] = {}

    def arrange(self, frame: Frame, room: int, lanes: int) -> Arranged:
        """The rows for `room` lines, of which up to `lanes` are for workers."""
        timeline, view = frame.timeline, frame.view
        opened = view.burst(timeline)
        if opened is None or room < 1:
            return Arranged()
        spare = room - 1  # without the heading
        bursts = [burst for burst in reversed(timeline.bursts) if burst.fired <= view.now]
        at = bursts.index(opened) if opened in bursts else 0
        newer = bursts[: min(at, 2, spare // 4)] if at else []  # the newest one is always in the picture
        spare -= len(newer)
        older = bursts[at + 1 : at + 1 + room]
        others = list(islice(_others(frame), room))
        least_older = min(len(older), _OLDER if spare >= 10 else 1 if spare >= 4 else 0)
        least_others = 0
        if others and spare >= 4:
            asked = any(request.id == view.cursor for request in others)
            least_others = min(1 + len(others), spare // 2 if asked else max(2, spare // 3))
        requests = [request for request in opened.requests if request.start <= view.now]
        open_group: Burst | None = opened
        if _gone(frame, requests):
            open_group, requests, older, spare = None, [], [opened, *older], spare + 1
        live_lanes = 0 if opened.settled(view.now) else min(lanes, spare // 3)
        few = len(requests) <= _FEW
        if few:
            free = spare - len(requests) - live_lanes - least_others
            least_older = min(least_older, max(1, free))
        below = least_older + least_others
        if few and len(requests) + below + live_lanes <= spare:
            rows: Sequence[Fold] = [Fold((request,)) for request in requests]
        else:
            rows = self._folded(frame, opened, requests, 0)
        given = min(lanes, max(spare - below - len(rows), live_lanes))
        space = max(1, spare - below - given)
        if len(rows) > space:
            rows = self._folded(frame, opened, requests, space)
        rows, hidden = _fitting(frame, rows, space)
        spare -= len(rows) + given
        older = older[: max(0, spare - least_others)]
        spare -= len(older)
        placed = _around(others, view.cursor, spare - 1)
        spare -= len(placed) + bool(placed)
        left = given + max(0, spare)
        given = min(lanes, left)
        return Arranged(newer, open_group, rows, hidden, older, placed, given, left - given)

    def _folded(self, frame: Frame, burst: Burst, requests: Sequence[Request], space: int) -> list[Fold]:
        """Equal rows as one; rows that differ for ever longer as well, until they fit into `space`."""
        view, width = frame.view, frame.columns.column_ns
        again = _AGAIN * (1 + len(requests) // _MANY)
        key = (
            burst.number,
            len(requests),
            width,
            space,
            view.cursor,
            *view.tick(again),
            burst.over(view.now),
        )
        kept = self._kept.get(space > 0)
        if kept is None or key != kept[0]:
            kept = self._kept[space > 0] = key, self._made(frame, burst, requests, space)
        return kept[1]

    def _made(self, frame: Frame, burst: Burst, requests: Sequence[Request], space: int) -> list[Fold]:
        view, width = frame.view, frame.columns.column_ns
        if not space or self._histories.now != view.now:  # in a frame, rows are first folded without a limit
            self._histories = Histories(view.now)
        loose = self._loose.get(burst.number, 0) if space else 0
        fold = partial(folded, requests, view.now, column=width, histories=self._histories)
        folds = fold(width << loose)
        while space and len(folds) > space and loose < _WIDEST:
            loose += 1
            folds = fold(width << loose)
        if space:
            self._loose = {burst.number: loose}
        return _unfolded(folds, view.cursor)


def _gone(frame: Frame, requests: Sequence[Request]) -> bool:
    """Whether these requests have scrolled out of the picture, and none of them is selected."""
    view = frame.view
    if view.start is not None or not requests or any(request.id == view.cursor for request in requests):
        return False
    left, _ = view.reach
    return all(request.ended and request.since <= left for request in requests)


def _others(frame: Frame) -> Iterator[Request]:
    """Requests of other clients that are in the picture, the newest first."""
    timeline, view = frame.timeline, frame.view
    left, _ = view.reach
    newest = timeline.newest_burst(view.now)
    own = range(newest.first, newest.stop) if newest is not None else ()
    for request in islice(reversed(timeline.arrivals), _EXAMINED):
        gone = request.ended and request.since <= left
        if request.id in own:
            continue
        if request.start <= view.now and not gone and timeline.burst_of(request.id) is None:
            yield request


def _unfolded(folds: Sequence[Fold], cursor: int | None) -> list[Fold]:
    """The same rows; the one that has the selected request in it is opened."""
    found: list[Fold] = []
    for fold in folds:
        if cursor is not None and fold.count > 1 and any(r.id == cursor for r in fold.requests):
            found += [Fold((request,)) for request in fold.requests]
        else:
            found.append(fold)
    return found


def _fitting(frame: Frame, rows: Sequence[Fold], space: int) -> tuple[Sequence[Fold], int]:
    """As many rows as fit, and how many requests have none: finished rows give way to live ones."""
    if len(rows) <= space:
        return rows, 0
    view = frame.view
    at = next((i for i, fold in enumerate(rows) if any(r.id == view.cursor for r in fold.requests)), None)
    if at is not None:
        first = min(max(0, at - space // 2), len(rows) - space)
        kept = list(rows[first : first + space])
    else:
        done = [i for i, fold in enumerate(rows) if fold.first.ended and fold.first.since <= view.now]
        gone = set(done[: len(rows) - space]) if len(done) < len(rows) else set(done[space:])
        kept = [fold for i, fold in enumerate(rows) if i not in gone][:space]
    return kept, sum(fold.count for fold in rows) - sum(fold.count for fold in kept)


def _around(requests: Sequence[Request], cursor: int | None, space: int) -> Sequence[Request]:
    """As many of these as fit, in the order of their arrival: the newest, or those at the cursor."""
    if space < 1:
        return ()
    at = next((i for i, request in enumerate(requests) if request.id == cursor), 0)
    first = max(0, min(at - space // 2, len(requests) - space))
    return sorted(requests[first : first + space], key=lambda request: request.start)
