"""Equal values that many requests hold, such as source lines: each is kept once."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from loopviz.model.limits import MAX_SHARED
from loopviz.model.segments import Where

__all__ = ["Shared"]

_T = TypeVar("_T")


class Shared:
    """A table of values. It is emptied when it is full; then equal values may exist twice."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def table(self) -> dict[object, object]:
        """Each value, mapped to itself; for `loopviz.model.request.Request.pack`."""
        known = self._known
        if len(known) > MAX_SHARED:
            known.clear()
        return known

    def same(self, value: _T) -> _T:
        """The value, always the same object."""
        return cast(_T, self.table().setdefault(value, value))

    def where(self, *line: Any) -> Where:
        """The source line with these fields, always the same object."""
        return self.same(Where(*line))
