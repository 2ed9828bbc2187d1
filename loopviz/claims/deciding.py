"""From a claim to its verdict, with any laboratory."""

from __future__ import annotations

from collections import Counter

from loopviz.claims.claim import Answer, Claim, Laboratory, Machine, Outcome, Samples, Verdict
from loopviz.errors import NotVisibleError

__all__ = ["decide", "run_claim"]


def run_claim(claim: Claim, lab: Laboratory) -> Outcome:
    """Test `claim` in `lab`. This may take some seconds, and raises what the laboratory raises.

    Where no request is visible, the claim is undecided.
    """
    machine = lab.machine()
    if machine.cores < claim.cores:
        return Outcome(claim, _undecided(f"it needs {claim.cores} cores, and there is {machine.cores}"))
    missing = lab.missing(claim.experiment.scenarios)
    if missing is not None:
        return Outcome(claim, _undecided(missing))
    try:
        samples = lab.measure(claim.experiment)
    except NotVisibleError as error:
        why = str(error).partition("\n")[0].rstrip(".")
        return Outcome(claim, _undecided(f"{why[:1].lower()}{why[1:]}"))
    return Outcome(claim, decide(claim, samples, lab.machine(parallel=claim.cores > 1)))


def decide(claim: Claim, samples: Samples, machine: Machine) -> Verdict:
    """The verdict that follows from these measurements; pure."""
    for name, sample in samples.items():
        if sample.errors:
            error, _ = Counter(sample.errors).most_common(1)[0]
            failed = f"{len(sample.errors)} of {len(sample.requests)} requests failed"
            return _undecided(f"{failed} in {name}: {error}")
    return claim.criterion(samples, machine)


def _undecided(reason: str) -> Verdict:
    return Verdict(Answer.UNDECIDED, f"Undecided here: {reason}.")
