"""The source files that a recording carries, so that its code can be shown where they are not."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from loopviz.model import Timeline
from loopviz.recording.format import LONGEST_TEXT
from loopviz.recording.header import Header
from loopviz.sources import lines_in
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.several import parted

__all__ = ["Carried", "carry"]

_MOST_FILES = 200
_MOST_TEXT = 4_000_000
"""Characters of all files together: a recording is to be sent around."""
_PART = LONGEST_TEXT - 4_000
"""Characters of one event, at most."""
_FILE_AT = {
    ev.HANDLER: 3, ev.CALL: 6, ev.HOLDS: 4, ev.EXECUTES: 3, ev.WITHIN: 3, ev.AWAITS: 3,
}  # fmt: skip
"""Which field of an event is the file of a line of the user's."""
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]|^<frozen ")
_LIBRARY = tuple(filter(None, (sysconfig.get_paths().get(key) for key in ("stdlib", "platstdlib"))))


class Carried:
    """Finds the user's source files in the events that are written, and makes events of them."""

    def __init__(self, lines: Callable[[str], Sequence[str]] = lines_in) -> None:
        """`lines` has the lines of a file, where the server is."""
        self._lines_in = lines
        self._known: set[str] = set()
        self._room = _MOST_TEXT

    def of(self, events: Iterable[Event]) -> Iterator[Event]:
        """The lines of the files that these events are the first to name. They belong behind these events."""
        event: Any
        for event in events:
            at = _FILE_AT.get(event[1]) or _FILE_AT.get(parted(event[1])[0])
            if at is None:
                continue
            file = event[at]
            if file in self._known or not file or len(self._known) >= _MOST_FILES:
                continue
            if _is_library(file) and parted(event[1])[0] != ev.HANDLER:
                continue
            self._known.add(file)
            yield from self._lines(event[0], file)

    def _lines(self, t: int, file: str) -> Iterator[Event]:
        lines = self._lines_in(file)
        size = sum(map(len, lines)) + len(lines)
        if not lines or size > self._room or len(file) > LONGEST_TEXT:
            return
        self._room -= size
        part: list[str] = []
        first = length = 0
        for number, line in enumerate(lines):
            if part and length + len(line) > _PART:
                yield t, ev.SOURCE, file, first + 1, "\n".join(part)
                part, first, length = [], number, 0
            part.append(line[:_PART])
            length += len(line) + 1
        yield t, ev.SOURCE, file, first + 1, "\n".join(part)


def carry(timeline: Timeline, header: Header) -> None:
    """A timeline of a recording begins with the text of its scenarios; no other file is opened for it."""
    timeline.sources.only = True
    for scenario in header.scenarios:
        timeline.sources.add(scenario.file, 1, scenario.source)


def _is_library(file: str) -> bool:
    """Whether it is a file of Python's or of an installed package."""
    return bool(_INSTALLED.search(file)) or file.startswith(_LIBRARY)
