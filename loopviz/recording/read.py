"""Reading a recording, from any file: in bounded memory, up to its end or up to the first invalid line."""

from __future__ import annotations

import json
import stat
import time
import zlib
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Self

from loopviz.clock import NS
from loopviz.errors import InputError
from loopviz.recording.format import LONGEST_LINE, FormatError
from loopviz.recording.header import Header, parse_blind
from loopviz.recording.validate import parse_line
from loopviz.stream.buffer import Reorder, margin_of
from loopviz.stream.events import Event

__all__ = ["MOST_BYTES", "MOST_EVENTS", "Recording", "open_recording"]

MOST_BYTES = 1 << 29
"""Bytes of uncompressed text that are read from one recording."""
MOST_EVENTS = 5_000_000
"""Events that are read from one recording."""
_DAY = 86_400 * NS
_CHUNK = 1 << 16
_MOST_WAITING = 250_000
"""Events that are collected before they are sorted."""
_MOST_HELD = 1_000_000
"""Events, expanded, that are held back because they are less than 50 ms old: five times as many as fit into
the buffer of the program that records them."""
_PIECE = 2_000
"""Events that are passed on at once at most, so that their reader can stop in between."""
_PATIENCE, _PATIENCE_EACH = 60.0, 50e-6
"""Seconds of CPU time that reading a recording and taking in its events may take, and more for each event:
ten times what they take on a slow machine."""
_MANY = 2_000
_SOON = NS // 1_000
"""Batches less than `_SOON` apart are joined while more than `_MANY` events are held back."""

_time = itemgetter(0)


class Recording:
    """An open recording: its header, and its events, which can be read once.

    `damage` says, in a few words, where and why reading stopped before the end; None if it did not.
    `dropped`, the number of events that were lost when they were measured, and `complete`, whether
    the recording has its last line, are known at the end. `blind`, what could not be seen and why, may
    have more entries then.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.damage: str | None = None
        self.dropped = 0
        self.complete = False
        self.events = 0
        """How many events have been read so far, not expanded."""
        self._file = file
        self._began = time.thread_time()
        self._lines = _Lines(file)
        try:
            self.header = Header.read(next(self._lines, b""))
        except FormatError as why:
            raise InputError(
                f"{path.name}: {why}.\nGive a file that 'loopviz record SCENARIO -o FILE' has written."
            ) from None
        except _ReadError as why:
            raise InputError(f"{path.name}: {why}.\nIts header cannot be read; record it again.") from None
        self.blind: list[tuple[str, str]] = list(self.header.blind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def batches(self) -> Iterator[list[Event]]:
        """The events, expanded, in the order in which the recording program processed them."""
        order = _Order(self.header.started, margin_of(self.header.mode))
        try:
            for seen, events in self.raw():
                yield from self._in_time(order.push(seen, events))
        except FormatError as why:
            self._damaged(why)
        except _TooSlow as why:
            self._damaged(why)
            return
        try:
            yield from self._in_time(order.flush())
        except (FormatError, _TooSlow) as why:
            if self.damage is None:
                self._damaged(why)

    def _in_time(self, batches: Iterator[list[Event]]) -> Iterator[list[Event]]:
        """The same events in small pieces. Raises `_TooSlow` if it takes too long to take them in.

        What is counted is the time of the thread that reads, from the first piece on; drawing counts, and
        waiting does not.
        """
        for events in batches:
            for i in range(0, len(events), _PIECE):
                took = time.thread_time() - self._began
                if took > _PATIENCE + _PATIENCE_EACH * self.events:
                    raise _TooSlow(f"it takes too long: more than {took:.0f} s up to here")
                yield events[i : i + _PIECE]

    def raw(self) -> Iterator[tuple[int, list[Event]]]:
        """When events were taken in (ns), and the events, neither sorted nor expanded."""
        try:
            yield from self._valid()
        except (FormatError, _ReadError) as why:
            self._damaged(why)
        finally:
            self.close()

    def _valid(self) -> Iterator[tuple[int, list[Event]]]:
        texts: dict[str, str] = {}
        before = 0
        for line in self._lines:
            if line.startswith(b"{"):
                self._end(line)
                return
            seen, events, count = parse_line(line, texts)
            if seen < before:
                raise FormatError("time goes backwards")
            before = seen
            self.events += count
            yield seen, events
            if self.events >= MOST_EVENTS:
                raise FormatError(f"there are more than {MOST_EVENTS:,} events")
        raise FormatError("its last line is missing: the program that wrote it ended early")

    def _end(self, line: bytes) -> None:
        try:
            end: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise FormatError("it is not JSON") from None
        dropped = end.get("dropped")
        if end.get("end") is not True or type(dropped) is not int or not 0 <= dropped < 1 << 63:
            raise FormatError("it is not a valid last line")
        found = parse_blind(end.get("blind", []))
        self.blind += [pair for pair in found if pair not in self.blind]
        self.dropped, self.complete = dropped, True
        if next(self._lines, None) is not None:
            raise FormatError("there is data after the last line")

    def _damaged(self, why: Exception) -> None:
        events = "1 event" if self.events == 1 else f"{self.events:,} events"
        self.damage = f"line {self._lines.number}, after {events}: {why}"


def open_recording(path: str | Path) -> Recording:
    """Open a recording. Raises `InputError` if it cannot be read, or is not a recording."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe can block, and a device may have no end
            raise InputError(f"{path} is not a file.\nGive a recording.")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{path}: it cannot be read: {why.lower()}.\nGive a recording.") from None
    try:
        return Recording(path, file)
    except BaseException:
        file.close()
        raise


