"""Writing a recording while it happens, and keeping the last minutes so that they can be saved."""

from __future__ import annotations

import json
import marshal
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from loopviz.clock import NS
from loopviz.errors import InputError
from loopviz.model.timeline import RETENTION
from loopviz.recording.carried import Carried
from loopviz.recording.format import LONGEST_LINE, LONGEST_TEXT, shortened
from loopviz.recording.header import Header
from loopviz.recording.outlet import Outlet, write_all
from loopviz.recording.place import Place, reason
from loopviz.recording.whole import write_whole
from loopviz.sources import lines_in
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.several import marks
from loopviz.wire.frames import dumps

__all__ = ["History", "Recorder"]

FLUSH = NS // 2
"""The longest time until what is written reaches the file (ns)."""
MOST_WAITING = 1 << 25
"""Bytes that may wait for a slow disk; events that come in meanwhile are lost, and counted."""
PATIENCE = 1.5
"""How long the end waits for a slow disk (s)."""
_BATCH = 500
"""Events in a line, at most."""
_CHUNK = 1 << 16
"""Bytes that are collected before they are written."""

_REPORTED_ONCE = (ev.THREAD, ev.POOL, ev.TOKENS, ev.WORKER)
_LASTING: Final = {kind: kind for kind in _REPORTED_ONCE} | {
    marked: kind for marked, kind, _ in marks(_REPORTED_ONCE)
}
"""Kinds of events that stay true, of all workers; each with its kind in the events of the first."""

