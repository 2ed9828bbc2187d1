"""The schema of events, as a table: derived from the types in `loopviz.stream.events`.

The reader of recordings, the tests and ``docs/events.md`` are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from loopviz.stream.events import Event
from loopviz.stream.fields import About, Field

__all__ = ["SCHEMA", "TIME", "FieldSchema", "Kind"]


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """A field, and which values it may have."""

    field: Field
    types: tuple[type, ...]
    """``int`` or ``str``, and ``NoneType`` if it may be None."""
    choices: tuple[str, ...]
    """All texts that it may be; empty if any text is allowed."""

    @property
    def name(self) -> str:
        """The name. The timeline's handlers use it for their parameters, except `number` for the subject."""
        return self.field.name


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: ``(t, name, *fields)``."""

    name: str
    about: About
    fields: tuple[FieldSchema, ...]


def _field(declared: Any) -> FieldSchema:
    kind, field = get_args(declared)
    if get_origin(kind) is Literal:
        return FieldSchema(field, (str,), get_args(kind))
    types = tuple(NoneType if part is None else part for part in get_args(kind)) or (kind,)
    return FieldSchema(field, types, ())


def _kind(declared: Any) -> Kind:
    shape, about = get_args(declared)
    _, name, *fields = get_args(shape)
    return Kind(get_args(name)[0], about, tuple(map(_field, fields)))


SCHEMA: Final[dict[str, Kind]] = {kind.name: kind for kind in map(_kind, get_args(Event))}
"""All kinds of events, by name."""

TIME: Final = _field(get_args(get_args(get_args(Event)[0])[0])[0])
"""The field ``t``, with which every event begins."""
