"""The routes of an application as plain data: read in the process that has it, shown in another one.

A route is a dictionary of texts, numbers, lists and None:

- ``method``, ``path``: the path with its parameters in braces
- ``line``: what it is fired with, as `loopviz.target.request_line` has it; None if a value is lacking
- ``suggested``: the same with values made up from their types, where one is lacking
- ``wanting``: what is lacking, in words; ``unknown``: why its values are not known
- ``title``, ``group``: what its author calls it, and its first tag; empty if there is none
- ``file``, ``at``, ``function``: where it is defined; an empty name, 0 and an empty name if that is not known
"""

from __future__ import annotations

import functools
import inspect
import linecache
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from loopviz.scenario.asking import ask_endpoint
from loopviz.scenario.endpoints import Endpoint, attribute, parameter_names
from loopviz.scenario.openapi import NOTHING, Operation, Parameter, operation_in
from loopviz.target.request_line import line_of
from loopviz.target.tables import described, table

__all__ = ["MOST", "Route", "known_paths", "routes"]

Route = dict[str, Any]
"""See above."""

MOST: Final = 2_000
"""As many routes are read."""
_UNASKED: Final = ("HEAD", "OPTIONS")
"""Methods that are fired only where a route has no other one."""
_LIKELY: Final = {
    "int": 1,
    "float": 1.0,
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date": "2026-01-31",
}
"""A value for each kind of parameter in a path."""


def routes(app: object) -> list[Route]:
    """The routes of an application, each with its method; empty if they cannot be read. Raises nothing."""
    documents: dict[int, Any] = {}
    found: dict[tuple[str, str], Route] = {}
    try:
        for endpoint in table(app):
            for method in _methods(endpoint):
                if (method, endpoint.path) not in found and len(found) < MOST:
                    found[method, endpoint.path] = _route(endpoint, method, documents)
    except Exception:  # an application may have anything in its routes
        return list(found.values())
    return list(found.values())


def known_paths(app: object) -> list[str]:
    """The paths of an application's routes: quickly, without what they ask for. Raises nothing."""
    try:
        return [endpoint.path for endpoint in table(app)]
    except Exception:
        return []


def _methods(endpoint: Endpoint) -> Iterator[str]:
    usual = [method for method in endpoint.methods if method not in _UNASKED]
    yield from usual or endpoint.methods[:1]


def _route(endpoint: Endpoint, method: str, documents: dict[int, Any]) -> Route:
    operation = _operation(endpoint, method, documents)
    asked = ask_endpoint(endpoint, method, operation)
    line = suggested = None
    if not asked.wanting:
        line = line_of(asked.method, asked.path, asked.headers, asked.body)
    else:
        likely = ask_endpoint(endpoint, method, _likely(endpoint, operation))
        if not likely.wanting:
            suggested = line_of(likely.method, likely.path, likely.headers, likely.body)
    file, at, name, doc = _place(_handler(endpoint.function, method))
    return {
        "method": method,
        "path": endpoint.path,
        "line": line,
        "suggested": suggested,
        "wanting": list(asked.wanting),
        "unknown": operation.unknown,
        "title": endpoint.title or doc or name,
        "group": endpoint.group,
        "file": file,
        "at": at,
        "function": name,
    }


def _operation(endpoint: Endpoint, method: str, documents: dict[int, Any]) -> Operation:
    """What the document of the application says; each document is made once."""
    owner = id(endpoint.owner)
    if owner not in documents:
        try:
            documents[owner] = described(endpoint.owner)
        except Exception as error:
            documents[owner] = error
    document = documents[owner]
    if isinstance(document, Exception):
        return Operation(unknown=f"its OpenAPI document raises {type(document).__name__}")
    return operation_in(document, method, endpoint.within)


def _likely(endpoint: Endpoint, operation: Operation) -> Operation:
    """The same with the values that are likely."""
    parameters = [replace(parameter, value=parameter.likely) for parameter in operation.parameters]
    known = {parameter.name for parameter in parameters if parameter.place == "path"}
    others = [name for name in parameter_names(endpoint.path) if name not in known]
    parameters += [Parameter(n, "path", _LIKELY.get(endpoint.kinds.get(n, ""), n)) for n in others]
    body = operation.body
    if body is not None and body.value is NOTHING:
        body = replace(body, value=body.likely)
    return replace(operation, parameters=tuple(parameters), body=body)


def _handler(function: Any, method: str) -> Any:
    """What answers: for a class, its method; without decorators and partial arguments."""
    own = attribute(function, method.lower()) if inspect.isclass(function) else None
    function = own or function
    for _ in range(20):
        within = function.func if isinstance(function, functools.partial) else None
        within = within or attribute(function, "__wrapped__")
        if within is None:
            break
        function = within
    return function


def _place(function: Any) -> tuple[str, int, str, str]:
    """File, line and name of what answers, and the first line of its docstring."""
    code = attribute(function, "__code__")
    doc = attribute(function, "__doc__")
    first = doc.strip().partition("\n")[0].strip() if isinstance(doc, str) else ""
    name = attribute(function, "__qualname__") or ""
    if code is None:
        call = attribute(type(function), "__call__")
        code = attribute(call, "__code__")
        name, first = (type(function).__name__, "") if not inspect.isclass(function) else (name, first)
    if code is None:
        return "", 0, str(name), first
    lines = linecache.getlines(code.co_filename)
    at = code.co_firstlineno  # of its first decorator
    defined = (
        n for n, text in enumerate(lines[at - 1 :], at) if re.match(r"\s*(async\s+def|def|class)\b", text)
    )
    return code.co_filename, next(defined, at), str(name), first
