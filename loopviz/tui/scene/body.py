"""What each view of the moment has to offer: the lines between the headline and the sentences."""

from __future__ import annotations

from typing import Protocol

from loopviz.model import Timeline
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line
from loopviz.tui.view import View

__all__ = ["Body"]


class Body(Protocol):
    """A view: it draws the moment of a `View`, and caches what the next frame can reuse."""

    hits: dict[int, list[tuple[int, int, Hit]]]
    """For each line of the last frame, counted from its first: columns from and to, what can be clicked."""

    @property
    def has_lanes(self) -> bool:
        """Whether the last frame had lanes, with a column for each moment."""
        ...

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        ...

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `height` lines; where it is `roomy`, some of them may be empty."""
        ...
