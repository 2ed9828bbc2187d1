"""What the requests of a scenario ask for: method, real path, headers and body.

A value that the application requires is the scenario's declared one, or else the one in the application's
OpenAPI document. Where there is neither, the scenario cannot be fired, and says what it lacks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from loopviz.scenario.declaration import Scenario
from loopviz.scenario.endpoints import Endpoint, find_endpoint, first_endpoint, parameter_names
from loopviz.scenario.openapi import NOTHING, Body, Operation, operation_of

__all__ = ["Asked", "ask", "ask_endpoint", "ask_literally"]

_NAME: Final = re.compile(r"{(\w+)(?::(\w+))?}")
_NO_FACTS: Final = Scenario(title="", expect="")
_WITH_BODY: Final = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Asked:
    """What each request of a scenario asks for."""

    method: str
    path: str
    """With its query. If a value is lacking, its parameters are still in braces."""
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    body: bytes | None = None
    lacking: str | None = None
    """Two lines: which values there are none of, and how to declare them. None if it can be fired."""
    wanting: tuple[str, ...] = ()
    """What is lacking: ``the path parameter 'id'``."""


def ask(name: str, facts: Scenario, app: object, *, described: bool = True) -> Asked | None:
    """What the scenario of this name asks its application for; None if there is no endpoint to ask.

    If not `described`, the application's OpenAPI document is left alone: every value is declared.
    """
    endpoint = _endpoint(facts, app)
    if endpoint is None and facts.path is None:
        return None
    method = _method(facts, endpoint)
    operation = Operation()
    if endpoint is not None and described:
        operation = operation_of(endpoint.owner, method, endpoint.within)
    return _Request(name, facts, method, endpoint, operation).asked()


def ask_literally(facts: Scenario, method: str, path: str) -> Asked:
    """What a scenario asks for whose application is not there to be looked at; what it lacks is not known."""
    method = (facts.method or method).upper()
    asked = _Request("", facts, method, None, Operation(), facts.path or path).asked()
    return replace(asked, lacking=None)


def ask_endpoint(endpoint: Endpoint, method: str, operation: Operation) -> Asked:
    """What is asked of an endpoint, with the values that the document has of it."""
    return _Request("", _NO_FACTS, method, endpoint, operation).asked()


def _endpoint(facts: Scenario, app: object) -> Endpoint | None:
    method = facts.method and facts.method.upper()
    if facts.path is None and method is None:
        return first_endpoint(app)
    path = None if facts.path is None else _NAME.sub(r"{\1}", facts.path.partition("?")[0])
    if method is None and _has_body(facts):
        for usual in _WITH_BODY:
            if (found := find_endpoint(app, usual, path)) is not None:
                return found
    return find_endpoint(app, method, path)


def _method(facts: Scenario, endpoint: Endpoint | None) -> str:
    if facts.method is not None:
        return facts.method.upper()
    if endpoint is None:
        return "POST" if _has_body(facts) else "GET"
    usual = [method for method in _WITH_BODY if method in endpoint.methods] if _has_body(facts) else []
    return (usual or endpoint.methods)[0]


def _has_body(facts: Scenario) -> bool:
    return facts.json is not None or facts.body is not None


class _Request:
    """Puts a request together, and notes what is lacking."""

    def __init__(
        self,
        name: str,
        facts: Scenario,
        method: str,
        endpoint: Endpoint | None,
        operation: Operation,
        path: str | None = None,
    ) -> None:
        self._name = name
        self._facts = facts
        self._method = method
        self._operation = operation
        self._slashes = endpoint.slashes if endpoint is not None else frozenset[str]()
        self._template = path or facts.path or (endpoint.path if endpoint is not None else "/")
        self._lacking: list[str] = []
        self._advice: dict[str, list[str]] = {}

    def asked(self) -> Asked:
        """The request, or what it lacks."""
        path, _, query = self._template.partition("?")
        names = parameter_names(path)
        real = _NAME.sub(lambda match: self._in_path(*match.groups("")), path)
        pairs = self._query(query, names)
        headers = self._headers()
        body = self._body(headers)
        if self._lacking:
            wanting = tuple(self._lacking)
            return Asked(self._method, self._template, lacking=self._complaint(), wanting=wanting)
        added = urlencode(pairs, doseq=True)
        together = "&".join(part for part in (query, added) if part)
        return Asked(self._method, f"{real}?{together}" if together else real, headers, body)

    def _in_path(self, name: str, kind: str) -> str:
        value = self._value("path", name, self._facts.params)
        if value is NOTHING:
            self._lack(f"the path parameter {name!r}", "params", f"{name!r}: …")
            return ""
        return quote(_text(value), safe="/" if kind == "path" or name in self._slashes else "")

    def _query(self, query: str, used: Iterable[str]) -> list[tuple[str, Any]]:
        """What is added to the query that the path has."""
        there = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        pairs = [(name, value) for name, value in self._facts.params.items() if name not in used]
        there.update(name for name, _ in pairs)
        for parameter in self._operation.parameters:
            if parameter.place == "query" and parameter.name not in there:
                pairs.append((parameter.name, parameter.value))
                if parameter.value is NOTHING:
                    self._lack(f"the query parameter {parameter.name!r}", "params", f"{parameter.name!r}: …")
        return [
            (name, [_text(one) for one in value] if isinstance(value, list | tuple) else _text(value))
            for name, value in pairs
        ]

    def _headers(self) -> dict[str, str]:
        headers = {name.lower(): value for name, value in self._facts.headers.items()}
        for parameter in self._operation.parameters:
            name = parameter.name.lower()
            if parameter.place == "header" and name not in headers:
                headers[name] = _text(parameter.value)
                if parameter.value is NOTHING:
                    self._lack(f"the header {name!r}", "headers", f"{name!r}: …")
            elif parameter.place == "cookie" and f"{parameter.name}=" not in headers.get("cookie", ""):
                pair = f"{parameter.name}={quote(_text(parameter.value))}"
                headers["cookie"] = f"{headers['cookie']}; {pair}" if "cookie" in headers else pair
                if parameter.value is NOTHING:
                    self._lack(f"the cookie {parameter.name!r}", "headers", f"'cookie': '{parameter.name}=…'")
        return headers

    def _body(self, headers: dict[str, str]) -> bytes | None:
        facts, described = self._facts, self._operation.body
        if facts.body is not None:
            return facts.body.encode() if isinstance(facts.body, str) else facts.body
        if facts.json is not None:
            headers.setdefault("content-type", "application/json")
            return json.dumps(facts.json).encode()
        if described is None:
            return None
        encoded = _encoded(described)
        if encoded is None:
            self._lack_body(described)
            return None
        headers.setdefault("content-type", described.kind)
        return encoded

    def _lack_body(self, body: Body) -> None:
        if not _is_json(body.kind):
            self._lack(f"the body ({body.kind})", "body", f"…, headers={{'content-type': {body.kind!r}}}")
        elif not body.lacking:
            self._lack("the body", "json", "…")
        else:
            self._lacking += [f"the field {name!r} in the body" for name in body.lacking]
            self._advice["json"] = [f"{name!r}: …" for name in body.fields]

    def _value(self, place: str, name: str, declared: Any) -> Any:
        if name in declared:
            return declared[name]
        for parameter in self._operation.parameters:
            if (parameter.place, parameter.name) == (place, name):
                return parameter.value
        return NOTHING

    def _lack(self, what: str, fact: str, example: str) -> None:
        self._lacking.append(what)
        parts = self._advice.setdefault(fact, [])
        if example not in parts:
            parts.append(example)

    def _complaint(self) -> str:
        *others, last = self._lacking
        what = f"{', '.join(others)} and {last}" if others else last
        facts = []
        for fact, examples in self._advice.items():
            inner = ", ".join(examples)
            facts.append(f"{fact}={inner}" if examples[0].startswith("…") else f"{fact}={{{inner}}}")
        unknown = self._operation.unknown
        why = f" ({unknown})" if unknown is not None else ""
        return (
            f"{self._name}: no value for {what} of {self._method} {self._template}{why}.\n"
            f"Declare it: Scenario(…, {', '.join(facts)}), or give it an example."
        )


def _encoded(body: Body) -> bytes | None:
    """The body as it is sent; None if it has no value, or if its media type is not written here."""
    if body.value is NOTHING:
        return None
    if _is_json(body.kind):
        return json.dumps(body.value, default=str).encode()
    if body.kind == "application/x-www-form-urlencoded" and isinstance(body.value, dict):
        return urlencode({name: _text(value) for name, value in body.value.items()}).encode()
    return body.value.encode() if isinstance(body.value, str) and body.kind.startswith("text/") else None


def _is_json(kind: str) -> bool:
    return kind.partition(";")[0].strip() == "application/json" or kind.endswith("+json")


def _text(value: Any) -> str:
    """A value as URLs and headers have it."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
