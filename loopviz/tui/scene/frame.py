"""What one frame shows: which part of which timeline, in which columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loopviz.draw.look import NOTHING
from loopviz.draw.marks import GROUP
from loopviz.model import Timeline
from loopviz.scenario import ScenarioFile
from loopviz.stream.source import Death, Environment
from loopviz.tui.keymap import Keys
from loopviz.tui.scene.track import Tracks
from loopviz.tui.view import View

__all__ = ["ATTACHED", "Columns", "Facts", "Frame"]

ATTACHED = "attached"
"""The mode of a source whose server was started by somebody else."""
_SETTLE = 400_000_000
"""A column of this age (ns) does not change any more: its events have arrived, its blocks are known."""
_NARROWEST = 18
"""The room for the name of a worker, with the request that it works for (cells)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the picture moves."""

    environment: Environment
    mode: str
    address: str
    scenarios: Sequence[ScenarioFile]
    blind: Sequence[tuple[str, str]] = ()
    keys: Keys = field(default_factory=Keys)
    live: bool = True
    """Whether something can be fired: not in a recording."""
    application: str | None = None
    """The name of the user's own application, whose routes are fired; None where there are scenarios."""
    pid: int = 0
    """The process of the server; 0 if it is this one."""
    death: Death | None = None
    """How the server's process has ended, if it has."""

    @property
    def attached(self) -> bool:
        """Whether the server was started by somebody else."""
        return self.mode == ATTACHED

    @property
    def has_routes(self) -> bool:
        """Whether the routes of the user's own application can be fired."""
        return self.application is not None and self.live and not self.attached

    def scenario(self, name: str) -> ScenarioFile | None:
        """The scenario that is called so; None if it is not served here."""
        return next((file for file in self.scenarios if file.name == name), None)


@dataclass(frozen=True, slots=True)
class Columns:
    """How a line is divided into a label, time, and what it says now (cells)."""

    label: int
    time: int
    says: int
    state: int
    """How much of `says` is a request's state; its latency follows."""
    column_ns: int
    """The width of a column of time (ns)."""

    @classmethod
    def of(cls, width: int, view: View, names: int | None = None) -> Columns:
        """The division of a line of `width` cells.

        In a picture of groups, `names` is the width of the longest name of a row. There is more room for
        what a row says then.
        """
        says = 18 if width < 100 else 24 if width < 150 else 34
        label = 24 if width < 100 else 28 if width < 150 else 36
        state = 10 if width < 100 else 15 if width < 150 else 24
        if names is not None:
            label = max(_NARROWEST, min(label, names + 1))
            says, state = max(says, 24), max(state, 16)
        time = max(8, width - label - says)
        return cls(label, time, says, state, view.width(time))

    @property
    def width(self) -> int:
        """The width of a line (cells)."""
        return self.label + self.time + self.says


class Frame:
    """What one frame shows: a timeline, the view of it, and the columns of time."""

    __slots__ = ("_settled", "_tracks", "columns", "first", "half", "last", "live", "timeline", "view")

    def __init__(self, timeline: Timeline, view: View, columns: Columns, tracks: Tracks) -> None:
        self.timeline = timeline
        self.view = view
        self.columns = columns
        self.half = columns.column_ns // 2
        """The width of half a column (ns)."""
        now, start = view.now // columns.column_ns, view.start
        self.first = now + 1 - columns.time if start is None else start // columns.column_ns
        """The first column, counted from the zero of all clocks."""
        self.last = self.first + columns.time - 1
        """The last column."""
        self.live = max(0, min(columns.time, now - self.first + 1))
        """How many columns there are up to the moment shown. Those behind are still to come, and empty."""
        # Whole groups: what is drawn of one depends on all of it.
        self._settled = (view.now - _SETTLE) // self.half // GROUP * GROUP
        self._tracks = tracks

    def codes(self, kind: str, number: int, draw: Callable[[int, int], str]) -> str:
        """The codes of a lane's half columns; `draw(a, b)` gives those from `a` to `b`."""
        track = self._tracks.of(kind, number)
        stop = 2 * (self.first + self.live)
        shown = track.window(self.half, 2 * self.first, self._settled, stop, draw) if self.live else ""
        return shown + NOTHING * (2 * (self.columns.time - self.live))

    def standing(self, kind: str, number: int, shift: int, draw: Callable[[int, int], str]) -> str:
        """The codes of what is drawn `shift` half columns later than it was; a part may be still to come."""
        track, stop = self._tracks.of(kind, number), 2 * (self.last + 1)
        return track.window(self.half, 2 * self.first, self._settled + shift, stop, draw)
