"""What an application's OpenAPI document says of an endpoint: what it requires, and the values given for it.

A value is taken where the document has one: an example, a default, a constant, or the first of an
enumeration. None is made up from a type.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["NOTHING", "Body", "Operation", "Parameter", "operation_of"]

NOTHING: Final = object()
"""No value: None is one, in JSON."""

_DEPTH: Final = 30
"""How many levels of a schema are followed: a schema may contain itself."""
_MOST: Final = 5_000
"""How many schemas are read for one endpoint: what contains itself twice has no end in practice."""
_KINDS: Final = ("application/json", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Parameter:
    """A parameter that an endpoint requires."""

    name: str
    place: str
    """``path``, ``query``, ``header`` or ``cookie``."""
    value: Any
    """The document's; `NOTHING` if it has none."""


@dataclass(frozen=True)
class Body:
    """The body that an endpoint requires."""

    kind: str
    """Its media type."""
    value: Any
    """The document's; `NOTHING` if it has none, or not all that is required."""
    lacking: tuple[str, ...]
    """The required fields without a value, with dots between those within each other."""
    fields: tuple[str, ...] = ()
    """All fields that it requires itself, with a value or without."""


@dataclass(frozen=True)
class Operation:
    """What an endpoint requires. Optional parameters are left out: the application has defaults for them."""

    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    unknown: str | None = None
    """Why there is no document; None if there is one, or if the application does not make documents."""


def operation_of(app: object, method: str, path: str) -> Operation:
    """What the application's document says of a method and a path with its parameters in braces."""
    try:
        document = _document(app)
    except Exception as error:
        return Operation(unknown=f"its openapi() raises {type(error).__name__}")
    item = _mapping(_mapping(document, "paths"), path)
    operation = _mapping(item, method.lower())
    if not operation:
        return Operation()
    reader = _Reader(document)
    listed = [*_sequence(operation, "parameters"), *_sequence(item, "parameters")]
    found: dict[tuple[str, str], Parameter] = {}
    for parameter in map(reader.resolved, listed):
        name, place = parameter.get("name"), parameter.get("in")
        required = parameter.get("required") is True or place == "path"
        if required and isinstance(name, str) and isinstance(place, str):
            value = reader.example(parameter)
            if value is NOTHING:
                value = reader.value(parameter.get("schema"))
            found.setdefault((place, name), Parameter(name, place, value))
    return Operation(tuple(found.values()), reader.body(operation.get("requestBody")))


def _document(app: object) -> Any:
    """The application's document. It is left as it was: FastAPI keeps the first one that is asked for."""
    make = getattr(app, "openapi", None)
    if not callable(make) or inspect.iscoroutinefunction(make):
        return {}
    before = getattr(app, "openapi_schema", NOTHING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are shown when a user asks for the document
            return make()
    finally:
        if before is not NOTHING:
            with suppress(Exception):
                app.openapi_schema = before  # type: ignore[attr-defined]


class _Reader:
    """Reads values from a document."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._left = _MOST

    def resolved(self, thing: Any) -> Mapping[str, Any]:
        """The object, or the one that it refers to."""
        for _ in range(_DEPTH):
            if not isinstance(thing, Mapping):
                return {}
            reference = thing.get("$ref")
            if not isinstance(reference, str):
                return thing
            thing = self._document
            for part in reference.removeprefix("#/").split("/"):
                thing = _mapping(thing, part.replace("~1", "/").replace("~0", "~"))
        return {}

    def example(self, thing: Mapping[str, Any]) -> Any:
        """The example of a parameter or a body: the first, if there are several."""
        if "example" in thing:
            return thing["example"]
        examples = thing.get("examples")
        if isinstance(examples, Mapping):
            for example in map(self.resolved, examples.values()):
                if "value" in example:
                    return example["value"]
        return NOTHING

    def value(self, schema: Any, depth: int = _DEPTH) -> Any:
        """The value that a schema gives for itself, or that its required fields add up to."""
        return self._read(schema, depth, "")[0]

    def body(self, thing: Any) -> Body | None:
        """The body that is required, if one is."""
        body = self.resolved(thing)
        kinds = _mapping(body, "content")
        if body.get("required") is not True or not kinds:
            return None
        kind = next((kind for kind in _KINDS if kind in kinds), str(next(iter(kinds))))
        content = _mapping(kinds, kind)
        value = self.example(content)
        if value is not NOTHING:
            return Body(kind, value, ())
        value, lacking = self._read(content.get("schema"), _DEPTH, "")
        fields = map(str, _sequence(self.resolved(content.get("schema")), "required"))
        return Body(kind, value, tuple(name for name in lacking if name), tuple(fields))

    def _read(self, thing: Any, depth: int, name: str) -> tuple[Any, list[str]]:
        """The value of a schema, and the names of what has none."""
        schema = self.resolved(thing)
        for value in (*_given(thing), *_given(schema)):  # a reference may have values beside it
            return value, []
        self._left -= 1
        if depth and self._left > 0:
            for word in ("anyOf", "oneOf"):
                for choice in _sequence(schema, word):
                    value, lacking = self._read(choice, depth - 1, name)
                    if not lacking:
                        return value, []
            if len(parts := _sequence(schema, "allOf")) == 1:
                return self._read(parts[0], depth - 1, name)
            if isinstance(schema.get("properties"), Mapping):
                return self._fields(schema, depth, name)
        return NOTHING, [name]

    def _fields(self, schema: Mapping[str, Any], depth: int, name: str) -> tuple[Any, list[str]]:
        """The value of an object: of the fields that it requires."""
        made, missing = {}, []
        for field in map(str, _sequence(schema, "required")):
            within = f"{name}.{field}" if name else field
            properties = schema["properties"]
            made[field], lacking = self._read(properties.get(field), depth - 1, within)
            missing += lacking
        return (NOTHING if missing else made), missing


def _given(schema: Any) -> Iterator[Any]:
    """The values that a schema gives, the best first."""
    if not isinstance(schema, Mapping):
        return
    if "example" in schema:
        yield schema["example"]
    yield from _sequence(schema, "examples")[:1]
    if "default" in schema:
        yield schema["default"]
    if "const" in schema:
        yield schema["const"]
    yield from _sequence(schema, "enum")[:1]


def _mapping(thing: Any, key: str) -> Mapping[str, Any]:
    found = thing.get(key) if isinstance(thing, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _sequence(thing: Any, key: str) -> Sequence[Any]:
    found = thing.get(key) if isinstance(thing, Mapping) else None
    return found if isinstance(found, list | tuple) else ()
