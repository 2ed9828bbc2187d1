"""Scenarios: small FastAPI files with a few declared facts, and how they are found, read and watched.

A file has an ASGI application in `app` and a `Scenario` in `scenario`; everything else in it is what
its author would write anyway.
"""

from loopviz.scenario.declaration import (
    DEFAULT_REQUESTS,
    RESERVED_KEYS,
    THREAD_LIMIT,
    Load,
    Scenario,
    cores,
    gil_enabled,
)
from loopviz.scenario.files import (
    ScenarioFile,
    apart,
    builtin_folder,
    execute,
    executed,
    find,
    nearest,
    read,
    require_own_paths,
)

__all__ = [
    "DEFAULT_REQUESTS",
    "RESERVED_KEYS",
    "THREAD_LIMIT",
    "Load",
    "Scenario",
    "ScenarioFile",
    "apart",
    "builtin_folder",
    "cores",
    "execute",
    "executed",
    "find",
    "gil_enabled",
    "nearest",
    "read",
    "require_own_paths",
]
