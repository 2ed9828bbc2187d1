"""Reading scenario files again after they were saved. The last version that could be read stays in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loopviz.errors import InputError
from loopviz.scenario.files import ScenarioFile, find, read, require_own_paths

__all__ = ["SavedFile", "Watcher"]


@dataclass(frozen=True)
class SavedFile:
    """A scenario file that was saved: its new version, or the error in it."""

    file: Path
    scenario: ScenarioFile | None
    """The new version; None if it cannot be read."""
    error: str | None = None
    """The error, with file and line, in one or two lines."""


class Watcher:
    """Finds the files of a target (a scenario file, or a folder of them) that were saved.

    `scenarios` are the versions that were read first. A file that was removed keeps its last version.
    """

    def __init__(self, target: str, scenarios: Sequence[ScenarioFile]) -> None:
        self._target = target
        self._good = {scenario.file: scenario for scenario in scenarios}
        self._seen = {path: _stamp(path) for path in self._paths()}

    def poll(self) -> list[SavedFile]:
        """The files that were saved or added since the last call."""
        changes = []
        for path in self._paths():
            stamp = _stamp(path)
            if stamp is not None and stamp != self._seen.get(path):
                self._seen[path] = stamp
                changes.append(self._read(path))
        return changes

    def _read(self, path: Path) -> SavedFile:
        try:
            (scenario,) = read([path])
        except InputError as error:
            return SavedFile(path, None, str(error))
        key = scenario.facts.key
        for file, other in self._good.items():
            if file != path and key is not None and other.facts.key == key:
                return SavedFile(
                    path, None, f"{path}: {file.name} has the key {key!r}.\nChange the key of one of them."
                )
        try:
            require_own_paths([*(other for file, other in self._good.items() if file != path), scenario])
        except InputError as error:
            return SavedFile(path, None, str(error))
        self._good[path] = scenario
        return SavedFile(path, scenario)

    def _paths(self) -> list[Path]:
        try:
            return find(self._target)
        except InputError:  # it was removed, perhaps only while an editor saves it
            return []


def _stamp(path: Path) -> tuple[int, int] | None:
    """Time of the last change (ns) and size; None if the file does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
