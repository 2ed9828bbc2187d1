"""Reading scenario files again after they were saved. The last version that could be read stays in use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loopviz.errors import InputError
from loopviz.loaded import beside
from loopviz.scenario.files import ScenarioFile, find, read, require_own_paths

__all__ = ["SavedFile", "Watcher"]

_Stamp = tuple[int, int]


@dataclass(frozen=True)
class SavedFile:
    """A scenario file that was saved: its new version, or the error in it."""

    file: Path
    scenario: ScenarioFile | None
    """The new version; None if it cannot be read."""
    error: str | None = None
    """The error, with file and line, in one or two lines."""


class _Reading:
    """A file that is read, and so executed, in a thread of its own: it may import a lot."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._result: ScenarioFile | str | None = None
        self._thread = threading.Thread(target=self._read, name="loopviz reload", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            (self._result,) = read([self.file])
        except InputError as error:
            self._result = str(error)
        except BaseException as error:  # no file may end the watching
            self._result = f"{self.file}: {type(error).__name__}: {error}"

    @property
    def result(self) -> ScenarioFile | str | None:
        """The new version, or the error in it; None while it is read."""
        return None if self._thread.is_alive() else self._result


class Watcher:
    """Finds the files of a target (a scenario file, or a folder of them) that were saved.

    `scenarios` are the versions that were read first. A file that was removed keeps its last version. A file
    that is saved while it is read is read again, and only its newest version counts. A single
    file is also read again when a module beside it was saved that it has imported.
    """

    def __init__(self, target: str, scenarios: Sequence[ScenarioFile]) -> None:
        self._target = target
        self._good = {scenario.file: scenario for scenario in scenarios}
        self._seen = {path: _stamp(path) for path in self._paths()}
        self._readings: dict[Path, _Reading] = {}

    @property
    def reading(self) -> list[Path]:
        """The files that are being read."""
        return list(self._readings)

    def poll(self) -> list[SavedFile]:
        """What has been read since the last call; what was saved since begins to be read. Never waits."""
        paths = self._paths()
        saved = [path for path in paths if self._is_new(path)]
        # In a folder it is not known whose module it is; to execute all files again may be much.
        if len(paths) == 1 and [
            path for path, loaded in beside(paths[0]).items() if self._is_new(path, loaded)
        ]:
            saved = paths
        for path in saved:
            self._readings[path] = _Reading(path)  # the result of an older one is not asked for
        changes = []
        for path, reading in list(self._readings.items()):
            result = reading.result
            if result is not None:
                del self._readings[path]
                changes.append(self._taken(path, result))
        return changes

    def _is_new(self, path: Path, known: _Stamp | None = None) -> bool:
        """Whether the file was saved since the last call; before the first one, since it was as `known`."""
        stamp = _stamp(path)
        if stamp is None or stamp == self._seen.get(path, known):
            return False
        self._seen[path] = stamp
        return True

    def _taken(self, path: Path, result: ScenarioFile | str) -> SavedFile:
        if isinstance(result, str):
            return SavedFile(path, None, result)
        key = result.facts.key
        for file, other in self._good.items():
            if file != path and key is not None and other.facts.key == key:
                return SavedFile(
                    path, None, f"{path}: {file.name} has the key {key!r}.\nChange the key of one of them."
                )
        try:
            require_own_paths([*(other for file, other in self._good.items() if file != path), result])
        except InputError as error:
            return SavedFile(path, None, str(error))
        self._good[path] = result
        return SavedFile(path, result)

    def _paths(self) -> list[Path]:
        try:
            return find(self._target)
        except InputError:  # it was removed, perhaps only while an editor saves it
            return []


def _stamp(path: Path) -> _Stamp | None:
    """Time of the last change (ns) and size; None if the file does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
