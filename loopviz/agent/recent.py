"""What a viewer has to know of what was before it came: threads, pools, and open requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from loopviz.stream.events import (
    ABANDONED,
    POOL,
    RAN,
    READ,
    RESPONDED,
    STATUS,
    TASK,
    THREAD,
    TOKENS,
    Event,
)

__all__ = ["Recent"]

_LASTING: Final = frozenset({THREAD, POOL, TOKENS})
_OVER: Final = frozenset({RESPONDED, ABANDONED})
_KINDS: Final = frozenset({READ, TASK, STATUS}) | _LASTING | _OVER
_MOST: Final = 2_000
"""Requests that are kept; the oldest are removed."""


class Recent:
    """Written in the reporter's thread, read in others."""

    def __init__(self) -> None:
        self._lasting: dict[tuple[str, int], Event] = {}
        self._requests: dict[int, list[Any]] = {}

    def keep(self, events: Iterable[Any]) -> None:
        """Remember what lasts, and forget what is over."""
        for event in events:
            kind: str = event[1]
            if kind == RAN or kind not in _KINDS:  # the most frequent one, and the others
                continue
            if kind in _LASTING:
                self._lasting[kind, event[2] if kind != TOKENS else 0] = event
            else:
                self._of_request(kind, event)

    def _of_request(self, kind: str, event: Any) -> None:
        requests, number = self._requests, event[4] if kind == TASK else event[2]
        if kind == READ:
            requests[number] = [event]
            if len(requests) > _MOST:
                requests.pop(next(iter(requests)), None)
        elif kind in _OVER:
            requests.pop(number, None)
        elif number in requests and len(requests[number]) < _MOST:
            requests[number].append(event)

    def events(self) -> list[Event]:
        """What a new viewer is sent first. May be called in any thread."""
        for _ in range(20):
            try:
                lasting = list(self._lasting.values())
                open_ones = [event for events in list(self._requests.values()) for event in list(events)]
            except RuntimeError:  # it was changed meanwhile
                continue
            return [*lasting, *open_ones]
        return []
