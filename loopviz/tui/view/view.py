"""What the screen shows, and what its keys have set."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from loopviz.model import Burst, Timeline, Where
from loopviz.scenario import THREAD_LIMIT
from loopviz.tui.amounts import requests_after
from loopviz.tui.asked import Asked
from loopviz.tui.knobs import Knob
from loopviz.tui.view.moving import Moving

__all__ = ["Look", "Pace", "View"]

Look = Literal["timeline", "code", "machine", "reasons"]

_STILL = 500_000_000
"""How often a picture is drawn in which nothing moves (ns)."""
_SHOWN_BEHIND = 100_000_000
"""How exactly the picture says how far it is behind (ns)."""


@dataclass(slots=True)
class Pace:
    """How fast the screen is, and what watching costs."""

    fps: float = 0.0
    probe: float = 0.0
    """The CPU time of the probe, as a share of a core."""
    dropped: int = 0
    failures: int = 0


@dataclass(slots=True)
class View(Moving):
    """Which part of a timeline is shown, and how."""

    look: Look = "timeline"
    """As what the moment is shown: every look is of the same moment, and of the same requests."""
    expanded: bool = False
    """Whether the code view shows the frames of libraries below the user's lines."""
    scrolls_code: int = 0
    """By how many rows the code is to be scrolled in the next frame."""
    finding: int = 0
    """Which of the findings is opened in the reasons view, counted from the gravest."""
    found: Where | None = None
    """The line of that finding, once it was drawn."""
    requests: int | None = None
    """How many requests were asked for; None for each scenario's own number."""
    steps: int = 0
    """By how many steps more requests are fired than that; fewer if negative."""
    threads: int = THREAD_LIMIT
    knobs: tuple[Knob, ...] = ()
    """The application's own pools."""
    knob: int = 0
    """The number of the pool whose size is to be changed; 0 for the thread limit."""
    asked: Asked | None = None
    """What was fired last, by a key."""
    unread: int = 0
    """How many lines the application has written that were not looked at."""
    guessed: str = ""
    """What was predicted of the newest burst, and what was measured; empty if nothing was."""
    notice: str = ""
    """A message to show for a moment, in place of the sentences."""
    pace: Pace = field(default_factory=Pace)

    @property
    def chosen(self) -> Knob | None:
        """The pool whose size is to be changed; None for the thread limit."""
        return next((knob for knob in self.knobs if knob.number == self.knob), None)

    def count_of(self, own: int) -> int:
        """How many requests are fired at once of a scenario that declares `own`."""
        return requests_after(self.requests or own, self.steps)

    def unsent(self, newest: Burst | None) -> Asked | None:
        """What a key has fired that is not sent yet, where `newest` is the newest burst; None if nothing is.

        A frozen picture shows a moment before that.
        """
        asked = self.asked
        if asked is None or asked.sent or self.behind is not None:
            return None
        if newest is not None and newest.fired >= asked.at:
            return None
        return asked

    def still(self, timeline: Timeline) -> tuple[object, ...] | None:
        """What a picture depends on whose window has passed; None while there is something to come.

        Nothing in it moves then, except what says how the loop and the program do at this moment.
        """
        if self.load is not None or self.clock is None or self.now <= self.reach[1] or self.notice:
            return None
        pace, asked = self.pace, self.asked
        return (
            timeline.events, len(timeline.requests), self.now // _STILL,
            self.behind is None or self.behind // _SHOWN_BEHIND, asked and asked.waits, pace.dropped,
            pace.failures, pace.fps > 0, *(getattr(self, name) for name in _SEEN),
        )  # fmt: skip


_SEEN = tuple(
    field.name
    for field in fields(View)
    if field.name[0] != "_" and field.name not in {"now", "behind", "pace", "notice"}
)
"""What else a picture depends on."""
