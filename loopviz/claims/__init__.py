"""The folk wisdom about FastAPI, put to the test: claims, experiments and computed verdicts.

Pure: whoever can measure is given as a `Laboratory`, such as `loopviz.experiment.lab.Lab`.
"""

from loopviz.claims.catalogue import CLAIMS
from loopviz.claims.judging import judge, run_claim
from loopviz.claims.records import (
    Answer,
    Claim,
    Experiment,
    Figure,
    Fire,
    Laboratory,
    Machine,
    Outcome,
    Samples,
    Trial,
    Verdict,
)

__all__ = [
    "CLAIMS",
    "Answer",
    "Claim",
    "Experiment",
    "Figure",
    "Fire",
    "Laboratory",
    "Machine",
    "Outcome",
    "Samples",
    "Trial",
    "Verdict",
    "judge",
    "run_claim",
]
