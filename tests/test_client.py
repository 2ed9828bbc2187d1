"""Our own client: requests that are sent at the same moment, and their outcomes."""

from __future__ import annotations

import contextlib
import gc
import itertools
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from loopviz.clock import NS
from loopviz.live.claimed import claimed
from loopviz.live.client import Client
from loopviz.stream import events as ev

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Peer:
    """A server that notes when connections and requests come, and answers as a test needs."""

    def __init__(self, answer: bytes = ANSWER, *, hold: bool = False) -> None:
        self.answer = answer
        self.log: list[str] = []
        self.requests: list[bytes] = []
        self.go = threading.Event()
        if not hold:
            self.go.set()
        self._lock = threading.Lock()
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Answer the requests that wait, and end."""
        self.go.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._sock.accept()
            except OSError:
                return
            with self._lock:
                self.log.append("connected")
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            data = b""
            while b"\r\n\r\n" not in data:
                chunk = connection.recv(10_000)
                if not chunk:
                    return
                data += chunk
            with self._lock:
                self.log.append("request")
                self.requests.append(data)
            self.go.wait(10)
            connection.sendall(self.answer)


def ignore(*_: object) -> None:
    """Stand in for a callback."""


@pytest.fixture
def events() -> list[ev.Event]:
    """The events that the client has emitted."""
    return []


@contextlib.contextmanager
def firing(url: str, events: list[ev.Event]) -> Iterator[Client]:
    """A client that numbers its requests from 1."""
    client = Client(url, events.append, itertools.count(1), lambda number: {"x-number": str(number)}, ignore)
    client.start()
    try:
        yield client
    finally:
        client.stop(5)
        assert "loopviz client" not in {thread.name for thread in threading.enumerate()}


@contextlib.contextmanager
def peer(answer: bytes = ANSWER, *, hold: bool = False) -> Iterator[Peer]:
    """A peer, while the block lasts."""
    made = Peer(answer, hold=hold)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("requests", [1, 2, 50])
def test_at_once(events: list[ev.Event], requests: int) -> None:
    """All requests are connected before the first is sent, and then sent at once, in order."""
    with peer() as server, firing(server.url, events) as client:
        client.fire("GET", "/x", requests).result(20)
    sent = [event for event in events if event[1] == ev.SENT]
    received = [event for event in events if event[1] == ev.RECEIVED]
    assert [event[2:] for event in sent] == [(number, "GET", "/x") for number in range(1, requests + 1)]
    assert sorted(event[2:] for event in received) == [(n, 200, None) for n in range(1, requests + 1)]
    assert sent[-1][0] - sent[0][0] < 0.3 * NS
    assert server.log.count("connected") == requests
    assert len(server.requests) == requests


def test_a_burst_has_numbers_that_follow_each_other_and_is_announced_first(events: list[ev.Event]) -> None:
    """Another client takes no number in the middle, and `fired` is called before anything is sent."""
    taken = iter([1, 3, 4, 5, 6])
    announced: list[tuple[int, int, int]] = []
    with peer() as server:
        client = Client(server.url, events.append, taken, lambda _: {}, ignore)
        client.start()
        try:
            client.fire(
                "GET", "/x", 2, fired=lambda first, count: announced.append((first, count, len(events)))
            ).result(20)
        finally:
            client.stop(5)
    assert announced == [(4, 2, 0)]
    assert [event[2] for event in events if event[1] == ev.SENT] == [4, 5]


def test_a_request_that_cannot_be_written_has_failed(events: list[ev.Event]) -> None:
    """A request that the client's library refuses to write ends with its error, and so does the burst."""
    with peer(hold=True) as server, firing(server.url, events) as client:
        client.fire("POST", "/x", 2, headers={"content-length": "99"}, body=b"short").result(20)
    received = [event for event in events if event[1] == ev.RECEIVED]
    assert sorted(event[2] for event in received) == [1, 2]
    assert all(event[3] is None and "LocalProtocolError" in str(event[4]) for event in received)


def test_connected_before_sent() -> None:
    """When the first request leaves, all connections are made."""
    connected: list[socket.socket] = []
    emitted: list[ev.Event] = []
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server, contextlib.ExitStack() as stack:
        server.settimeout(5)  # the kernel may hand over a connection a moment after it is made

        def emit(event: ev.Event) -> None:
            if not emitted:  # until this returns the client does nothing else
                with contextlib.suppress(TimeoutError):
                    while len(connected) < 30:
                        connected.append(stack.enter_context(server.accept()[0]))
            emitted.append(event)

        client = Client(
            f"http://127.0.0.1:{server.getsockname()[1]}", emit, itertools.count(1), lambda _: {}, ignore
        )
        client.start()
        client.fire("GET", "/x", 30)
        deadline = time.monotonic() + 20
        while len(emitted) < 30 and time.monotonic() < deadline:
            time.sleep(0.005)
        client.stop(5)
    assert [event[1:3] for event in emitted[:30]] == [(ev.SENT, number) for number in range(1, 31)]
    assert len(connected) == 30


def test_marked(events: list[ev.Event]) -> None:
    """Each request has its number in its header, its method and its path."""
    with peer() as server, firing(server.url, events) as client:
        client.fire("POST", "/y?z=1", 3).result(10)
    numbers = sorted(
        line.split(b": ")[1]
        for data in server.requests
        for line in data.split(b"\r\n")
        if b"x-number" in line
    )
    assert numbers == [b"1", b"2", b"3"]
    assert {data.split(b"\r\n")[0] for data in server.requests} == {b"POST /y?z=1 HTTP/1.1"}


