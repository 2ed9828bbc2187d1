"""What a view may ask of the program it shows: the protocol of a live server and of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Event

__all__ = ["Death", "Environment", "Load", "Source", "Vitals"]


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
    """How much the probe has measured, lost and cost."""

    events: int
    """Events accepted so far."""
    dropped: int
    """Events that were lost because the buffer was full."""
    cost_ns: int
    """CPU time that the probe has used so far."""
    failures: Sequence[str]
    """What went wrong inside the probe."""


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a server's process that was not asked for."""

    at: int
    """When it was noticed (ns)."""
    how: str
    """``exit code 3`` or ``killed by SIGKILL``."""
    tail: tuple[str, ...] = ()
    """The last lines that it has written, as they are; empty if it has written nothing."""
    where: tuple[str, int, str] | None = None
    """File, line and function that it was last seen to execute; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that are sent steadily."""

    scenario: ScenarioFile
    per_second: float
    unanswered: int = 0
    """How many of them wait for an answer now."""
    skipped: int = 0
    """How many were not sent."""
    why: str = ""
    """Why the last of those were not: ``300 are not answered``."""


@dataclass(frozen=True, slots=True)
class Probing:
    """Health probes that are sent."""

    path: str
    timeout: float
    """A probe that has no answer by then has failed (s)."""


class Source(Protocol):
    """Where the events of a view come from, and what the view may do there."""

    @property
    def environment(self) -> Environment:
        """What the measured program runs on."""

    @property
    def mode(self) -> str:
        """Where the server runs: ``in a thread``, ``in a process of its own`` or ``attached``."""

    @property
    def pid(self) -> int:
        """The process of the server; 0 if it is this one, or if there is none."""

    @property
    def application(self) -> str | None:
        """The name of the user's own application; None where there are scenarios."""

    @property
    def death(self) -> Death | None:
        """How the server's process has ended; None if it has not, or was asked to."""

    @property
    def written(self) -> int:
        """How many lines the server's process has written to its standard output and error so far."""

    def output(self) -> Sequence[str]:
        """The last of these lines, 2,000 at most, as they are."""

    @property
    def load(self) -> Load | None:
        """What is sent steadily; None if nothing is."""

    @property
    def probing(self) -> Probing | None:
        """Which health probes are sent; None if none are."""

    def set_probing(self, on: bool) -> None:
        """Send health probes from now on, or no more. Raises `InputError` if it is not known where to."""

    def change_request(self, scenario: ScenarioFile) -> None:
        """Fire a route of the user's own application in this way from now on; its project remembers it.

        Raises `InputError` if it cannot be remembered.
        """

    def set_load(self, scenario: ScenarioFile, per_second: float) -> None:
        """Send so many requests a second from now on, in place of those before; 0 ends it.

        Raises `InputError`.
        """

    def move(self) -> Future[None] | None:
        """Move the server to a process of its own, or back into a thread. None where it cannot be moved.

        Requests that are not answered are given up.
        """

    def restart(self) -> Future[None] | None:
        """Start the server's process again. None where there is none."""

    @property
    def address(self) -> str:
        """Where the server listens."""

    @property
    def scenarios(self) -> Sequence[ScenarioFile]:
        """The scenarios that can be fired."""

    @property
    def threads(self) -> int:
        """The thread limit that was asked for."""

    @property
    def live(self) -> bool:
        """Whether it is still running; False for a recording."""

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen here, and why."""

    def preparing(self, name: str) -> str | None:
        """What a scenario of this name that was fired waits for before it is sent; None if for nothing."""

    def was_paused(self, since: int, until: int) -> None:
        """The whole program, and so the source, was stopped for that time (ns)."""

    @property
    def stopped(self) -> str | None:
        """Why the server has ended without being asked to, in a sentence; None if it has not."""

    def start(self) -> None:
        """Start the server; returns at once."""

    def wait(self) -> None:
        """Wait until the server accepts requests. Raises `loopviz.errors.InputError` if it cannot."""

    def fire(self, scenario: ScenarioFile, requests: int) -> Future[None] | None:
        """Send that many requests together. `loopviz.errors.InputError` is raised here or by the future."""

    def give_up(self) -> int:
        """Give up every request that was fired and is not answered; returns how many."""

    def reload(self, scenario: ScenarioFile) -> Future[None] | None:
        """Serve this version of a scenario from now on. Raises what `fire` raises."""

    def set_threads(self, limit: int) -> None:
        """Change the thread limit."""

    def resize(self, pool: int, size: int) -> Future[bool] | None:
        """Let a pool, by its number, have so many workers at most. None where nothing is changed.

        The future is False if there is no such pool any more, and has an `InputError` if it cannot be
        changed.
        """

    def drain(self) -> list[Event]:
        """The events since the last call, in the order of their time."""

    def present(self) -> int:
        """The present (ns of the events' clock); for a recording, the time of the last event read."""

    def source_lines(self, file: str) -> Sequence[str]:
        """The lines of a source file that an event names, without their ends; empty if it cannot be read."""

    def save(self, path: str | Path) -> int:
        """Save the last minutes to a new file; return how many events. Called in a thread of its own.

        Raises `loopviz.errors.InputError`.
        """

    def vitals(self) -> Vitals:
        """How much the probe has measured, lost and cost."""
