"""How much time the picture shows, from where on, and at which moment."""

from __future__ import annotations

from dataclasses import dataclass

from loopviz.tui.clock import Clock

__all__ = ["COLUMN_WIDTHS", "ROUND", "Window"]

ROUND = tuple(factor * 10**power for power in range(2, 12) for factor in (1, 2, 5))
"""Round times (ns), from 100 ns to 500 s."""
COLUMN_WIDTHS = tuple(
    factor * 10**power
    for power in range(2, 10)
    for factor in ((10, 20, 50) if power < 6 else (10, 20, 25, 50))
)
"""Widths of a column (ns), from 1 µs to 50 s: round ones, so that the axis has round marks."""
_SHOWN = 9_000_000_000
"""The window is at least this wide (ns), unless zoomed: enough for a burst of a second's requests."""


_ARRIVED = 400_000_000
"""After so long (ns), all that is known of a moment has arrived."""


@dataclass(slots=True)
class Window:
    """The part of the time that is shown."""

    now: int = 0
    """The moment up to which things are shown (ns): the right edge of a picture without a clock."""
    clock: Clock | None = None
    """What the axis is of the burst that is shown; None where the picture scrolls."""
    scrolls: bool = False
    """Whether the picture is to scroll although there is a burst."""
    left: int | None = None
    """The left edge (ns), once a picture with a clock was moved; None for the clock's zero."""
    pinned: bool = False
    """Whether the clock stays whatever is fired: a part of the past is shown."""
    behind: int | None = None
    """How far the frozen picture is behind the present (ns); None while it moves."""
    column_ns: int | None = None
    """The width of a column (ns), once zoomed; None for what fits the window."""
    at: int | None = None
    """The time cursor: the moment that states and sentences describe; None for the right edge."""
    mark: int | None = None
    """A second cursor, to measure a distance from."""
    ends: bool = False
    """Whether what is shown has an end, as a recording has."""
    speed: float | None = None
    """How fast the picture moves while it is played back; None while it is not."""
    until: int | None = None
    """Where playing back ends."""
    paused: float | None = None
    """How fast it was played back when it was paused; None if it was not."""
    jumped: tuple[int, int] | None = None
    """Where the time cursor was put, a little inside of a place, and where the place begins (ns)."""
    change: str = ""
    """What changed at the time cursor, after a step to a change."""
    changed: int | None = None
    """The request that changed there."""
    cells: int = 60
    """How many columns of time the last frame had."""

    @property
    def moment(self) -> int:
        """The moment that states and sentences describe."""
        return self.now if self.at is None else self.at

    @property
    def moves(self) -> bool:
        """Whether the picture moves: with the present, or because it is played back."""
        return self.behind is None or self.speed is not None

    @property
    def arrives(self) -> bool:
        """Whether events of the moment that a still picture shows can still arrive."""
        return self.behind is None or self.behind < _ARRIVED

    def tick(self, every: int) -> tuple[int, ...]:
        """What changes when that is to be found again which a moving picture finds only `every` so many ns.

        A still picture shows exactly its moment.
        """
        if self.moves:
            return self.now // every, self.moment // every
        return self.now, self.moment, min(self.behind or 0, _ARRIVED)

    @property
    def window(self) -> int:
        """How much time the picture shows (ns)."""
        return self.cells * self.width(self.cells)

    @property
    def start(self) -> int | None:
        """The left edge (ns) of a picture with a clock; None where the right edge is the moment shown."""
        if self.clock is None:
            return None
        return self.clock.zero if self.left is None else self.left

    @property
    def reach(self) -> tuple[int, int]:
        """The left and the right edge of the picture (ns)."""
        start, window = self.start, self.window
        return (self.now - window, self.now) if start is None else (start, start + window)

    def width(self, columns: int) -> int:
        """The width of a column (ns) if there are `columns` of them."""
        self.cells = columns
        if self.column_ns is None and self.clock is not None:
            return self.clock.width(columns)
        return self.column_ns or next(
            (ns for ns in COLUMN_WIDTHS if columns * ns >= _SHOWN), COLUMN_WIDTHS[-1]
        )
