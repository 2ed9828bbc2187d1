"""A steady load: requests at a fixed rate, whether or not those before are answered."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopviz.errors import InputError
from loopviz.live import client as module
from loopviz.live.arrivals import Arrivals
from loopviz.scenario import read
from loopviz.stream import events as ev
from loopviz.stream.endings import GIVEN_UP
from tests.test_client import events, firing, peer
from tests.test_serving import scenario, session

__all__ = ["events"]  # the fixture


class Loop:
    """What arrivals need of an event loop: its time moves only when a test lets it."""

    def __init__(self) -> None:
        self.now = 100.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = itertools.count()

    def time(self) -> float:
        """The time."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call it then."""
        timer = asyncio.TimerHandle(when, callback, (), self)  # type: ignore[arg-type]
        heapq.heappush(self._timers, (when, next(self._count), timer))
        return timer

    def _timer_handle_cancelled(self, _: asyncio.TimerHandle) -> None:
        """What asyncio's own loop counts."""

    def get_debug(self) -> bool:
        """What asyncio's handles ask for."""
        return False

    def run(self, until: float, *, stall: float = 0.0) -> None:
        """Let the time pass; the first timer is late by `stall` seconds, and so is all behind it."""
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            if timer.cancelled():
                continue
            self.now = max(self.now, when) + stall
            stall = 0.0
            timer._run()
        self.now = max(self.now, until)


class Sender:
    """Arrivals on such a loop, and what they have sent when."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.sent: list[float] = []
        self.missed = 0
        self.arrivals = Arrivals(self.loop, lambda: self.sent.append(self.loop.now), self._miss)  # type: ignore[arg-type]

    def _miss(self, number: int) -> None:
        self.missed += number


@given(st.sampled_from([1, 2, 5, 20, 500]), st.integers(1, 20))
def test_the_rate_is_kept_to_the_request(rate, seconds):
    """After some seconds exactly as many were sent as the rate says: no call delays those behind it."""
    sender = Sender()
    sender.arrivals.change(rate)
    sender.loop.run(100 + seconds + 0.5 / rate)
    assert len(sender.sent) == rate * seconds + 1
    assert sender.missed == 0


def test_a_late_call_does_not_shift_the_ones_behind_it():
    """What was due meanwhile is sent at once, and the next one at its own moment."""
    sender = Sender()
    sender.arrivals.change(10)
    sender.loop.run(100.45, stall=0.33)
    assert sender.sent == pytest.approx([100.0, 100.43, 100.43, 100.43, 100.43])
    sender.loop.run(100.55)
    assert sender.sent[5:] == pytest.approx([100.5])


def test_what_is_late_by_more_than_a_second_is_left_out_and_counted():
    """After a pause of ten seconds a second's worth is sent, and the rest is counted."""
    sender = Sender()
    sender.arrivals.change(10)
    sender.loop.run(100.15, stall=10.0)
    assert sender.missed + len(sender.sent) == pytest.approx(102, abs=1)
    assert 9 <= len(sender.sent) - 1 <= 12


def test_another_rate_counts_from_the_last_request():
    """The next request comes one new interval after the one before; never two at once."""
    sender = Sender()
    sender.arrivals.change(1)
    sender.loop.run(100.3)
    sender.arrivals.change(2)
    sender.loop.run(100.6)
    assert sender.sent == pytest.approx([100.0, 100.5])
    sender.arrivals.change(1)
    sender.loop.run(101.6)
    assert sender.sent == pytest.approx([100.0, 100.5, 101.5])
    sender.arrivals.change(0)
    sender.loop.run(120)
    assert len(sender.sent) == 3


def test_requests_are_sent_while_none_is_answered(events):
    """A server that answers nothing gets one request after the other, each on its own connection."""
    with peer(hold=True) as server, firing(server.url, events) as client:
        client.load("GET", "/x", 50)
        assert until(lambda: len(server.requests) >= 8)
        assert server.log.count("connected") >= 8
        assert not [event for event in events if event[1] == ev.RECEIVED]
        client.load("GET", "/x", 0)
        server.go.set()
        assert until(lambda: _open(events) == set())
        sent = len(server.requests)
        time.sleep(0.1)
        assert len(server.requests) == sent, "it has ended"
    assert {event[3] for event in events if event[1] == ev.RECEIVED} == {200}


