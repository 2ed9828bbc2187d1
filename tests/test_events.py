"""One schema of events: the probe emits it, a recording is checked against it, the timeline handles it."""

from __future__ import annotations

import inspect
import json
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from hypothesis import given

from loopviz.model import Timeline
from loopviz.recording.format import FormatError
from loopviz.recording.validate import parse_line
from loopviz.stream import events as ev
from loopviz.stream.events import Event, expand
from loopviz.stream.schema import SCHEMA, FieldSchema, Kind
from tests.probe_support import Served
from tests.random_events import any_events
from tests.streams import ns

ROOT = Path(__file__).parent.parent
T = ns(1)
kinds = pytest.mark.parametrize("kind", SCHEMA.values(), ids=SCHEMA)
fields = pytest.mark.parametrize(
    ("kind", "index"),
    [
        pytest.param(kind, index, id=f"{kind.name}-{field.name}")
        for kind in SCHEMA.values()
        for index, field in enumerate(kind.fields)
    ],
)


def accepted(*events: Any) -> list[Event]:
    """The events, once a reader of recordings has checked them."""
    _, found, count = parse_line(json.dumps([T, *events]).encode(), {})
    assert count == len(events)
    return found


def valid(kind: Kind) -> list[Any]:
    """An event of this kind, as a list."""
    return [T, kind.name, *map(_valid, kind.fields)]


def _valid(field: FieldSchema) -> Any:
    if str in field.types:
        return field.choices[0] if field.choices else "some text"
    return max(1, field.field.least)


# -- the schema ----------------------------------------------------------------------------------


def test_every_constant_is_a_kind_and_every_kind_a_constant():
    """The names that hooks emit are those of the types, and two kinds never share one."""
    constants = {name: value for name, value in vars(ev).items() if name.isupper() and name[0] != "_"}
    assert sorted(constants.values()) == sorted(SCHEMA)


@kinds
def test_a_kind_is_described_and_its_fields_have_names_of_their_own(kind):
    """The documentation has a sentence for every kind, and parameters can be named after the fields."""
    assert kind.about.meaning.endswith(".")
    assert kind.about.since >= 1
    names = ["t", *(field.name for field in kind.fields)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_the_documentation_is_generated_from_the_schema():
    """docs/events.md is what docs/events.py writes; run that script after a change of the schema."""
    written = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(ROOT / "docs/events.py"))["text"]()


