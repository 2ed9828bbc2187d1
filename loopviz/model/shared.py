"""What the parts of a timeline share.

These are equal values, such as source lines, of which each is kept once; and how much may still be examined
again, which bounds the time that a forged recording takes.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from loopviz.model.limits import MAX_FRAMES, MAX_SHARED
from loopviz.model.segments import Where
from loopviz.model.sightings import Frames

__all__ = ["Shared"]

_T = TypeVar("_T")


class Shared:
    """A table of values. It is emptied when it is full; then equal values may exist twice."""

    def __init__(self, looks: int | None = None) -> None:
        self._known: dict[object, object] = {}
        self._looks = looks

    def look(self, number: int = 1) -> bool:
        """Whether `number` things that are kept may be examined for the event that is taken in.

        Most events concern one thing. Those that concern many would let a forged recording take hours, so
        there is a limit for all of them together; what they would have changed is then left as it is.
        """
        if self._looks is None:
            return True
        self._looks -= number
        return self._looks >= 0

    def table(self) -> dict[object, object]:
        """Each value, mapped to itself; for `loopviz.model.request.Request.pack`."""
        known = self._known
        if len(known) > MAX_SHARED:
            known.clear()
        return known

    def same(self, value: _T) -> _T:
        """The value, always the same object."""
        return cast(_T, self.table().setdefault(value, value))

    def frames(self, text: str) -> Frames:
        """The frames of FRAMES, always the same object; empty where the text is not as it must be."""
        known = self.table().get(text)
        if known is not None:
            return cast("Frames", known)
        frames = []
        for frame in text.split("\n")[:MAX_FRAMES]:
            line, _, rest = frame.partition("\t")
            function, _, file = rest.partition("\t")
            if not (line.isascii() and line.isdigit() and len(line) < 10):
                return ()
            frames.append(self.where(file, int(line), function))
        self.table()[text] = found = tuple(frames)
        return found

    def where(self, *line: Any) -> Where:
        """The source line with these fields, always the same object."""
        return self.same(Where(*line))
