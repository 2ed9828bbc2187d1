"""What a claim is: a sentence that people say, an experiment, and a criterion declared in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from loopviz.model.sample import Sample
from loopviz.scenario import THREAD_LIMIT

__all__ = [
    "TIMER_HEADER",
    "Answer",
    "Burst",
    "Claim",
    "Criterion",
    "Experiment",
    "Figure",
    "Laboratory",
    "Machine",
    "Outcome",
    "Samples",
    "Trial",
    "Verdict",
]

TIMER_HEADER = "x-process-time"
"""The header in which a timer middleware reports its measurement, in seconds."""


@dataclass(frozen=True)
class Burst:
    """Requests to one scenario, all at once, or at most `at_once` at a time."""

    scenario: str
    requests: int = 1
    after: float = 0.0
    """How long after the beginning of the trial they are fired (s)."""
    at_once: int | None = None


@dataclass(frozen=True)
class Trial:
    """What is fired at one server. Equal trials of several claims are run once."""

    bursts: tuple[Burst, ...]
    threads: int = THREAD_LIMIT
    """The thread limit."""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that it needs, each once."""
        return tuple(dict.fromkeys(burst.scenario for burst in self.bursts))


@dataclass(frozen=True)
class Experiment:
    """Trials by name. If there are several rounds, the trials take turns on one server."""

    trials: Mapping[str, Trial]
    rounds: int = 1

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that its trials need, each once."""
        return tuple(dict.fromkeys(name for trial in self.trials.values() for name in trial.scenarios))


@dataclass(frozen=True)
class Machine:
    """What a verdict may depend on, apart from the measurement."""

    cores: int = 2
    """How many cores this process may use."""
    parallel: float = 2.0
    """The speed-up of two threads over one, just now, for C code that releases the GIL: what the machine
    can give while other programs use it, too (a factor)."""


Samples = Mapping[str, Sample]
"""Measurements by the name of their trial."""


class Answer(StrEnum):
    """The possible answers to a claim."""

    TRUE = "true"
    FALSE = "false"
    DEPENDS = "it depends"
    UNDECIDED = "undecided here"


@dataclass(frozen=True)
class Figure:
    """A measured number that a verdict is based on."""

    name: str
    value: float
    unit: str = "s"
    """``s``, ``x`` (a factor), ``threads`` or ``req/s``."""


@dataclass(frozen=True)
class Verdict:
    """What a measurement says about a claim."""

    answer: Answer
    why: str
    """One sentence."""
    figures: tuple[Figure, ...] = ()
    depends_on: str | None = None


Criterion = Callable[[Samples, Machine], Verdict]
"""Pure: the same measurements always give the same verdict."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence that people say, and how it is tested."""

    id: str
    claim: str
    """The sentence, as it is commonly heard."""
    question: str
    """What an audience is asked before the run."""
    experiment: Experiment
    rule: str
    """The criterion in words."""
    criterion: Criterion = field(repr=False)
    scenarios: tuple[str, ...]
    """The scenarios that show it live."""
    cores: int = 1
    """How many cores are needed to decide it."""


@dataclass(frozen=True)
class Outcome:
    """A claim and its verdict."""

    claim: Claim
    verdict: Verdict


class Laboratory(Protocol):
    """What measures: `loopviz.experiment.lab.Lab`, or a test's double."""

    def missing(self, scenarios: tuple[str, ...]) -> str | None:
        """Why these scenarios cannot be run here; None if they can."""

    def measure(self, experiment: Experiment) -> Samples:
        """Run the trials that have not been run yet. Raises `Cancelled` if the user gives up."""

    def machine(self, *, parallel: bool = False) -> Machine:
        """The machine that it runs on; with `parallel`, the speed-up is measured now."""
