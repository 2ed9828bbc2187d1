"""Reading a recording: whatever the file holds, in bounded memory, up to where it makes no sense."""

from __future__ import annotations

import json
import stat
import zlib
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Self

from loopviz.clock import NS
from loopviz.errors import InputError
from loopviz.recording.format import LONGEST_LINE, Foreign, Header, checked
from loopviz.stream.buffer import Reorder
from loopviz.stream.events import Event

__all__ = ["MOST_BYTES", "MOST_EVENTS", "Recording", "open_recording"]

MOST_BYTES = 1 << 29
"""Of text, uncompressed, that are read of one recording."""
MOST_EVENTS = 5_000_000
"""That are read of one recording."""
_DAY = 86_400 * NS
_CHUNK = 1 << 16
_MOST_WAITING = 250_000
"""Events that wait for the others of their time."""
_MANY = 2_000
_SOON = NS // 1_000
"""Batches that are closer together, while so many events are held back, are joined."""

_time = itemgetter(0)


class Recording:
    """An open recording: its header, and once through its events.

    `damage` says, in a few words, where and why reading stopped before the end; it is None as long
    as nothing is amiss. So are `dropped`, the events that were lost when they were measured, and
    `complete`, known at the end.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.damage: str | None = None
        self.dropped = 0
        self.complete = False
        self.events = 0
        """As many as have been read so far, as they stand in the file."""
        self._file = file
        self._lines = _Lines(file)
        try:
            self.header = Header.read(next(self._lines, b""))
        except Foreign as why:
            raise InputError(
                f"{path.name}: {why}.\nGive a file that 'loopviz record SCENARIO -o FILE' has written."
            ) from None
        except _Cut as why:
            raise InputError(f"{path.name}: {why}.\nIts header cannot be read; record anew.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def batches(self) -> Iterator[list[Event]]:
        """The events, expanded, in the order in which the program that recorded them saw them."""
        order = _Order(self.header.started)
        for seen, events in self.raw():
            try:
                yield from order.push(seen, events)
            except Foreign as why:
                self._damaged(why)
                break
        try:
            yield from order.flush()
        except Foreign as why:
            if self.damage is None:
                self._damaged(why)

    def raw(self) -> Iterator[tuple[int, list[Event]]]:
        """When events were taken in, and these, as they stand in the file."""
        try:
            yield from self._believed()
        except (Foreign, _Cut) as why:
            self._damaged(why)
        finally:
            self.close()

    def _believed(self) -> Iterator[tuple[int, list[Event]]]:
        texts: dict[str, str] = {}
        before = 0
        for line in self._lines:
            if line.startswith(b"{"):
                self._end(line)
                return
            seen, events, count = checked(line, texts)
            if seen < before:
                raise Foreign("time goes backwards")
            before = seen
            self.events += count
            yield seen, events
            if self.events >= MOST_EVENTS:
                raise Foreign("there are more events than can be shown")
        raise Foreign("it has no end: the program that wrote it ended early")

    def _end(self, line: bytes) -> None:
        try:
            end: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise Foreign("it is not JSON") from None
        dropped = end.get("dropped")
        if end.get("end") is not True or type(dropped) is not int or not 0 <= dropped < 1 << 63:
            raise Foreign("it is no end")
        self.dropped, self.complete = dropped, True
        if next(self._lines, None) is not None:
            raise Foreign("something follows its end")

    def _damaged(self, why: Exception) -> None:
        self.damage = f"line {self._lines.number}, after {self.events:,} events: {why}"


def open_recording(path: str | Path) -> Recording:
    """Open a recording. Raises `InputError` if it is none, or one that cannot be read."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe could keep us waiting, and a device go on for ever
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


class _Cut(Exception):  # noqa: N818 - it is where the file ends, and no error here
    """The file does not go on; says why, in a few words."""


class _Lines(Iterator[bytes]):
    """The whole lines of a file, compressed or not, each of them and all of them of bounded length."""

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
                    raise _Cut("it ends in the middle of a line")
                raise StopIteration
            # The part before has no end of a line in it: only what is new is searched for one.
            head, found, tail = chunk.partition(b"\n")
            if not found:
                self._rest += chunk
                if len(self._rest) > LONGEST_LINE:
                    self.number += 1
                    raise _Cut("a line is too long")
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
                raise _Cut("it is larger than can be shown")
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
            part = unzip.decompress(data, _CHUNK)  # so much at most, however much it stands for
            if part:
                yield part
            if unzip.eof:
                if unzip.unused_data or file.read(1):
                    raise _Cut("something follows its end")
                return
            data = unzip.unconsumed_tail or file.read(_CHUNK)
        yield from _left(unzip)
        raise _Cut("the compressed file ends in the middle")
    except zlib.error:
        raise _Cut("the compressed data are damaged") from None
    except OSError as error:
        raise _Cut(f"it cannot be read: {(error.strerror or str(error)).lower()}") from None


def _left(unzip: Any) -> Iterator[bytes]:
    """What a decompressor still holds although it has had all its input."""
    while part := unzip.decompress(b"", _CHUNK):
        yield part


class _Order:
    """Events in the order that `loopviz.stream.buffer.Reorder` gave them when they were recorded.

    That takes the same batches as then: lines with the same time are one. Where many batches follow
    each other at once, as no program writes them, several are taken for one, since each is sorted.
    """

    def __init__(self, started: int) -> None:
        self._reorder = Reorder()
        self._earliest, self._latest = started - _DAY, started + 31 * _DAY
        self._waiting: list[Event] = []
        self._seen = self._pushed = 0

    def push(self, seen: int, events: list[Event]) -> Iterator[list[Event]]:
        """Add events that were taken in at `seen`; those that are now in order."""
        hasty = len(self._reorder) > _MANY and seen - self._pushed < _SOON
        if (seen != self._seen and not hasty) or len(self._waiting) > _MOST_WAITING:
            yield from self._push()
        self._waiting += events
        self._seen = seen

    def flush(self) -> Iterator[list[Event]]:
        """All the rest."""
        yield from self._push()
        yield from self._sane(self._reorder.flush())

    def _push(self) -> Iterator[list[Event]]:
        waiting, self._waiting, self._pushed = self._waiting, [], self._seen
        yield from self._sane(self._reorder.push(waiting, self._seen))

    def _sane(self, events: list[Event]) -> Iterator[list[Event]]:
        """The events, which are sorted, if their times can be those of one recording."""
        if events:
            if not self._earliest <= events[0][0] <= events[-1][0] <= self._latest:
                raise Foreign("the events are more than a month away from its beginning")
            yield events
