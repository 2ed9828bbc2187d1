"""What a view may ask of the program it shows; whoever runs the server provides it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Event

__all__ = ["Environment", "Source", "Vitals"]


@dataclass(frozen=True, slots=True)
class Environment:
    """What the measured program runs on."""

    loopviz: str
    python: str
    implementation: str
    gil: bool
    event_loop: str
    fastapi: str
    starlette: str
    uvicorn: str
    anyio: str
    platform: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the probe is doing."""

    events: int
    """Events taken in so far."""
    dropped: int
    """Events that found the buffer full, and are lost."""
    cost_ns: int
    """CPU time that watching has cost so far."""
    failures: Sequence[str]
    """What went wrong inside the probe."""


class Source(Protocol):
    """Where a screen's events come from, and what it may do there."""

    @property
    def environment(self) -> Environment:
        """What the measured program runs on."""

    @property
    def mode(self) -> str:
        """Where the server runs, for the header: ``in a thread``."""

    @property
    def address(self) -> str:
        """Where the server listens."""

    @property
    def scenarios(self) -> Sequence[ScenarioFile]:
        """What can be fired."""

    @property
    def threads(self) -> int:
        """The tokens for worker threads that were asked for."""

    @property
    def live(self) -> bool:
        """Whether time goes on here; a recording is over."""

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen here, and why."""

    def start(self) -> None:
        """Begin; returns at once."""

    def wait(self) -> None:
        """Wait until the server serves. Raises `loopviz.errors.InputError` if it cannot."""

    def fire(self, scenario: ScenarioFile, requests: int) -> Future[None] | None:
        """Send requests at once. May raise `loopviz.errors.InputError`, now or in the future."""

    def reload(self, scenario: ScenarioFile) -> Future[None] | None:
        """Serve this version of a scenario from now on. May raise what `fire` may."""

    def set_threads(self, tokens: int) -> None:
        """Change the number of tokens for worker threads."""

    def drain(self) -> list[Event]:
        """The events that have come in, in the order of their time."""

    def present(self) -> int:
        """The present moment (ns); of a recording, the last one that has been read."""

    def source_lines(self, file: str) -> Sequence[str]:
        """The text of a source file that an event names; nothing where it cannot be read."""

    def save(self, path: str | Path) -> int:
        """Write the last minutes to a file; how many events. May raise `loopviz.errors.InputError`."""

    def vitals(self) -> Vitals:
        """How the probe is doing."""
