"""What Textual needs of the table of keys: bindings, and commands for its palette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.binding import Binding, BindingType

from loopviz.tui.keymap import Keys
from loopviz.tui.keys import TABLE, Context, keys_of

__all__ = ["bindings", "commands"]


def bindings(context: Context) -> list[BindingType]:
    """The bindings of a context. Each has an id, by which a keymap can change its keys."""
    return [
        Binding(
            ",".join(part for part in (key.keys, key.unwritten) if part),
            f"app.{key.action}" if context == "picture" else key.action,
            key.title,
            show=False,
            priority=key.priority,
            id=key.id,
        )
        for key in keys_of(context)
    ]


def commands(keys: Keys, run: Callable[[str], Any]) -> Iterator[SystemCommand]:
    """What the picture's keys do, for the command palette; `run` is called with an action."""
    for section in TABLE:
        if section.context not in ("picture", "app"):
            continue
        for row in filter(keys.offers, section.rows):
            for key in row.keys:
                if key.palette:
                    shown = keys.shown(key.id)
                    words = keys.said(key.words or row.words)
                    yield SystemCommand(
                        keys.said(key.title),
                        f"{words} ({shown})" if shown else words,
                        partial(run, key.action),
                    )
