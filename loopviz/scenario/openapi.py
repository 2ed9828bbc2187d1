"""What an application's OpenAPI document says of an endpoint: what it requires, and the values given for it.

A value is taken where the document has one: an example, a default, a constant, or the first of an
enumeration. None is made up from a type; but what a type suggests is there to be confirmed.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["NOTHING", "Body", "Operation", "Parameter", "document_of", "operation_in", "operation_of"]

NOTHING: Final = object()
"""No value: None is one, in JSON."""

_DEPTH: Final = 30
"""How many levels of a schema are followed: a schema may contain itself."""
_MOST: Final = 5_000
"""How many schemas are read for one endpoint: what contains itself twice has no end in practice."""
_LONGEST: Final = 200
"""The longest text that is made up."""
_FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1S",
    "email": "somebody@example.com",
    "ipv4": "127.0.0.1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""A text for each usual format."""
_KINDS: Final = ("application/json", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Parameter:
    """A parameter that an endpoint requires."""

    name: str
    place: str
    """``path``, ``query``, ``header`` or ``cookie``."""
    value: Any
    """The document's; `NOTHING` if it has none."""
    likely: Any = NOTHING
    """The same, or else a value of its type."""


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
    likely: Any = NOTHING
    """The document's value, or else one made up from the types."""


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
        document = document_of(app)
    except Exception as error:
        return Operation(unknown=f"its openapi() raises {type(error).__name__}")
    return operation_in(document, method, path)


def operation_in(document: Any, method: str, path: str) -> Operation:
    """What a document says of a method and a path with its parameters in braces."""
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
            likely = reader.likely(parameter.get("schema")) if value is NOTHING else value
            found.setdefault((place, name), Parameter(name, place, value, likely))
    return Operation(tuple(found.values()), reader.body(operation.get("requestBody")))


def document_of(app: object) -> Any:
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
            return Body(kind, value, (), likely=value)
        schema = content.get("schema")
        value, lacking = self._read(schema, _DEPTH, "")
        fields = map(str, _sequence(self.resolved(schema), "required"))
        likely = self.likely(schema) if value is NOTHING else value
        return Body(kind, value, tuple(name for name in lacking if name), tuple(fields), likely)

    def likely(self, schema: Any, depth: int = _DEPTH) -> Any:
        """The value that a schema gives for itself, or else one of its type."""
        value = self.value(schema)
        if value is not NOTHING:
            return value
        schema = self.resolved(schema)
        self._left -= 1
        if depth and self._left > 0:
            for word in ("anyOf", "oneOf", "allOf"):
                for choice in _sequence(schema, word):
                    value = self.likely(choice, depth - 1)
                    if value is not NOTHING:
                        return value
            properties = schema.get("properties")
            if isinstance(properties, Mapping):
                required = map(str, _sequence(schema, "required"))
                made = {name: self.likely(properties.get(name), depth - 1) for name in required}
                return {name: value for name, value in made.items() if value is not NOTHING}
            if schema.get("type") == "array":
                item = self.likely(schema.get("items"), depth - 1) if schema.get("minItems") else NOTHING
                return [] if item is NOTHING else [item]
        return _of_type(schema)

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


def _of_type(schema: Mapping[str, Any]) -> Any:
    """A value of a simple type, within its limits where that is easy."""
    kind = schema.get("type")
    if isinstance(kind, list | tuple):
        kind = next((one for one in kind if one != "null"), None)
    if kind in {"integer", "number"}:
        least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
        if isinstance(least, int | float) and least >= 1:
            return least + ("minimum" not in schema)
        return most if isinstance(most, int | float) and most < 1 else 1
    if kind == "string":
        text = _FORMATS.get(str(schema.get("format")), "string")
        least, most = schema.get("minLength"), schema.get("maxLength")
        if isinstance(least, int) and len(text) < least <= _LONGEST:
            text = text.ljust(least, "g")
        return text[:most] if isinstance(most, int) and most > 0 else text
    simple: dict[Any, Any] = {"boolean": True, "object": {}}
    return simple.get(kind, NOTHING)


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
