"""Repairs on the real thing: each scenario with a finding that has a repair, before and after it.

Run by hand: ``python -m tests.benchmarks.repairs [NAME...] [--times N]``. A scenario is fired with its own
number of requests; its finding is taken, the repair is made, and the repaired copy is served beside the
original and fired with as many. Printed are: whether the finding is gone, both makespans, whether the second
one is what the law of the twin says (of the scenario that is declared to be the repair), and whether all
answers are the same. Where the repair does more than to sleep otherwise, the twin is measured as well: on
a busy machine it takes longer than its law says, too.

Exit code 1 if a repair that was made misses one of these.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.clock import NS
from loopviz.draw.expected import computed
from loopviz.experiment.measure import Course, conduct, settle
from loopviz.findings import Finding
from loopviz.findings.table import of_burst
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.session import Session
from loopviz.model.answers import compare
from loopviz.repair import Refused, possible, repaired
from loopviz.scenario import Load, ScenarioFile, find, read
from loopviz.stream.answer import Answer

LONGEST = 90.0
"""The longest time that one process is waited for (s)."""
SHORT = 0.5
"""So much longer than its law, and a tenth of it, a burst may take on a busy machine (s)."""


def found_in(course: Course, file: ScenarioFile) -> list[Finding]:
    """What is found in the newest burst."""
    settle(course.session, course.timeline, None)
    now = course.timeline.last
    burst = course.timeline.newest_burst(now)
    assert burst is not None
    lines = course.session.source_lines
    return of_burst(course.timeline, burst, lines, now=now, repaired=file.facts.repaired)


def fired(course: Course, scenario: ScenarioFile, count: int) -> tuple[float, list[Answer]]:
    """Fire a burst: its makespan (s), and the answers in the order of their requests."""
    answers: list[Answer] = []
    course.follow([course.session.fire_heard(scenario, count, answers.append)], count)
    settle(course.session, course.timeline, None)
    burst = course.timeline.newest_burst(course.timeline.last)
    assert burst is not None
    return burst.makespan(course.timeline.last) / NS, sorted(answers, key=lambda answer: answer.number)


def repair_for(text: str, finding: Finding) -> Any:
    """The repair that the finding names; if it is refused, the one that fits the line."""
    where = finding.where
    if finding.repair is None or where is None:
        return Refused("The finding names none.")
    place = {"line": where.line, "function": where.function, "calls": where.calls}
    done = repaired(text, finding.repair, name=Path(where.file).name, **place)  # type: ignore[arg-type]
    other = possible(text, **place) if isinstance(done, Refused) else None  # type: ignore[arg-type]
    again = None if other is None else repaired(text, other, name=Path(where.file).name, **place)  # type: ignore[arg-type]
    return done if again is None or isinstance(again, Refused) else again


def twin_of(file: ScenarioFile, files: dict[str, ScenarioFile]) -> ScenarioFile | None:
    """The last one of the scenarios that are declared to repair each other."""
    twin, seen = file, {file.name}
    while (name := twin.facts.repaired) is not None and name not in seen and name in files:
        seen.add(name)
        twin = files[name]
    return None if twin is file or twin.missing else twin


def law_of(file: ScenarioFile, twin: ScenarioFile, course: Course, kind: str) -> float | None:
    """The makespan (s) that the twin's law says for the newest burst."""
    burst = course.timeline.newest_burst(course.timeline.last)
    if twin.facts.makespan is None or burst is None:
        return None
    single = computed(course.timeline, burst)
    # A repaired sleep sleeps as long as before. What works otherwise takes as long as in the twin.
    seconds = file.facts.seconds if kind == "async-sleep" else twin.facts.seconds
    return twin.facts.makespan(Load.here(burst.count, burst.threads, seconds, (single or 0) / NS))


