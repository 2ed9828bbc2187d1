"""A buffer for the events of one of several workers, which marks them as that worker's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import cast

from loopviz.stream.buffer import Buffer
from loopviz.stream.events import READ, WORKER, Event, of_worker

__all__ = ["WorkerBuffer"]


class _Queue(deque[Event]):
    """Passes on what is put into it."""

    def __init__(self, whole: deque[Event], buffer: WorkerBuffer) -> None:
        super().__init__()
        self._whole = whole
        self._buffer = buffer

    def __len__(self) -> int:
        return len(self._whole)

    def append(self, event: Event) -> None:
        self.extend((event,))

    def extend(self, events: Iterable[Event]) -> None:
        self._whole.extend(self._buffer.marked(list(events)))


class WorkerBuffer(Buffer):
    """Takes the events of worker `worker`, and puts them into the `whole` session's buffer."""

    def __init__(self, whole: Buffer, worker: int) -> None:
        super().__init__(whole.capacity)
        self._worker = worker
        self.has_read = False
        """Whether this worker has read a request."""
        self.queue = _Queue(whole.queue, self)

        def emit(event: Event) -> None:
            for one in self.marked([event]):
                whole.emit(one)

        self.emit = emit

    def marked(self, events: list[Event]) -> list[Event]:
        """The events as those of the worker."""
        if not self.has_read:
            self.has_read = any(event[1] == READ for event in events)
        if not any(event[1] == WORKER for event in events):
            return of_worker(events, self._worker)
        marked: list[Event] = []
        for event in events:
            if event[1] == WORKER:  # it names the worker itself
                marked.append(cast("Event", (*event[:2], self._worker, *event[3:])))
            else:
                marked += of_worker([event], self._worker)
        return marked
