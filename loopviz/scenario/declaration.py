"""What a scenario file declares: its facts, and the load that its expected total time depends on."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Final

__all__ = ["DEFAULT_REQUESTS", "RESERVED_KEYS", "THREAD_LIMIT", "Load", "Scenario", "cores", "gil_enabled"]

THREAD_LIMIT: Final = 40
"""The thread limit where none is given: AnyIO's own."""

DEFAULT_REQUESTS: Final = 8
"""How many requests a scenario is fired with where it does not say."""

RESERVED_KEYS = {
    "f": "fit", "h": "back in time", "j": "next request", "k": "previous request", "l": "forward in time",
    "m": "claims", "n": "next place", "q": "quit", "r": "play back", "t": "sort", "v": "compare",
    "w": "write", "x": "clear", "z": "zoom in",
}  # fmt: skip
"""Letters that the screen uses itself, and for what. A scenario cannot have one as its key.

A test compares them with the screen's table of keys."""


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def gil_enabled() -> bool:
    """Whether this interpreter has a GIL. Before CPython 3.13 there always was one."""
    function = getattr(sys, "_is_gil_enabled", None)
    return function() if function is not None else True


@dataclass(frozen=True)
class Load:
    """The load and the machine that a scenario's expected total time depends on."""

    requests: int
    """How many requests are sent at once."""
    threads: int
    """The thread limit."""
    seconds: float
    """The scenario's declared `seconds`."""
    single: float
    """CPU time of one request as measured in this run (s): its time on the event loop plus the CPU time
    of its worker threads and processes."""
    cores: int = 1
    """How many cores the program may use."""
    gil: bool = True
    """Whether the interpreter has a GIL."""

    @classmethod
    def here(cls, requests: int, threads: int, seconds: float, single: float) -> Load:
        """A load on this machine, with its cores and this interpreter's GIL."""
        return cls(requests, threads, seconds, single, cores(), gil_enabled())


_TYPES: Final[dict[str, tuple[Any, str]]] = {
    "title": (str, "a text"),
    "expect": (str, "a text"),
    "key": (str | None, "one letter from a to z"),
    "requests": (int, "a whole number from 1"),
    "seconds": (int | float, "a number of seconds"),
    "makespan": (Callable | None, "a function of the load"),
    "group": (str, "a text"),
    "order": (int, "a whole number"),
    "needs": (tuple | list, "a tuple of names"),
    "upstream": (bool, "True or False"),
    "worker": (str | None, "the name of a Celery application in the file"),
    "path": (str | None, "a text"),
}
"""What each field of `Scenario` must be, as types and in words."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The declared facts of a scenario."""

    title: str
    """What it is, in a few words."""
    expect: str
    """The lesson in one line: what to expect, and why."""
    key: str | None = None
    """The letter that fires it."""
    requests: int = DEFAULT_REQUESTS
    """How many requests are fired at once unless the user asks for another number."""
    seconds: float = 1.0
    """How long one request takes while no other request delays it (s)."""
    makespan: Callable[[Load], float] | None = None
    """The makespan law: the expected total time, from the first request sent to the last answer (s)."""
    group: str = "yours"
    """The heading under which it is listed."""
    order: int = 1_000
    """Its position in the list: the smallest first, and by name where they are equal."""
    needs: tuple[str, ...] = ()
    """Modules that loopviz itself does not depend on. Without them it is listed, but cannot be fired."""
    upstream: bool = False
    """Whether it calls the upstream server, whose address is in the environment variable UPSTREAM_URL."""
    worker: str | None = None
    """The name of a Celery application in the file, for which loopviz runs a worker process."""
    path: str | None = None
    """The path that is requested; the application's first endpoint if None."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be shown or fired. Raises `TypeError` or `ValueError`."""
        for name, (types, words) in _TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, types):
                raise TypeError(f"{name} must be {words}, not {value!r}")
        if not all(isinstance(module, str) for module in self.needs):
            raise TypeError(f"needs must be a tuple of names, not {self.needs!r}")
        if self.key is not None and not re.fullmatch("[a-z]", self.key):
            raise ValueError(f"key must be one letter from a to z, not {self.key!r}")
        if self.key in RESERVED_KEYS:
            free = " ".join(letter for letter in ascii_lowercase if letter not in RESERVED_KEYS)
            raise ValueError(
                f"key {self.key!r} is used by loopviz ({RESERVED_KEYS[self.key]}); use one of {free}"
            )
        if self.requests < 1:
            raise ValueError(f"requests must be a whole number from 1, not {self.requests!r}")