class _TooSlow(Exception):  # noqa: N818 - the machine may be slow, too
    """The recording takes so long that it cannot be a real one; the message says how long."""


class _ReadError(Exception):
    """The rest of the file cannot be read; the message says why, in a few words."""


class _Lines(Iterator[bytes]):
    """The lines of a file, compressed or not. The length of each line, and of all together, is bounded."""

    def __init__(self, file: BinaryIO) -> None:
        self.number = 0
        self._chunks = self._bounded(file)
        self._lines: list[bytes] = []
        self._rest = b""

    def __next__(self) -> bytes:
        while not self._lines:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.number += 1
                if self._rest:
                    self._rest = b""
                    raise _ReadError("the file ends in the middle of a line")
                raise StopIteration
            # What is left of earlier chunks has no line break: only the new chunk is searched.
            head, found, tail = chunk.partition(b"\n")
            if not found:
                self._rest += chunk
                if len(self._rest) > LONGEST_LINE:
                    self.number += 1
                    raise _ReadError("a line is too long")
                continue
            *lines, rest = tail.split(b"\n")
            self._lines = [self._rest + head, *lines][::-1]
            self._rest = rest
        self.number += 1
        return self._lines.pop()

    @staticmethod
    def _bounded(file: BinaryIO) -> Iterator[bytes]:
        size = 0
        for chunk in _chunks(file):
            size += len(chunk)
            if size > MOST_BYTES:
                raise _ReadError(f"it holds more than {MOST_BYTES >> 20} MiB of text")
            yield chunk


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    try:
        data = file.read(_CHUNK)
        if not data.startswith(b"\x1f\x8b"):
            while data:
                yield data
                data = file.read(_CHUNK)
            return
        unzip = zlib.decompressobj(31)
        while data:
            part = unzip.decompress(data, _CHUNK)  # bounds what a small archive unpacks to
            if part:
                yield part
            if unzip.eof:
                if unzip.unused_data or file.read(1):
                    raise _ReadError("there is data after the end of the compressed file")
                return
            data = unzip.unconsumed_tail or file.read(_CHUNK)
        yield from _remaining(unzip)
        raise _ReadError("the compressed file ends in the middle")
    except zlib.error:
        raise _ReadError("the compressed data are damaged") from None
    except OSError as error:
        raise _ReadError(f"it cannot be read: {(error.strerror or str(error)).lower()}") from None


def _remaining(unzip: Any) -> Iterator[bytes]:
    """The output that a decompressor still holds after all of its input."""
    while part := unzip.decompress(b"", _CHUNK):
        yield part


class _Order:
    """Gives events the order that `loopviz.stream.buffer.Reorder` gave them when they were recorded.

    This needs the same batches: lines with the same time are one batch. loopviz never writes many
    batches with almost the same time; those are joined, because sorting each would take too long.
    """

    def __init__(self, started: int, margin: int) -> None:
        self._reorder = Reorder(margin)
        self._earliest, self._latest = started - _DAY, started + 31 * _DAY
        self._waiting: list[Event] = []
        self._seen = self._pushed = 0

    def push(self, seen: int, events: list[Event]) -> Iterator[list[Event]]:
        """Add events that were taken in at `seen` (ns); return batches that are in order now."""
        close = len(self._reorder) > _MANY and seen - self._pushed < _SOON
        if (seen != self._seen and not close) or len(self._waiting) > _MOST_WAITING:
            yield from self._push()
        self._waiting += events
        self._seen = seen
        if len(self._waiting) + len(self._reorder) > _MOST_HELD:
            raise FormatError(f"there are more than {_MOST_HELD:,} events in less than 50 ms")

    def flush(self) -> Iterator[list[Event]]:
        """All events that are left, in order."""
        yield from self._push()
        yield from self._plausible(self._reorder.flush())

    def _push(self) -> Iterator[list[Event]]:
        waiting, self._waiting, self._pushed = self._waiting, [], self._seen
        yield from self._plausible(self._reorder.push(waiting, self._seen))

    def _plausible(self, events: list[Event]) -> Iterator[list[Event]]:
        """The events, which are sorted. Raises `FormatError` if they are too far from the start."""
        if events:
            if not self._earliest <= events[0][0] <= events[-1][0] <= self._latest:
                raise FormatError("the events are more than a month away from its start")
            yield events
