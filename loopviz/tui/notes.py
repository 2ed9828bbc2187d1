"""The application of the speaker's notes: it follows a talk that is held in another terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter

from loopviz.clock import now_ns
from loopviz.draw.look import Palette
from loopviz.talk import Note
from loopviz.tui.bindings import bindings
from loopviz.tui.compat import AsciiFilter, end_on_signals, ignore_old_sizes
from loopviz.tui.scene.notes import compose_notes
from loopviz.tui.surface import Surface
from loopviz.tui.terminal import driver_class
from loopviz.tui.themes import DEFAULTS, registered

__all__ = ["NotesApp"]

_EVERY = 0.2


class NotesApp(App[int]):
    """What to say now, what comes next, and the clock."""

    TITLE = "loopviz notes"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = bindings("notes")
    CSS = "Screen { background: $background; }"

    def __init__(self, palette: Palette, read: Callable[[], Note | None], waits: str) -> None:
        """`read` gives the note of the talk that is held, if one is; `waits` is said until then."""
        ignore_old_sizes()
        super().__init__(ansi_color=palette.depth == "16")
        for theme in registered(palette):
            self.register_theme(theme)
        self.theme = palette.theme.name
        self.surface = Surface()
        self._palette = palette
        self._read = read
        self._waits = waits
        self._note: Note | None = None
        self._ended = 0

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What style sheets may use before there is a theme."""
        return DEFAULTS

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Where only ASCII may be emitted, Textual's own characters are replaced as well."""
        filters = super().get_line_filters()
        return filters if self._palette.unicode else [*filters, AsciiFilter()]

    def get_driver_class(self) -> type[Driver]:
        """What writes to the terminal and reads from it."""
        return driver_class(super().get_driver_class())

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    def on_mount(self) -> None:
        """Look at the talk several times a second."""
        end_on_signals(self)
        self.set_interval(_EVERY, self.look)

    def on_resize(self) -> None:
        """Draw at once at the new size."""
        self.call_after_refresh(self.look)

    def look(self) -> None:
        """Show the talk as it is now; when it has ended, as it was."""
        now, note = now_ns(), self._read()
        if note is not None:
            self._note, self._ended = note, 0
        elif self._note is not None:
            self._ended = self._ended or now
        leaves = "q ends the notes"
        notice = leaves
        if self._note is None:
            notice = f"{self._waits} {leaves}."
        elif self._ended:
            notice = f"The talk has ended. {leaves}."
        width, height = self.surface.size
        if width > 0 and height > 0:
            self.surface.show(
                compose_notes(self._palette, self._note, notice, self._ended or now, width, height)
            )

    async def action_quit(self) -> None:
        """End the program."""
        self.exit(0)
