"""Writing a recording while it happens, and keeping the last minutes so that they can be saved."""

from __future__ import annotations

import json
import marshal
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from loopviz.clock import NS
from loopviz.errors import InputError
from loopviz.model.timeline import RETENTION
from loopviz.recording.format import LONGEST_LINE, LONGEST_TEXT, shortened
from loopviz.recording.header import Header
from loopviz.stream import events as ev
from loopviz.stream.events import Event

__all__ = ["History", "Recorder"]

FLUSH = NS // 2
"""The longest time until what is written reaches the file (ns)."""
_BATCH = 500
"""Events in a line, at most."""
_CHUNK = 1 << 16
"""Bytes that are collected before they are written."""

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Recorder:
    """Writes events to a file; compressed if its name ends in ``.gz``.

    Raises `InputError` if the file cannot be written at the start. If writing fails later, `failed` holds
    the message, `report` is called with it, and all later events are discarded.
    """

    def __init__(self, path: str | Path, header: Header, report: Callable[[str], None] | None = None) -> None:
        self.path = Path(path)
        self.events = 0
        """How many events have been written."""
        self.failed: str | None = None
        self._report = report
        self._pending: list[bytes] = []
        self._size = 0
        self._flushed = 0
        self._file: BinaryIO | None = None
        # The fastest level: it makes the text five times smaller, the slowest six times.
        self._zip = zlib.compressobj(1, zlib.DEFLATED, 31) if self.path.suffix == ".gz" else None
        try:
            self._file = self.path.open("wb", buffering=0)
            self._put(header.line())
            self._flush()
        except OSError as error:
            self._abandon()
            raise InputError(f"{path}: it cannot be written: {_why(error)}.\nName another file.") from None

    def write(self, events: list[Event], seen: int) -> None:
        """Write events that were taken in at `seen` (ns). Call it without events as well: it may flush."""
        if self._file is None:
            return
        try:
            for i in range(0, len(events), _BATCH):
                self._write(events[i : i + _BATCH], seen)
            if self._size and seen - self._flushed > FLUSH:
                self._flush()
                self._flushed = seen
        except OSError as error:
            self._fail(error)

    def close(self, dropped: int = 0, blind: Sequence[tuple[str, str]] = ()) -> None:
        """Write the last line and close the file. Idempotent.

        The line has the number of events that were lost, and what could not be seen: some of it is
        known only after the header was written.
        """
        if self._file is None:
            return
        try:
            end = {"end": True, "events": self.events, "dropped": dropped, "blind": blind}
            self._put(_encode(end).encode() + b"\n")
            self._flush(last=True)
            self._file.close()
            self._file = None
        except OSError as error:
            self._fail(error)

    def _write(self, events: list[Event], seen: int) -> None:
        line = _encode([seen, *events]).encode()
        if len(line) > LONGEST_TEXT * 2:  # it has long texts, and a reader limits the length of lines
            for event in events:
                line = _encode([seen, shortened(event)]).encode()
                if len(line) < LONGEST_LINE:
                    self._put(line + b"\n")
        else:
            self._put(line + b"\n")
        self.events += len(events)

    def _put(self, line: bytes) -> None:
        self._pending.append(self._zip.compress(line) if self._zip is not None else line)
        self._size += len(line)
        if self._size > _CHUNK:
            self._write_out()

    def _flush(self, *, last: bool = False) -> None:
        """Write all that is pending, so that it can be read from the file."""
        if self._zip is not None:
            self._pending.append(self._zip.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH))
        self._write_out()

    def _write_out(self) -> None:
        data = memoryview(b"".join(self._pending))
        self._pending, self._size = [], 0
        while data and self._file is not None:
            data = data[self._file.write(data) :]

    def _fail(self, error: OSError) -> None:
        self.failed = f"{self.path.name} can no longer be written: {_why(error)}"
        self._abandon()
        if self._report is not None:
            self._report(self.failed)

    def _abandon(self) -> None:
        self._pending = []
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


class History:
    """The newest events, to be saved on request: at most `most` events, and at most `age` old (ns)."""

    def __init__(self, most: int = 500_000, age: int = RETENTION) -> None:
        self.events = 0
        """How many are kept."""
        self._most = most
        self._age = age
        # Marshalled, an event takes 45 bytes, a fifth of a tuple, and the garbage collector skips it.
        self._batches: deque[tuple[int, int, bytes]] = deque()
        self._threads: dict[int, Event] = {}
        self._tokens: Event | None = None
        self._pools: dict[int, Event] = {}

    def add(self, events: list[Event], seen: int) -> None:
        """Keep events that were taken in at `seen` (ns)."""
        if events:
            self._batches.append((seen, len(events), marshal.dumps(events, 2)))
            self.events += len(events)
        batches = self._batches
        while batches and (self.events > self._most or batches[0][0] < seen - self._age):
            _, count, batch = batches.popleft()
            self.events -= count
            self._remember(marshal.loads(batch))  # noqa: S302 - made by this object

    def _remember(self, events: list[Event]) -> None:
        """Keep what is reported once and stays true: the threads, and the thread limit."""
        for event in events:
            if event[1] == ev.THREAD:
                self._threads[event[2]] = event
                if len(self._threads) > 1_000:  # the first is that of the loop
                    del self._threads[list(self._threads)[1]]
            elif event[1] == ev.TOKENS:
                self._tokens = event
            elif event[1] == ev.POOL:
                self._pools[event[2]] = event
                if len(self._pools) > 1_000:
                    del self._pools[next(iter(self._pools))]

    def save(self, path: str | Path, header: Header, dropped: int = 0) -> int:
        """Write the events kept; return how many. Raises `InputError` if the file cannot be written."""
        if self._batches:
            seen, _, batch = self._batches[0]
            first = min(event[0] for event in marshal.loads(batch))  # noqa: S302 - made by this object
            header = replace(header, started=first)
        recorder = Recorder(path, header)
        if self._batches:
            known = [
                *self._threads.values(),
                *([self._tokens] if self._tokens else []),
                *self._pools.values(),
            ]
            recorder.write([(first, *event[1:]) for event in known], seen)
        for seen, _, batch in self._batches:
            recorder.write(marshal.loads(batch), seen)  # noqa: S302 - made by this object
        recorder.close(dropped)
        if recorder.failed is not None:
            raise InputError(f"{recorder.failed}.\nName a file elsewhere.")
        return recorder.events
