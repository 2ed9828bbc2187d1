"""What a key press has asked for, until its requests are sent."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from loopviz.scenario import ScenarioFile

__all__ = ["Asked"]


@dataclass(slots=True)
class Asked:
    """A scenario that was fired. Its burst is in the timeline as soon as its requests are sent."""

    file: ScenarioFile
    count: int
    """How many requests."""
    threads: int
    """The thread limit."""
    at: int
    """When the key was pressed (ns)."""
    answered: Future[None] | None = None
    """Done when all of its requests are answered."""
    waits: str | None = None
    """What it waits for before it is sent: ``starting a worker process``; None for nothing."""
    sent: bool = False
    """Whether its burst was in the timeline, from which it is removed some time."""

    @property
    def refused(self) -> bool:
        """Whether it could not be fired."""
        done = self.answered
        return done is not None and done.done() and (done.cancelled() or done.exception() is not None)
