"""The main screen: the picture, with the list of scenarios beside it on request."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from loopviz.tui.bindings import bindings
from loopviz.tui.dragging import Dragging
from loopviz.tui.host import Host
from loopviz.tui.screens.catalogue import OVERLAY_BELOW, Catalogue
from loopviz.tui.screens.output import OutputPane
from loopviz.tui.surface import Surface

__all__ = ["MainScreen"]

WIDE = 150
"""From this width on the list of scenarios has room beside the picture, and stays open."""


class MainScreen(Screen[None]):
    """Draws the scene at the size of the terminal."""

    AUTO_FOCUS = ""  # or Textual would give the focus to the list's filter, although it is hidden
    BINDINGS: ClassVar[list[BindingType]] = bindings("picture")
    # not CSS, which Textual does not read for the first screen
    DEFAULT_CSS = """
    MainScreen { width: 100%; height: 100%; background: $background; layers: default above; }
    MainScreen > Surface { height: 1fr; }
    MainScreen > Input { dock: bottom; height: 1; border: none; background: $field; }
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.surface = Surface()
        self._still: tuple[object, ...] | None = None
        """What the picture depended on when it was drawn last, if it stands still."""
        source = host.source
        self.catalogue = Catalogue(
            host.palette, source.scenarios, host.keys, source.application, source.address
        )
        self.catalogue.display = False
        self.output = OutputPane(host.palette, host.keys)
        self.output.display = False
        self._filter = Input(placeholder="rows with: path, status, state, #number", compact=True)
        self._filter.display = False
        self._dragging = Dragging()

    def compose(self) -> ComposeResult:
        """The picture has the room that the list does not take."""
        yield self.catalogue
        yield self.surface
        yield self.output
        yield self._filter

    def on_mount(self) -> None:
        """Show the list where it has room and not every scenario has a letter; that of routes at once."""
        source = self._host.source
        many = any(file.facts.key is None for file in source.scenarios)
        self.catalogue.display = many and self.app.size.width >= WIDE
        if self._host.scene.facts.has_routes:
            self.catalogue.display = True
            self.set_focus(self.catalogue)
        self._place_catalogue()

    def follow(self, now: int) -> None:
        """Draw a frame."""
        if self.output.display:
            self.output.show(*self._host.output())
        self.show()

    def show(self) -> None:
        """Draw what the view shows."""
        width, height = self.surface.size
        if width > 0 and height > 0:
            host = self._host
            still = host.view.still(host.timeline)
            key = still and (*still, width, height, host.scene, host.scene.facts, host.palette.theme.name)
            if key and key == self._still:
                return
            self._still = key
            self.surface.show(host.scene.compose(host.timeline, host.view, width, height))

    @on(Surface.Resized)
    def _room_changed(self) -> None:
        """Draw at once where the list has been."""
        self.show()

    def toggle_catalogue(self) -> None:
        """Show the list and give it the focus, or hide it."""
        if self.catalogue.display and self.catalogue.is_filtering:
            self.hide_catalogue()
            return
        self.catalogue.display = True
        self.catalogue.focus_filter()

    @on(Catalogue.Closed)
    def hide_catalogue(self) -> None:
        """Hide the list; the picture has the keys again."""
        self.catalogue.display = False
        self.set_focus(None)

    @on(Catalogue.Chosen)
    def fire(self, message: Catalogue.Chosen) -> None:
        """Fire what was chosen; the picture has the keys again, and the list's room where that is small."""
        if self.app.size.width < WIDE:
            self.hide_catalogue()
        else:
            self.set_focus(None)
            self.catalogue.show_all()
        self._host.fire(message.file)
        self.show()  # what was asked for, sooner than the next frame is due

    def open_catalogue(self) -> None:
        """Show the list, and let the arrows choose in it; other keys are those of the picture."""
        self.catalogue.display = True
        self.catalogue.show_all()
        self.set_focus(self.catalogue)

    @on(Catalogue.Edited)
    def edit(self, message: Catalogue.Edited) -> None:
        """Ask for the request of a route."""
        self._host.edit_request(message.file)

    def toggle_output(self) -> None:
        """Show what the application writes, and let the arrows scroll it; or hide it."""
        if self.output.display and self.output.has_focus:
            self.hide_output()
        else:
            self.show_output()
            self.set_focus(self.output)

    def show_output(self) -> None:
        """Show what the application writes; it has the keys if nothing else has them."""
        self.output.display = True
        if self.focused is None:
            self.set_focus(self.output)

    @on(OutputPane.Closed)
    def hide_output(self) -> None:
        """Hide it; the picture has the keys again."""
        self.output.display = False
        self.set_focus(None)

    def _place_catalogue(self) -> None:
        """Put the list beside the picture; or over it where there is no room, then only while it is used."""
        over = self.app.size.width < OVERLAY_BELOW
        if over and not self.catalogue.has_focus_within:
            self.catalogue.display = False
        self.catalogue.set_class(over, "over")

    def ask_filter(self) -> None:
        """Ask for words that the rows must contain."""
        if isinstance(self.focused, Input):  # Textual does not know that its key, the slash, can be typed
            self.focused.insert_text_at_cursor("/")
            return
        self._filter.display = True
        self._filter.value = self._host.view.words
        self.set_focus(self._filter)  # at once: the next key is typed into it, however soon it comes

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        if event.input is self._filter:
            self._host.view.words = event.value

    @on(Input.Submitted)
    def _filter_done(self, event: Input.Submitted) -> None:
        if event.input is self._filter:
            self._filter.display = False
            self.set_focus(None)

    @property
    def asks(self) -> bool:
        """Whether it asks for a filter."""
        return self._filter.display

    def close_filter(self) -> None:
        """Show all rows again."""
        self._filter.value = self._host.view.words = ""
        self._filter.display = False
        self.set_focus(None)

    def on_key(self, event: events.Key) -> None:
        """Fire the scenario with this letter, unless a keymap uses it for something else."""
        host = self._host
        file = next((file for file in host.source.scenarios if file.facts.key == event.key), None)
        if file is not None and not host.keys.binds(event.key):
            event.stop()
            host.fire(file)
            self.show()

    def on_resize(self) -> None:
        """Draw at once at the new size."""
        self._place_catalogue()
        self.call_after_refresh(self.show)

    def _column(self, event: events.MouseEvent) -> tuple[int, int] | None:
        """The column of time under the mouse."""
        return self._host.scene.column(event.screen_x - self.surface.region.x, event.screen_y)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A range of time may be selected from here on."""
        self._dragging.press(self._column(event) if event.button == 1 else None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Select what lies between here and where the button was pressed."""
        if not event.button:  # it was released outside of the terminal
            self._dragging.release()
            return
        if self._dragging.held and (found := self._dragging.move(self._column(event))) is not None:
            self._host.view.select(*found, self._host.present)

    def on_click(self, event: events.Click) -> None:
        """Open a request, put the time cursor into a lane, or do what a key of the foot line does."""
        if self._dragging.release():
            return
        host, column = self._host, self._column(event)
        x = event.screen_x - self.surface.region.x
        hits = host.scene.hits.get(event.screen_y, ())
        hit = next((hit for start, end, hit in hits if start <= x < end), None)
        if hit is not None and hit.key is not None:
            host.simulate_key(hit.key)
        elif column is not None:
            host.view.put_cursor(sum(column) // 2, host.present)
        elif hit is not None and hit.request is not None:
            host.view.cursor = hit.request
            if hit.opens:
                host.action_detail()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Select the next request; with ctrl, show more time."""
        if event.ctrl:
            self._host.action_zoom(-1)
        else:
            self._host.action_point(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Select the previous request; with ctrl, show less time."""
        if event.ctrl:
            self._host.action_zoom(1)
        else:
            self._host.action_point(-1)
