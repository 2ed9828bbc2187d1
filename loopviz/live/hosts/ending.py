"""How a server's process has ended, and what it was last seen to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from loopviz.stream.endings import how_ended
from loopviz.stream.events import EXECUTES, HOLDS, WITHIN, Event

__all__ = ["described", "last_line", "out_of_memory"]

_KILLED: Final = -9
"""The exit code after a SIGKILL."""
_COUNTS: Final = Path("/proc/vmstat")
_RECENT: Final = 200_000_000
"""A line that was seen longer before the end than this (ns) does not say where it was."""


def out_of_memory() -> int:
    """How many processes Linux has killed so far because memory had run out; 0 where that is not counted."""
    try:
        for line in _COUNTS.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    except (OSError, ValueError):
        pass
    return 0


def described(code: int, killed: int) -> str:
    """An exit code in words. `killed` is how many processes Linux has killed then for lack of memory."""
    if code >= 0:
        return how_ended(code)
    memory = ": the kernel ran out of memory" if code == _KILLED and killed > 0 else ""
    return f"killed by {how_ended(code)}{memory}"


def last_line(events: Iterable[Event], end: int) -> tuple[str, int, str] | None:
    """The line at which the loop or a thread was seen last before `end` (ns); None if none is recent."""
    found: tuple[str, int, str] | None = None
    at = end - _RECENT
    for event in events:
        if event[0] < at:
            continue
        if event[1] == HOLDS:
            at, found = event[0], (event[4], event[5], event[6])
        elif event[1] in {EXECUTES, WITHIN}:
            at, found = event[0], (event[3], event[4], event[5])
    return found
