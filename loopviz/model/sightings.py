"""The lines at which a request was seen, and when: what a segment's one line does not say."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from loopviz.model.segments import Where

__all__ = ["MAX_SIGHTINGS", "Frames", "Sighting", "Sightings"]

MAX_SIGHTINGS = 400
"""Sightings kept of one request, the newest: of 8 seconds in which each look finds another line."""

Frames = tuple[Where, ...]
"""The user's frames and a library's inside of them, outermost first; empty where they were not seen."""


class Sighting(NamedTuple):
    """From `t` on (ns), as far as was seen, it was at this line."""

    t: int
    where: Where
    frames: Frames = ()


class Sightings:
    """The newest `MAX_SIGHTINGS` changes of the line. Once packed, each takes ten bytes."""

    __slots__ = ("_kinds", "_list", "_packed")

    def __init__(self) -> None:
        self._list: list[Sighting] | None = []
        self._kinds: tuple[tuple[Where, Frames], ...] = ()
        self._packed = b""

    def add(self, t: int, where: Where, frames: Frames, since: int) -> None:
        """It was seen at this line at `t`; `since` is when its present segment began."""
        seen = self._unpack()
        if seen:
            last = seen[-1]
            if t < last.t or (last.t >= since and last.where is where and last.frames is frames):
                return
        seen.append(Sighting(t, where, frames))
        if len(seen) > MAX_SIGHTINGS:
            del seen[0]

    def last(self, start: int, t: int) -> Sighting | None:
        """The last one from `start` to `t` (ns); None if there is none."""
        for sighting in reversed(list(self)):
            if sighting.t <= t:
                return sighting if sighting.t >= start else None
        return None

    def pack(self, known: dict[object, object]) -> None:
        """Take as little memory as possible; see `loopviz.model.segments.Segments.pack`."""
        seen = self._list
        if seen is None:
            return
        kinds: dict[tuple[Where, Frames], int] = {}
        which = array("H", [kinds.setdefault((one.where, one.frames), len(kinds)) for one in seen])
        same = tuple(kinds)
        self._kinds = known.setdefault(same, same)  # type: ignore[assignment]
        self._packed = array("q", [one.t for one in seen]).tobytes() + which.tobytes()
        self._list = None

    def _unpack(self) -> list[Sighting]:
        if self._list is None:
            self._list, self._packed, self._kinds = list(self), b"", ()
        return self._list

    def __len__(self) -> int:
        return len(self._packed) // 10 if self._list is None else len(self._list)

    def __iter__(self) -> Iterator[Sighting]:
        if self._list is not None:
            yield from self._list
            return
        count = len(self)
        whole = memoryview(self._packed)
        times, which = whole[: 8 * count].cast("q"), whole[8 * count :].cast("H")
        for t, kind in zip(times, which, strict=True):
            yield Sighting(t, *self._kinds[kind])
