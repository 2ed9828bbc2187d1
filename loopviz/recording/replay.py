"""A recording as a source of events, for the same screen that shows a live server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any, NoReturn

from loopviz.errors import InputError
from loopviz.model import Timeline
from loopviz.model.summary import summarise
from loopviz.recording import Recording, open_recording
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Event
from loopviz.stream.source import Environment, Vitals

__all__ = ["Replay", "timeline_for_replay"]

_AT_ONCE = 20_000
"""Events that one call hands over, about."""
_PATIENCE = 0.06
"""Seconds that one call takes, about."""


class Replay:
    """A `loopviz.stream.source.Source` of what was recorded. Raises `InputError` if it is no recording."""

    live = False

    def __init__(self, path: str | Path) -> None:
        self.recording: Recording = open_recording(path)
        header = self.recording.header
        self.environment: Environment = header.environment
        self.mode = "recording"
        self.address = header.address
        self.threads = header.threads
        self.blind: Sequence[tuple[str, str]] = header.blind
        self.scenarios: Sequence[ScenarioFile] = _distinct([found.shown() for found in header.scenarios])
        self.sources: Mapping[str, str] = {found.name: found.source for found in header.scenarios}
        """The text of each scenario's file, as it was recorded."""
        self.ended = False
        """Whether all of it has been handed over."""
        self._batches: Iterator[list[Event]] = self.recording.batches()
        self._present = header.started
        self._events = 0

    @property
    def damage(self) -> str | None:
        """Where and why reading has stopped before the end; None as long as nothing is amiss."""
        return self.recording.damage

    def start(self) -> None:
        """There is nothing to start."""

    def wait(self) -> None:
        """It is there at once."""

    def stop(self) -> bool:
        """Let go of the file."""
        self.recording.close()
        return True

    def fire(self, scenario: ScenarioFile, requests: int) -> NoReturn:
        """Refused: what is over cannot be sent a request."""
        raise InputError(f"This is a recording: {scenario.name} cannot be fired.\nUse 'loopviz run'.")

    def reload(self, scenario: ScenarioFile) -> NoReturn:
        """Refused, as `fire` is."""
        raise InputError("This is a recording: it serves nothing.\nUse 'loopviz run'.")

    def set_threads(self, tokens: int) -> None:
        """It has no effect on the past."""

    def source_lines(self, file: str) -> Sequence[str]:
        """The text of a scenario's file, as it was when it was recorded."""
        return self.sources.get(PurePath(file).stem, "").splitlines()

    def save(self, path: str | Path) -> NoReturn:
        """Refused: it is in a file already."""
        raise InputError(f"This is a recording already: {self.recording.path.name}.\nCopy that file.")

    def drain(self) -> list[Event]:
        """The next events, in the order of their time: as many as a frame can do with."""
        found: list[Event] = []
        until = time.monotonic() + _PATIENCE
        while len(found) < _AT_ONCE and not self.ended and time.monotonic() < until:
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
            else:
                found += batch
        if found:
            self._events += len(found)
            self._present = max(self._present, found[-1][0])
        return found

    def present(self) -> int:
        """The time of the newest event that has been handed over."""
        return self._present

    def vitals(self) -> Vitals:
        """How many events there were; what watching cost was not recorded."""
        return Vitals(self._events, self.recording.dropped, 0, ())

    def timeline(self) -> Timeline:
        """All of the rest of the recording, as a timeline."""
        timeline = timeline_for_replay()
        while not self.ended:
            timeline.feed(self.drain())
        return timeline

    def summary(self, timeline: Timeline) -> dict[str, Any]:
        """The JSON document of what was recorded; see `loopviz.model.summary`."""
        return summarise(
            timeline,
            scenario=self.scenarios[0].name if len(self.scenarios) == 1 else None,
            environment=asdict(self.environment),
            limit=self.threads,
            dropped=self.recording.dropped,
            blind=self.blind,
        )


def timeline_for_replay() -> Timeline:
    """A timeline that keeps all of a recording."""
    return Timeline(whole=True)


def _distinct(files: list[ScenarioFile]) -> list[ScenarioFile]:
    """The scenarios, each name once, and each key."""
    by_name = {file.name: file for file in files}
    by_key = {file.facts.key: file for file in reversed(by_name.values()) if file.facts.key}
    return [file for file in by_name.values() if not file.facts.key or by_key[file.facts.key] is file]
