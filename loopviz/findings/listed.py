"""The findings of a whole run, and what JSON documents say of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loopviz.clock import seconds
from loopviz.findings.finding import Finding
from loopviz.findings.seen import Lines, no_lines
from loopviz.findings.table import of_bursts, of_time
from loopviz.model import Burst, Timeline

__all__ = ["documents", "of_run"]

_MOST_BURSTS = 100
"""Of so many bursts, the newest."""


def of_run(
    timeline: Timeline,
    lines: Lines = no_lines,
    *,
    repaired: str | None = None,
    gil: bool = True,
    dropped: int = 0,
    now: int | None = None,
) -> list[Finding]:
    """The findings of all bursts, the gravest first; of the whole time where others sent requests as well.

    Bursts that go on at the same time, such as those of several paths, are looked at together.

    `repaired` is the name of the scenario that shows the repair, `now` when the run ended (ns).
    """
    requests = timeline.requests
    now = timeline.last if now is None else now
    if not requests:
        return []
    if any(timeline.burst_of(number) is None for number in requests):
        start = min(request.start for request in requests.values())
        return of_time(timeline, start, now, lines, gil=gil, dropped=dropped)
    found = [
        finding
        for bursts in _at_once(list(timeline.bursts)[-_MOST_BURSTS:], now)
        for finding in of_bursts(
            timeline, bursts, lines, now=now, repaired=repaired, gil=gil, dropped=dropped
        )
    ]
    return sorted(found, key=lambda finding: finding.order)


def _at_once(bursts: Iterable[Burst], now: int) -> list[list[Burst]]:
    """The bursts, those together that go on at the same time."""
    found: list[list[Burst]] = []
    end = 0
    for burst in sorted((burst for burst in bursts if burst.began), key=lambda burst: burst.began):
        if found and burst.began < end:
            found[-1].append(burst)
        else:
            found.append([burst])
        end = max(end, now if burst.done is None else burst.done)
    return found


def documents(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as parts of a JSON document. Fields are added, but not renamed or removed."""
    return [
        {
            "id": finding.id,
            "severity": finding.severity,
            "confidence": finding.confidence,
            "title": finding.title,
            "what": finding.what,
            "why": finding.why,
            "do": finding.do,
            "where": None
            if finding.where is None
            else {
                "file": finding.where.file,
                "line": finding.where.line,
                "function": finding.where.function,
                "calls": finding.where.calls,
            },
            "requests": list(finding.requests),
            "culprits": list(finding.culprits),
            "evidence": dict(finding.evidence),
            "lost_s": seconds(finding.lost),
            "change": None
            if finding.change is None
            else {"before": list(finding.change[0]), "after": list(finding.change[1])},
            "repair": finding.repair,
            "scenario": finding.scenario,
        }
        for finding in found
    ]
