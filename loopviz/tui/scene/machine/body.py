"""The machine view, put together."""

from __future__ import annotations

from loopviz.model import Timeline
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.view import View

__all__ = ["MachineBody"]


class MachineBody:
    """Draws the machine view, and caches what the next frame can reuse."""

    def __init__(self, pen: Pen) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last frame, counted from its first: what can be clicked, and where."""
        self._pen = pen

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `height` lines."""
        return []
