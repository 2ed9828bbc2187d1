"""Pairs of scenarios that are worth comparing: one with a fault or a limit, and one without."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from loopviz.scenario.declaration import THREAD_LIMIT, Load, Scenario
from loopviz.scenario.files import ScenarioFile

__all__ = ["Pair", "best_of_each_group", "pairs"]

_KINDS = frozenset({"sync", "async", "blocking", "def", "threads", "wsgi", "asgi"})
"""Parts of names that say how something is done: `report_sync` and `report_async` do the same."""


class Pair(NamedTuple):
    """Two scenarios for the same load: usually one, and the one that shows its repair."""

    first: ScenarioFile
    second: ScenarioFile

    @property
    def names(self) -> tuple[str, str]:
        """The names of both."""
        return self.first.name, self.second.name


def pairs(files: Sequence[ScenarioFile]) -> list[Pair]:
    """The pairs among `files`: those that declare their repair, then names that differ in their kind only.

    Each two scenarios are paired once. Those of a group stay together, the largest expected difference first.
    """
    by_name = {file.name: file for file in files}
    found: dict[frozenset[str], Pair] = {}
    for file in files:
        repaired = by_name.get(file.facts.repaired or "")
        if repaired is not None and repaired is not file:
            found.setdefault(frozenset((file.name, repaired.name)), Pair(file, repaired))
    for one, other in combinations(files, 2):
        if one.facts.group == other.facts.group and _same_but_for_kind(one.name, other.name):
            found.setdefault(frozenset((one.name, other.name)), Pair(one, other))
    if not found and len(files) == 2:
        found[frozenset(by_name)] = Pair(*files)
    groups = list(dict.fromkeys(file.facts.group for file in files))
    return sorted(found.values(), key=lambda pair: (groups.index(pair.first.facts.group), -_factor(pair)))


def best_of_each_group(found: Sequence[Pair]) -> list[Pair]:
    """The first pair of each group, in the order of the groups."""
    best: dict[str, Pair] = {}
    for pair in found:
        best.setdefault(pair.first.facts.group, pair)
    return list(best.values())


def _same_but_for_kind(one: str, other: str) -> bool:
    first, second = one.split("_"), other.split("_")
    differing = [{a, b} for a, b in zip(first, second, strict=False) if a != b]
    return len(first) == len(second) > 1 and len(differing) == 1 and differing[0] <= _KINDS


def _factor(pair: Pair) -> float:
    """How many times as long one is expected to take as the other; 1 where that is not declared."""
    load = max(pair.first.facts.requests, pair.second.facts.requests)
    took = [_expected(file.facts, load) for file in pair]
    return max(took) / min(took) if min(took) > 0 else 1.0


def _expected(facts: Scenario, requests: int) -> float:
    try:
        return facts.expected(Load(requests, THREAD_LIMIT, facts.seconds, facts.seconds, 4))
    except ValueError:
        return 0.0
