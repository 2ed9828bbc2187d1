"""Which endpoint answers a request: as it was seen, or else as the scenario or the route declares it."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.model import Burst, Timeline, Where
from loopviz.scenario import ScenarioFile
from loopviz.scenario.code import endpoint_code
from loopviz.tui.scene.code.sections import Reader
from loopviz.tui.scene.frame import Facts

__all__ = ["Endpoints"]

_LOOKED_AT = 20
"""Of so many requests of a burst it is looked whether the endpoint of one was seen."""
_MOST = 2_000
"""So many paths are kept."""


class Endpoints:
    """The endpoints of requests; what was found is kept."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], tuple[Sequence[str] | None, Where | None]] = {}
        self._by_path: dict[tuple[str, str], Where] = {}
        self._of_burst: dict[int, Where] = {}

    def forget(self) -> None:
        """Find them again."""
        self._files, self._by_path, self._of_burst = {}, {}, {}

    def of(self, timeline: Timeline, facts: Facts, read: Reader, number: int) -> Where | None:
        """The endpoint of a request, or of the one that has started a task; None if it is not known."""
        request = timeline.requests.get(number)
        if request is None:
            return None
        seen = request.handler
        path = request.method, request.path.partition("?")[0]
        if seen is not None:
            if len(self._by_path) < _MOST:
                self._by_path[path] = seen
            return seen
        known = self._by_path.get(path)
        if known is not None:
            return known
        burst = timeline.burst_of(number)
        return None if burst is None else self.of_burst(timeline, facts, read, burst)

    def of_burst(self, timeline: Timeline, facts: Facts, read: Reader, burst: Burst) -> Where | None:
        """The endpoint that answers the requests of a burst."""
        known = self._of_burst.get(burst.number)
        if known is not None:
            return known
        for number in range(burst.first, min(burst.stop, burst.first + _LOOKED_AT)):
            request = timeline.requests.get(number)
            if request is not None and (seen := request.handler) is not None:
                self._of_burst[burst.number] = seen
                return seen
        file = facts.scenario(burst.scenario)
        return None if file is None else self._of_file(file, read)

    def _of_file(self, file: ScenarioFile, read: Reader) -> Where | None:
        """What the scenario's file declares, in its present version."""
        key = file.name, str(file.file)
        lines = read(key[1])
        kept = self._files.get(key)
        if kept is not None and kept[0] is lines:
            return kept[1]
        at = file.line
        if not at and lines is not None:
            found = endpoint_code("\n".join(lines), file.path.partition("?")[0])
            at = found.first if found is not None else 0
        where = Where(key[1], at, "") if at else None
        self._files[key] = lines, where
        return where
