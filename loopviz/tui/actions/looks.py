"""Change the view and the theme, and save the screen as a picture."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from loopviz.draw.safe import printable
from loopviz.draw.themes import next_theme, theme_named
from loopviz.recording.whole import free_name, write_whole
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.compat import Commands
from loopviz.tui.themes import ThemeList
from loopviz.tui.view import Look

__all__ = ["Looks"]

_KEPT = ("Theme", "Keys", "Screenshot")
"""Textual's own commands that make sense here."""


class Looks(PictureApp):
    """The actions on how everything looks."""

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's own commands, for the command palette."""
        return (each for each in super().get_system_commands(screen) if each.title in _KEPT)

    def get_key_display(self, binding: Binding) -> str:
        """A key as Textual's list of keys shows it, without the second name of a capital letter."""
        return "" if binding.key.startswith("upper_") else super().get_key_display(binding)

    def watch_theme(self, name: str) -> None:
        """Take all colours from the theme that was chosen; Textual does the rest."""
        sixteen = self.palette.depth == "16"
        self.ansi_color = sixteen  # older versions of Textual reset it
        if not sixteen:
            self.palette.use(theme_named(name))

    def action_look(self, look: Look) -> None:
        """Show the moment as this view."""
        self.view.look = look

    def action_expand(self) -> None:
        """Show the lines of libraries in the code, or leave them out."""
        self.view.expanded = not self.view.expanded
        self.view.look = "code"

    def action_scroll_code(self, by: int) -> None:
        """Scroll the code by so many rows; it does not follow what happens then."""
        if self.view.look == "code":
            self.view.scrolls_code += by

    def action_next_theme(self) -> None:
        """Use the next theme."""
        if self._has_no_choice():
            return
        theme = next_theme(self.theme)
        self.theme = theme.name
        self.say(f"Theme {theme.name}. {theme.title}")

    def search_themes(self) -> None:
        """Open the list of themes."""
        if self._has_no_choice():
            return
        self.push_screen(Commands(providers=[ThemeList], placeholder="Search for themes…"))

    def _has_no_choice(self) -> bool:
        """Whether there is only one theme; this is said then."""
        if self.palette.depth == "16":
            self.say("This terminal has 16 colours: there is one theme for it.")
        elif not self.palette.colour:
            self.say("Without colours there is one theme: textures.")
        else:
            return False
        return True

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> None:
        """Save the screen as a picture in the current folder, and say where."""
        svg = self.export_screenshot()
        stem = Path(f"loopviz-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
        threading.Thread(target=self._save_picture, args=(svg, stem), daemon=True).start()

    def _save_picture(self, svg: str, stem: Path) -> None:
        """In a thread: a slow disk does not stop the picture."""
        path = free_name(stem, ".svg")
        try:
            write_whole(path, [svg.encode()], replace=False)
            said = f"Saved as {path}."
        except FileExistsError:  # another one was saved at the same time
            self._save_picture(svg, stem)
            return
        except OSError as error:
            said = f"It cannot be saved as {path}: {error.strerror or type(error).__name__}."
        with suppress(RuntimeError):  # the program ends
            self.call_from_thread(self.say, printable(said, 400), seconds=5)
