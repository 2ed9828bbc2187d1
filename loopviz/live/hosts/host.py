"""What a session needs of the place where its server runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from loopviz.scenario import ScenarioFile
from loopviz.stream.copies import Changed
from loopviz.stream.events import Change
from loopviz.stream.source import Death, Environment, Vitals

__all__ = ["Host", "Served"]


@dataclass(frozen=True)
class Served:
    """What is served, and how: the same in every place."""

    scenarios: Sequence[ScenarioFile]
    threads: int
    """The thread limit."""
    loop: str
    """uvicorn's name of an event loop."""
    secret: str
    """What the session's own client puts before the number of a request."""
    numbers: Iterator[int]
    """Numbers the requests, of the session's own client and of others."""
    lazily: bool
    """See `loopviz.live.server.Apps`."""
    base: int
    """The numbers of tasks, calls, threads and pools are larger than this: a session may have several."""
    process_changed: Callable[[str, Change, str], object]
    """Called when a helper process has ended or was started again."""


class Host(Protocol):
    """A server with a probe, somewhere."""

    @property
    def mode(self) -> str:
        """See `loopviz.stream.source.Source`; so are those that follow."""

    @property
    def pid(self) -> int: ...  # noqa: D102

    @property
    def environment(self) -> Environment: ...  # noqa: D102

    @property
    def address(self) -> str: ...  # noqa: D102

    @property
    def blind(self) -> Sequence[tuple[str, str]]: ...  # noqa: D102

    @property
    def stopped(self) -> str | None: ...  # noqa: D102

    @property
    def death(self) -> Death | None: ...  # noqa: D102

    @property
    def written(self) -> int: ...  # noqa: D102

    def output(self) -> Sequence[str]: ...  # noqa: D102

    def vitals(self) -> Vitals: ...  # noqa: D102

    routes: Sequence[ScenarioFile]
    """What the one application offers, as far as it is known; else the scenarios."""

    @property
    def starting(self) -> bool:
        """Whether the server neither serves yet nor has failed."""

    @property
    def ended(self) -> bool:
        """Whether it does not run, or no longer."""

    def identify(self) -> None:
        """See to it that `environment` is complete, at once: before it is started, it may be brief."""

    def start(self) -> None:
        """Start it; returns at once."""

    def wait(self) -> None:
        """Wait until it serves. Raises `InputError` if it cannot."""

    def preparing(self, name: str) -> str | None:
        """What the scenario of this name that is being prepared waits for."""

    def ready(self, name: str) -> bool:
        """Whether a request to this scenario is served at once."""

    def serves(self, file: ScenarioFile) -> bool:
        """Whether this version of a scenario is the one that is served."""

    def prepare(self, name: str) -> Future[None]:
        """Prepare the scenario of this name; the future has what its file raises."""

    def replace(self, file: ScenarioFile) -> Future[None]:
        """Serve this version of a scenario from now on."""

    def copy(self, changed: Changed) -> Future[None]:
        """Serve a changed copy beside the original, instead of the one before. Raises `InputError`."""

    def end_copy(self) -> Future[None]:
        """Serve the copy no longer."""

    def give_up(self, numbers: Iterable[int]) -> None:
        """These requests of the session's own client were given up."""

    def set_threads(self, limit: int) -> None:
        """Change the thread limit."""

    def resize(self, pool: int, size: int) -> Future[bool]:
        """Change the size of a pool; False if it is none of this server. The future may have `InputError`."""

    def answered(self) -> None:
        """The client has had an answer: the probe must have seen a request."""

    def reported(self) -> Future[None]:
        """Done when all that was seen up to now has been reported."""

    def not_seen(self, what: str, why: str) -> None:
        """Something that the client cannot measure."""

    def responds(self, timeout: float) -> bool:
        """Whether it can be stopped: the loop of a thread must run something within so many seconds."""

    def stop(self) -> bool:
        """End it; False if it goes on, because its loop is blocked."""
