"""How well an application's own routes fit a request, so that one of several applications can be chosen."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from enum import IntEnum
from typing import Any, Final

from starlette.routing import Match

from loopviz.scenario.endpoints import attribute, is_mount, routes_of

__all__ = ["Fit", "Kind", "fit"]

Fit = tuple["Kind", int]
"""How a request fits, and how many characters of its path are named by the route: more is better."""

_PARAMETER: Final = re.compile("{[^}]*}")
_DEPTH: Final = 20


class Kind(IntEnum):
    """How a request fits an application, the best last."""

    NEAR = 1
    """None of its routes fits, but the path begins like the one at which the scenario is fired."""
    BELOW = 2
    """It is below a mount that takes everything, or that has no route for it."""
    SLASH = 3
    """The application redirects it to the path with, or without, a slash at its end."""
    PARTIAL = 4
    """The path is one of its own, the method is not: it answers 405."""
    FULL = 5
    """Path and method are its own; or the path begins like the scenario's, and its routes are not known."""


def fit(app: object, fired: str, scope: MutableMapping[str, Any]) -> Fit | None:
    """How the request of an ASGI scope fits an application that is fired at this path; None if not at all."""
    routes = routes_of(app)
    near = _near(scope["path"], fired)
    if routes is None:
        return (Kind.FULL, near[1]) if near is not None and near[1] else near
    found = _fit(routes, dict(scope), _DEPTH)
    if found is None and scope["type"] == "http" and _redirects(app):
        path = scope["path"]
        turned = path.rstrip("/") if path.endswith("/") else f"{path}/"
        other = _fit(routes, {**scope, "path": turned}, _DEPTH) if turned else None
        found = (Kind.SLASH, other[1]) if other is not None else None
    return found or near


def _near(path: str, fired: str) -> Fit | None:
    """How many characters, in whole parts, the path has in common with the scenario's from the beginning."""
    common = 0
    for part, other in zip(_parts(path), _parts(fired.partition("?")[0]), strict=False):
        if part != other:
            break
        common += 1 + len(part)
    return (Kind.NEAR, common) if common or fired == "/" else None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _fit(routes: Sequence[Any], scope: dict[str, Any], depth: int) -> Fit | None:
    """By Starlette's order: the first route that fits fully, or else the first that fits in part."""
    partial: Fit | None = None
    for route in routes:
        match, child = _match(route, scope)
        if match is Match.NONE:
            continue
        path = attribute(route, "path")
        named = len(_PARAMETER.sub("", path)) if isinstance(path, str) else 0
        found: Fit = (Kind.FULL if match is Match.FULL else Kind.PARTIAL, named)
        if is_mount(route):
            found = _below(route, {**scope, **child}, named, depth)
        if found[0] is Kind.FULL:
            return found
        if partial is None or found > partial:
            partial = found
    return partial


def _match(route: Any, scope: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What the route itself says."""
    try:
        match, child = route.matches(dict(scope))
    except Exception:  # of the user's own class; if the request is its own, its application reports it
        return Match.NONE, {}
    return match, child


def _below(route: Any, scope: dict[str, Any], named: int, depth: int) -> Fit:
    """How the request fits the application that is mounted."""
    routes = routes_of(attribute(route, "app")) if depth else None
    if not routes:  # files, or an application without routes
        return (Kind.FULL if named else Kind.BELOW, named)
    inner = _fit(routes, scope, depth - 1)
    return (Kind.BELOW, named) if inner is None else (inner[0], named + inner[1])


def _redirects(app: object) -> bool:
    return attribute(attribute(app, "router") or app, "redirect_slashes") is not False
