"""`loopviz.watch()`: a server that can be attached to."""

from __future__ import annotations

import atexit
import logging
import os

from loopviz.agent.agent import Agent
from loopviz.agent.door import Door, DoorError

__all__ = ["agent", "watch"]

_doors: list[Door] = []
"""The door of this process, once there is one."""
_agents: list[Agent] = []


def agent() -> Agent | None:
    """Who lets viewers into this process; None if `watch` was not called."""
    return _agents[0] if _agents else None


def watch(place: str | os.PathLike[str] | None = None) -> None:
    """Open the door of this process; see `loopviz.watch`."""
    if _doors:
        return
    if not hasattr(os, "getuid"):
        logging.getLogger("loopviz").warning("loopviz.watch() needs Unix sockets, which this system lacks")
        return
    mine = Agent()
    door = Door(mine.visit, place, hold=mine.hold, go_on=mine.go_on, forked=mine.forked)
    try:
        door.open()
    except (DoorError, OSError, RuntimeError) as error:
        logging.getLogger("loopviz").warning("loopviz cannot be attached to this process: %s", error)
        return
    _doors.append(door)
    _agents.append(mine)
    atexit.register(door.close)
