"""A lane's codes, kept from frame to frame: only the newest columns are drawn again."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Track", "Tracks"]


class Track:
    """Half columns of one lane; those before `settled` are drawn once and kept."""

    __slots__ = ("_codes", "_first", "_width")

    def __init__(self) -> None:
        self._codes = ""
        self._first = 0
        self._width = 0

    def window(self, width: int, first: int, settled: int, stop: int, draw: Callable[[int, int], str]) -> str:
        """The codes of half columns `first` to `stop`; `draw(a, b)` gives those from `a` to `b`."""
        settled = max(first, min(settled, stop))
        end = self._first + len(self._codes)
        if width != self._width or first < self._first or end < first or settled < end:
            self._codes, self._first, end = "", first, first
            self._width = width
        if settled > end:
            self._codes += draw(end, settled)
        if first > self._first:
            self._codes = self._codes[first - self._first :]
            self._first = first
        return self._codes + (draw(settled, stop) if stop > settled else "")


class Tracks:
    """The codes of each lane that were drawn before, for as long as the lane is in the picture."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, int], Track] = {}
        self._used: set[tuple[str, int]] = set()

    def begin(self) -> None:
        """A frame begins."""
        self._used = set()

    def of(self, kind: str, number: int) -> Track:
        """The track of a lane, such as ``request`` 9."""
        key = (kind, number)
        self._used.add(key)
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = Track()
        return track

    def end(self) -> None:
        """The frame is complete: discard the lanes that it did not have."""
        for key in self._tracks.keys() - self._used:
            del self._tracks[key]

    def forget(self) -> None:
        """Discard everything."""
        self._tracks.clear()