Lines = Callable[[str], Sequence[str]]
"""The lines of a source file of the server's; none if it cannot be read."""

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class _Text:
    """The bytes of a recording."""

    def __init__(self, header: Header, path: Path, lines: Lines) -> None:
        self.events = 0
        self.size = 0
        """Bytes that were added since the last ones were taken, before they were compressed."""
        self._parts: list[bytes] = []
        self._carried = Carried(lines)
        # The fastest level: it makes the text five times smaller, the slowest six times.
        self._zip = zlib.compressobj(1, zlib.DEFLATED, 31) if path.suffix == ".gz" else None
        self._put(header.line())

    def add(self, events: list[Event], seen: int) -> None:
        """Add events, and the source files that they name first."""
        self._add(events, seen)
        for event in self._carried.of(events):
            self._add([event], seen)

    def _add(self, events: list[Event], seen: int) -> None:
        line = _encode([seen, *events]).encode()
        if len(line) > LONGEST_TEXT * 2:  # it has long texts, and a reader limits the length of lines
            for event in events:
                line = _encode([seen, shortened(event)]).encode()
                if len(line) < LONGEST_LINE:
                    self._put(line + b"\n")
        else:
            self._put(line + b"\n")
        self.events += len(events)

    def end(self, dropped: int, blind: Sequence[tuple[str, str]]) -> bytes:
        """The last bytes."""
        end = {"end": True, "events": self.events, "dropped": dropped, "blind": blind}
        self._put(_encode(end).encode() + b"\n")
        return self.take(zlib.Z_FINISH)

    def take(self, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
        """The bytes since the last call; by default so that all events can be read from them."""
        if self._zip is not None and flush != zlib.Z_NO_FLUSH:
            self._parts.append(self._zip.flush(flush))
        data = b"".join(self._parts)
        self._parts, self.size = [], 0
        return data

    def _put(self, line: bytes) -> None:
        self._parts.append(self._zip.compress(line) if self._zip is not None else line)
        self.size += len(line)


class Recorder:
    """Writes events to a new file; compressed if its name ends in ``.gz``.

    Raises `InputError` if the file exists or cannot be written at the start; see
    `loopviz.recording.place.Place`. Nothing waits for the disk later on. If writing fails, `failed` holds
    the message, `report` is called with it by the next `write`, and all later events are discarded. If the
    disk is too slow, events are lost: `dropped` counts them, and `report` is called once.
    """

    def __init__(
        self,
        place: str | Path | Place,
        header: Header,
        report: Callable[[str], None] | None = None,
        lines: Lines = lines_in,
    ) -> None:
        self.events = 0
        """How many events have been written."""
        self.dropped = 0
        """How many events were lost because the disk was too slow."""
        self.failed: str | None = None
        self._place = place if isinstance(place, Place) else Place(place)
        self.path = self._place.path
        self._report = report
        self._flushed = 0
        self._unflushed = False
        self._text = _Text(header, self.path, lines)
        try:
            file = self._place.take()
            try:
                write_all(file, self._text.take())
            except OSError:
                os.close(file)
                raise
        except OSError as error:
            self._place.discard()
            raise InputError(
                f"{self.path}: it cannot be written: {reason(error)}.\nName another file."
            ) from None
        self._outlet: Outlet | None = Outlet(file, self._place.real)

    def write(self, events: list[Event], seen: int) -> None:
        """Write events that were taken in at `seen` (ns). Call it without events as well: it may flush."""
        outlet = self._outlet
        if outlet is None:
            return
        if outlet.error is not None:
            self._fail(outlet.error)
            return
        if events and outlet.waiting > MOST_WAITING:
            self._lose(len(events))
            return
        for i in range(0, len(events), _BATCH):
            self._text.add(events[i : i + _BATCH], seen)
            self._unflushed = True
            if self._text.size > _CHUNK:
                outlet.put(self._text.take(zlib.Z_NO_FLUSH))
        self.events = self._text.events
        if self.events:
            self._place.begun = True
        if self._unflushed and seen - self._flushed > FLUSH:
            outlet.put(self._text.take())
            self._flushed, self._unflushed = seen, False

    def close(self, dropped: int = 0, blind: Sequence[tuple[str, str]] = ()) -> None:
        """Write the last line and close the file. Idempotent; takes at most `PATIENCE` seconds.

        The line has the number of events that were lost, and what could not be seen: some of it is
        known only after the header was written.
        """
        outlet, self._outlet = self._outlet, None
        if outlet is None:
            return
        outlet.put(self._text.end(dropped + self.dropped, blind))
        ended = outlet.close(PATIENCE)
        if outlet.error is not None:
            self._fail(outlet.error)
        elif not ended:
            self._fail(TimeoutError(None, "the disk does not respond"))
        elif not self._place.real.exists():
            self._fail(FileNotFoundError(None, "the file was moved or deleted"))

    def _lose(self, events: int) -> None:
        if not self.dropped and self._report is not None:
            self._report(
                f"{self.path.name} is written too slowly: the disk does not keep up, events are lost"
            )
        self.dropped += events

    def _fail(self, error: OSError) -> None:
        outlet, self._outlet = self._outlet, None
        self.failed = f"{self.path.name} can no longer be written: {reason(error)}"
        if outlet is not None:
            outlet.close(0)
        if self._report is not None:
            self._report(self.failed)


class History:
    """The newest events, to be saved on request: at most `most` events, and at most `age` old (ns)."""

    def __init__(self, most: int = 500_000, age: int = RETENTION) -> None:
        self.events = 0
        """How many are kept."""
        self._most = most
        self._age = age
        # Marshalled, an event takes 45 bytes, a fifth of a tuple, and the garbage collector skips it.
        self._batches: deque[tuple[int, int, bytes]] = deque()
        self._lock = threading.Lock()
        self._threads: dict[int, Event] = {}
        self._tokens: dict[str, Event] = {}
        self._pools: dict[int, Event] = {}
        self._workers: dict[int, Event] = {}

    def add(self, events: list[Event], seen: int) -> None:
        """Keep events that were taken in at `seen` (ns)."""
        with self._lock:
            if events:
                self._batches.append((seen, len(events), dumps(events, 2)))
                self.events += len(events)
            batches = self._batches
            while batches and (self.events > self._most or batches[0][0] < seen - self._age):
                _, count, batch = batches.popleft()
                self.events -= count
                self._remember(marshal.loads(batch))  # noqa: S302 - made by this object

    def _remember(self, events: list[Event]) -> None:
        """Keep what is reported once and stays true: the threads, the thread limit, the workers."""
        for event in events:
            kind = _LASTING.get(event[1])
            if kind is None:
                continue
            fields: tuple[Any, ...] = event[2:]
            if kind == ev.THREAD:
                self._threads[fields[0]] = event
                if len(self._threads) > 1_000:  # the first is that of the loop
                    del self._threads[list(self._threads)[1]]
            elif kind == ev.POOL:
                self._pools[fields[0]] = event
                if len(self._pools) > 1_000:
                    del self._pools[next(iter(self._pools))]
            elif kind == ev.WORKER:
                self._workers[fields[0]] = event
            else:
                self._tokens[event[1]] = event

    def save(self, path: str | Path, header: Header, dropped: int = 0, lines: Lines = lines_in) -> int:
        """Write the events kept to a new file; return how many. May be called in any thread.

        Raises `InputError` if the file exists or cannot be written; there is no part of it then.
        """
        path = Path(path)
        with self._lock:
            batches = list(self._batches)
            known = [
                *self._workers.values(),
                *self._threads.values(),
                *self._tokens.values(),
                *self._pools.values(),
            ]
        if batches:
            seen, _, batch = batches[0]
            first = min(event[0] for event in marshal.loads(batch))  # noqa: S302 - made by this object
            header = replace(header, started=first)
        text = _Text(header, path, lines)

        def parts() -> Iterator[bytes]:
            if known and batches:
                text.add([(first, *event[1:]) for event in known], seen)
            for taken_in, _, batch in batches:
                events = marshal.loads(batch)  # noqa: S302 - made by this object
                for i in range(0, len(events), _BATCH):
                    text.add(events[i : i + _BATCH], taken_in)
                if text.size > _CHUNK:
                    yield text.take(zlib.Z_NO_FLUSH)
            yield text.end(dropped, ())

        try:
            write_whole(path, parts(), replace=False)
        except FileExistsError:
            raise InputError(f"{path} exists.\nName another file.") from None
        except OSError as error:
            raise InputError(
                f"{path}: it cannot be written: {reason(error)}.\nName a file elsewhere."
            ) from None
        return text.events
