"""What a scenario file declares: its facts, and the load that its expected total time depends on."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from string import ascii_lowercase
from typing import Any, Final

__all__ = ["DEFAULT_REQUESTS", "RESERVED_KEYS", "THREAD_LIMIT", "Load", "Scenario", "cores", "gil_enabled"]

THREAD_LIMIT: Final = 40
"""The thread limit where none is given: AnyIO's own."""

DEFAULT_REQUESTS: Final = 8
"""How many requests a scenario is fired with where it does not say."""

RESERVED_KEYS = {
    "e": "edit", "f": "fit", "g": "give up", "i": "move the server", "j": "next request",
    "k": "previous request", "l": "load", "m": "claims", "n": "next place", "o": "output",
    "p": "predict first", "q": "quit", "r": "play back", "t": "sort", "v": "compare", "w": "write",
    "x": "clear", "z": "zoom in",
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
    "repair": (str | None, "a text"),
    "repaired": (str | None, "the name of a scenario"),
    "finding": (str | None, "the id of a finding such as 'blocking-call'"),
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
    "method": (str | None, "a method such as 'POST'"),
    "params": (Mapping, "a dictionary of names and values"),
    "headers": (Mapping, "a dictionary of names and texts"),
    "json": (object, "a value that JSON can express"),
    "body": (str | bytes | None, "a text or bytes"),
}
"""What each field of `Scenario` must be, as types and in words."""


_FRAMING: Final = ("content-length", "transfer-encoding")
"""Headers that say how long the body is. With a wrong one, neither side knows where it ends."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The declared facts of a scenario."""

    title: str
    """What it is, in a few words."""
    expect: str
    """The lesson in one line: what to expect, and why."""
    repair: str | None = None
    """What to change in the code, in one sentence, if there is something to repair."""
    repaired: str | None = None
    """The name of the scenario that shows the repair."""
    finding: str | None = None
    """The id of the finding that it is built to show; None if nothing is to be found in it."""
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
    method: str | None = None
    """The method of its requests; the endpoint's if None."""
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The values of the path's parameters, by name. What the path does not have goes into the query."""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The headers of its requests, besides those that every request has."""
    json: Any = field(default=None, hash=False)
    """The body of its requests, as a value that is sent as JSON."""
    body: str | bytes | None = None
    """The body of its requests as it is, where it is no JSON."""

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
        self._check_request()

    def expected(self, load: Load) -> float:
        """The makespan that is expected for this load (s). Raises `ValueError` where the law has none."""
        if self.makespan is None:
            raise ValueError("no makespan is declared")
        try:
            seconds = self.makespan(load)
        except Exception as error:
            raise ValueError(f"makespan raises {type(error).__name__}: {error}") from error
        if not isinstance(seconds, int | float) or not 0 <= seconds < inf:
            raise ValueError(f"makespan must return seconds, not {seconds!r}")
        return seconds

    def _check_request(self) -> None:
        """Refuse what cannot be sent."""
        if self.path is not None and not re.fullmatch(r"/[\x21-\x7e\x80-\U0010ffff]*", self.path):
            raise ValueError(f"path must begin with / and have no spaces, not {self.path!r}")
        if self.method is not None and not re.fullmatch("[A-Za-z]+", self.method):
            raise ValueError(f"method must be a method such as 'POST', not {self.method!r}")
        for name, value in self.params.items():
            if not isinstance(name, str) or value is None or isinstance(value, Mapping):
                raise TypeError(f"params must be a dictionary of names and values, not {dict(self.params)!r}")
        for name, value in self.headers.items():
            texts = isinstance(name, str) and isinstance(value, str)
            if not texts or not re.fullmatch("[!#-'*+.^-`|~\\w-]+", name, re.ASCII) or not _sendable(value):
                raise TypeError(
                    f"headers must be a dictionary of names and texts, not {dict(self.headers)!r}"
                )
            if name.lower() in _FRAMING:
                raise ValueError(f"headers must not have {name!r}: the client sets it")
        if self.json is not None and self.body is not None:
            raise ValueError("a request has one body: declare json or body, not both")
        try:
            json.dumps(self.json, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise TypeError(f"json must be a value that JSON can express, not {self.json!r}") from None


def _sendable(value: str) -> bool:
    """Whether a header may have this value."""
    return value.isascii() and value.isprintable()
