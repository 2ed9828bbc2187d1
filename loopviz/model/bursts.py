"""The bursts: which requests were fired together by one key press, and when all of them were answered."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from loopviz.model.limits import MAX_BURST, MAX_BURSTS
from loopviz.model.request import Request
from loopviz.model.requests import Requests

__all__ = ["Burst", "Bursts"]


@dataclass(slots=True, eq=False)
class Burst:
    """The requests of one key press, or of one burst of a command. Times are ns of `loopviz.clock`."""

    number: int
    """The number of the key press, from 1."""
    scenario: str
    first: int
    """The number of its first request. The others follow it."""
    count: int
    """How many requests it has. They may be sent one after the other."""
    fired: int
    """When the key was pressed."""
    threads: int
    """The thread limit at that time."""
    began: int = 0
    """When its first request was sent; 0 before."""
    done: int | None = None
    """When the last of its requests was answered, or had failed; None before, or if it was never seen."""
    unsent: int = 0
    """How many of its requests were given up before they were sent."""
    _kept: Requests = field(kw_only=True, repr=False)
    _sent: int = 0
    """The largest number of a request of it that was sent, or given up before."""
    _next: int = 0
    """All requests before this number are answered."""
    _last: int = 0

    @property
    def stop(self) -> int:
        """The number after that of its last request."""
        return self.first + self.count

    @property
    def requests(self) -> list[Request]:
        """Its requests that were sent and are kept, in the order of their numbers; at most `MAX_BURST`."""
        known = self._kept.by_number
        numbers = range(self.first, min(self.stop, self._sent + 1, self.first + MAX_BURST))
        return [known[number] for number in numbers if number in known and known[number].own]

    def over(self, now: int) -> bool:
        """Whether all of its requests were sent and answered, or had failed, at `now`."""
        return self.done is not None and self.done <= now

    def makespan(self, now: int) -> int:
        """From the first request sent to the last answer, or up to `now` (ns); 0 before the first."""
        if not self.began:
            return 0
        end = now if self.done is None else min(now, self.done)
        return max(0, end - self.began)

    def settled(self, now: int) -> bool:
        """Whether it is over, and nothing of what its requests did after their responses lasted at `now`."""
        return self.over(now) and all(r.ended and r.since <= now for r in self.requests)

    def was_sent(self, number: int) -> None:
        """One of its requests was sent."""
        self._sent = max(self._sent, number)
        known = self._kept.by_number.get(number)
        if known is not None:
            self.began = min(self.began or known.start, known.start)

    def was_given_up(self, number: int, t: int) -> None:
        """One of its requests was given up at `t`: if it was not sent before, it is not sent any more."""
        self._sent = max(self._sent, number)
        self._last = max(self._last, t)
        self.unsent += number not in self._kept.by_number

    def look(self) -> None:
        """Find out whether it is over. Each request is passed once, so all calls together are cheap."""
        self._next = number = max(self._next, self.first)
        known = self._kept.by_number
        while number < self.stop and number <= self._sent:
            request = known.get(number)
            if request is not None:
                end = answered(request)
                if end is None:
                    break
                self._last = max(self._last, end)
            number += 1
        self._next = number
        if number >= self.stop and self.done is None:
            self.done = self._last or self.began


def answered(request: Request) -> int | None:
    """When the request was answered or had failed (ns); None while its client waits for it."""
    if request.done is not None:
        return request.done
    if request.received is not None:
        return request.received  # the client has given up
    return request.since if request.ended else None


class Bursts:
    """All bursts kept."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._by_first: list[Burst] = []
        self._open: list[Burst] = []
        self._kept: deque[Burst] = deque()

    # -- queries ---------------------------------------------------------------------------------

    @property
    def kept(self) -> Sequence[Burst]:
        """The oldest first."""
        self._look()
        return self._kept

    def of(self, request: int) -> Burst | None:
        """The burst that this request belongs to."""
        at = bisect_right(self._by_first, request, key=_first) - 1
        if at < 0 or request >= self._by_first[at].stop:
            return None
        burst = self._by_first[at]
        if burst.done is None:
            burst.look()
        return burst

    def newest(self, now: int) -> Burst | None:
        """The burst that was fired last at `now`."""
        self._look()
        return next((burst for burst in reversed(self._kept) if burst.fired <= now), None)

    # -- events ----------------------------------------------------------------------------------

    def fired(self, t: int, press: int, scenario: str, first: int, count: int, threads: int) -> None:
        """FIRED: a key was pressed."""
        burst = Burst(press, scenario, first, min(count, MAX_BURST), t, threads, _kept=self._requests)
        self._kept.append(burst)
        self._open.append(burst)
        insort(self._by_first, burst, key=_first)
        if len(self._kept) > MAX_BURSTS:
            oldest = self._kept.popleft()
            self._by_first.remove(oldest)
            if oldest in self._open:
                self._open.remove(oldest)

    def sent(self, number: int) -> None:
        """SENT: a request was sent, perhaps of a burst."""
        at = bisect_right(self._by_first, number, key=_first) - 1
        if at >= 0 and number < self._by_first[at].stop:
            self._by_first[at].was_sent(number)

    def given_up(self, t: int, number: int) -> None:
        """RECEIVED: a request was given up, perhaps of a burst."""
        at = bisect_right(self._by_first, number, key=_first) - 1
        if at >= 0 and number < self._by_first[at].stop:
            self._by_first[at].was_given_up(number, t)

    # -- memory ----------------------------------------------------------------------------------

    def prune(self, horizon: int) -> None:
        """Remove what was over before `horizon` (ns). To be called before requests are removed."""
        self._look()
        oldest = self._kept[0] if self._kept else None
        if oldest is not None and oldest.fired < horizon:
            self._remove([b for b in self._kept if max(b.fired, b.done or b.fired) < horizon])

    def forget(self) -> None:
        """Remove those that are over."""
        self._look()
        self._remove([burst for burst in self._kept if burst.done is not None])

    def _remove(self, bursts: list[Burst]) -> None:
        gone = set(map(id, bursts))
        if gone:
            self._kept = deque(burst for burst in self._kept if id(burst) not in gone)
            self._open = [burst for burst in self._open if id(burst) not in gone]
            self._by_first = [burst for burst in self._by_first if id(burst) not in gone]

    def _look(self) -> None:
        if self._open:
            for burst in self._open:
                burst.look()
            self._open = [burst for burst in self._open if burst.done is None]


def _first(burst: Burst) -> int:
    return burst.first
