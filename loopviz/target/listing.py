"""The routes of an application as scenarios that are listed and fired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from loopviz.errors import InputError
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.target.application import Application
from loopviz.target.remembering import read
from loopviz.target.request_line import parse, with_line
from loopviz.target.routes import Route

__all__ = ["asked_for", "scenario_files"]

_UNNAMED: Final = "routes"
"""The heading of the routes that have no tag."""


def scenario_files(
    application: Application, routes: Iterable[Route], remembered: Mapping[str, str] | None = None
) -> list[ScenarioFile]:
    """The routes in their order, those of a group together.

    Each has the line that is `remembered` for it; without that argument, what the working folder has, and
    nothing if its file is broken.
    """
    if remembered is None:
        remembered = {}
        with suppress(InputError):
            remembered = read(application.folder)
    files = [_file(application, route, remembered) for route in routes]
    groups = list(dict.fromkeys(file.facts.group for file in files))
    return sorted(files, key=lambda file: groups.index(file.facts.group))


def asked_for(application: Application, files: Iterable[ScenarioFile], text: str) -> ScenarioFile:
    """What is fired by a request line: the route that it is for, or a scenario of its own for any other path.

    Raises `InputError`.
    """
    method, path, headers, body = parse(text)
    bare = path.partition("?")[0]
    fitting = [file for file in files if _takes(file, method, bare)]
    if fitting:  # '/items/new' before '/items/{id}'
        return with_line(min(fitting, key=lambda file: file.name.count("{")), text)
    name, source = f"{method} {bare}", Path(application.file or application.module)
    facts = Scenario(title=application.name, expect="", group=_UNNAMED)
    return ScenarioFile(name, source, facts, None, method, path, headers=headers, body=body)


def _takes(file: ScenarioFile, method: str, path: str) -> bool:
    """Whether a request is for the route of this name."""
    of, _, template = file.name.partition(" ")
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
    return of == method and re.fullmatch(pattern, path) is not None


def _file(application: Application, route: Route, remembered: Mapping[str, str]) -> ScenarioFile:
    method, path, function = route["method"], route["path"], route["function"]
    name = f"{method} {path}"
    source = Path(route["file"] or application.file or application.module)
    where = f"{function} in {source.name}:{route['at']}" if function and route["at"] else ""
    facts = Scenario(title=route["title"] or name, expect=where, group=route["group"] or _UNNAMED)
    file = ScenarioFile(
        name, source, facts, None, method, path, suggested=route["suggested"], line=route["at"]
    )
    known = remembered.get(name)
    if known is not None:
        with suppress(InputError):  # written by hand, or by another version
            return with_line(file, known)
    if route["line"] is not None:
        return with_line(file, route["line"])
    return replace(file, lacking=_complaint(name, route))


def _complaint(name: str, route: Route) -> str:
    *others, last = route["wanting"]
    what = f"{', '.join(others)} and {last}" if others else last
    why = f" ({route['unknown']})" if route["unknown"] else ""
    example = route["suggested"] or name
    return f"{name}: no value for {what}{why}.\nGive it once on the screen, or with --request {example!r}."
