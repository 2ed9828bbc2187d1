"""The line of source code that the picture is about: of the selection, of a block, of what was fired last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from loopviz.model import Request, Timeline, Where
from loopviz.scenario import ScenarioFile
from loopviz.tui.view import View

__all__ = ["longest_where", "pointed_at"]


def pointed_at(timeline: Timeline, view: View, scenarios: Sequence[ScenarioFile]) -> Where | None:
    """The line where the selected request is, or was longest; without one, the line that holds the loop.

    Else the line where the requests that were fired last were longest, or that defines their endpoint. In the
    reasons view, the line of the finding that is opened. None if nothing of that is known.
    """
    moment = view.moment
    if view.look == "reasons" and view.found is not None:
        return view.found
    selected = timeline.requests.get(view.cursor or 0)
    if selected is not None:
        segment = selected.state_at(moment)
        where = segment.where if segment is not None else None
        return where or longest_where([selected], moment) or _endpoint(selected.path, scenarios)
    block = timeline.block_at(moment)
    if block is not None and block.culprit[1] is not None:
        return block.culprit[1]
    burst = timeline.newest_burst(view.now)
    if burst is not None:
        requests = burst.requests
        fired = [file for file in scenarios if file.name == burst.scenario]
        path = fired[0].path if fired else requests[0].path if requests else ""
        return longest_where(requests, moment) or _endpoint(path, fired or scenarios)
    last = timeline.last_burst(moment)
    return longest_where(last, moment) or (_endpoint(last[0].path, scenarios) if last else None)


def longest_where(requests: Iterable[Request], now: int) -> Where | None:
    """The source line of the longest of these requests' segments that have one."""
    known = [s for request in requests for s in request.history(now) if s.where is not None]
    return max(known, key=lambda segment: segment.end - segment.start).where if known else None


def _endpoint(path: str, scenarios: Iterable[ScenarioFile]) -> Where | None:
    """The line that defines the endpoint for a path, so far as the text of a scenario's file shows it."""
    path = path.partition("?")[0]
    for file in scenarios:
        if file.path.partition("?")[0] != path:
            continue
        if file.line:
            return Where(str(file.file), file.line, "")
        lines: list[str] = []
        with suppress(OSError, UnicodeDecodeError):
            lines = Path(file.file).read_text(encoding="utf-8").splitlines()
        decorated = re.compile(rf"\s*@.*[\"']{re.escape(path)}[\"']")
        at = next((number for number, text in enumerate(lines, 1) if decorated.match(text)), 0)
        after = (n for n, text in enumerate(lines, 1) if n > at and re.match(r"\s*(async )?def ", text))
        return Where(str(file.file), next(after, 1) if at else 1, "")
    return None
