"""Many short steps: none is a block, and together they keep others from the loop as long as one."""

from __future__ import annotations

from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Finding
from loopviz.findings.loss import Loss
from loopviz.findings.seen import Seen
from loopviz.findings.steps import Steps, long_steps, many_steps
from loopviz.findings.words import at, count, named
from loopviz.model import BLOCK_THRESHOLD, Where

__all__ = ["look"]


def look(seen: Seen) -> Iterator[Finding]:
    """A finding for each kind of short steps behind which requests waited as long as for a block."""
    for steps in (many_steps(seen), *long_steps(seen)):
        if steps.of and steps.takes_turns(seen):
            loss = steps.loss(seen)
            if loss.longest >= BLOCK_THRESHOLD and seen.matters(loss):
                yield _finding(seen, steps, loss)


def _finding(seen: Seen, steps: Steps, loss: Loss) -> Finding:
    where = steps.where or _endpoint(seen, steps)
    place = f", at {at(where)}" if where is not None else ""
    return Finding(
        id="short-steps",
        severity=seen.severity(loss),
        confidence="measured",
        title="Short steps that starve others",
        what=f"{count(len(steps.of), 'request')} ran on the event loop in {count(steps.count, 'step')} of up "
        f"to {duration(steps.longest)}, {duration(steps.length)} in all{place}; "
        f"others waited up to {duration(loss.longest)}.",
        why="An await between two steps lets others run in between, but the loop is one thread: who is ready "
        "waits until all steps before it are done.",
        do="Compute in a process pool, or in fewer requests at a time.",
        where=where,
        requests=named(loss.requests),
        culprits=named(steps.culprits),
        evidence=(
            ("steps", f"{steps.count}, {duration(steps.length)} in all"),
            ("longest step", duration(steps.longest)),
            ("delayed", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
        ),
        lost=loss.total,
        repair="process-pool",
        scenario=seen.repaired or "cpu_processes",
        loss=loss,
    )


def _endpoint(seen: Seen, steps: Steps) -> Where | None:
    """Their endpoint, if the steps are too short for their lines to be seen."""
    handlers = (seen.by_number[number].handler for number in steps.culprits)
    return next((where for where in handlers if where is not None), None)
