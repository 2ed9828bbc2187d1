"""The code with the picture of lanes at its left, where there is room for both."""

from __future__ import annotations

from rich.segment import Segment

from loopviz.model import Timeline
from loopviz.tui.scene.body import Body
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen, fitted
from loopviz.tui.view import View

__all__ = ["WIDE", "Beside"]

WIDE = 160
"""From this width on both are shown."""


class Beside:
    """Two views of one moment, side by side on wide screens; else the right one alone."""

    def __init__(self, pen: Pen, left: Body, right: Body) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last frame, counted from its first: what can be clicked, and where."""
        self.both = False
        """Whether the last frame has shown both."""
        self._pen, self._left, self._right = pen, left, right

    @property
    def has_lanes(self) -> bool:
        """Whether the last frame had the lanes at the left."""
        return self.both

    def forget(self) -> None:
        """Discard everything that was drawn."""
        self._right.forget()

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `height` lines."""
        pen, self.both = self._pen, width >= WIDE
        if not self.both:
            lines = self._right.lines(facts, timeline, view, width, height, roomy=roomy)
            self.hits = self._right.hits
            return lines
        wide = width * 9 // 20
        left = self._left.lines(facts, timeline, view, wide, height, roomy=roomy)
        right = self._right.lines(facts, timeline, view, width - wide - 2, height, roomy=roomy)
        self.hits = {y: list(hits) for y, hits in self._left.hits.items()}
        for y, hits in self._right.hits.items():
            self.hits.setdefault(y, []).extend((wide + 2 + a, wide + 2 + b, hit) for a, b, hit in hits)
        rule = Segment("│ " if pen.palette.unicode else "| ", pen.dim)
        blank: list[Line] = [[]] * height
        return [
            [*fitted(one, wide, pen.palette), rule, *other]
            for one, other in zip([*left, *blank][:height], [*right, *blank][:height], strict=True)
        ]
