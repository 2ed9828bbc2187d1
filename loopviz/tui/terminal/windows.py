"""What there is of `loopviz.tui.terminal.compat` on Windows: Textual's own driver is used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from textual.app import App
from textual.driver import Driver

__all__ = ["driver_class", "is_behind", "lent", "when_continued"]


def driver_class(textuals: type[Driver]) -> type[Driver]:
    """The class that Textual would use."""
    return textuals


def is_behind(app: App[Any]) -> bool:
    """Not known; False."""
    del app
    return False


def lent(app: App[Any]) -> AbstractContextManager[None]:
    """Another program has the terminal."""
    return app.suspend()


def when_continued(app: App[Any], call: Callable[[], object]) -> None:
    """Nothing stops a program."""
