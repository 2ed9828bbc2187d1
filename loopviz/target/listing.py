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

__all__ = ["asked_for", "brief", "scenario_files"]

_UNNAMED: Final = "routes"
"""The heading of the routes that have no tag."""
_NAMED: Final = 3
"""So many values that a route lacks are named."""
_BRIEF: Final = 60
"""Characters of a name in a sentence."""
_LONG: Final = 200
"""Characters of a line that is suggested."""


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


def brief(name: str) -> str:
    """A name, or the end of a long one left out."""
    return name if len(name) <= _BRIEF else f"{name[: _BRIEF - 1]}…"


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
    wanting = [brief(what) for what in route["wanting"][:_NAMED]]
    more = len(route["wanting"]) - len(wanting)
    *others, last = [*wanting, f"{more} more"] if more else wanting
    what = f"{', '.join(others)} and {last}" if others else last
    why = f" ({route['unknown']})" if route["unknown"] else ""
    example = route["suggested"] or name
    given = f"with --request {example!r}" if len(example) <= _LONG else "in a line of your own with --request"
    return f"{brief(name)}: no value for {what}{why}.\nGive it once on the screen, or {given}."
