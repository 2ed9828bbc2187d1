"""A recording as a source of events, for the screen that also shows live servers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any, NoReturn

from loopviz.errors import InputError
from loopviz.findings.listed import documents, of_run
from loopviz.model import Timeline
from loopviz.model.summary import summarise
from loopviz.recording.carried import carry
from loopviz.recording.header import Header
from loopviz.recording.read import Recording, open_recording
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Event
from loopviz.stream.source import Environment, Vitals

__all__ = ["Replay", "timeline_for_replay"]

_MOST_SECONDS = 0.06
"""About how long one call of `drain` looks for events at most."""


class Replay:
    """A recording as a `loopviz.stream.source.Source`. Raises `InputError` if `path` is not a recording."""

    live = False
    stopped = None
    pid = 0
    application = None
    death = None
    load = None
    probing = None
    written = 0

    def __init__(self, path: str | Path) -> None:
        self.recording: Recording = open_recording(path)
        header = self.recording.header
        self.environment: Environment = header.environment
        self.mode = "recording"
        self.address = header.address
        self.threads = header.threads
        self.blind: Sequence[tuple[str, str]] = self.recording.blind
        self.scenarios: Sequence[ScenarioFile] = _distinct([found.listed() for found in header.scenarios])
        self.sources: Mapping[str, str] = {found.name: found.source for found in header.scenarios}
        """The recorded text of each scenario's file, by name."""
        self.ended = False
        """Whether `drain` has returned all events."""
        self._batches: Iterator[list[Event]] = self.recording.batches()
        self._present = header.started
        self._events = 0

    @property
    def damage(self) -> str | None:
        """Where and why reading stopped before the end; None if it did not."""
        return self.recording.damage

    def start(self) -> None:
        """Does nothing."""

    def wait(self) -> None:
        """Returns at once."""

    def was_paused(self, since: int, until: int) -> None:
        """Changes nothing: it was recorded before."""

    def stop(self) -> bool:
        """Close the file."""
        self.recording.close()
        return True

    def preparing(self, name: str) -> None:
        """Nothing is fired."""

    def fire(self, scenario: ScenarioFile, requests: int) -> NoReturn:
        """Raises `InputError`: there is no server to send requests to."""
        raise InputError(f"This is a recording: {scenario.name} cannot be fired.\nUse 'loopviz run'.")

    def reload(self, scenario: ScenarioFile) -> NoReturn:
        """Raises `InputError`: there is no server that could serve it."""
        raise InputError("This is a recording: there is no server.\nUse 'loopviz run'.")

    def output(self) -> Sequence[str]:
        """What the program has written is not recorded."""
        return ()

    def change_request(self, scenario: ScenarioFile) -> NoReturn:
        """Raises `InputError`: there is no server to send requests to."""
        raise InputError("This is a recording: there is no server.\nUse 'loopviz run'.")

    def set_load(self, scenario: ScenarioFile, per_second: float) -> NoReturn:
        """Raises `InputError`: there is no server to send requests to."""
        raise InputError("This is a recording: there is no server.\nUse 'loopviz run'.")

    def set_probing(self, on: bool) -> NoReturn:
        """Raises `InputError`: there is no server to probe."""
        raise InputError("This is a recording: there is no server.\nUse 'loopviz run'.")

    def move(self) -> None:
        """There is no server."""

    def restart(self) -> None:
        """There is no server."""

    def give_up(self) -> int:
        """Nothing runs."""
        return 0

    def resize(self, pool: int, size: int) -> None:
        """Changes nothing."""

    def set_threads(self, limit: int) -> None:
        """Does nothing."""

    def source_lines(self, file: str) -> Sequence[str]:
        """The recorded text of a scenario's file; nothing if it was not recorded."""
        return self.sources.get(PurePath(file).stem, "").splitlines()

    def save(self, path: str | Path) -> NoReturn:
        """Raises `InputError`: it is in a file already."""
        raise InputError(f"This is already a recording: {self.recording.path.name}.\nCopy that file.")

    def drain(self) -> list[Event]:
        """The next events, in the order of their time: a small part, so that a screen can draw in between."""
        found: list[Event] = []
        until = time.monotonic() + _MOST_SECONDS
        while not found and not self.ended and time.monotonic() < until:
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
            else:
                found = batch
        if found:
            self._events += len(found)
            self._present = max(self._present, found[-1][0])
        return found

    def present(self) -> int:
        """The time of the newest event that `drain` has returned."""
        return self._present

    def vitals(self) -> Vitals:
        """How many events there were; the cost of the probe is not recorded."""
        return Vitals(self._events, self.recording.dropped, 0, ())

    def timeline(self) -> Timeline:
        """A timeline of all events that `drain` has not returned yet."""
        timeline = timeline_for_replay(self.recording.header)
        while not self.ended:
            timeline.feed(self.drain())
        return timeline

    def summary(self, timeline: Timeline) -> dict[str, Any]:
        """The JSON summary of the recording; see `loopviz.model.summary`."""
        return summarise(
            timeline,
            scenario=self.scenarios[0].name if len(self.scenarios) == 1 else None,
            environment=asdict(self.environment),
            limit=self.threads,
            dropped=self.recording.dropped,
            blind=self.blind,
            findings=documents(
                of_run(
                    timeline,
                    lambda file: timeline.sources.of(file) or (),
                    repaired=self.scenarios[0].facts.repaired if len(self.scenarios) == 1 else None,
                    gil=self.environment.gil,
                    dropped=self.recording.dropped,
                )
            ),
        )


def timeline_for_replay(header: Header) -> Timeline:
    """A timeline that keeps everything, however old it is, and has the source code that the header has."""
    timeline = Timeline(whole=True)
    carry(timeline, header)
    return timeline


def _distinct(files: list[ScenarioFile]) -> list[ScenarioFile]:
    """The scenarios, with each name and each key at most once."""
    by_name = {file.name: file for file in files}
    by_key = {file.facts.key: file for file in reversed(by_name.values()) if file.facts.key}
    return [file for file in by_name.values() if not file.facts.key or by_key[file.facts.key] is file]
