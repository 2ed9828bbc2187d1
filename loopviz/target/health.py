"""Which of an application's routes is its health check, by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loopviz.scenario import ScenarioFile

__all__ = ["health_route"]

_NAMES: Final = (
    "health", "healthz", "healthcheck", "livez", "live", "liveness", "alive", "ping", "readyz", "ready",
    "readiness", "heartbeat", "up", "status",
)  # fmt: skip
"""The last part of its path, without signs between words; the most telling first."""


def health_route(routes: Iterable[ScenarioFile]) -> str | None:
    """The path of the route that looks most like a health check and needs no value; None if none does."""
    found = []
    for route in routes:
        path = route.path.partition("?")[0]
        if route.method != "GET" or route.lacking is not None or not route.servable or "{" in path:
            continue
        parts = [part.lower().replace("-", "").replace("_", "") for part in path.split("/") if part]
        if parts and parts[-1] in _NAMES:
            found.append((_NAMES.index(parts[-1]), len(parts), path))
        elif "health" in parts:  # /health/database: one of several
            found.append((len(_NAMES), len(parts), path))
    return min(found)[2] if found else None
