"""The main screen: the picture, and beside it, if wanted, the list of scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from loopviz.tui.catalogue import Catalogue
from loopviz.tui.surface import Surface

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from loopviz.tui.app import LoopvizApp

__all__ = ["Stage"]

WIDE = 150
"""From this width on the list of scenarios has room beside the picture."""


class Stage(Screen[None]):
    """Composes the scene at the size of the terminal."""

    AUTO_FOCUS = ""  # or Textual would give the keys to the list's filter, hidden as it is
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.catalogue", "list of scenarios", show=False, priority=True),
        Binding("escape", "close_filter", "show all rows", show=False),
    ]

    def __init__(self, owner: LoopvizApp) -> None:
        super().__init__()
        self._owner = owner
        self.surface = Surface()
        self.catalogue = Catalogue(owner.palette, owner.source.scenarios)
        self.catalogue.display = False
        self._filter = Input(placeholder="rows with: path, status, state, #number", compact=True)
        self._filter.display = False

    def compose(self) -> ComposeResult:
        """The picture takes what the list leaves."""
        yield self.catalogue
        yield self.surface
        yield self._filter

    def on_mount(self) -> None:
        """Show the list where it has room and there is more to list than keys can name."""
        many = any(file.facts.key is None for file in self._owner.source.scenarios)
        self.catalogue.display = many and self.app.size.width >= WIDE

    def show(self) -> None:
        """Show the present frame."""
        width, height = self.surface.size
        if width > 0 and height > 0:
            owner = self._owner
            self.surface.show(owner.scene.compose(owner.timeline, owner.view, width, height))

    def toggle_catalogue(self) -> None:
        """Show the list and give it the keys, or hide it."""
        if self.catalogue.display and self.focused is not None:
            self.hide_catalogue()
            return
        self.catalogue.display = True
        self.catalogue.focus_filter()

    @on(Catalogue.Closed)
    def hide_catalogue(self) -> None:
        """Hide the list; the keys are the picture's again."""
        self.catalogue.display = False
        self.set_focus(None)

    @on(Catalogue.Fire)
    def fire(self, message: Catalogue.Fire) -> None:
        """Fire what was chosen; a list that covers the picture goes."""
        if self.app.size.width < WIDE:
            self.hide_catalogue()
        self._owner.fire(message.file)

    def ask_filter(self) -> None:
        """Take words that the rows must have."""
        self._filter.display = True
        self._filter.value = self._owner.view.words
        self._filter.focus()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        if event.input is self._filter:
            self._owner.view.words = event.value

    @on(Input.Submitted)
    def _filter_done(self, event: Input.Submitted) -> None:
        if event.input is self._filter:
            self._filter.display = False
            self.set_focus(None)

    def action_close_filter(self) -> None:
        """Show all rows again, and point at nothing."""
        self._filter.value = self._owner.view.words = ""
        self._filter.display = False
        self.set_focus(None)
        self._owner.action_let_go()

    def on_resize(self) -> None:
        """Draw at once at the new size."""
        self.call_after_refresh(self.show)

    def on_click(self, event: events.Click) -> None:
        """Open a request, or do what a key does."""
        owner = self._owner
        x = event.screen_x - self.surface.region.x
        for start, end, hit in owner.scene.hits.get(event.screen_y, ()):
            if not start <= x < end:
                continue
            if hit.key is not None:
                owner.simulate_key(hit.key)
            elif hit.request is not None:
                if owner.view.cursor == hit.request:
                    owner.action_detail()
                owner.view.cursor = hit.request

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Point further down; with ctrl, show more time."""
        if event.ctrl:
            self._owner.action_zoom(-1)
        else:
            self._owner.action_point(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Point further up; with ctrl, show less time."""
        if event.ctrl:
            self._owner.action_zoom(1)
        else:
            self._owner.action_point(-1)
