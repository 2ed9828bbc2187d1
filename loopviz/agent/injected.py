"""What is called in a server that nobody prepared: Python 3.14 and later execute a script there.

The script is in `loopviz.live.attach.inject`. What was loaded for it is removed when the last viewer has
gone.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable

from loopviz.agent import watching
from loopviz.agent.agent import Agent

__all__ = ["enter"]

_agents: list[Agent] = []


def enter(connection: socket.socket, *, brought: bool, cached: Iterable[str] = ()) -> None:
    """Let a viewer in. `brought` says whether loopviz was loaded for this, and is to be removed afterwards.

    `cached` are the folders that Python's import had looked into before.
    """
    before = set(cached)

    def left() -> None:
        _agents.clear()
        if not brought:
            return
        for _, module in _own():
            for folder in getattr(module, "__path__", ()):
                if folder not in before:
                    sys.path_importer_cache.pop(folder, None)
        for name, _ in _own():
            sys.modules.pop(name, None)

    if not _agents:
        _agents.append(watching.agent() or Agent(left))
    _agents[0].visit(connection)


def _own() -> list[tuple[str, object]]:
    return [(name, found) for name, found in list(sys.modules.items()) if name.partition(".")[0] == "loopviz"]
