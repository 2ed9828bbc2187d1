"""Requests whose calls wait for threads, by hand. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.stream import events as ev
from loopviz.stream.events import Event, PoolKind
from tests import streams
from tests.findings.bursts import ends
from tests.streams import ns

__all__ = ["called", "rounds", "waiting"]


def called(at: float, number: int, request: int, thread: int, file: str, line: int, function: str) -> Event:
    """A call of a request begins in a thread; its number is also that of its task."""
    return (ns(at), ev.CALL, number, request, request, thread, file, line, function)


def waiting(at: float, request: int, pool: int = 1) -> list[Event]:
    """A task has to wait for a thread of a limiter."""
    return [
        (ns(at), ev.POOL_CALL, 0, request, pool),
        streams.token_wait(at, request),
        streams.suspend(at, request),
    ]


def rounds(
    count: int,
    limit: int,
    lasts: float,
    where: tuple[str, int, str],
    kind: PoolKind = "default-limiter",
) -> list[Event]:
    """`count` requests, of which `limit` have a thread at a time, for so long (ms) each."""
    events: list[Event] = [streams.pool(0, 1, kind, size=limit), streams.tokens(0, limit, 0, 0)]
    for number in range(1, count + 1):
        events.append(streams.step(4, number))
        if number <= limit:
            events += [called(5, number, number, 100 + number, *where), streams.suspend(5, number)]
        else:
            events += waiting(5, number)
    events += [streams.tokens(5, limit, min(limit, count), max(0, count - limit)), streams.idle(6)]
    for number in range(1, count + 1):
        turn, seat = divmod(number - 1, limit)
        at = 5 + lasts * (turn + 1)
        if turn:
            began = 5 + lasts * turn + 0.5
            events += [streams.wake(began, number), streams.step(began, number)]
            events += [called(began, number, number, 101 + seat, *where), streams.suspend(began, number)]
        events += [streams.returns(at, number), streams.step(at + 0.2, number), *ends(at + 0.3, number)]
    return in_order(events)


def in_order(events: Sequence[Event]) -> list[Event]:
    """The events in the order of their time."""
    return sorted(events, key=lambda event: event[0])
