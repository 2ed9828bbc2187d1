"""The request of a route, in one line to be edited: method, path and body."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.words import one_line
from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile
from loopviz.target.request_line import text_of, with_line
from loopviz.tui.bindings import bindings
from loopviz.tui.keymap import Keys
from loopviz.tui.screens.box import FRAME

__all__ = ["RequestPrompt"]

_LONGEST = 100_000


class RequestPrompt(ModalScreen[ScenarioFile | None]):
    """Asks for what a route is to be fired with. Its result is the route with it; None if it was closed."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("prompt")
    CSS = f"""
    RequestPrompt {{ align: center middle; }}
    RequestPrompt > Vertical {{ width: 90%; min-width: 40; max-width: 120; height: auto; {FRAME} }}
    RequestPrompt > Vertical.-ascii {{ border: ascii $accent; }}
    RequestPrompt Input {{ border: none; height: 1; padding: 0; background: $field; }}
    RequestPrompt Static {{ height: auto; min-height: 2; max-height: 6; background: $background; }}
    """

    def __init__(self, palette: Palette, file: ScenarioFile, keys: Keys) -> None:
        super().__init__()
        self._palette = palette
        self._file = file
        self._close = keys.shown("prompt.close")
        self._input = Input(_inline(text_of(file)), compact=True, max_length=_LONGEST)
        self._says = Static()

    def compose(self) -> ComposeResult:
        """One line to edit, and what is wrong with it."""
        with Vertical() as box:
            box.border_title = Text(f"request of {printable(self._file.name, 60)}")
            box.border_subtitle = Text(f"enter fires  {self._close} closes")
            if not self._palette.unicode:
                box.add_class("-ascii")
            yield self._input
            yield self._says

    def on_mount(self) -> None:
        """Letters go into the line."""
        self.set_focus(self._input)
        self._input.cursor_position = len(self._input.value)
        lacking = self._file.lacking
        self._say(one_line(lacking.partition("\n")[0]) if lacking else "")

    def _say(self, text: str, *, wrong: bool = False) -> None:
        """What is lacking or wrong; below it, how the line is written."""
        said = Text(printable(text, 400), self._palette.text("alarm" if wrong else "text"))
        said.append("\n" if text else "")
        said.append(
            'as in POST /items?n=1 -H "x-key: 1" {"name": "apple"}',
            self._palette.text("dim"),
        )
        self._says.update(said)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Take the line, or say what is wrong with it; nothing that was typed is lost."""
        event.stop()
        try:
            self.dismiss(with_line(self._file, event.value))
        except InputError as error:
            self._say(one_line(str(error)), wrong=True)


def _inline(text: str) -> str:
    """A body of several lines in one: JSON may have spaces where it has line ends."""
    return " ".join(text.split("\n"))
