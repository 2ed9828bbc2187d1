"""What a watched process sends to its viewers: all of it to each, but it waits for none."""

from __future__ import annotations

import socket
from contextlib import suppress

from loopviz.agent.reporter import Reporter
from loopviz.agent.viewer import Viewer
from loopviz.stream.events import CALL, Event
from loopviz.stream.source import Vitals
from loopviz.wire.frames import Decoder
from loopviz.wire.messages import EVENTS

ROUND = 200
"""Events of a round: with a text of 10,000 characters in each, two megabytes."""


def read(sock: socket.socket, decoder: Decoder) -> tuple[int, int]:
    """How many events a viewer finds now, and how many it is said to have missed."""
    found = dropped = 0
    sock.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            for message in decoder.feed(sock.recv(1 << 20)):
                if message[0] == EVENTS:
                    found, dropped = found + len(message[1]), message[3]
    return found, dropped


def test_a_viewer_that_hangs_costs_its_own_events_only():
    """Its events are dropped and counted when its outbox is full; another viewer gets all of them."""
    texts = (f"{number}{'x' * 10_000}" for number in range(ROUND))  # equal ones would be sent once
    events: list[Event] = [(1, CALL, 1, 1, 1, 1, text, 1, "f") for text in texts]
    reporter = Reporter(lambda: list(events), lambda: Vitals(0, 0, 0, ()), list, {})
    hangs, its = socket.socketpair()
    reads, others = socket.socketpair()
    hanging, reading = Viewer(its), Viewer(others)
    with hangs, reads:
        reporter.add(hanging)
        reporter.add(reading)
        seen, decoder = 0, Decoder()
        for _ in range(20):
            reporter._round()
            while True:  # its outbox is sent as it reads
                more, dropped = read(reads, decoder)
                seen += more
                if not more and not reading._outbox:
                    break
                reading.flush()
            assert dropped == 0
        assert seen == 20 * ROUND
        assert hanging.full
        assert hanging.dropped >= ROUND
        events.clear()
        found, decoder = 0, Decoder()
        while hanging._outbox:
            found += read(hangs, decoder)[0]
            hanging.flush()
        reporter._said = 0.0
        reporter._round()
        more, dropped = read(hangs, decoder)
        assert found + more + hanging.dropped == 20 * ROUND
        assert dropped == hanging.dropped
        for viewer in (hanging, reading):
            viewer.close()
