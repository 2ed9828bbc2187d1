"""What the screens need of the application. They import this, and the application imports them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.scenario import ScenarioFile
from loopviz.stream.source import Source
from loopviz.tui.keymap import Keys
from loopviz.tui.scene import Scene
from loopviz.tui.view import View

__all__ = ["Firer", "Framed", "Host", "Picture"]


class Picture(Protocol):
    """What is shown, and how."""

    source: Source
    palette: Palette
    timeline: Timeline
    """Of the source, up to the present."""
    view: View
    """What the picture shows of the timeline."""
    scene: Scene
    """What draws the picture."""
    keys: Keys


class Firer(Picture, Protocol):
    """The application, as a screen sees it that fires scenarios."""

    def fire(self, file: ScenarioFile, requests: int | None = None) -> None:
        """Fire a scenario with so many requests, and show the present."""

    def exit(self, result: int | None = None, /) -> None:
        """End the program."""


class Host(Firer, Protocol):
    """The application, as the main screen sees it."""

    present: int
    """The present moment of the source (ns), as of the last frame."""

    def simulate_key(self, key: str) -> None:
        """Do what a key does, by Textual's name for it."""

    def action_point(self, by: int) -> None:
        """Select another request: the next one (1), the previous one (-1), or one further away."""

    def action_zoom(self, by: int) -> None:
        """Show less time (1), or more (-1)."""

    def action_detail(self) -> None:
        """Open the selected request."""

    def output(self) -> tuple[int, Sequence[str]]:
        """What the application has written: a number that changes with it, and its last lines."""

    def edit_request(self, file: ScenarioFile) -> None:
        """Ask for the request of a route, and fire it."""


@runtime_checkable
class Framed(Protocol):
    """A screen that is drawn again for each frame."""

    def follow(self, now: int) -> None:
        """Draw the frame of this moment (ns)."""
