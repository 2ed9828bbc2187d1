"""Scenarios: small FastAPI files with a few declared facts, and how they are found, read and watched.

A file has an ASGI application in `app` and a `Scenario` in `scenario`; everything else in it is what
its author would write anyway.
"""

from loopviz.scenario.declaration import RESERVED_KEYS, Load, Scenario, cores
from loopviz.scenario.files import ScenarioFile, builtin_folder, execute, executed, find, nearest, read

__all__ = [
    "RESERVED_KEYS",
    "Load",
    "Scenario",
    "ScenarioFile",
    "builtin_folder",
    "cores",
    "execute",
    "executed",
    "find",
    "nearest",
    "read",
]
