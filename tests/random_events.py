"""Random valid events, made from the schema: for every kind, whatever kinds there are."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import strategies as st

from loopviz.stream import events as ev
from loopviz.stream.events import Event, of_worker
from loopviz.stream.schema import SCHEMA, FieldSchema, Kind
from tests.streams import MS, ZERO

times = st.integers(ZERO, ZERO + 400 * MS) | st.integers(ZERO, ZERO + 40)
"""Moments that are close to each other, and often equal."""
_texts = st.sampled_from(["", "a", "b"])


def _values(field: FieldSchema, *, subject: bool) -> st.SearchStrategy[Any]:
    """Values of a field, from so few that events refer to each other; `subject`: of a kind's first field."""
    about = field.field
    values: st.SearchStrategy[Any]
    if field.choices:
        values = st.sampled_from(field.choices)
    elif str in field.types:
        values = _texts
    elif about.unit == "clock":
        values = st.just(0) | times
    elif about.unit == "ns":
        values = st.integers(0, 400 * MS)
    elif field.name == "status":
        values = st.just(200)
    else:
        values = st.integers(1 if subject and field.name == "request" else about.least, 4)
    return st.none() | values if type(None) in field.types else values


def _past(t: int, field: FieldSchema) -> st.SearchStrategy[int]:
    """Moments that are not after `t`."""
    past = st.integers(t - 40 * MS, t)
    return past if field.field.least else st.just(0) | past


@st.composite
def _with_past(draw: st.DrawFn, kind: Kind) -> Event:
    t = draw(times)
    values = [
        draw(_past(t, field) if field.field.past else _values(field, subject=i == 0))
        for i, field in enumerate(kind.fields)
    ]
    return cast(Event, (t, kind.name, *values))


def _of_kind(kind: Kind) -> st.SearchStrategy[Any]:
    if any(field.field.past for field in kind.fields):
        return _with_past(kind)
    values = (_values(field, subject=i == 0) for i, field in enumerate(kind.fields))
    return st.tuples(times, st.just(kind.name), *values)


def _of_any_worker(event: st.SearchStrategy[Event]) -> st.SearchStrategy[Event]:
    """Most events are those of a server that is one process; see `loopviz.stream.several`."""
    workers = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2])
    return st.tuples(event, workers).map(lambda pair: of_worker(pair[:1], pair[1])[0])


any_event: st.SearchStrategy[Event] = st.one_of([_of_kind(kind) for kind in SCHEMA.values()])
"""Events of all kinds, as a probe emits them."""
any_events = st.lists(any_event, max_size=80)
expanded_event: st.SearchStrategy[Event] = st.one_of(
    [_of_kind(kind) for kind in SCHEMA.values() if kind.name != ev.RAN]
)
"""Events of all kinds that a timeline is fed with."""
expanded_events = st.lists(expanded_event, max_size=80) | st.lists(
    _of_any_worker(expanded_event), max_size=80
)