def test_a_type_checker_finds_an_event_with_wrong_fields(tmp_path):
    """An event of the schema is accepted, and mypy refuses a wrong type, number of fields, kind or choice."""
    file = tmp_path / "hook.py"
    file.write_text(
        "from loopviz.stream.buffer import Buffer\n"
        "from loopviz.stream.events import SENT, STATUS, THREAD\n"
        "emit = Buffer().emit\n"
        'emit((1, SENT, 1, "GET", "/"))\n'
        'emit((1, STATUS, 1, "200"))\n'
        "emit((1, STATUS, 1))\n"
        'emit((1, "stats", 1, 200))\n'
        'emit((1, THREAD, 1, "pool"))\n'
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", tmp_path, file]
    done = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    lines = [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line]
    assert lines == ["5", "6", "7", "8"], done.stdout + done.stderr


# -- the timeline --------------------------------------------------------------------------------


@kinds
def test_every_kind_is_handled_or_expanded(kind):
    """The timeline has a handler for every kind but `ran`, and for what `expand` replaces that with."""
    handlers = Timeline()._handlers
    event: Any = tuple(valid(kind))
    assert {found[1] for found in expand([event])} <= set(handlers)
    assert set(handlers) <= set(SCHEMA)


@pytest.mark.parametrize("name", [name for name in SCHEMA if name != ev.RAN])
def test_a_handler_takes_the_fields_of_its_kind(name):
    """Its parameters have the names and types of the schema; a kind's subject may be called `number`."""
    kind = SCHEMA[name]
    time_, *parameters = inspect.signature(Timeline()._handlers[name], eval_str=True).parameters.values()
    assert (time_.name, time_.annotation) == ("t", int)
    assert len(parameters) == len(kind.fields)
    for index, (parameter, field) in enumerate(zip(parameters, kind.fields, strict=True)):
        is_subject = index == 0 and field.field.unit == "number"
        assert parameter.name in {field.name, "number" if is_subject else field.name}
        expected = field.types[0] if len(field.types) == 1 else field.types[0] | None
        assert parameter.annotation == expected


# -- recordings ----------------------------------------------------------------------------------


@given(any_events)
def test_a_reader_accepts_every_valid_event(events):
    """Whatever the schema allows is read from a recording as it was written."""
    line = json.dumps([max([event[0] for event in events], default=T), *events]).encode()
    if events:
        assert parse_line(line, {}) == (max(event[0] for event in events), events, len(events))


@kinds
def test_a_reader_refuses_an_event_with_another_number_of_fields(kind):
    """A field is never missing, and there is none too many."""
    assert accepted(valid(kind)) == [tuple(valid(kind))]
    for wrong in (valid(kind)[:-1], [*valid(kind), 1]):
        with pytest.raises(FormatError):
            accepted(wrong)


@fields
def test_a_reader_refuses_a_field_of_another_type(kind, index):
    """A field has the types of the schema; a boolean is no integer, and null only where it is allowed."""
    field = kind.fields[index]
    others: list[Any] = [1, "a", None, True, 1.5, [], {}]
    for value in others:
        event = valid(kind)
        event[2 + index] = value
        if type(value) in field.types and value in (field.choices or (value,)):
            assert accepted(event) == [tuple(event)]
        else:
            with pytest.raises(FormatError):
                accepted(event)


@fields
def test_a_reader_refuses_a_value_out_of_range(kind, index):
    """An integer is not below its smallest value, and a moment in the past is not after the event."""
    field, event = kind.fields[index], valid(kind)
    wrong: list[Any] = []
    if int in field.types:
        event[2 + index] = field.field.least
        assert accepted(event) == [tuple(event)]
        wrong.append(field.field.least - 1)
    if field.field.past:
        event[2 + index] = T
        assert accepted(event) == [tuple(event)]
        wrong.append(T + 1)
    if field.choices:
        wrong.append(f"{field.choices[0]}s")
    for value in wrong:
        event[2 + index] = value
        with pytest.raises(FormatError):
            accepted(event)


def test_equal_texts_that_a_timeline_keeps_are_read_once():
    """The texts of two events are the same object, where the schema says that a timeline keeps them."""
    for kind in SCHEMA.values():
        one, other = accepted(valid(kind), valid(kind))
        pairs = [(a, b) for a, b in zip(one[2:], other[2:], strict=True) if type(a) is str]
        if kind.about.keeps_texts:
            assert pairs
            assert all(a is b for a, b in pairs)


# -- the probe -----------------------------------------------------------------------------------


def test_what_the_probe_emits_conforms_to_the_schema():
    """Every event of a server that awaits, blocks, fails and uses a thread is accepted by a reader."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await anyio.to_thread.run_sync(time.sleep, 0.1)
        await anyio.to_thread.run_sync(lambda: time.sleep(0.1))
        await anyio.sleep(0.1)
        time.sleep(0.1)
        if scope["path"] == "/fails":
            raise ValueError("as wanted")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with Served(app, threads=1) as served:
        emitted: list[Event] = []
        drain = served.buffer.drain

        def recorded() -> list[Event]:
            events = drain()
            emitted.extend(events)
            return events

        served.buffer.drain = recorded  # type: ignore[method-assign]
        served.get_all(["/", "/", "/fails"])
        served.settle(3)
    assert served.probe.failures == []
    assert {type(event) for event in emitted} == {tuple}
    seen = max(event[0] for event in emitted)
    _, found, _ = parse_line(json.dumps([seen, *emitted]).encode(), {})
    assert found == emitted
    assert {event[1] for event in emitted} >= {
        ev.READ, ev.STATUS, ev.RAISED, ev.RESPONDED, ev.TASK, ev.RAN, ev.TOKEN_WAIT, ev.TOKENS, ev.CALL,
        ev.RETURN, ev.THREAD, ev.CPU, ev.IDLE, ev.ITERATION, ev.HOLDS, ev.EXECUTES, ev.AWAITS,
        ev.WITHIN, ev.AWAITED,
    }  # fmt: skip
