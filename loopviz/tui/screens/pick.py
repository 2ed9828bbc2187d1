"""Scenarios to compare are ticked in a list; pairs that are worth comparing are suggested above it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.words import count
from loopviz.scenario import ScenarioFile
from loopviz.scenario.pairs import best_of_each_group, pairs
from loopviz.scenario.search import matching
from loopviz.tui.bindings import bindings
from loopviz.tui.keymap import Keys
from loopviz.tui.keys import keys_of
from loopviz.tui.screens.box import FRAME
from loopviz.tui.screens.choices import Choices

__all__ = ["Pick"]

_NAME = 22
"""The width of the names beside titles (cells)."""
_LEAST = 2
"""How many scenarios a comparison needs."""


class _Letters(Input):
    """A field that leaves some keys to the screen."""

    def __init__(self, leaves: Sequence[str], placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True)
        self._leaves = leaves

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed into the field."""
        return key not in self._leaves and super().check_consume_key(key, character)


class Pick(ModalScreen[list[str]]):
    """Two or more scenarios to compare: their names, in the order in which they were ticked."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("pick")
    CSS = f"""
    Pick {{ align: center middle; }}
    Pick > Vertical {{ width: 76; max-width: 100%; height: 90%; max-height: 48; {FRAME} }}
    Pick Input {{ border: none; height: 1; padding: 0; background: $field; }}
    Pick OptionList {{ border: none; background: $background; height: 1fr; scrollbar-size: 1 1; }}
    Pick OptionList > .option-list--option-disabled {{ color: $foreground; }}
    Pick OptionList > .option-list--option-highlighted {{
        color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold;
    }}
    Pick Static {{ height: 2; background: $background; }}
    """

    def __init__(self, palette: Palette, files: Sequence[ScenarioFile], keys: Keys) -> None:
        super().__init__()
        self._palette = palette
        self._files = files
        self._pairs = pairs(files)
        self._ticked: list[str] = []
        self._tick, self._go = keys.shown("pick.tick"), keys.shown("pick.compare")
        self._close = keys.shown("pick.close")
        self._rows: list[tuple[str, ...]] = []
        """The names that each row ticks; empty for a heading."""
        self._lit: int | None = None
        self._input = _Letters(
            [name for key in keys_of("pick") for name in keys.of(key.id)], "type to filter"
        )
        self._list = Choices()
        self._says = Static()

    def compose(self) -> ComposeResult:
        """A filter, a list to tick, and what is ticked."""
        with Vertical() as box:
            box.border_title = "compare: the same load on each in turn"
            box.border_subtitle = Text(f"{self._tick} ticks  {self._go} compares  {self._close} closes")
            yield self._input
            yield self._list
            yield self._says

    def on_mount(self) -> None:
        """List everything; letters go into the filter."""
        self.set_focus(self._input)
        self._fill("")
        self._say()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._redraw())

    def _redraw(self) -> None:
        """Draw it in the colours that the palette has now."""
        self._light(all_rows=True)
        self._say()

    # -- rows ----------------------------------------------------------------------------------

    def _fill(self, words: str) -> None:
        """The suggested pairs, then all scenarios by group; with a filter, what matches it."""
        found = matching(self._files, words)
        known = {file.name for file in found}
        suggested = best_of_each_group(self._pairs)
        if words:
            suggested = [pair for pair in self._pairs if known & set(pair.names)]
            suggested.sort(key=lambda pair: found[0].name not in pair.names)
            del suggested[4:]
        sections: list[tuple[str, list[tuple[str, ...]]]] = []
        if suggested:
            sections.append(("worth comparing", [pair.names for pair in suggested]))
        for group, files in groupby(found, key=lambda file: file.facts.group):
            sections.append((printable(group), [(file.name,) for file in files]))
        self._rows, self._lit = [], None
        self._list.clear_options()
        for heading, rows in sections:
            self._add((), Text(heading, Style(bold=True)))
            for names in rows:
                self._add(names, self._line(names))
        if not found:
            self._add((), Text(f"nothing matches {printable(words, 40)}", Style(bold=True)))
        exact = (found[0].name,) if words and found else None
        self._list.highlighted = self._rows.index(exact) if exact else 1 if found else None
        self._light()

    def _add(self, names: tuple[str, ...], line: Text) -> None:
        self._rows.append(names)
        self._list.add_option(Option(line, disabled=not names))

    def _line(self, names: tuple[str, ...], *, highlighted: bool = False) -> Text:
        """A row; the highlighted one has no colours but those of the highlight."""
        ticked = set(names) <= set(self._ticked)
        marks = ("☐ ", "☑ ") if self._palette.unicode else ("[ ] ", "[x] ")
        line = Text(marks[ticked], Style(bold=ticked), no_wrap=True, overflow="ellipsis")
        shown = " and ".join(printable(name) for name in names)
        line.append(f"{shown:<{_NAME}} ", Style(bold=ticked))
        if len(names) == 1:
            file = next(file for file in self._files if file.name == names[0])
            dim = Style() if highlighted else self._palette.letters(self._palette.colours.dim)
            line.append(printable(file.facts.title), dim)
        return line

    def _light(self, *, all_rows: bool = False) -> None:
        """Draw the highlighted row as such, and the one before as usual; or every row."""
        at = self._list.highlighted
        for row, names in enumerate(self._rows):
            if names and (all_rows or row in {self._lit, at}):
                self._list.replace_option_prompt_at_index(row, self._line(names, highlighted=row == at))
        self._lit = at

    def _say(self, *, refused: bool = False) -> None:
        """What is ticked, and what to do."""
        role = self._palette.text("text")
        shown = ", ".join(printable(name) for name in self._ticked)
        if len(self._ticked) >= _LEAST:
            text = f"{len(self._ticked)} are ticked: {shown}. {self._go} compares them."
        else:
            have = f"Only {shown} is ticked" if self._ticked else "None is ticked yet"
            more = count(_LEAST - len(self._ticked), "more", "more")
            text = f"{have}: tick {more} with {self._tick}, or press {self._go} on a pair."
            role = self._palette.text("alarm") if refused else role
        self._says.update(Text(text, role))

    # -- actions -------------------------------------------------------------------------------

    def _highlighted(self) -> tuple[str, ...]:
        at = self._list.highlighted
        return self._rows[at] if at is not None else ()

    def action_tick(self) -> None:
        """Tick what is highlighted, or remove its tick."""
        names = self._highlighted()
        if set(names) <= set(self._ticked):
            self._ticked = [name for name in self._ticked if name not in names]
        else:
            self._ticked += [name for name in names if name not in self._ticked]
        self._light(all_rows=True)
        self._say()

    def action_go(self) -> None:
        """Take what is ticked; a pair that is highlighted if nothing is."""
        names = self._ticked or list(self._highlighted())
        if len(names) >= _LEAST:
            self.dismiss(names)
        else:
            self._say(refused=True)

    def action_move(self, by: int) -> None:
        """Move the highlight; it skips the headings."""
        self._list.move(by)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._light()

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_tick()

    def on_click(self) -> None:
        """The field keeps the keys."""
        self.set_focus(self._input)
