"""A server with three workers, by events: b is held while a is idle, and c has threads."""

from __future__ import annotations

from loopviz.model import Timeline
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.streams import (
    call,
    cpu,
    fired,
    holds,
    idle,
    iteration,
    made,
    ns,
    read,
    sent,
    step,
    submit,
    suspend,
    thread,
    timeline,
    tokens,
    worker,
)
from tests.streams import of_worker as of

__all__ = ["BASES", "scene_of_workers", "three_workers"]

BASES = [0, 1 << 48, 2 << 48]
"""What each worker adds to its numbers."""


def three_workers(until: float = 900) -> Timeline:
    """The timeline of the scene."""
    return timeline(scene_of_workers(until))


def scene_of_workers(until: float = 900) -> list[Event]:
    """Eight requests: two in a are over, b has four, of which one holds its loop, c has two in threads."""
    _, b, c = BASES
    events: list[Event] = [worker(0, n, 100 + n) for n in range(3)]
    for n in range(3):
        events += of(n, thread(0, BASES[n] + 1, "loop"), tokens(0, 40, 0, 0), iteration(1), idle(2))
    events += [fired(10, count=8), *(sent(20, number) for number in range(1, 9))]
    for number in (1, 2):
        events += [iteration(21), read(21, number), made(21, number, number), step(22, number)]
        events += [suspend(24, number), idle(25), iteration(300), step(301, number)]
        events += [(ns(302), ev.STATUS, number, 200), (ns(302), ev.RESPONDED, number)]
        events += [(ns(303), ev.END, number), idle(304)]
    events += of(1, iteration(21), *(read(21 + n / 10, 3 + n) for n in range(4)))
    events += of(1, *(made(22, b + 3 + n, 3 + n) for n in range(4)), step(30, b + 3))
    events += of(1, *(holds(at, b + 3, 30, calls="time.sleep") for at in range(60, round(until), 20)))
    events += of(1, *(cpu(at, b + 1, 0.1) for at in range(30, round(until), 100)))
    for n in range(2):
        mine, number = c + 7 + n, 7 + n
        events += of(2, iteration(21), read(21, number), made(21, mine, number), step(22, mine))
        events += of(2, submit(23, mine, mine, number), suspend(24, mine), idle(25))
        events += of(2, thread(26, c + 20 + n), call(26, mine, mine, number, c + 20 + n))
        events += of(2, tokens(26 + n, 40, 1 + n, 0))
    events += [one for at in range(100, round(until), 100) for one in (iteration(at), idle(at + 0.2))]
    return sorted(events, key=lambda event: event[0])
