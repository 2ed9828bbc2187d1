"""The main screen: one surface that repaints the lines that have changed, and only those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from loopviz.tui.scene import Line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from loopviz.tui.app import LoopvizApp

__all__ = ["Stage"]


class Surface(Widget):
    """Lines of segments, one below the other.

    Textual repaints whole lines and keeps no difference between cells, so the lines are compared
    here. ``render_lines`` is overridden because its caches never hit for a picture that moves.
    """

    DEFAULT_CSS = "Surface { width: 100%; height: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self.painted = 0
        """Lines made into strips so far, for the tests of this very economy."""

    def show(self, lines: list[Line]) -> None:
        """Show these lines, repainting those that differ from what is there."""
        width = self.size.width
        old, strips = self._lines, self._strips
        if len(old) != len(lines):
            old = []
            strips = self._strips = [Strip.blank(width)] * len(lines)
        dirty = []
        for y, line in enumerate(lines):
            if not old or old[y] != line:
                strips[y] = Strip(line, width)
                dirty.append(Region(0, y, width, 1))
        self._lines = lines
        self.painted += len(dirty)
        if dirty:
            self.refresh(*dirty)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a region, cut to it."""
        x, y, width, height = crop
        strips = self._strips[y : y + height]
        strips += [Strip.blank(self.size.width)] * (height - len(strips))
        if x == 0 and width == self.size.width:
            return strips
        return [strip.crop(x, x + width) for strip in strips]


class Stage(Screen[None]):
    """Composes the scene at the size of the terminal."""

    def __init__(self, owner: LoopvizApp) -> None:
        super().__init__()
        self._owner = owner
        self.surface = Surface()

    def compose(self) -> ComposeResult:
        """One widget, as large as the screen."""
        yield self.surface

    def show(self) -> None:
        """Show the present frame."""
        width, height = self.surface.size
        if width > 0 and height > 0:
            owner = self._owner
            self.surface.show(owner.scene.compose(owner.timeline, owner.view, width, height))

    def on_resize(self) -> None:
        """Draw at once at the new size."""
        self.call_after_refresh(self.show)

    def on_click(self, event: events.Click) -> None:
        """Open a request, or do what a key does."""
        owner = self._owner
        for start, end, hit in owner.scene.hits.get(event.screen_y, ()):
            if not start <= event.screen_x < end:
                continue
            if hit.key is not None:
                owner.simulate_key(hit.key)
            elif hit.request is not None:
                if owner.view.cursor == hit.request:
                    owner.action_detail()
                owner.view.cursor = hit.request

    def on_mouse_scroll_down(self) -> None:
        """Point further down."""
        self._owner.action_point(1)

    def on_mouse_scroll_up(self) -> None:
        """Point further up."""
        self._owner.action_point(-1)
