"""What a process has reported so far, as far as that must be known when it falls silent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from loopviz.agent.blackbox import Noted
from loopviz.stream.events import CALL, IDLE, ITERATION, RAN, RETURN, STEP, THREAD, WAITED, Event

__all__ = ["Heard"]

_KEPT = 1_000_000_000
"""How long (ns) events are remembered, and those that were replaced are expected."""
_RECENT = 500_000_000
"""What is older than this (ns) when the process falls silent was sent before."""


class Heard:
    """Remembers the latest events of a process, and replaces those that it could not send."""

    def __init__(self) -> None:
        self.loop = 0
        """The number of the loop's thread."""
        self.iterates = False
        """Whether the process says when its loop sleeps and when it goes on; uvloop does not."""
        self.idle = False
        """Whether the loop sleeps, by what was reported or concluded last."""
        self.calls: dict[int, tuple[Any, ...]] = {}
        """The call that each worker thread executes: the event, by the thread's number."""
        self.until = 0
        """Up to when (ns) the loop's idle times and iterations are replaced."""
        self.waited: tuple[int, int] | None = None
        """What the latest reading said that the loop's thread has waited for a core, and the sampler (ns)."""
        self._threads: dict[int, int] = {}  # the thread of each call
        self._sent: deque[tuple[int, list[Event]]] = deque()
        self._replaced: set[tuple[Any, ...]] = set()
        self._expected = 0  # until when the events that were replaced can come

    def take(self, now: int, events: list[Event]) -> list[Event]:
        """Remember events that the process has sent; returns those that were not replaced."""
        if self._replaced:
            events = [event for event in events if not self._has(event)]
            if not self._expected:
                self._expected = now + _KEPT
            elif now > self._expected:
                self._replaced.clear()
                self._expected = 0
        self.iterates = self.iterates or any(event[1] in {IDLE, ITERATION} for event in events)
        sent = self._sent
        sent.append((now, events))
        while sent[0][0] < now - _KEPT:
            sent.popleft()
        self._learn(events)
        return events

    def replace(self, heard: int, noted: Noted) -> list[Event]:
        """The events that the process has noted in its black box and has not sent, up to the present step.

        `heard` is when it was heard last.
        """
        since = heard - _RECENT
        known = {_key(event) for at, events in self._sent if at > since for event in events}
        new = [event for event in noted.events if event[0] > since and _key(event) not in known]
        self._replaced.update(map(_key, new))
        self._expected = 0
        self._sent.append((heard, list(new)))  # it may fall silent again soon
        step, began = noted.step, [event[4] for event in new if event[1] == RAN]
        if step is not None:
            new.append((step.began, STEP, step.task))
            began.append(step.began)
        if began and self.idle:
            new.append((min(began), ITERATION))
        # A step begins an iteration that is not known otherwise: equal times keep this order.
        new.sort(key=lambda event: (event[0], event[1] != ITERATION))
        self.until = max([heard, *(event[0] for event in new)])
        self._learn(new)
        return new

    def _has(self, event: Event) -> bool:
        if event[1] in {IDLE, ITERATION}:
            return event[0] <= self.until
        return _key(event) in self._replaced

    def _learn(self, events: Iterable[tuple[Any, ...]]) -> None:
        for event in events:
            kind = event[1]
            if kind in {RAN, ITERATION, STEP}:
                self.idle = False
            elif kind == IDLE:
                self.idle = True
            elif kind == CALL:
                self.calls[event[5]] = event
                self._threads[event[2]] = event[5]
            elif kind == RETURN:
                self.calls.pop(self._threads.pop(event[2], 0), None)
            elif kind == WAITED and event[2] == self.loop:
                self.waited = event[3], event[4]
            elif kind == THREAD and event[3] == "loop":
                self.loop = event[2]


def _key(event: Event) -> tuple[Any, ...]:
    """By what an event is recognised; a step by its task and its begin."""
    raw = cast("tuple[Any, ...]", event)
    return (RAN, raw[2], raw[4]) if raw[1] == RAN else raw[:3]
