"""Notices that the terminal is gone: closed without SIGHUP, as by a container or a multiplexer that ended."""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["watch_terminal"]

_EVERY = 0.25
"""Seconds between two looks."""
_GRACE = 1.0
"""Seconds that the program has to end in order."""


def watch_terminal(end: Callable[[], object], leave: Callable[[], object]) -> None:
    """Call `end()` when the terminal of standard input has hung up, and `leave()` if that was not enough.

    Both are called in a thread of their own. Textual would read the end of the file again and again, and wait
    to write to a terminal that takes nothing.
    """
    poll = getattr(select, "poll", None)
    if poll is None or not sys.__stdin__ or not sys.__stdin__.isatty():
        return
    poller = poll()
    poller.register(sys.__stdin__.fileno(), select.POLLHUP | select.POLLERR)

    def watch() -> None:
        gone = select.POLLHUP | select.POLLERR
        while not any(event & gone for _, event in poller.poll(0)):
            time.sleep(_EVERY)
        threading.Thread(target=end, name="loopviz end", daemon=True).start()
        time.sleep(_GRACE)
        leave()

    threading.Thread(target=watch, name="loopviz terminal", daemon=True).start()
