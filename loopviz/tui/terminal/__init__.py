"""The terminal: what is written to it and read from it, and the program that is stopped and continued."""

import sys

if sys.platform == "win32":
    from loopviz.tui.terminal.windows import driver_class, is_behind, lent, when_continued
else:
    from loopviz.tui.terminal.compat import driver_class, is_behind, lent, when_continued

__all__ = ["driver_class", "is_behind", "lent", "when_continued"]
