"""The laboratory for claims: fresh servers, equal trials run once, and a measure of the machine."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from loopviz import scenario
from loopviz.claims import Experiment, Machine, Samples, Trial
from loopviz.errors import InputError
from loopviz.experiment.alone import Progress
from loopviz.experiment.bench import Bench
from loopviz.experiment.measure import Tap
from loopviz.live.environment import environment, require_gil
from loopviz.model.sample import Sample
from loopviz.scenario import ScenarioFile, cores
from loopviz.stream.source import Environment

__all__ = ["Lab"]


class Lab:
    """Runs the trials of experiments and keeps their samples.

    Scenarios are looked up in `folder` first, if there is one, and then among the built-in ones.
    `progress` is called now and then with a text. Once `cancelled` is set, measuring raises
    `loopviz.experiment.alone.Cancelled` within 0.1 s. `watch` is called for every server
    that is started, and returns a callable for its events. Use it on one thread at a time. Raises
    `InputError` where no server can be observed.
    """

    def __init__(
        self,
        *,
        folder: str | None = None,
        loop: str = "asyncio",
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
        watch: Callable[[], Tap] | None = None,
    ) -> None:
        require_gil()
        self._loop = loop
        self._progress = progress
        self._cancelled = cancelled
        self._watch = watch
        self._known = {path.stem: path for path in scenario.find()}
        if folder is not None:
            self._known.update({path.stem: path for path in scenario.find(folder)})
        self._files: dict[str, ScenarioFile] = {}
        self._samples: dict[Trial, Sample] = {}
        self.environment: Environment = environment(loop)
        """What the servers run on."""

    def missing(self, scenarios: Sequence[str]) -> str | None:
        """Why these scenarios cannot be run here; None if they can."""
        unknown = [name for name in scenarios if name not in self._known]
        if unknown:
            return f"unknown {'scenario' if len(unknown) == 1 else 'scenarios'}: {', '.join(unknown)}"
        for name in scenarios:
            try:
                file = self._file(name)
            except InputError as error:
                return str(error).partition("\n")[0]
            if file.missing:
                return f"{name} needs {' and '.join(file.missing)} ({file.install})"
            if file.lacking is not None:
                return file.lacking.partition("\n")[0]
        return None

    def machine(self, *, parallel: bool = False) -> Machine:
        """The machine; with `parallel`, also the speed-up of two threads on it as measured now."""
        return Machine(cores(), _parallel()) if parallel else Machine(cores())

    def measure(self, experiment: Experiment) -> Samples:
        """Run the trials that have not been run yet; the samples of all."""
        if experiment.rounds > 1:
            return self._interleaved(experiment)
        for trial in experiment.trials.values():
            if trial not in self._samples:
                self._samples[trial] = self._run(trial)
        return {name: self._samples[trial] for name, trial in experiment.trials.items()}

    def _run(self, trial: Trial) -> Sample:
        with self._bench(trial.scenarios, trial.threads) as bench:
            return bench.fire(*trial.bursts)

    def _interleaved(self, experiment: Experiment) -> Samples:
        """Run the trials in turns, so that a disturbance of the machine affects all of them."""
        rounds: dict[str, Sample] = {}
        threads = max(trial.threads for trial in experiment.trials.values())
        with self._bench(experiment.scenarios, threads) as bench:
            for trial in experiment.trials.values():
                bench.fire(*trial.bursts)  # a warm-up: the first run is slower
            for _ in range(experiment.rounds):
                for name, trial in experiment.trials.items():
                    sample = bench.fire(*trial.bursts)
                    rounds[name] = rounds[name].joined(sample) if name in rounds else sample
        return rounds

    def _bench(self, scenarios: Sequence[str], threads: int) -> Bench:
        files = [self._file(name) for name in scenarios]
        return Bench(
            files,
            threads=threads,
            loop=self._loop,
            progress=self._progress,
            cancelled=self._cancelled,
            tap=self._watch() if self._watch is not None else None,
        )

    def _file(self, name: str) -> ScenarioFile:
        if name not in self._files:
            (self._files[name],) = scenario.read([self._known[name]])
        return self._files[name]


def _parallel(tries: int = 5) -> float:
    """The speed-up of two threads that hash, which needs no GIL: the median of some tries."""

    def hashing() -> None:
        hashlib.pbkdf2_hmac("sha256", b"loopviz", b"salt", 300_000)

    with ThreadPoolExecutor(2) as pool:
        gains = []
        for _ in range(tries):
            alone = _took(hashing)
            both = _took(lambda: list(pool.map(lambda _: hashing(), range(2))))
            gains.append(2 * alone / both)
    return median(gains)


def _took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
