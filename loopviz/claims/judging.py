"""From a claim to its outcome, with whatever laboratory there is."""

from __future__ import annotations

from collections import Counter

from loopviz.claims.records import Answer, Claim, Laboratory, Machine, Outcome, Samples, Verdict

__all__ = ["judge", "run_claim"]


def run_claim(claim: Claim, lab: Laboratory) -> Outcome:
    """Put `claim` to the test in `lab`, which may take some seconds."""
    machine = lab.machine()
    if machine.cores < claim.cores:
        return Outcome(claim, _undecided(f"it takes {claim.cores} cores, and there is {machine.cores}"))
    missing = lab.missing(claim.experiment.scenarios)
    if missing is not None:
        return Outcome(claim, _undecided(missing))
    samples = lab.measure(claim.experiment)
    return Outcome(claim, judge(claim, samples, lab.machine(parallel=claim.cores > 1)))


def judge(claim: Claim, samples: Samples, machine: Machine) -> Verdict:
    """What these measurements say of the claim; pure."""
    for name, sample in samples.items():
        if sample.errors:
            error, _ = Counter(sample.errors).most_common(1)[0]
            failed = f"{len(sample.errors)} of {len(sample.requests)} requests failed"
            return _undecided(f"{failed} in {name}: {error}")
    return claim.criterion(samples, machine)


def _undecided(reason: str) -> Verdict:
    return Verdict(Answer.UNDECIDED, f"Undecided here: {reason}.")
