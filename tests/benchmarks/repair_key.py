"""The key F on the catalogue: the factor, the answers, and whether the finding is gone.

    uv run python -m tests.benchmarks.repair_key            # all scenarios that have a finding
    uv run python -m tests.benchmarks.repair_key blocking   # this one
    uv run python -m tests.benchmarks.repair_key --made     # those that are made, not those that are declared

Each is fired with its own number of requests; then the repair that it declares, or the one that is made for
its gravest finding, as the key F does it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from loopviz.clock import now_ns
from loopviz.draw.answers import said
from loopviz.findings.table import of_burst
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.scenario import ScenarioFile, find, read
from loopviz.tui.screens.repair.lines import factor_said
from loopviz.tui.screens.repair.plans import Plan, Refusals, declared, nothing, plans
from loopviz.tui.screens.repair.trial import Trial

LONGEST = 120.0


def main() -> int:
    """Print a line for each scenario; 1 if a finding is left or answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--made", action="store_true", help="the repairs that are made from the code")
    options = parser.parse_args()
    files = [file for file in read(find()) if file.servable]
    wrong = 0
    session = Session(files, lazily=True)
    timeline = Timeline()
    session.start()
    try:
        session.wait()
        for file in files:
            meant = file.name in options.names if options.names else file.facts.finding is not None
            if meant:
                text, good = measured(session, timeline, file, made=options.made)
                print(f"{file.name:<20} {text}", flush=True)
                wrong += not good
    finally:
        session.stop()
    return min(1, wrong)


def measured(session: Session, timeline: Timeline, file: ScenarioFile, *, made: bool) -> tuple[str, bool]:
    """What is said of one repair, and whether it is right."""
    fired = now_ns()
    session.fire(file, file.facts.requests)

    def over() -> bool:
        burst = timeline.newest_burst(now_ns())
        return burst is not None and burst.fired >= fired and burst.settled(now_ns())

    follow(session, timeline, over)
    burst = timeline.newest_burst(now_ns())
    lines = session.source_lines
    found = of_burst(timeline, burst, lines, now=now_ns()) if burst is not None else []
    plan: Plan | Refusals | None = None if made else declared(session, file, found)
    if plan is None:
        own = replace(file, facts=replace(file.facts, repaired=None))
        several = plans(lines, own, found) if found else Refusals((nothing(file.name, burst, now_ns()),))
        plan = several if isinstance(several, Refusals) else several[0]
    if isinstance(plan, Refusals):
        return f"{' '.join(plan.why)}", True
    trial = Trial(session, plan, burst, file.facts.requests)

    def tried() -> bool:
        trial.follow(timeline, now_ns())
        return trial.over

    follow(session, timeline, tried)
    entries = [lineup.entry for lineup in trial.lineups]
    if trial.failure or entries[0] is None or entries[1] is None or trial.compared is None:
        return f"failed: {trial.failure}", False
    same = trial.compared.same == trial.compared.of
    gone = trial.left is None
    what = plan.finding.id if plan.finding is not None else "no finding"
    kind = (
        f"{plan.finding.repair}"
        if plan.twin is None and plan.finding is not None
        else f"{file.facts.repaired}"
    )
    factor = factor_said(entries[0].sample, entries[1].sample)
    answers = " ".join(said(trial.compared))
    state = "gone" if gone else f"LEFT: {trial.left.what if trial.left else ''}"
    return f"{what} -> {kind}: {factor} {answers} {state}", same and gone


def follow(session: Session, timeline: Timeline, over: Callable[[], bool]) -> None:
    """Feed the timeline until it is over."""
    until = time.monotonic() + LONGEST
    while not over() and time.monotonic() < until:
        timeline.feed(session.drain())
        time.sleep(0.03)


if __name__ == "__main__":
    sys.exit(main())