def one(name: str, isolated: bool) -> None:
    """Repair one scenario, and print what was measured as JSON."""
    result: dict[str, Any] = {}
    with Workspace():
        files = {file.name: file for file in read(find())}
        file = files[name]
        count, twin = file.facts.requests, twin_of(file, files)

        def act(course: Course) -> None:
            result["before"], original = fired(course, file, count)
            findings = found_in(course, file)
            result["findings"] = [finding.id for finding in findings]
            if not findings:
                return
            finding = findings[0]
            text = Path(file.file).read_text(encoding="utf-8")
            done = repair_for(text, finding)
            if isinstance(done, Refused):
                result["refused"] = done.why
                return
            result["kind"] = done.kind
            copy = course.session.serve_copy(file, str(file.file), done.source).result(30)
            if done.kind == "process-pool":
                fired(course, copy, count)  # the processes start
            result["after"], changed = fired(course, copy, count)
            left = [other.id for other in found_in(course, file)]
            result["left"], result["gone"] = left, finding.id not in left
            result["law"] = None if twin is None else law_of(file, twin, course, done.kind)
            compared = compare(original, changed)
            result["same"], result["of"] = compared.same, compared.of
            course.session.end_copy().result(30)
            if twin is not None and done.kind != "async-sleep":
                result["twin"], _ = fired(course, twin, count)

        session = Session(
            [file] if twin is None else [file, twin], threads=40, loop="asyncio", isolate=isolated
        )
        conduct(session, file, count, act)
    print(json.dumps(result), flush=True)


def look(name: str, *, isolated: bool) -> dict[str, Any] | None:
    """What one scenario's repair has given, in a process of its own; None if that failed."""
    command = [sys.executable, "-m", __spec__.name, "--one", name]
    command += ["--isolated"] if isolated else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return None
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        print(done.stderr[-3_000:], file=sys.stderr)
        return None
    return dict(json.loads(last))


def within(result: dict[str, Any]) -> bool:
    """Whether the repaired burst took as long as its law says; or as the twin, where the machine is busy."""
    law = result.get("law")
    expected = max(1.1 * (law or 0) + SHORT, 1.25 * result.get("twin", 0))
    return law is None or result["after"] <= expected


def row(name: str, result: dict[str, Any] | None) -> bool:
    """Print one line; returns whether nothing is wrong."""
    if result is None:
        print(f"{name:20} could not be measured", flush=True)
        return False
    found = ", ".join(result["findings"]) or "nothing"
    if "kind" not in result:
        why = result.get("refused", "no finding")
        print(f"{name:20} {found:20} {result['before']:5.2f} s  none: {why}", flush=True)
        return "refused" in result
    law = "" if result["law"] is None else f"(law {result['law']:.2f} s)"
    law = f"{law[:-1]}, twin {result['twin']:.2f} s)" if "twin" in result else law
    right = result["gone"] and within(result) and result["same"] == result["of"]
    gone = "gone" if result["gone"] else "STAYS"
    also = f"  also {', '.join(result['left'])}" if result["gone"] and result["left"] else ""
    answers = f"{result['same']} of {result['of']} answers the same"
    print(
        f"{name:20} {found:20} {result['kind']:13} {result['before']:5.2f} -> {result['after']:5.2f} s"
        f" {law:27} {'law ok ' if within(result) else 'TOO LONG'} {gone:6} {answers}{also}",
        flush=True,
    )
    return bool(right)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios; all that declare a finding if none is given")
    parser.add_argument("--times", type=int, default=1, help="how often")
    parser.add_argument("--isolated", action="store_true", help="with the server in a process of its own")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.names[0], options.isolated)
        return 0
    with Workspace():
        files = [file for file in read(find()) if not file.missing]
        names = [f.name for f in files if f.name in options.names or (not options.names and f.facts.finding)]
    right = [row(name, look(name, isolated=options.isolated)) for _ in range(options.times) for name in names]
    print(f"\n{sum(right)} of {len(right)} as they should be")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
