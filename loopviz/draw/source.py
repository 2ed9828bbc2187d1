"""The lines of a source file: as the recording carries them, or as they are on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.model import Timeline
from loopviz.sources import lines_in

__all__ = ["lines_of"]


def lines_of(timeline: Timeline, file: str) -> Sequence[str]:
    """The lines of the file without their ends, the first at 0; empty if it cannot be read.

    Of a recording it is what the recording carries: nothing that it names is opened.
    """
    carried = timeline.sources.of(file)
    if carried is None and not timeline.sources.only:
        return lines_in(file)
    return carried or ()
