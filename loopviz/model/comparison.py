"""The same load on several scenarios: the figures of each, and which one wins. All views use this.

Percentiles are by nearest rank, as `loopviz.model.sample` defines them. One scenario wins if its
makespan is clearly shorter than every other's: by a factor of 1.1 and by 30 ms. A smaller difference
is noise, and there is no winner. A run with failed requests cannot win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loopviz.model.sample import Sample, percentile

__all__ = [
    "AT_LEAST",
    "CLEARLY",
    "FORMAT",
    "VERSION",
    "Entry",
    "Ranking",
    "Winner",
    "document",
    "ranking",
    "winner",
]

FORMAT = "loopviz-comparison"
VERSION = 1

CLEARLY = 1.1
"""The factor by which a makespan has to be shorter to be clearly shorter."""
AT_LEAST = 0.03
"""The number of seconds by which it has to be shorter, too."""


@dataclass(frozen=True)
class Entry:
    """A scenario's part in a comparison. `sees_lag` says whether its loop's iterations were seen."""

    scenario: str
    sample: Sample
    sees_lag: bool = True

    def figures(self) -> dict[str, Any]:
        """Its figures, by their names in the JSON document; times are seconds."""
        sample = self.sample
        return {
            "scenario": self.scenario,
            "makespan_s": round(sample.makespan, 6),
            "latency_p50_s": round(percentile(sample.latencies, 50), 6),
            "latency_p95_s": round(percentile(sample.latencies, 95), 6),
            "max_lag_s": round(sample.max_lag, 6) if self.sees_lag else None,
            "max_token_wait_s": round(sample.max_token_wait, 6),
            "threads_used": sample.threads_used,
            "errors": len(sample.errors),
        }


@dataclass(frozen=True)
class Winner:
    """The scenario that wins, and by which factor."""

    scenario: str | None
    """None if there is no clear winner."""
    factor: float | None
    """The second makespan divided by the winner's; without a winner, the longest by the shortest."""


@dataclass(frozen=True)
class Ranking:
    """The entries in the order of their makespans, as far as it is clear. There may be none of a kind."""

    first: tuple[Entry, ...]
    """The shortest one and those within the noise of it, the shortest first."""
    behind: tuple[Entry, ...]
    """Those that are clearly longer than the shortest one."""
    failed: tuple[Entry, ...]
    """Those with failed requests, which are not compared."""

    @property
    def winner(self) -> Entry | None:
        """The one that is clearly the shortest of two or more; None if there is none."""
        return self.first[0] if len(self.first) == 1 and self.behind else None

    def factor(self, entry: Entry) -> float | None:
        """The makespan divided by the shortest one; None where there is nothing to divide by."""
        shortest = self.first[0].sample.makespan if self.first else 0.0
        return entry.sample.makespan / shortest if shortest else None


def ranking(entries: Sequence[Entry]) -> Ranking:
    """The entries compared by the rule in the module's docstring."""
    good = sorted((e for e in entries if not e.sample.errors), key=lambda entry: entry.sample.makespan)
    behind = tuple(entry for entry in good if _clearly_longer(entry, good[0]))
    return Ranking(
        tuple(good[: len(good) - len(behind)]), behind, tuple(e for e in entries if e.sample.errors)
    )


def _clearly_longer(entry: Entry, shortest: Entry) -> bool:
    longer, short = entry.sample.makespan, shortest.sample.makespan
    return longer >= CLEARLY * short and longer - short >= AT_LEAST


def winner(entries: Sequence[Entry]) -> Winner:
    """The winner; the module's docstring says when there is none."""
    ranked = ranking(entries)
    good = (*ranked.first, *ranked.behind)
    if len(good) < 2:
        return Winner(None, None)
    won = ranked.winner
    factor = ranked.factor(good[1 if won is not None else -1])
    return Winner(None if won is None else won.scenario, None if factor is None else round(factor, 2))


def document(
    entries: Sequence[Entry],
    summaries: Sequence[dict[str, Any]],
    requests: int,
    threads: int,
    environment: Mapping[str, object],
    failure: Exception | None = None,
) -> dict[str, Any]:
    """The JSON document that ``loopviz compare --json`` prints.

    `summaries` has the document of each entry's run; `threads` is the thread limit; `failure` is what
    ended the comparison before all scenarios were measured.
    """
    won = winner(entries)
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": dict(environment),
        "requests": requests,
        "threads": threads,
        "runs": [
            entry.figures() | {"summary": summary} for entry, summary in zip(entries, summaries, strict=True)
        ],
        "winner": won.scenario,
        "factor": won.factor,
        "error": None if failure is None else str(failure),
    }
