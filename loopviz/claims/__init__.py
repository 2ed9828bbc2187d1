"""What people say about FastAPI, as claims with experiments, criteria and computed verdicts.

`claim` has the types, `catalogue` the claims, `criteria` their criteria, `deciding` the way to a verdict.
This code is pure: what measures is passed in as a `Laboratory`, such as `loopviz.experiment.lab.Lab`.
"""

from loopviz.claims.catalogue import CLAIMS
from loopviz.claims.claim import (
    TIMER_HEADER,
    Answer,
    Burst,
    Claim,
    Experiment,
    Figure,
    Laboratory,
    Machine,
    Outcome,
    Samples,
    Trial,
    Verdict,
)
from loopviz.claims.deciding import decide, run_claim

__all__ = [
    "CLAIMS",
    "TIMER_HEADER",
    "Answer",
    "Burst",
    "Claim",
    "Experiment",
    "Figure",
    "Laboratory",
    "Machine",
    "Outcome",
    "Samples",
    "Trial",
    "Verdict",
    "decide",
    "run_claim",
]
