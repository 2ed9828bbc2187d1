"""Rows that look the same, as one row: ``#5–#8 ×4``.

Two concurrent requests look the same if they ask for the same, came out the same, and were in different
states for no longer than the time of about a column. That time only grows: rows that have parted do not join
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from loopviz.draw.words import tag
from loopviz.model import Request, State
from loopviz.model.block import BLOCK_THRESHOLD

__all__ = ["Fold", "Histories", "folded", "numbers"]

_RECENT = 250_000_000
"""What was answered so recently (ns) may be in a row with what is not: rows do not part for a moment."""
_MOST_SEGMENTS = 500
"""A request with more segments is a row of its own: comparing them would take too long."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One row of a picture: a request, or several that look the same."""

    requests: tuple[Request, ...]

    @property
    def first(self) -> Request:
        """The request whose states are drawn."""
        return self.requests[0]

    @property
    def count(self) -> int:
        """How many requests are in this row."""
        return len(self.requests)

    @property
    def name(self) -> str:
        """``#5`` or ``#5–#8 ×4``; only for requests, not for the tasks that they have started."""
        letters = {request.letter for request in self.requests}
        shown = numbers((request.id for request in self.requests), letters.pop() if len(letters) == 1 else "")
        return shown if self.count == 1 else f"{shown} ×{self.count}"


class Histories:
    """What requests have done up to `now`: read once, for all that they are compared with."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._read: dict[int, tuple[Request, _History]] = {}

    def of(self, request: Request) -> _History:
        """The states of a request."""
        known = self._read.get(id(request))
        if known is None:
            known = self._read[id(request)] = request, _History(request, self.now)
        return known[1]


def folded(
    requests: Iterable[Request],
    now: int,
    within: int,
    *,
    least: int = 2,
    anywhere: bool = False,
    column: int | None = None,
    histories: Histories | None = None,
) -> list[Fold]:
    """The rows for these requests, in their order, as they are at `now`.

    `within` is the time of a column (ns). Fewer than `least` equal requests stay rows of their own. Only
    neighbours fold, so that rows keep their place; with `anywhere`, a request joins any row that it equals.
    In a picture that moves, `column` is the time of a column; `within` may be more. The `histories` of the
    requests at `now` can be used for several foldings.
    """
    histories = histories or Histories(now)
    rows: list[list[Request]] = []
    for request in requests:
        for row in reversed(rows) if anywhere else rows[-1:]:
            if _alike(row[0], request, histories, within, column):
                row.append(request)
                break
        else:
            rows.append([request])
    return [
        Fold(part)
        for row in rows
        for part in ([tuple(row)] if len(row) >= least else [(request,) for request in row])
    ]


def _alike(
    one: Request, other: Request, histories: Histories, within: int, column: int | None = None
) -> bool:
    """Whether their rows look the same, where `within` is the time of a column (ns).

    With the time of a `column`: an answered request and one that is not are never alike for longer than that,
    and one that blocks is like none that does not.
    """
    now = histories.now
    if (one.method, one.path, one.started_by) != (other.method, other.path, other.started_by):
        return False
    ends = _done(one, now), _done(other, now)
    starts = one.start, other.start
    if abs(ends[0] - ends[1]) > within or abs(starts[0] - starts[1]) > within or max(starts) >= min(ends):
        return False
    if column is not None and not _at_once_alike(one, other, histories, column):
        return False
    if max(ends) < now and (one.status, one.failure) != (other.status, other.failure):
        return False
    if max(len(r.segments) + len(r.after) for r in (one, other)) > _MOST_SEGMENTS:
        return False
    return _differ(histories.of(one), histories.of(other), now, within) <= within


def _at_once_alike(one: Request, other: Request, histories: Histories, column: int) -> bool:
    """Whether the same can be said of both: that they are answered or not, that they block or not."""
    now = histories.now
    ends = _done(one, now), _done(other, now)
    if min(ends) < max(ends) == now and now - min(ends) > min(column, _RECENT):
        return False
    return _holds(histories.of(one), now) == _holds(histories.of(other), now)


def _holds(history: _History, now: int) -> bool:
    """Whether it has run for as long as a block."""
    state, since = history.at(0)
    return state is not None and state[0] is State.RUNNING and now - since >= BLOCK_THRESHOLD


def numbers(ids: Iterable[int], letter: str = "", most: int = 3) -> str:
    """Numbers of requests in few words: ``#1 #5–#8``; after `most` stretches of numbers, ``…``.

    With the `letter` of a worker: ``#5b–#8b``.
    """
    stretches: list[Sequence[int]] = [
        [number for _, number in run] for _, run in groupby(enumerate(ids), lambda pair: pair[1] - pair[0])
    ]
    shown = [
        tag(run[0], letter) if len(run) == 1 else f"{tag(run[0], letter)}–{tag(run[-1], letter)}"
        for run in islice(stretches, most)
    ]
    return " ".join(shown) + (" …" if len(stretches) > most else "")


def _done(request: Request, now: int) -> int:
    """When its last byte was sent; `now` if that is still to come."""
    return now if request.done is None else min(request.done, now)


class _History:
    """The states of a request, from the newest to the oldest, read only as far as they are asked for."""

    __slots__ = ("_rest", "_states")

    def __init__(self, request: Request, now: int) -> None:
        self._rest = _states(request, now)
        self._states: list[tuple[tuple[State, bool] | None, int]] = []

    def at(self, index: int) -> tuple[tuple[State, bool] | None, int]:
        """A state, and since when it was in it (ns)."""
        if index == len(self._states):
            self._states.append(next(self._rest))
        return self._states[index]


def _differ(one: _History, other: _History, now: int, most: int) -> int:
    """For how long (ns) they were in different states; counting ends when it is more than `most`."""
    total, t, i, j = 0, now, 0, 0
    (mine, my_since), (its, its_since) = one.at(0), other.at(0)
    while t and total <= most:
        since = max(my_since, its_since)
        if mine != its:
            total += t - since
        t = since
        if t and my_since == t:
            i += 1
            mine, my_since = one.at(i)
        if t and its_since == t:
            j += 1
            its, its_since = other.at(j)
    return total


def _states(request: Request, now: int) -> Iterator[tuple[tuple[State, bool] | None, int]]:
    """Its states, whether each is after the response, and since when: from the newest to the oldest.

    Before and after its life it is in none.
    """
    reached = now
    for segment in request.newest_first(now):
        if segment.start >= reached:
            continue
        if segment.end < reached:
            yield None, segment.end
        yield (segment.state, request.done is not None and segment.start >= request.done), segment.start
        reached = segment.start
    yield None, 0
