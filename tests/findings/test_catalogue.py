"""Findings: what is found in built-in scenarios on the real server is what they declare.

All of them are measured by ``python -m tests.benchmarks.findings``; here those that show a rule each in the
shortest time, and two in which nothing is to be found.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loopviz.experiment.measure import measure
from loopviz.findings import IDS
from loopviz.findings.table import of_burst
from loopviz.scenario import find, read

pytestmark = [pytest.mark.slow, pytest.mark.alone]

REQUESTS = {
    "blocking": 2, "middleware_blocking": 3, "background_blocking": 2, "to_thread": None,
    "async": 2, "cached": 3,
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_found_is_what_a_scenario_declares(name: str) -> None:
    """A scenario that is built to show a problem yields its finding, and one that is not yields none."""
    (file,) = read(find(name))
    run = measure(file, requests=REQUESTS[name])
    burst = run.timeline.newest_burst(run.timeline.last)
    assert burst is not None
    found = of_burst(
        run.timeline, burst, lambda path: Path(path).read_text().splitlines(), gil=run.environment.gil
    )
    expected = [] if file.facts.finding is None else [file.facts.finding]
    # A machine without a free core is no doing of the scenario's.
    assert [one.id for one in found if one.id != "observer-late"] == expected, [one.what for one in found]
    for one in found:
        if one.where is not None and one.change is not None and one.repair != "plain-def":
            assert one.change[0][0] in Path(one.where.file).read_text()


def test_findings_that_are_declared_exist() -> None:
    """A scenario declares the id of a rule, and every rule is documented."""
    for file in read(find()):
        assert file.facts.finding in (None, *IDS)
    text = (Path(__file__).parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### `([a-z-]+)`", text, re.MULTILINE)) == set(IDS)
