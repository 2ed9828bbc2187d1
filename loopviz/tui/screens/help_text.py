"""What the help says, in sections: the keys of where it was opened first, then states, marks and figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loopviz.draw import words
from loopviz.draw.look import ANSWERED, APPEARANCES, LEVELS, NOTHING, TICKS, Palette
from loopviz.draw.safe import printable
from loopviz.draw.serving import place
from loopviz.stream.source import Source
from loopviz.tui.keymap import Keys
from loopviz.tui.keys import TABLE, Context
from loopviz.tui.view import View

__all__ = ["Part", "parts"]

_KEYS = 12
"""The width of the keys (cells)."""
_OF_SERVERS: tuple[Context, ...] = (
    "scenarios", "prompt", "output", "pick", "comparison", "claims", "talk",
)  # fmt: skip
"""Where one gets only with a server."""
_ELSEWHERE: tuple[Context, ...] = (
    "scenarios", "prompt", "filter", "output", "request", "pick", "comparison", "claims", "talk",
)  # fmt: skip
"""Screens and parts of screens, after the picture."""


_COLUMNS: dict[Context, Literal[0, 1]] = {"picture": 0, "app": 1}


class Part(NamedTuple):
    """A section of the help."""

    heading: str
    text: RenderableType
    column: Literal[0, 1, 2]
    """Where there is room for columns: the keys of the picture, what is seen, or other keys."""

    def shown(self, palette: Palette) -> Group:
        """With its heading."""
        return Group(Text(self.heading, palette.text("title")), self.text)


def parts(palette: Palette, source: Source, keys: Keys, view: View, context: Context) -> list[Part]:
    """All sections; first what cannot be seen here, and the keys of the screen from which help was opened."""
    here = [part for part in _keys(palette, keys, (context,)) if context != "picture"]
    fire = [_fire(palette, source, keys)] if source.live else []
    rest = list(_keys(palette, keys, ("picture",), without="Fire"))
    seen = [_states(palette), _marks(palette)]
    the_map, everywhere = _map(palette, keys), list(_keys(palette, keys, ("app",)))
    elsewhere = [each for each in _ELSEWHERE if each != context and (source.live or each not in _OF_SERVERS)]
    others = list(_keys(palette, keys, elsewhere))
    end = [_figures(palette, source, view), *others]
    blind = list(_blind(palette, source))
    if context != "picture":
        return [*blind, *here, *everywhere, *seen, *fire, *rest, the_map, *end]
    if view.behind is not None:  # frozen: how to move in time, and the line that is there now only
        time = [part for part in rest if part.heading == "Time"]
        return [*blind, *time, the_map, *fire, *seen, *(p for p in rest if p not in time), *everywhere, *end]
    return [*blind, *fire, *seen, *rest, *everywhere, the_map, *end]


def _table() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    table.add_column(width=_KEYS)
    table.add_column(ratio=1)
    return table


def _fire(palette: Palette, source: Source, keys: Keys) -> Part:
    """The scenarios with a letter, and the keys of that section."""
    strong, table = palette.style(palette.colours.accent, bold=True), _table()
    for file in source.scenarios:
        if file.facts.key and source.live:
            title = printable(f"fire {file.name}: {file.facts.title}")
            table.add_row(Text(file.facts.key, strong), Text(title))
    (section,) = (section for section in TABLE if section.heading == "Fire")
    for row in filter(keys.offers, section.rows):
        pressed, said = keys.line(row)
        if row.keys and pressed:
            table.add_row(Text(pressed, strong), Text(said))
    return Part("Fire", table, 0)


def _keys(palette: Palette, keys: Keys, contexts: Iterable[Context], without: str = "") -> Iterator[Part]:
    strong = palette.style(palette.colours.accent, bold=True)
    for context in contexts:
        for section in TABLE:
            if section.context != context or section.heading == without:
                continue
            table = _table()
            for row in filter(keys.offers, section.rows):
                pressed, said = keys.line(row)
                pressed = pressed or row.column.replace("`", "")
                if pressed:
                    table.add_row(Text(pressed, strong), Text(said.replace("`", "")))
            if table.row_count:
                yield Part(keys.said(section.heading), table, _COLUMNS.get(context, 2))


def _states(palette: Palette) -> Part:
    table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    table.add_column(width=4)
    table.add_column(width=10)
    table.add_column(ratio=1)
    for row in APPEARANCES:
        character, style = palette.cell(row.code, row.code)
        name, colour = palette.name(row.code)
        table.add_row(Text(character * 4, style), Text(name, colour), Text(row.meaning))
    return Part("States of a request", table, 1)


def _marks(palette: Palette) -> Part:
    """The characters in the picture that are no state."""
    answered, tick = palette.cell(ANSWERED, NOTHING), palette.cell(TICKS["a"], TICKS["a"])
    after = palette.cell("R", "R")
    text, dim, uni = palette.text("text"), palette.text("dim"), palette.unicode
    table = _table()
    for mark, style, meaning in (
        (answered[0], answered[1], "The answer went out here."),
        (after[0] * 4, after[1], "Dimmed: after the answer. No client waits for it."),
        (tick[0], tick[1], "A step that was too short to be seen, between two awaits or calls."),
        ("┆" if uni else ":", dim, "When all is expected to be done."),
        (
            "└ fetch ×10" if uni else "+ fetch x10",
            text,
            "Ten tasks of the request above, which look the same.",
        ),
        (
            "└ send by #1" if uni else "+ send by #1",
            text,
            "A task that a request has started and does not await.",
        ),
        ("▶" if uni else ">", text, "The request whose state has changed, after a step to a change."),
        ("#5–#8 ×4" if uni else "#5-#8 x4", text, "Four requests that look the same."),
        ("▾ sync ×8" if uni else "- sync x8", text, "The eight requests of one key press, each in its row."),
        ("▸ sync ×8" if uni else "+ sync x8", dim, "An earlier key press, in one row: a click opens it."),
    ):
        table.add_row(Text().append(mark, style), Text(meaning))
    pattern = Text.assemble(
        *[(character, style) for code in "yyryyy" for character, style in [palette.cell(code, code)]]
    )
    table.add_row(
        pattern, Text("It takes turns, too short to be seen: it runs in as many columns as its share.")
    )
    return Part("Marks", table, 1)


def _map(palette: Palette, keys: Keys) -> Part:
    levels, block = LEVELS[palette.mode], "▄" if palette.unicode else "!"
    colours = palette.colours
    calm, lit = (palette.style(colours.good_text, behind) for behind in (colours.lane, colours.lit))
    text = Text().append("ALL ", palette.text("title"))
    text.append(" " + levels[2] + levels[6] + levels[3], calm)
    text.append(block * 2, palette.style(colours.alarm, colours.lane))
    text.append(levels[4] + levels[1] + " ", lit)
    text.append(
        f"  While the picture is frozen ({keys.shown('picture.freeze')}), the line above the axis is a map of"
        f" all that is kept: the higher a cell, the more requests began there; {block} is a block. The lit"
        " part is what the picture shows. At the end of the line is how much time the map has."
    )
    return Part("The map", text, 1)


def _figures(palette: Palette, source: Source, view: View) -> Part:
    """How the program itself does, and what it runs on."""
    pace, environment = view.pace, source.environment
    lost = words.count(pace.dropped, "event")
    figures = [
        ("screen", f"{pace.fps:.0f} frames a second", False),
        ("probe", f"{pace.probe:.1%} of a core is used for measuring", False),
        ("lost", f"{lost}: what the buffer had no room for", bool(pace.dropped)),
        ("server", f"{place(source.mode, source.pid)}, {source.address}, {environment.event_loop}", False),
        (
            "versions",
            f"Python {environment.python}, GIL {'on' if environment.gil else 'off'},"
            f" FastAPI {environment.fastapi}, Starlette {environment.starlette},"
            f" uvicorn {environment.uvicorn}, AnyIO {environment.anyio}, loopviz {environment.loopviz}",
            False,
        ),
    ]  # fmt: skip
    if pace.failures:
        figures.insert(
            3, ("errors", words.count(pace.failures, "error in the probe", "errors in the probe"), True)
        )
    table = _table()
    for name, said, bad in figures:
        table.add_row(
            Text(name, palette.text("dim")),
            Text(printable(said, 300), palette.text("alarm" if bad else "text")),
        )
    return Part("This program", table, 1)


def _blind(palette: Palette, source: Source) -> Iterator[Part]:
    if source.blind:
        said = [Text(printable(f"{what}: {why}.", 300), palette.text("alarm")) for what, why in source.blind]
        yield Part("Not visible here", Group(*said), 1)
