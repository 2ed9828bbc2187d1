"""The bounded buffer between the threads that measure and the thread that shows.

Writers only append, from any thread, without a lock (``deque.append`` is atomic). Events that do
not fit are counted and discarded: a probe that waits for room would measure itself.
"""

from collections import deque
from collections.abc import Callable
from operator import itemgetter

from loopviz.stream.blackbox import KEPT, Box
from loopviz.stream.events import Event, expand

__all__ = ["FROM_PROCESS", "HERE", "Buffer", "Reorder", "margin_of"]

HERE = 20_000_000
"""How long events of this process are held back (ns)."""
FROM_PROCESS = 50_000_000
"""The same of a process that sends them 60 times a second."""

_time = itemgetter(0)


class Buffer:
    """Holds at most `capacity` events between two drains; the rest is discarded, and counted in `dropped`.

    `emit` is a closure rather than a method: it runs about ten times per request on the
    observed loop, and local variables are the fastest. The hook that runs at every step appends to
    `queue` itself, and must check `capacity` and count `dropped` as `emit` does. What is appended by `emit`
    is noted in the black `box` as well, if there is one.
    """

    emit: Callable[[Event], None]

    def __init__(self, capacity: int = 200_000, box: Box | None = None) -> None:
        self.capacity = capacity
        self.box = box
        self.dropped = 0
        self.drained = 0
        self.queue: deque[Event] = deque()
        queue, append = self.queue, self.queue.append

        def emit(event: Event) -> None:
            if len(queue) < capacity:
                append(event)
            else:
                self.dropped += 1

        if box is None:
            self.emit = emit
            return
        kept, keep = KEPT, box.keep

        def emit_and_keep(event: Event) -> None:
            if len(queue) < capacity:
                append(event)
            else:
                self.dropped += 1
            if event[1] in kept:
                keep(event)

        self.emit = emit_and_keep

    @property
    def emitted(self) -> int:
        """Events accepted since the start, drained or not."""
        return self.drained + len(self.queue)

    def drain(self) -> list[Event]:
        """Remove and return all events; those appended meanwhile are left for the next call."""
        pop = self.queue.popleft
        events = [pop() for _ in range(len(self.queue))]
        self.drained += len(events)
        return events


def margin_of(mode: str) -> int:
    """How long events are held back (ns) from a server in this `loopviz.stream.source.Source.mode`."""
    return HERE if mode == "in a thread" else FROM_PROCESS


class Reorder:
    """Puts the events of several threads in the order of their time, and expands them.

    A thread can lose the GIL between reading the clock and appending, so the stream is only
    nearly sorted. Events of the newest `margin` nanoseconds are held back. An event that arrives
    later than that is passed on out of order, which the timeline accepts.
    """

    def __init__(self, margin: int = HERE) -> None:
        self.margin = margin
        self._held: list[Event] = []

    def __len__(self) -> int:
        """How many events are held back."""
        return len(self._held)

    def push(self, events: list[Event], now: int) -> list[Event]:
        """Add `events`; return those at least `margin` older than `now` (ns), sorted by time."""
        held = self._held
        held.extend(expand(events))
        held.sort(key=_time)
        horizon = now - self.margin
        ripe = len(held)
        while ripe and held[ripe - 1][0] > horizon:
            ripe -= 1
        self._held = held[ripe:]
        return held[:ripe]

    def flush(self) -> list[Event]:
        """Return all events that are still held back, sorted by time."""
        held, self._held = sorted(self._held, key=_time), []
        return held
