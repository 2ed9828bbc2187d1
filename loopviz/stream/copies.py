"""What a source offers that can serve a changed copy of an application beside the original."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from loopviz.scenario import ScenarioFile
from loopviz.stream.answer import Heard

__all__ = ["Changed", "Copies"]


@dataclass(frozen=True, slots=True)
class Changed:
    """Which copy is meant: plain data, which another process can be given."""

    number: int
    """From 1; each copy of a session has its own."""
    scenario: str
    """The name of the scenario; empty for an application."""
    file: str
    """The file whose text is another one."""
    text: str
    shown: str
    """How this file is called in tracebacks and views."""

    def as_dict(self) -> dict[str, Any]:
        """It as a value that JSON can express."""
        return asdict(self)


@runtime_checkable
class Copies(Protocol):
    """A source with a server of its own."""

    def serve_copy(self, scenario: ScenarioFile, file: str, text: str) -> Future[ScenarioFile]:
        """Serve the application of a scenario with another text of a file, beside the original.

        The future has what is to be fired for the copy to get the same requests, or an `InputError`, which
        may also be raised at once. There is one copy: another one ends the one before.
        """

    def end_copy(self) -> Future[None]:
        """Serve the copy no longer; the future is done when its lifespan has ended."""

    def fire_heard(self, scenario: ScenarioFile, requests: int, heard: Heard) -> Future[None]:
        """Fire as `Source.fire`; `heard` is called with each answer, in another thread."""
