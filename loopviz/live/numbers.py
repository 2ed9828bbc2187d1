"""The numbers that a server in another process has counted itself.

The session's own client numbers its requests before the server reads them. A process cannot know which
numbers are free, so it gives other clients' requests large ones, and they are replaced here when their READ
arrives. Several processes that all count their tasks, calls, threads and pools from 1 are kept apart by
`shifted`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from loopviz.stream.events import READ, Event
from loopviz.stream.schema import SCHEMA

__all__ = ["FOREIGN", "Renumber", "shifted"]

FOREIGN: Final = 1 << 40
"""The first of the numbers that a process gives other clients' requests."""
_KEPT: Final = 100_000
"""So many requests are remembered; an event of an older one keeps its large number."""

_PLACES: Final = {
    kind.name: index
    for kind in SCHEMA.values()
    for index, field in enumerate(kind.fields, 2)
    if field.name == "request"
}
"""Where in an event the number of a request is, by kind."""
_SHARED: Final = {"request", "callback"}
"""Numbers that are not a process's own: those of requests are replaced, and callbacks are distinguished only
from the ones before and after them."""
_OWN: Final = {
    kind.name: places
    for kind in SCHEMA.values()
    if (
        places := tuple(
            index
            for index, field in enumerate(kind.fields, 2)
            if field.field.unit == "number" and field.name not in _SHARED
        )
    )
}
"""Where in an event the numbers of tasks, calls, threads and pools are, by kind."""


def shifted(events: list[Event], base: int) -> list[Event]:
    """The same events, with the numbers of tasks, calls, threads and pools raised by `base`; 0 stays 0."""
    if not base:
        return events
    own = _OWN
    raised: list[Event] = []
    for event in events:
        places = own.get(event[1])
        if places is None:
            raised.append(event)
            continue
        fields: list[Any] = list(event)
        for place in places:
            if fields[place]:
                fields[place] += base
        raised.append(cast("Event", tuple(fields)))
    return raised


class Renumber:
    """Gives the foreign requests of one process numbers of the session's."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._known: dict[int, int] = {}

    def events(self, events: list[Event]) -> list[Event]:
        """The same events, with the numbers of the session."""
        places = _PLACES
        renamed: list[Event] = []
        for event in events:
            place = places.get(event[1])
            if place is None or event[place] < FOREIGN:  # type: ignore[operator]  # the schema says: a number
                renamed.append(event)
            else:
                renamed.append(self._renamed(event, place))
        return renamed

    def _renamed(self, event: Event, place: int) -> Event:
        foreign: int = event[place]  # type: ignore[assignment]
        known = self._known
        number = known.get(foreign)
        if number is None:
            if event[1] != READ:  # of a request that is older than the connection, or long over
                number = foreign
            else:
                number = known[foreign] = next(self._numbers)
                if len(known) > _KEPT:
                    del known[next(iter(known))]
        return (*event[:place], number, *event[place + 1 :])  # type: ignore[return-value]
