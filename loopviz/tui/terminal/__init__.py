"""The terminal: what is written to it and read from it, and the program that is stopped and continued."""

from loopviz.tui.terminal.compat import driver_class, is_behind, when_continued

__all__ = ["driver_class", "is_behind", "when_continued"]
