"""The same load on several scenarios: the figures of each, and which one wins.

Percentiles are by nearest rank, as `loopviz.model.sample` defines them. One scenario wins if its
makespan is clearly shorter than every other's: by a factor of 1.1 and by 30 ms. A smaller difference
is noise, and there is no winner. A run with failed requests cannot win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loopviz.model.sample import Sample, percentile

__all__ = ["AT_LEAST", "CLEARLY", "FORMAT", "VERSION", "Entry", "Winner", "document", "winner"]

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


def winner(entries: Sequence[Entry]) -> Winner:
    """The winner; the module's docstring says when there is none."""
    ranked = sorted((e for e in entries if not e.sample.errors), key=lambda entry: entry.sample.makespan)
    if len(ranked) < 2:
        return Winner(None, None)
    first, second = ranked[0].sample.makespan, ranked[1].sample.makespan
    if second >= CLEARLY * first and second - first >= AT_LEAST:
        return Winner(ranked[0].scenario, round(second / first, 2) if first else None)
    last = ranked[-1].sample.makespan
    return Winner(None, round(last / first, 2) if first else None)


def document(
    entries: Sequence[Entry],
    summaries: Sequence[dict[str, Any]],
    requests: int,
    threads: int,
    environment: Mapping[str, object],
) -> dict[str, Any]:
    """The JSON document that ``loopviz compare --json`` prints.

    `summaries` has the document of each entry's run; `threads` is the thread limit.
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
    }
