"""Sentences about a burst that is over: the verdict, and what was found."""

from __future__ import annotations

from collections.abc import Iterable

from loopviz.draw.narrate.spoken import spoken
from loopviz.draw.verdict import verdict
from loopviz.draw.words import count, duration
from loopviz.findings import Finding
from loopviz.findings.seen import Lines
from loopviz.findings.table import of_burst, of_time
from loopviz.model import Burst, Timeline
from loopviz.scenario import Scenario

__all__ = ["found_in", "found_since", "judged", "summed_up"]


def judged(timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int) -> list[str]:
    """What was measured against what was expected, why, and what to change."""
    found = verdict(timeline, burst, scenario, now)
    said = [spoken(found.measured)]
    if found.why:
        said.append(spoken(found.why))
    if found.repair:
        shows = f" The scenario {found.repaired} shows it." if found.repaired else ""
        repair = found.repair if found.repair.endswith(".") else f"{found.repair}."
        said.append(f"Repair: {repair}{shows}")
    return said


def summed_up(requests: int, failed: int, took: int) -> str:
    """How many requests of other clients there were, in which time (ns)."""
    return (
        f"Done: {count(requests, 'request')} of other clients in {duration(took)}"
        f"{f', {failed} failed' if failed else ''}."
    )


def found_in(
    timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int, lines: Lines, *, gil: bool
) -> list[str]:
    """What was found in a burst: what was seen, why it happens, what to do, of each."""
    repaired = None if scenario is None else scenario.repaired
    return _said(of_burst(timeline, burst, lines, now=now, repaired=repaired, gil=gil))


def found_since(timeline: Timeline, start: int, end: int, lines: Lines, *, gil: bool) -> list[str]:
    """The same of all requests of a time."""
    return _said(of_time(timeline, start, end, lines, gil=gil))


def _said(findings: Iterable[Finding]) -> list[str]:
    said = []
    for finding in findings:
        likely = "" if finding.confidence == "measured" else " (likely)"
        said += [
            f"Finding, {finding.severity}{likely}: {finding.title}.",
            *(spoken(sentence) for sentence in (finding.what, finding.why, finding.do) if sentence),
        ]
    return said
