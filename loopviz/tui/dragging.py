"""Dragging with the mouse: which range of time was selected, in columns of the picture."""

from __future__ import annotations

__all__ = ["Dragging"]

Column = tuple[int, int]
"""The first moment of a column, and the one after its last (ns)."""


class Dragging:
    """From pressing the button to releasing it. A press without a movement to another column is a click."""

    def __init__(self) -> None:
        self._from: Column | None = None
        self._moved = False

    def press(self, column: Column | None) -> None:
        """The button is pressed in this column; None outside of the lanes."""
        self._from, self._moved = column, False

    @property
    def held(self) -> bool:
        """Whether the button was pressed in the lanes and is not released."""
        return self._from is not None

    def move(self, column: Column | None) -> tuple[int, int] | None:
        """The mouse is in this column now: from where to where is selected (ns); None if nothing is."""
        if self._from is None or column is None:
            return None
        if column == self._from and not self._moved:
            return None
        self._moved = True
        if column[0] < self._from[0]:
            return self._from[1], column[0]
        return self._from[0], column[1]

    def release(self) -> bool:
        """The button is released; whether that ends a selection, and so is no click."""
        moved, self._from, self._moved = self._moved, None, False
        return moved
