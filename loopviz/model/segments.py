"""Segments of a request's life, and how they are packed when the life is over."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from loopviz.model.limits import MAX_SEGMENTS
from loopviz.model.states import State

__all__ = ["Awaits", "PackedTotals", "Segment", "Segments", "Where"]


class Where(NamedTuple):
    """A source line. `calls` names what is called there, such as ``time.sleep``; "" if unknown."""

    file: str
    line: int
    function: str
    calls: str = ""


class Awaits(NamedTuple):
    """What a task awaits: ``timer``, ``lock``, ``socket`` or another word, and who holds it."""

    what: str
    name: str = ""
    """Its name among others of its kind; "" if it has none."""
    holder: int = 0
    """The request that holds the lock; 0 where that is not seen, or where it is no request's."""
    letter: str = ""
    """The letter of its worker; empty where the server is one process."""


class Segment(NamedTuple):
    """A stretch of a request's life in one state (ns)."""

    state: State
    start: int
    end: int
    thread: int = 0
    """The worker thread, or process, that executes it; 0 for none."""
    where: Where | None = None
    awaits: Awaits | None = None
    """What is awaited; None where that is not known, and in other states."""


_Kind = tuple[State, int, Where | None, Awaits | None]
"""State, thread, source line and what is awaited of a segment."""
_INDEX = {state: i for i, state in enumerate(State)}


class Segments:
    """Contiguous segments, the newest `MAX_SEGMENTS` of them.

    Once packed, a segment takes ten bytes instead of a hundred and fifty: packed segments are an array
    of their ends and, last, the first one's start, followed by an array of indices into their kinds.
    """

    __slots__ = ("_kinds", "_list", "_packed")

    def __init__(self) -> None:
        self._list: list[Segment] | None = []
        self._kinds: tuple[_Kind, ...] = ()
        self._packed = b""

    def append(self, segment: Segment) -> None:
        """Add a segment at the end; drop the oldest if there are too many."""
        segments = self._unpack()
        segments.append(segment)
        if len(segments) > MAX_SEGMENTS:
            del segments[0]

    def appendleft(self, segment: Segment) -> None:
        """Add a segment at the beginning."""
        self._unpack().insert(0, segment)

    def pack(self, known: dict[object, object]) -> None:
        """Take as little memory as possible.

        `known` maps each shared value to itself: an equal value in it replaces one of these segments,
        and new ones are added.
        """
        segments = self._list
        if segments is None:
            return
        kinds: dict[_Kind, int] = {}
        which = array(
            "H", [kinds.setdefault((s.state, s.thread, s.where, s.awaits), len(kinds)) for s in segments]
        )
        times = array("q", [segment.end for segment in segments])
        times.append(segments[0].start if segments else 0)
        same = tuple([known.setdefault(kind, kind) for kind in kinds])
        self._kinds = known.setdefault(same, same)  # type: ignore[assignment]
        self._packed = times.tobytes() + which.tobytes()
        self._list = None

    def _unpack(self) -> list[Segment]:
        if self._list is None:
            self._list, self._packed, self._kinds = list(self), b"", ()
        return self._list

    def __len__(self) -> int:
        return len(self._packed) // 10 if self._list is None else len(self._list)  # 10 n + 8

    def __iter__(self) -> Iterator[Segment]:
        return self._iter_packed() if self._list is None else iter(self._list)

    def _iter_packed(self) -> Iterator[Segment]:
        count, kinds = len(self), self._kinds
        whole = memoryview(self._packed)
        times, which = whole[: 8 * count + 8].cast("q"), whole[8 * count + 8 :].cast("H")
        start = times[count]
        for i in range(count):
            state, thread, where, awaits = kinds[which[i]]
            end = times[i]
            yield Segment(state, start, end, thread, where, awaits)
            start = end

    def __reversed__(self) -> Iterator[Segment]:
        return self._reversed_packed() if self._list is None else reversed(self._list)

    def _reversed_packed(self) -> Iterator[Segment]:
        count, kinds = len(self), self._kinds
        whole = memoryview(self._packed)
        times, which = whole[: 8 * count + 8].cast("q"), whole[8 * count + 8 :].cast("H")
        for i in range(count - 1, -1, -1):
            state, thread, where, awaits = kinds[which[i]]
            yield Segment(state, times[i - 1] if i else times[count], times[i], thread, where, awaits)

    def __getitem__(self, index: int) -> Segment:
        return (list(self) if self._list is None else self._list)[index]


class PackedTotals(Mapping[State, int]):
    """Time in each state (ns), in a sixth of the memory of a dictionary. It cannot be changed."""

    __slots__ = ("_times",)

    def __init__(self, totals: Mapping[State, int]) -> None:
        self._times = array("q", [totals[state] for state in State]).tobytes()

    def __getitem__(self, state: State) -> int:
        return memoryview(self._times).cast("q")[_INDEX[state]]

    def __iter__(self) -> Iterator[State]:
        return iter(State)

    def __len__(self) -> int:
        return len(_INDEX)
