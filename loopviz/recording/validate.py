"""The lines of events in a recording, checked against the schema of events.

A recording may come from anywhere, so each value is checked before it is used. What is checked is
derived from `loopviz.stream.schema` once, when this module is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import islice, product
from typing import Any

from loopviz.clock import NS
from loopviz.recording.format import LARGEST, LONGEST_TEXT, FormatError, well_formed
from loopviz.stream.events import Event
from loopviz.stream.schema import SCHEMA, Kind
from loopviz.stream.several import marks, parted

__all__ = ["parse_line"]

_MOST_TEXTS = 20_000
_UNUSUAL = re.compile(rb"[0-9]{19}|[\[,]\s*-|\\u[dD]")
"""Found in a line if a number in it is large or negative, or if it may have an unpaired surrogate."""

_FIRST = 2
"""The index of an event's first field, after its time and its kind."""


def _shapes(kind: Kind) -> frozenset[tuple[type, ...]]:
    """The types that the values of an event of this kind may have: one look-up checks them all."""
    return frozenset((int, str, *types) for types in product(*(field.types for field in kind.fields)))


def _check(kind: Kind) -> Callable[[list[Any]], None] | None:
    """The check of what types do not say: numbers of at least 1, and all of `_check_others`."""
    others = _check_others(kind)
    numbers = [
        (i, field.name, field.field.least)
        for i, field in enumerate(kind.fields, _FIRST)
        if field.field.least > 0 and not field.field.past
    ]
    if not numbers:
        return others

    def check(values: list[Any]) -> None:
        for i, name, least in numbers:
            if values[i] < least:
                raise FormatError(f"an event {kind.name!r} has a {name} that is less than {least}")
        if others is not None:
            others(values)

    return check


def _check_others(kind: Kind) -> Callable[[list[Any]], None] | None:
    """The check of moments in the past, and of texts of a fixed set."""
    past = [(i, field.field.least) for i, field in enumerate(kind.fields, _FIRST) if field.field.past]
    choices = [(i, frozenset(field.choices)) for i, field in enumerate(kind.fields, _FIRST) if field.choices]
    if not past and not choices:
        return None
    if len(past) == 2 and not choices:  # `ran`, the most frequent kind: a loop would cost 2 % of reading
        (one, least_of_one), (other, least_of_other) = past

        def check_two(values: list[Any]) -> None:
            if not (least_of_one <= values[one] <= values[0] >= values[other] >= least_of_other):
                raise FormatError(f"an event {kind.name!r} ends before it begins")

        return check_two

    def check(values: list[Any]) -> None:
        for i, least in past:
            if not least <= values[i] <= values[0]:
                raise FormatError(f"an event {kind.name!r} ends before it begins")
        for i, allowed in choices:
            if values[i] not in allowed:
                raise FormatError(f"an event {kind.name!r} has an unknown {kind.fields[i - _FIRST].name}")

    return check


_RULES = {kind.name: (_shapes(kind), kind.about.keeps_texts, _check(kind)) for kind in SCHEMA.values()}
"""Of each kind: its shapes, whether equal texts are shared, and its check."""
_RULES.update({marked: _RULES[kind] for marked, kind, _ in marks(SCHEMA)})
_NEGATIVE = {
    (kind.name, i): field.field.least
    for kind in SCHEMA.values()
    for i, field in enumerate(kind.fields, _FIRST)
    if field.field.least < 0
}
"""The few fields that may be negative, and their smallest value."""


def parse_line(line: bytes, texts: dict[str, str]) -> tuple[int, list[Event], int]:
    """The events in a line of a recording.

    Returns when they were taken in (ns), those of known kinds, and how many there are in all.
    `texts` holds the texts that have been read before, so that equal ones are kept once.

    Raises:
        FormatError: The line holds anything else.
    """
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        raise FormatError("it is not JSON") from None
    if type(parsed) is not list or not parsed or type(parsed[0]) is not int:
        raise FormatError("it is not a list that begins with a time")
    if len(line) > LONGEST_TEXT or _UNUSUAL.search(line):
        parsed = [parsed[0], *map(_bounded, parsed[1:])]
    seen = parsed[0]
    if not 0 < seen <= LARGEST:
        raise FormatError("its time is out of range")
    if len(parsed) < 2:
        raise FormatError("it has no events")  # or a small archive would stand for hours of nothing
    if len(texts) > _MOST_TEXTS:
        texts.clear()
    return seen, _events(parsed, seen + NS, texts), len(parsed) - 1


def _events(line: list[Any], latest: int, texts: dict[str, str]) -> list[Event]:
    rules, same, found = _RULES, texts.setdefault, []
    for values in islice(line, 1, None):
        try:
            rule = rules.get(values[1])
        except (IndexError, KeyError, TypeError):
            raise FormatError("an event is not a list of a time, a kind and fields") from None
        if rule is None:
            continue  # a kind of a later version
        shapes, keeps_texts, check = rule
        if tuple(map(type, values)) not in shapes:
            raise FormatError(f"an event {values[1]!r} has the wrong fields")
        if not 0 < values[0] <= latest:
            raise FormatError(f"the time of an event {values[1]!r} is out of range")
        if check is not None:
            check(values)
        if keeps_texts:
            values = [same(value, value) if type(value) is str else value for value in values]  # noqa: PLW2901
        event: Any = tuple(values)
        found.append(event)
    return found


def _bounded(values: Any) -> Any:
    """An event with texts and numbers of limited size, and well-formed texts."""
    if type(values) is not list:
        return values
    kind = parted(values[1])[0] if len(values) > 1 and type(values[1]) is str else ""
    for i, value in enumerate(values):
        if type(value) is int:
            if value < 0 and value < _NEGATIVE.get((kind, i), 0):
                raise FormatError("a number is negative")
            values[i] = min(value, LARGEST)
        elif type(value) is str:
            values[i] = well_formed(value, LONGEST_TEXT)
    return values
