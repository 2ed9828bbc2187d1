"""The events of a server: taken out of the buffer, put in order, and recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loopviz.clock import now_ns
from loopviz.recording import Header, History, Place, Recorder
from loopviz.stream.buffer import FROM_PROCESS, HERE, Buffer, Reorder
from loopviz.stream.events import Event
from loopviz.stream.source import Source

__all__ = ["FROM_PROCESS", "HERE", "Incoming"]


class Incoming:
    """A source that can be drained and recorded: its parts that do not depend on where the server runs.

    Events of the newest `margin` nanoseconds are held back.
    """

    def __init__(self, buffer: Buffer, margin: int) -> None:
        self._buffer = buffer
        self._reorder = Reorder(margin)
        self._history = History()
        self._recorder: Recorder | None = None
        self._seen = 0

    def hold_back(self, margin: int) -> None:
        """Hold events back for so long from now on (ns)."""
        self._reorder.margin = margin

    def drain(self) -> list[Event]:
        """The new events, in the order of their time; the newest ones are held back."""
        return self._take(0)

    def drain_all(self) -> list[Event]:
        """All new events, none held back."""
        return self._take(self._reorder.margin) + self._reorder.flush()

    def _take(self, margin: int) -> list[Event]:
        """Record what is put in order here, in the same batches."""
        events = self._buffer.drain()
        seen = self._seen = max(self._seen, now_ns() + margin)
        if self._recorder is not None:
            self._recorder.write(events, seen)
        self._history.add(events, seen)
        return self._reorder.push(events, seen)

    def record(
        self, source: Source, place: str | Path | Place, report: Callable[[str], None] | None = None
    ) -> Recorder:
        """Write the events to a file from now on; see `loopviz.recording.Recorder`."""
        self._recorder = Recorder(place, Header.of(source, now_ns()), report, source.source_lines)
        return self._recorder

    def end_recording(self, source: Source) -> None:
        """Record no more than what has been drained so far."""
        if self._recorder is not None:
            self._recorder.close(source.vitals().dropped, source.blind)

    def save(self, source: Source, path: str | Path) -> int:
        """Write the last minutes to a file; see `loopviz.recording.History`. May be called in any thread."""
        header = Header.of(source, now_ns())
        return self._history.save(path, header, source.vitals().dropped, source.source_lines)