def test_bursts_are_numbered_on(events: list[ev.Event]) -> None:
    """A second burst continues the numbering, also while the first is not answered yet."""
    with peer(hold=True) as server, firing(server.url, events) as client:
        first, second = client.fire("GET", "/x", 2), client.fire("GET", "/y", 2)
        server.go.set()
        first.result(10)
        second.result(10)
    paths = {event[2]: event[4] for event in events if event[1] == ev.SENT}
    assert paths == {1: "/x", 2: "/x", 3: "/y", 4: "/y"}


def test_connection_refused(events: list[ev.Event]) -> None:
    """If no server listens, every request ends in an error, and nothing hangs."""
    with socket.socket() as deaf:  # it keeps the port from others, and does not listen
        deaf.bind(("127.0.0.1", 0))
        with firing(f"http://127.0.0.1:{deaf.getsockname()[1]}", events) as client:
            client.fire("GET", "/x", 5).result(10)
    assert sorted(event[2] for event in events if event[1] == ev.SENT) == [1, 2, 3, 4, 5]
    received = [event for event in events if event[1] == ev.RECEIVED]
    assert sorted(event[2] for event in received) == [1, 2, 3, 4, 5]
    assert {event[3] for event in received} == {None}
    assert all(event[4] is not None and "Connect" in event[4] for event in received)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]
)
def test_broken_answers(events: list[ev.Event], answer: bytes) -> None:
    """An invalid or incomplete answer is an error with a name."""
    with peer(answer) as server, firing(server.url, events) as client:
        client.fire("GET", "/x", 2).result(10)
    received = [event[2:] for event in events if event[1] == ev.RECEIVED]
    assert sorted(number for number, _, _ in received) == [1, 2]
    assert all(error is not None and error.partition(":")[0].endswith("Error") for _, _, error in received)


def test_another_status(events: list[ev.Event]) -> None:
    """An answer of the server is not an error, whatever its status."""
    with peer(ANSWER.replace(b"200 OK", b"503 Busy")) as server, firing(server.url, events) as client:
        client.fire("GET", "/x", 1).result(10)
    assert [event[2:] for event in events if event[1] == ev.RECEIVED] == [(1, 503, None)]


def test_what_a_timer_says(events: list[ev.Event]) -> None:
    """The time that a middleware has written into the answer is an event, before the end of the request."""
    answer = ANSWER.replace(b"Connection", b"X-Process-Time: 0.012\r\nConnection")
    with peer(answer) as server, firing(server.url, events) as client:
        client.fire("GET", "/x", 1).result(10)
    assert [event[1] for event in events] == [ev.SENT, ev.CLAIMED, ev.RECEIVED]
    assert events[1][2:] == (1, 12_000_000, "X-Process-Time")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-process-time": "0.2"}, (200_000_000, "X-Process-Time")),
        ({"server-timing": "db;dur=3, total;dur=12.5"}, (12_500_000, "Server-Timing")),
        ({"server-timing": 'app;desc="it";dur="7"'}, (7_000_000, "Server-Timing")),
        ({"server-timing": "db;dur=3, app;dur=4"}, None),
        ({"server-timing": "cache"}, None),
        ({"x-process-time": "soon", "server-timing": "app;dur=1"}, (1_000_000, "Server-Timing")),
        *[({"x-process-time": text}, None) for text in ("", "nan", "inf", "-1", "1e300", "99999999")],
        ({}, None),
    ],
)
def test_headers_of_timers(headers, found) -> None:
    """A time is taken from a header only if it is one, and if it is clear which of several is meant."""
    assert claimed(headers) == found


def test_stopping_during_requests(events: list[ev.Event]) -> None:
    """Stopping cancels the requests that are not answered, at once, and leaves nothing open."""
    with peer(hold=True) as server:
        with firing(server.url, events) as client:
            future = client.fire("GET", "/x", 5)
            deadline = time.monotonic() + 8
            while len(server.requests) < 5 and time.monotonic() < deadline:
                time.sleep(0.005)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert future.done()


@pytest.mark.slow  # and so not with the lowest version of AnyIO, which itself leaves connections open
@pytest.mark.parametrize("gives_up", [False, True])
def test_stopping_while_it_connects(events: list[ev.Event], monkeypatch, gives_up: bool) -> None:
    """No coroutine is left that was never awaited, and no connection open, whenever it is stopped."""
    gc.collect()  # what other tests have left
    left: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda wrong: left.append(str(wrong.exc_value)))
    with peer(hold=True) as server:
        for number in range(12):
            with firing(server.url, events) as client:
                client.prepare()
                client.load("GET", "/x", 500)
                client.fire("GET", "/x", 20)
                time.sleep(0.002 * number)
                if gives_up:
                    client.give_up()
            del client
    gc.collect()
    assert left == []


def test_never_started(events: list[ev.Event]) -> None:
    """Stopping what was never started leaves nothing open."""
    client = Client("http://127.0.0.1:1", events.append, itertools.count(1), lambda _: {}, ignore)
    client.stop()
    assert events == []
