"""The black box of a process, see `loopviz.stream.blackbox`: the process writes it, its viewer reads it."""

from __future__ import annotations

import itertools
import marshal
import mmap
import os
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from loopviz.stream import blackbox as layout
from loopviz.stream.events import END, RAN, YIELD, Event

__all__ = ["BlackBox", "Noted", "Step", "read"]

_FORMAT = 4
_SHORT = 150
"""Characters of each text of an event that does not fit."""
_TRIES = 5


class BlackBox:
    """Written by a watched process, in memory that it shares."""

    def __init__(self, fd: int) -> None:
        """`fd` is a file of `SIZE` bytes that holds nothing but zeros; it may be closed afterwards.

        Raises OSError or ValueError if it cannot be mapped.
        """
        self.memory = memoryview(mmap.mmap(fd, layout.SIZE))
        self._places = itertools.cycle(range(layout.EVENTS_AT, layout.SIZE, layout.EVENT))
        self._threads = itertools.cycle(range(layout.THREADS_AT, layout.STEPS_AT, layout.THREAD.size))

    def keep(self, event: Event) -> None:
        """Note an event. May be called in any thread: `next` gives each of them a place of its own."""
        try:
            data = marshal.dumps(event, _FORMAT)
            if len(data) > layout.EVENT:
                data = marshal.dumps(tuple(_short(value) for value in event), _FORMAT)
            place = next(self._places)
            self.memory[place : place + len(data)] = data
        except ValueError:  # still too long, or a subclass of int that an application has handed in
            return

    def thread(self, number: int, native: int) -> None:
        """Note the number that a thread has in the operating system."""
        layout.THREAD.pack_into(self.memory, next(self._threads), number, native)


class Step(NamedTuple):
    """The step that is being executed."""

    task: int
    began: int


class Noted(NamedTuple):
    """What a black box has."""

    step: Step | None
    """None if no step is being executed."""
    events: list[Event]
    """The newest events, in the order of their time, with those of the steps that have ended."""
    threads: dict[int, int]
    """The numbers of threads in events, by their numbers in the operating system."""


def read(fd: int) -> Noted | None:
    """Read a black box; None while its process is writing to it."""
    try:
        before = os.pread(fd, layout.SIZE, 0)
        for _ in range(_TRIES):
            data = os.pread(fd, layout.SIZE, 0)
            if data == before:
                break
            before = data
        else:
            return None
    except OSError:
        return None
    return _noted(data) if len(data) == layout.SIZE else None


def _noted(data: bytes) -> Noted:
    steps = [cast(Event, ran) for ran in _ran(data)]
    events = list(_events(data))
    task, began = layout.BEGUN.unpack_from(data, 0)
    over = {(event[2], event[4]) for event in steps if event[1] == RAN}
    suspended = any(event[1] in {YIELD, END} and event[2] == task and event[0] >= began for event in events)
    step = Step(task, began) if began and (task, began) not in over and not suspended else None
    threads = {native: number for number, native in _threads(data) if native}
    return Noted(step, sorted(steps + events, key=lambda event: event[0]), threads)


def _ran(data: bytes) -> Iterator[tuple[Any, ...]]:
    for number, woken, began, ended, how, due in layout.RAN.iter_unpack(
        memoryview(data)[layout.STEPS_AT : layout.EVENTS_AT]
    ):
        if ended:
            awaited = {layout.DONE: None, layout.YIELDED: ""}.get(how, "Future")
            yield (ended, RAN, number, woken, began, awaited, due)


def _events(data: bytes) -> Iterator[Event]:
    for place in range(layout.EVENTS_AT, layout.SIZE, layout.EVENT):
        if not data[place]:
            continue
        try:
            event = marshal.loads(memoryview(data)[place : place + layout.EVENT])  # noqa: S302 - our own process
        except (EOFError, TypeError, ValueError):
            continue
        if isinstance(event, tuple) and len(event) > 2 and event[1] in layout.KEPT:
            yield cast(Event, event)


def _threads(data: bytes) -> Iterator[tuple[int, int]]:
    yield from layout.THREAD.iter_unpack(memoryview(data)[layout.THREADS_AT : layout.STEPS_AT])


def _short(value: Any) -> Any:
    return value[:_SHORT] if isinstance(value, str) else value
