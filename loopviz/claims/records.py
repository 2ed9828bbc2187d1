"""What a claim is: a sentence that people say, an experiment, and a criterion declared in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from loopviz.model.sample import Sample

__all__ = [
    "Answer",
    "Claim",
    "Criterion",
    "Experiment",
    "Figure",
    "Fire",
    "Laboratory",
    "Machine",
    "Outcome",
    "Samples",
    "Trial",
    "Verdict",
]


@dataclass(frozen=True)
class Fire:
    """Requests to one scenario, all at once unless `at_once` says how many at a time."""

    scenario: str
    requests: int = 1
    after: float = 0.0
    """Seconds after the trial's beginning."""
    at_once: int | None = None


@dataclass(frozen=True)
class Trial:
    """What is fired at one server. Equal trials are run once, whoever asks for them."""

    fires: tuple[Fire, ...]
    threads: int = 40
    """Tokens for worker threads."""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """What it fires at, each once."""
        return tuple(dict.fromkeys(fire.scenario for fire in self.fires))


@dataclass(frozen=True)
class Experiment:
    """Trials by name. With several rounds they are interleaved on one server."""

    trials: Mapping[str, Trial]
    rounds: int = 1

    @property
    def scenarios(self) -> tuple[str, ...]:
        """What its trials fire at, each once."""
        return tuple(dict.fromkeys(name for trial in self.trials.values() for name in trial.scenarios))


@dataclass(frozen=True)
class Machine:
    """What a verdict may depend on, besides the measurement."""

    cores: int = 2
    """How many cores this process may use."""
    gil: bool = True
    parallel: float = 2.0
    """How much faster than one after the other two threads were, just now, whose C code runs outside
    the GIL: what the machine has to give, after what others take."""


Samples = Mapping[str, Sample]
"""Measurements by the name of their trial."""


class Answer(StrEnum):
    """What can become of a claim."""

    TRUE = "true"
    FALSE = "false"
    DEPENDS = "it depends"
    UNDECIDED = "undecided here"


@dataclass(frozen=True)
class Figure:
    """A measured number that decides."""

    name: str
    value: float
    unit: str = "s"
    """``s``, ``x`` (a factor), ``threads``, ``req/s``."""


@dataclass(frozen=True)
class Verdict:
    """What a measurement says of a claim."""

    answer: Answer
    why: str
    """One sentence."""
    figures: tuple[Figure, ...] = ()
    depends_on: str | None = None


Criterion = Callable[[Samples, Machine], Verdict]
"""Pure: the same measurements always give the same verdict."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence that people say, and how it is put to the test."""

    id: str
    claim: str
    """As it is commonly heard."""
    question: str
    """What a room is asked before the run."""
    experiment: Experiment
    rule: str
    """The criterion in words."""
    criterion: Criterion = field(repr=False)
    scenarios: tuple[str, ...]
    """In which one can see it live."""
    cores: int = 1
    """How many cores it takes to decide it."""


@dataclass(frozen=True)
class Outcome:
    """A claim and its verdict."""

    claim: Claim
    verdict: Verdict


class Laboratory(Protocol):
    """Whoever can measure: `loopviz.experiment.lab.Lab`, or a test with numbers of its own."""

    def missing(self, scenarios: tuple[str, ...]) -> str | None:
        """Why these scenarios cannot be run here; None if they can."""

    def measure(self, experiment: Experiment) -> Samples:
        """Run what has not been run yet. May raise `loopviz.experiment.measure.Cancelled`."""

    def machine(self, *, parallel: bool = False) -> Machine:
        """What it runs on; with `parallel`, as measured now."""
