"""The side list: every scenario by group; type to filter, enter fires."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from loopviz.draw.look import ACCENT, BORDER, FIELD, SURFACE, Palette
from loopviz.draw.safe import printable
from loopviz.scenario import ScenarioFile
from loopviz.tui.bindings import bindings

__all__ = ["Catalogue", "matching"]


def matching(files: Sequence[ScenarioFile], words: str) -> list[ScenarioFile]:
    """The scenarios in whose name, group or title every word occurs."""
    wanted = words.lower().split()
    return [
        file
        for file in files
        if all(word in f"{file.name} {file.facts.group} {file.facts.title}".lower() for word in wanted)
    ]


class Catalogue(Vertical):
    """A filter and a list. What lacks a package is listed too: dimmed, as not installed."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("scenarios")
    DEFAULT_CSS = f"""
    Catalogue {{ dock: left; width: 36; height: 100%; background: {SURFACE}; border-right: solid {BORDER}; }}
    Catalogue Input {{ border: none; height: 1; margin: 0 1; padding: 0; background: {FIELD}; }}
    Catalogue OptionList {{
        border: none; height: 1fr; background: {SURFACE}; padding: 0 1; scrollbar-size: 1 1;
    }}
    """

    class Chosen(Message):
        """A scenario was chosen."""

        def __init__(self, file: ScenarioFile) -> None:
            super().__init__()
            self.file = file

    class Closed(Message):
        """The user has closed the list."""

    def __init__(self, palette: Palette, files: Sequence[ScenarioFile]) -> None:
        super().__init__()
        self._palette = palette
        self._files = files
        self._input = Input(placeholder="type to filter, enter fires", compact=True)
        self._list = OptionList(compact=True)
        self._list.can_focus = False

    def compose(self) -> ComposeResult:
        """A filter above a list."""
        yield self._input
        yield self._list

    def on_mount(self) -> None:
        """List everything."""
        self._fill("")

    def show(self, files: Sequence[ScenarioFile]) -> None:
        """List these scenarios from now on: one of them has changed."""
        self._files = files
        self._fill(self._input.value)

    def focus_filter(self) -> None:
        """Give the filter the focus."""
        self._input.focus()

    def _fill(self, words: str) -> None:
        found = matching(self._files, words)
        self._list.clear_options()
        for group, files in groupby(found, key=lambda file: file.facts.group):
            self._list.add_option(Option(Text(printable(group), self._palette.text("title")), disabled=True))
            self._list.add_options([Option(self._line(file), id=file.name) for file in files])
        self._list.highlighted = 1 if found else None

    def _line(self, file: ScenarioFile) -> Text:
        strong = self._palette.style(ACCENT, SURFACE, bold=True)
        style = self._palette.text("dim") if file.missing else self._palette.style(background=SURFACE)
        line = Text(f"{file.facts.key or ' '} ", strong, no_wrap=True, overflow="ellipsis")
        line.append(printable(file.name), style)
        if file.missing:
            line.append("  not installed", self._palette.text("dim"))
        return line

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _choose_highlighted(self) -> None:
        at = self._list.highlighted
        if at is not None:
            self._choose(self._list.get_option_at_index(at).id)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_id)

    def _choose(self, name: str | None) -> None:
        file = next((file for file in self._files if file.name == name), None)
        if file is not None:
            self.post_message(self.Chosen(file))

    def action_move(self, by: int) -> None:
        """Move the highlight; it skips the headings."""
        for _ in range(abs(by)):
            if by > 0:
                self._list.action_cursor_down()
            else:
                self._list.action_cursor_up()

    def action_close(self) -> None:
        """Hide the list."""
        self.post_message(self.Closed())
