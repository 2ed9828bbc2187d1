"""The bounded buffer between the threads that measure and the reader that tells.

Writers only append, from any thread, without a lock (``deque.append`` is atomic). What does not
fit is counted, never waited for: an observer that blocks the observed would measure itself.
"""

from collections import deque
from collections.abc import Callable
from operator import itemgetter

from loopviz.stream.events import Event, expand

__all__ = ["Buffer", "Reorder"]

_time = itemgetter(0)


class Buffer:
    """At most `capacity` events between two drains; the rest is counted in `dropped`.

    `emit` is a closure rather than a method: it runs some ten times a request on the observed
    loop, and local variables are the cheapest there are. The few hooks that run at every step
    append to `queue` themselves, and must check `capacity` and count `dropped` as `emit` does.
    """

    emit: Callable[[Event], None]

    def __init__(self, capacity: int = 200_000) -> None:
        self.capacity = capacity
        self.dropped = 0
        self.drained = 0
        self.queue: deque[Event] = deque()
        queue, append = self.queue, self.queue.append

        def emit(event: Event) -> None:
            if len(queue) < capacity:
                append(event)
            else:
                self.dropped += 1

        self.emit = emit

    @property
    def emitted(self) -> int:
        """Events taken in since the start, drained or not."""
        return self.drained + len(self.queue)

    def drain(self) -> list[Event]:
        """Take what is there now; what other threads append meanwhile waits for the next call."""
        pop = self.queue.popleft
        events = [pop() for _ in range(len(self.queue))]
        self.drained += len(events)
        return events


class Reorder:
    """Events in the order of their time, expanded, although several threads wrote them.

    A thread can lose the GIL between reading the clock and appending, so the stream is only
    nearly sorted. The newest `margin` nanoseconds are held back until their neighbours are in;
    what comes later than that is passed on as it is, and the model copes.
    """

    def __init__(self, margin: int = 20_000_000) -> None:
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
        """All that is still held back, sorted by time."""
        held, self._held = sorted(self._held, key=_time), []
        return held
