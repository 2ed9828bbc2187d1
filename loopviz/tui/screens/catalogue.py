"""The list of scenarios by group, with the lesson of the highlighted one; type to filter, enter fires."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.scenario import ScenarioFile
from loopviz.scenario.search import matching
from loopviz.tui.bindings import bindings
from loopviz.tui.keymap import Keys
from loopviz.tui.screens.choices import Choices

__all__ = ["OVERLAY_BELOW", "Catalogue"]

OVERLAY_BELOW = 100
"""In a terminal with fewer columns the list lies over the picture, and does not make it narrower."""
_TITLES = 52
"""From this width on the list has room for titles beside the names (cells)."""
_NAME = 22
"""The width of the names beside titles (cells)."""


class Catalogue(Vertical, can_focus=True):
    """A filter, a list, and the lesson of what is highlighted. What cannot be fired is listed too, dimmed.

    Without the filter it can have the focus itself: then the arrows choose, and letters are keys of the
    picture.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("scenarios")
    DEFAULT_CSS = """
    Catalogue { dock: left; width: 40; height: 100%; background: $surface; border-right: solid $edge; }
    Catalogue.over { layer: above; width: 64; max-width: 100%; }
    Catalogue Input { border: none; height: 1; margin: 0 1; padding: 0; background: $field; }
    Catalogue OptionList {
        border: none; height: 1fr; background: $surface; margin: 0 0 0 1; scrollbar-size: 1 1;
    }
    Catalogue OptionList > .option-list--option-disabled { color: $foreground; }
    Catalogue OptionList > .option-list--option-highlighted {
        color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold;
    }
    Catalogue Static {
        height: 8; min-height: 4; padding: 0 1; background: $surface; border-top: solid $edge;
    }
    Catalogue.over Static { height: 6; }
    """

    class Chosen(Message):
        """A scenario was chosen."""

        def __init__(self, file: ScenarioFile) -> None:
            super().__init__()
            self.file = file

    class Edited(Message):
        """The request of a route is to be edited."""

        def __init__(self, file: ScenarioFile) -> None:
            super().__init__()
            self.file = file

    class Closed(Message):
        """The user has closed the list."""

    def __init__(
        self,
        palette: Palette,
        files: Sequence[ScenarioFile],
        keys: Keys,
        application: str | None = None,
        address: str = "",
    ) -> None:
        """With the name of an `application`, the files are its routes."""
        super().__init__()
        self._palette = palette
        self._application = application
        self._address = address
        self._files = files
        self._found: list[ScenarioFile] = []
        self._highlighted: str | None = None
        """The name of the last one that was highlighted: what is highlighted again without a filter."""
        self._keys = keys
        self._input = Input(compact=True)
        self._lit: int | None = None
        """The row that is drawn as the highlighted one."""
        self._list = Choices()
        self._lesson = Static()

    def compose(self) -> ComposeResult:
        """A filter above a list, and a lesson below it."""
        yield self._input
        yield self._list
        yield self._lesson

    def on_mount(self) -> None:
        """List everything."""
        self._invite(focused=False)
        self._fill("")
        self.app.theme_changed_signal.subscribe(self, lambda _: self.show(self._files))

    def show(self, files: Sequence[ScenarioFile], address: str | None = None) -> None:
        """List these scenarios from now on: one of them has changed."""
        self._files = files
        self._address = self._address if address is None else address
        self._fill(self._input.value)

    def focus_filter(self) -> None:
        """Give an empty filter the focus."""
        self.show_all()
        self.screen.set_focus(self._input)  # at once: the next key is typed into it

    def show_all(self) -> None:
        """Remove the filter."""
        self._input.value = ""

    def on_resize(self) -> None:
        """Show titles beside the names where there is room."""
        self._fill(self._input.value)

    @property
    def is_filtering(self) -> bool:
        """Whether letters go into the filter."""
        return self._input.has_focus

    def on_descendant_focus(self) -> None:
        """Letters go into the filter."""
        self._invite(focused=True)

    def on_descendant_blur(self) -> None:
        """Letters fire again."""
        self._invite(focused=False)

    def _invite(self, *, focused: bool) -> None:
        to_focus = f"{self._keys.shown('picture.scenarios')}: type to filter"
        self._input.placeholder = "type to filter, enter fires" if focused else to_focus

    def _fill(self, words: str) -> None:
        self._found = matching(self._files, words)
        self._lit = None
        self._list.clear_options()
        at = {id(file): str(place) for place, file in enumerate(self._found)}
        first = None
        for group, files in groupby(self._found, key=lambda file: file.facts.group):
            self._list.add_option(Option(Text(printable(group), Style(bold=True)), disabled=True))
            for file in files:
                if first is None or (not words and file.name == self._highlighted):
                    first = self._list.option_count
                self._list.add_option(Option(self._line(file), id=at[id(file)]))
        if not self._found:
            none = f"nothing matches {printable(words, 40)}" if self._files else "no route is known"
            self._list.add_option(Option(Text(none, Style(bold=True)), disabled=True))
        self._list.highlighted = first
        self._explain()

    def _line(self, file: ScenarioFile, *, highlighted: bool = False) -> Text:
        """A row of the list; the highlighted one has no colours but those of the highlight."""
        colours = self._palette.colours
        dim = Style() if highlighted else self._palette.letters(colours.dim)
        key = self._palette.letters(None if highlighted else colours.accent, bold=True)
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{file.facts.key or ' '} ", key)
        name = printable(file.name)
        titles = self._list.size.width >= _TITLES
        line.append(f"{name:<{_NAME}}" if titles else name, Style() if file.servable else dim)
        if file.missing:
            line.append("  not installed", dim)
        elif file.broken is not None:
            line.append("  cannot be read", dim)
        elif titles:
            line.append(f" {printable(file.facts.title)}", dim)
        return line

    def _explain(self) -> None:
        """Title and lesson of what is highlighted, and what it lacks."""
        file, at = self._current(), self._list.highlighted
        colours = self._palette.colours
        plain = self._palette.style(background=colours.surface)
        if at != self._lit:
            for row in (self._lit, at):
                option = None if row is None else self._list.get_option_at_index(row)
                if option is not None and option.id is not None and row is not None:
                    line = self._line(self._found[int(option.id)], highlighted=row == at)
                    self._list.replace_option_prompt_at_index(row, line)
            self._lit = at
        if file is None:
            said = "Every word must occur in a name, group or title."
            self._lesson.update(Text("\n".join(self._how()) if not self._files else said, plain))
            return
        self._highlighted = file.name
        text = Text(printable(file.facts.title), self._palette.style(background=colours.surface, bold=True))
        text.append(f"\n{printable(file.facts.expect, 300)}", plain)
        if file.missing:
            alarm = self._palette.style(colours.alarm_text, colours.surface)
            text.append(f"\n{printable(file.install, 200)}", alarm)
        if self._application is not None:
            text.append("\n" + "\n".join(self._how()), self._palette.style(colours.dim, colours.surface))
        self._lesson.update(text)

    def _how(self) -> list[str]:
        """What to do with the list of an application's routes."""
        keys, where = self._keys, f"http://{printable(self._address, 80)}"
        said = [f"others' requests are drawn too: {where}"] if self._address else []
        if self._files:
            fires = (
                f"{keys.shown('scenarios.choose')} fires  {keys.shown('scenarios.edit')} edits the request"
            )
            said.insert(0, fires)
        return said

    def _current(self) -> ScenarioFile | None:
        option = self._list.highlighted_option
        return self._found[int(option.id)] if option is not None and option.id is not None else None

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self._fill(event.value)

    @on(Input.Submitted)
    def _choose_highlighted(self, event: Input.Submitted) -> None:
        event.stop()
        self._choose(self._current())

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._explain()

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self._choose(self._current())

    def _choose(self, file: ScenarioFile | None) -> None:
        if file is not None:
            self.post_message(self.Chosen(file))

    def action_choose(self) -> None:
        """Fire what is highlighted."""
        self._choose(self._current())

    def action_edit(self) -> None:
        """Edit the request of the highlighted route."""
        file = self._current()
        if file is not None:
            self.post_message(self.Edited(file))

    def action_move(self, by: int) -> None:
        """Move the highlight; it skips the headings."""
        self._list.move(by)

    def action_close(self) -> None:
        """Hide the list."""
        self.post_message(self.Closed())

    def on_click(self, event: events.Click) -> None:
        """A click on the list is not one on the rows below it."""
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel on the list does not move the rows."""
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel on the list does not move the rows."""
        event.stop()