def test_the_rate_can_be_changed_and_one_load_ends_the_other(events):
    """A higher rate is in force at once; what is asked for next is the only load."""
    with peer() as server, firing(server.url, events) as client:
        client.load("GET", "/x", 1)
        assert until(lambda: len(server.requests) == 1)
        client.load("GET", "/x", 200)
        assert until(lambda: len(server.requests) > 20)
        client.load("POST", "/y", 200, body=b"{}")
        assert until(lambda: any(data.startswith(b"POST /y") for data in server.requests))
        assert until(lambda: [event[3] for event in events if event[1] == ev.SENT][-9:] == ["POST"] * 9)
        client.load("POST", "/y", 0)
        assert until(lambda: _open(events) == set())


def test_giving_up_ends_the_load(events):
    """All its requests end as given up, and no more are sent."""
    with peer(hold=True) as server, firing(server.url, events) as client:
        client.load("GET", "/x", 100)
        assert until(lambda: len(server.requests) >= 5)
        assert client.give_up()
        assert client.loading is None
        assert until(lambda: _open(events) == set())
        assert {event[4] for event in events if event[1] == ev.RECEIVED} == {GIVEN_UP}
        count = len(events)
        time.sleep(0.1)
        assert len(events) == count


def test_no_more_than_a_limit_is_unanswered(events, monkeypatch):
    """What the limit keeps back is counted, and why."""
    monkeypatch.setattr(module, "MOST_UNANSWERED", 4)
    with peer(hold=True) as server, firing(server.url, events) as client:
        client.load("GET", "/x", 100)
        assert until(lambda: client.loading is not None and client.loading[2] > 0)
        assert client.loading is not None
        assert client.loading[:2] == (100, 4)
        assert client.loading[3] == "4 are not answered"
        assert len([event for event in events if event[1] == ev.SENT]) <= 4
        server.go.set()
        assert until(lambda: len(server.requests) > 8), "it goes on when there is room"


def test_stopping_ends_a_load(events):
    """A client that is stopped during a load leaves no thread and no connection."""
    with peer(hold=True) as server, firing(server.url, events) as client:
        client.load("GET", "/x", 100)
        assert until(lambda: len(server.requests) >= 3)


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait for a state of another thread."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def _open(events: list[ev.Event]) -> set[int]:
    """The requests that are sent and have no end."""
    sent: set[int] = {event[2] for event in events if event[1] == ev.SENT}
    return sent - {event[2] for event in events if event[1] == ev.RECEIVED}


def test_a_session_sends_a_load_and_says_how_it_does(tmp_path):
    """A load of a scenario that is not ready begins when it is; giving up ends it."""
    (file,) = read(
        [scenario(tmp_path, "one", 'app = FastAPI()\n\n@app.get("/one")\nasync def one():\n    return 1\n')]
    )
    with session(file, lazily=True) as made:
        assert made.load is None
        made.set_load(file, 100)
        assert made.load is not None
        assert (made.load.scenario, made.load.per_second) == (file, 100)
        found: list[ev.Event] = []

        def answered() -> int:
            found.extend(made.drain())
            return len([event for event in found if event[1] == ev.RECEIVED and event[3] == 200])

        assert until(lambda: answered() > 5)
        made.set_load(file, 200)
        assert made.load is not None
        assert made.load.per_second == 200
        made.give_up()
        assert made.load is None
        assert not [event for event in found if event[1] == ev.FIRED], "a steady load is no burst"


def test_a_load_that_cannot_be_sent_is_refused(tmp_path):
    """A scenario whose requests lack a value has no load."""
    (file,) = read(
        [
            scenario(
                tmp_path, "one", 'app = FastAPI()\n\n@app.get("/{a}")\nasync def one(a: str):\n    return 1\n'
            )
        ]
    )
    with session(file) as made:
        with pytest.raises(InputError, match="no value"):
            made.set_load(file, 1)
        assert made.load is None
