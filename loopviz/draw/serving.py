"""Sentences about where the server runs, how it moves, and how its process has ended."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.draw.safe import printable
from loopviz.stream.source import Load

__all__ = [
    "LOADED",
    "died",
    "invitation",
    "last_lines",
    "moved",
    "moving",
    "place",
    "place_after",
    "place_in_short",
    "rate",
    "unsent",
]

_THREAD, _PROCESS = "in a thread", "in a process of its own"
_MOVES = {
    True: (
        "The server {} a process of its own: it does not delay the screen there."
        " What keeps the GIL is named from outside."
    ),
    False: (
        "The server {} a thread of this program: all is in one program."
        " What keeps the GIL freezes the screen as well."
    ),
}
LOADED = "The load has ended; what was sent is still waited for."


def place(mode: str, pid: int) -> str:
    """Where the server runs: ``in a process of its own (pid 1234)``."""
    return f"{printable(mode, 40)} (pid {pid})" if pid else printable(mode, 40)


def place_in_short(mode: str, pid: int) -> str:
    """The same where there is little room: ``own process 1234``, ``thread`` or ``pid 1234``."""
    if mode == _THREAD:
        return "thread"
    if mode == _PROCESS:
        return f"own process {pid}" if pid else "own process"
    return f"pid {pid}" if pid else printable(mode, 20)


def place_after(mode: str) -> str:
    """Where a server that runs there can be moved to, in a few words; empty if it cannot be moved."""
    return {_THREAD: "own process", _PROCESS: "into a thread"}.get(mode, "")


def moving(mode: str) -> str:
    """What changes, while a server that is in this place moves to the other one."""
    return _MOVES[mode == _THREAD].format("moves to" if mode == _THREAD else "moves into")


def moved(mode: str) -> str:
    """What has changed, when a server that was in this place is in the other one."""
    return _MOVES[mode == _THREAD].format("is in")


def invitation(routes: int, address: str, key: str, *, attached: bool = False) -> list[str]:
    """What to do where an application is shown that nothing was asked of: fire a route, or send a request."""
    where = f"http://{printable(address, 80)}" if address else "it"
    elsewhere = f"Requests of browsers, curl or k6 are drawn too: {where}"
    if attached and not routes:
        return [f"Requests to the server are drawn as they come: {where}"]
    if not routes:
        return ["No route of the application is known.", elsewhere]
    named = "the route" if routes == 1 else f"one of {routes} routes"
    return [f"{key} chooses {named}, and fires it." if key else f"{routes} routes can be fired.", elsewhere]


def rate(per_second: float) -> str:
    """How many requests are sent in a second: ``20/s``."""
    return f"{per_second:g}/s"


def unsent(load: Load) -> str:
    """That not all requests of the load are sent, and why; empty if all are."""
    if not load.skipped:
        return ""
    name = printable(load.scenario.name, 40)
    were = "request was" if load.skipped == 1 else "requests were"
    return (
        f"{load.skipped} {were} not sent, so this is less than {rate(load.per_second)} of {name}:"
        f" {printable(load.why, 80)}."
    )


def died(how: str, where: tuple[str, int, str] | None, tail: Sequence[str], restart: str) -> list[str]:
    """The sentences on a process that has ended: how, where it was last seen, what it wrote last."""
    said = f"The server's process has ended: {printable(how, 80)}."
    if where is not None:
        file, line, function = where
        name = file.replace("\\", "/").rpartition("/")[2]
        said += f" It was last seen at {printable(name, 60)}:{line} ({printable(function, 60)})."
    if restart:
        said += f" {restart} starts it again."
    last = last_lines(tail, 1)
    return [said, f"Its last line: {last[0]}"] if last else [said]


def last_lines(tail: Sequence[str], number: int) -> list[str]:
    """The last lines that have something in them."""
    return [printable(line.strip()) for line in tail if line.strip()][-number:]
