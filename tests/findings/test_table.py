"""Findings: the table of rules, and that no loss is explained twice."""

from __future__ import annotations

from dataclasses import replace

from loopviz.findings import IDS, Finding, Seen
from loopviz.findings.loss import Loss, merged, overlaps
from loopviz.findings.table import RULES, found, of_time
from tests.findings.bursts import burst, findings, ids
from tests.findings.test_blocking_call import held
from tests.findings.test_gil import in_threads
from tests.streams import ns


def finding(rule: str, *waits: tuple[int, float, float]) -> Finding:
    """A finding with this loss: requests, and when they waited (ms)."""
    loss = Loss()
    for request, start, end in waits:
        loss.add(request, ns(start), ns(end))
    return Finding(rule, "low", "measured", "t", "w", "y", "d", None, (), (), (), loss.total, loss=loss)


def seen() -> Seen:
    """Two requests of a second."""
    line = burst(2, held(1, 4, 504), held(2, 505, 1_005))
    return Seen(line, list(line.requests.values()), ns(1), ns(1_005), ns(1_005))


def test_a_loss_is_explained_once():
    """What the first rule has explained, a later one has no more; what is left must be worth a finding."""
    first = finding("blocking-middleware", (2, 0, 500))
    same, more = finding("blocking-call", (2, 10, 505)), finding("convoy", (2, 400, 900))
    rules = [lambda _, one=one: [one] for one in (first, same, more)]
    kept = found(seen(), rules)
    assert [one.id for one in kept] == ["blocking-middleware", "convoy"]
    assert [one.lost for one in kept] == [500_000_000, 400_000_000]


def test_a_finding_is_no_graver_than_what_is_left_of_it():
    """Nor does it name requests whose waits another one has explained."""
    first = finding("blocking-call", (1, 0, 900))
    second = replace(finding("convoy", (1, 0, 900), (2, 0, 200)), severity="high", requests=(1, 2))
    rules = [lambda _, one=one: [one] for one in (first, second)]
    (left,) = [one for one in found(seen(), rules) if one.id == "convoy"]
    assert (left.severity, left.requests, left.lost) == ("medium", (2,), 200_000_000)


def test_source_that_is_nested_too_deeply():
    """A rule that cannot read it finds nothing there, and the others go on."""

    def fails(_: Seen) -> list[Finding]:
        raise RecursionError

    assert [one.id for one in found(seen(), [fails, lambda _: [finding("convoy", (1, 0, 500))]])] == [
        "convoy"
    ]


def test_a_finding_can_explain_more_than_its_loss():
    """Who waits for a thread because the loop is held is explained by what holds the loop."""
    whole = Loss()
    whole.add(2, ns(0), ns(900))
    first = replace(finding("blocking-call", (1, 0, 500)), explains=whole)
    rules = [lambda _, one=one: [one] for one in (first, finding("thread-limit", (2, 100, 900)))]
    assert [one.id for one in found(seen(), rules)] == ["blocking-call"]


def test_the_gravest_is_the_first():
    """Findings are in the order of their gravity, then of their losses."""
    low, lower = finding("convoy", (1, 0, 500)), finding("short-steps", (2, 0, 300))
    high = replace(finding("trivial-def", (2, 500, 700)), severity="high")
    rules = [lambda _, one=one: [one] for one in (lower, low, high)]
    assert [one.id for one in found(seen(), rules)] == ["trivial-def", "convoy", "short-steps"]


def test_findings_of_a_time():
    """What is found in a burst is found in a time that contains it, and in none that does not."""
    line = burst(2, held(1, 4, 504), held(2, 505, 1_005))
    assert [one.id for one in of_time(line, ns(0), ns(1_100))] == ["blocking-call"]
    assert of_time(line, ns(1_006), ns(2_000)) == []


def test_a_burst_that_lasts_has_findings():
    """What is known of a burst is found while it lasts."""
    line = burst(3, held(1, 4, 504))
    assert ids(line) == ["blocking-call"]
    assert findings(line, now=ns(3)) == []


def test_the_ids_are_those_of_the_table():
    """Every id that a rule gives is listed."""
    lines = (burst(2, held(1, 4, 504), held(2, 505, 1_005)), burst(4, in_threads(250, 250, 250, 245)))
    assert {one for line in lines for one in ids(line)} <= set(IDS)
    assert len(RULES) == len(set(RULES))


def test_stretches_are_merged_and_cut():
    """Stretches that touch are one; what lies between two times is cut out of them."""
    assert merged([(20, 30), (0, 10), (10, 15)], 0) == [(0, 15), (20, 30)]
    assert list(overlaps([(0, 15), (20, 30)], 5, 25)) == [(5, 15), (20, 25)]
    assert list(overlaps([(0, 15), (20, 30)], 15, 20)) == []


def test_a_share_of_a_time_is_lost():
    """Who waited for a half of the time has lost that half; what is taken away counts in the same way."""
    loss = Loss()
    loss.add(1, 0, 100, 0.5)
    assert (loss.total, loss.without({1: [(0, 40)]}).total, loss.without({2: [(0, 40)]}).total) == (
        50,
        30,
        50,
    )
