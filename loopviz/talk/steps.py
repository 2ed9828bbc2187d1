"""A talk and its steps: what is shown, asked and said, and which scenario is fired with which load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

__all__ = ["VIEWS", "Question", "Step", "Talk", "Which"]

Which = Literal["both", "picture", "code"]
VIEWS: tuple[Which, ...] = get_args(Which)


@dataclass(frozen=True, slots=True)
class Question:
    """What the room is asked before the scenario is fired."""

    text: str
    choices: tuple[str, ...] = ()
    """Two to four answers, or none where the room answers freely."""
    answer: str | None = None
    """The right one of the choices, or a text; None where only the measurement says."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a headline, and a scenario that is fired, unless it only says something."""

    headline: str
    """The point, in a few words that the last row can read."""
    file: Path | None = None
    """The scenario's file."""
    requests: int | None = None
    """How many requests are fired; None for the scenario's own number."""
    threads: int | None = None
    """The thread limit; None for the default."""
    view: Which = "both"
    """Whether the picture, the scenario's code, or both are shown."""
    window: float | None = None
    """How much time the picture shows at first (s); None for what the scenario expects."""
    predict: Question | None = None
    say: str = ""
    """The speaker's notes, in lines."""
    minutes: float | None = None
    """How long the step is planned to take."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A title and at least one step."""

    path: Path
    title: str
    steps: tuple[Step, ...]

    @property
    def minutes(self) -> float:
        """How long it is planned to take: the sum of the steps that say so."""
        return sum(step.minutes or 0.0 for step in self.steps)
