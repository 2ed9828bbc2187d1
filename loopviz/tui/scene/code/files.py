"""The source files that are shown: each is read once, and it is noticed when one has changed since."""

from __future__ import annotations

import linecache
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loopviz.draw.source import lines_of
from loopviz.model import Timeline
from loopviz.tui.scene.frame import Facts

__all__ = ["CHANGED", "ELSEWHERE", "Files"]

CHANGED = "the file has changed since"
ELSEWHERE = "as the file is here now"
_BEGAN = time.time()
_AGAIN = 1.0
"""How often it is looked whether a file has changed (s)."""
_MOST = 200


@dataclass(slots=True)
class _File:
    lines: Sequence[str] | None
    version: object
    since: float
    """When the server was given this version, or earlier (s, the clock of files)."""
    carried: int = -1
    """How many lines of it the stream has brought; -1 if it is not from there."""
    looked: float = 0.0
    changed: bool = False


class Files:
    """The lines of files; the same object until there is another version."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def forget(self) -> None:
        """Read them again."""
        self._files.clear()

    def lines(self, timeline: Timeline, facts: Facts, file: str) -> Sequence[str] | None:
        """The lines of a file, the first at 0; None if they are not known."""
        carried = timeline.sources.of(file)
        version = _version(facts, file)
        known = self._files.get(file)
        count = -1 if carried is None else len(carried)
        if known is not None and known.carried == count and known.version == version:
            return known.lines
        if known is None and len(self._files) >= _MOST:
            return None
        since = _BEGAN if known is None or known.version == version else time.time()
        if known is not None:
            linecache.checkcache(file)  # it is served again
        lines = tuple(lines_of(timeline, file))
        self._files[file] = _File(lines or None, version, since, count)
        return lines or None

    def note(self, facts: Facts, file: str) -> str:
        """What is to be said of a file: that it has changed, or is not the recording's; else empty."""
        known = self._files.get(file)
        if known is None or known.lines is None or known.carried >= 0:
            return ""
        if not facts.live:
            return ELSEWHERE
        now = time.monotonic()
        if not known.changed and now - known.looked > _AGAIN:
            known.looked = now
            known.changed = _modified(file) > known.since
        return CHANGED if known.changed else ""


def _version(facts: Facts, file: str) -> object:
    """What is another one when another version of the file is served."""
    scenario = next((one for one in facts.scenarios if str(one.file) == file), None)
    return facts.pid, id(scenario)


def _modified(file: str) -> float:
    try:
        return Path(file).stat().st_mtime
    except (OSError, ValueError):
        return 0.0
