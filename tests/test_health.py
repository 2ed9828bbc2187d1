"""Health probes: what a load balancer would have made of them, in the model, as a lane and in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopviz.draw import health as words
from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.model.health import FALL, RISE
from loopviz.model.limits import LIVE
from loopviz.model.summary import summarise
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream.events import Event
from loopviz.target.health import health_route
from tests import streams
from tests.streams import MS, feed, ms, ns
from tests.test_scene import scene, text, view
from tests.test_screen import drive, run

__all__ = ["drive"]  # the fixture


def probes(*several: Iterable[Event], first: float = 0, path: str = "/healthz") -> Timeline:
    """A timeline of probes, put in order."""
    line = Timeline()
    events = [streams.probing(first, path), *(event for events in several for event in events)]
    feed(line, sorted(events, key=lambda event: event[0]))
    return line


def blocked(until: float = 2_500) -> Timeline:
    """A loop that is blocked from 1 s on: what was sent up to a second before its end fails."""
    several = []
    for at in range(0, 4_000, 100):
        if not 1_000 <= at < until:
            several.append(streams.probed(at, 2))
        elif at <= until - 1_000:
            several.append(streams.probed(at))
        else:
            several.append(streams.probed(at, until - at))
    return probes(*several)


# -- the model ---------------------------------------------------------------------------------------


def test_three_failed_probes_in_a_row_take_it_out_and_two_answers_bring_it_back():
    """It is out from the third failure, not from the first, until the second answer."""
    line = blocked()
    (out,) = line.health.outs
    assert (ms(out.start), ms(out.end)) == (2_200, 2_500)
    assert line.health.out_for(ns(2_300)) == 100 * MS
    assert line.health.out_for(ns(9_000)) == 300 * MS
    assert (line.health.ended, line.health.failed, line.health.longest) == (40, 6, 900 * MS)


def test_two_failed_probes_take_nothing_out():
    """Failures that are not in a row are no reason."""
    one = [streams.probed(at, 2, "status 503") for at in (0, 100, 300, 400)]
    line = probes(*one, streams.probed(200, 2), streams.probed(500, 2))
    assert line.health.failed == 4
    assert not line.health.outs


def test_probes_are_no_requests():
    """They have no row and no number; nothing of a request's is in the summary but their own figures."""
    line = blocked()
    assert not line.requests
    assert not line.bursts
    document = summarise(line, scenario=None, environment={}, limit=40)
    assert document["requests"] == []
    found = document["health"]
    assert (found["path"], found["timeout_s"], found["probes"], found["failed"]) == ("/healthz", 1.0, 40, 6)
    assert found["out_for_s"] == 0.3
    assert "health" not in summarise(Timeline(), scenario=None, environment={}, limit=40)


def test_what_has_no_answer_when_the_probes_end_has_not_failed():
    """A probe that is not waited for is forgotten, and a time out ends with the probes."""
    events = [event for at in (0, 100, 200) for event in streams.probed(at, 2, "status 503")]
    waits = streams.probed(300)[:1]
    line = probes(events, waits, [(ns(500), "probing", "", 0)])
    assert line.health.ended == line.health.failed == 3
    assert [out.end for out in line.health.outs] == [ns(500)]
    assert all(probe.ended is not None for probe in line.health.probes)
    assert line.health.since == 0


def test_the_memory_of_probes_is_bounded():
    """Of a live server's probes the newest are kept, and what is older than the retention is removed."""
    line = Timeline()
    feed(line, streams.probing(0))
    for at in range(2 * LIVE.probes):
        feed(line, streams.probed(100 * at, 2))
    assert len(line.health.probes) <= 1.25 * LIVE.probes
    assert line.health.ended == 2 * LIVE.probes
    line.prune(line.last + 2 * line.retention)
    assert line.health.probes == []


@given(st.lists(st.sampled_from("afl"), max_size=60))
def test_it_is_out_exactly_between_a_row_of_failures_and_a_row_of_answers(fates):
    """For any order of answers and failures: a naive count agrees."""
    line = probes(
        *(streams.probed(100 * at, None if fate == "f" else 2, after=3) for at, fate in enumerate(fates))
    )
    out, expected, row = False, 0, 0
    for fate, before in zip(fates, ["", *fates], strict=False):
        row = row + 1 if (fate == "f") == (before == "f") and before else 1
        if fate == "f" and not out and row >= FALL:
            out, expected = True, expected + 1
        elif fate != "f" and out and row >= RISE:
            out = False
    assert len(line.health.outs) == expected
    assert (bool(line.health.outs) and line.health.outs[-1].end is None) == out


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from([None, 0, 1])), max_size=40))
def test_probes_in_any_order_break_nothing(drawn):
    """Of a damaged recording: ends without beginnings, twice, or before them."""
    line = Timeline()
    for at, sent, ok in drawn:
        feed(line, (ns(at), "health", ns(sent), None if ok is None else 1, ok, ""))
    sent = [probe.sent for probe in line.health.probes]
    assert sent == sorted(set(sent))
    assert line.health.failed <= line.health.ended <= len(drawn)


# -- sentences ---------------------------------------------------------------------------------------


def test_the_sentence_says_what_a_load_balancer_would_have_done():
    """While it is out, and for some seconds after that."""
    line = blocked()
    assert words.taken_out(line, ns(2_100)) == ""
    during = words.taken_out(line, ns(2_300))
    assert during == "A load balancer would have taken it out 100 ms ago (after 3 failed probes in a row)."
    after = words.taken_out(line, ns(4_000))
    assert after == "A load balancer would have taken it out for 300 ms (after 3 failed probes in a row)."
    assert words.taken_out(line, ns(60_000)) == ""


def test_a_report_says_how_many_failed_and_why():
    """All probes in one line."""
    line = blocked()
    said = words.probed(line.health, line.last)
    assert said.startswith("40 probes of /healthz, 6 failed (no answer within 1 s); the longest answer took")
    assert "taken it out for 300 ms" in said
    fine = probes(streams.probed(0, 2))
    assert words.probed(fine.health, fine.last) == (
        "1 probe of /healthz, none failed; the longest answer took 2 ms"
    )


# -- the lane ----------------------------------------------------------------------------------------


def lane(line: Timeline, at: float, palette: Palette | None = None) -> str:
    """The lane of a picture of the moment `at` ms."""
    (found,) = [row for row in text(scene(palette).compose(line, view(at), 120, 36)) if "HEALTH" in row]
    return found


def test_the_lane_has_a_mark_for_each_fate():
    """Fast answers are low, late ones high, failures are crosses, and what waits is a dot."""
    line = blocked()
    row = lane(line, 4_000)
    assert row.startswith(" HEALTH /healthz")
    assert "xxx" in row
    assert row.index("▂") < row.index("x") < row.index("▅") < row.rindex("▂")
    during = lane(line, 1_500)
    assert "·" in during
    assert "x" not in during
    assert "waits 500 ms" in during


def test_a_mark_changes_when_the_result_comes():
    """The lane is drawn anew as far back as a probe may wait."""
    line, drawn = probes(streams.probed(0, 2), streams.probed(500)[:1]), scene()
    before = text(drawn.compose(line, view(1_400), 120, 36))
    feed(line, streams.probed(500)[1])
    after = text(drawn.compose(line, view(1_600), 120, 36))
    assert not any("x" in row for row in before if "HEALTH" in row)
    assert any("x" in row for row in after if "HEALTH" in row)


@pytest.mark.parametrize("mode", ["mono", "ascii"])
def test_without_colours_the_fates_differ_as_characters(mode):
    """NO_COLOR and --ascii have a character for each."""
    row = lane(blocked(), 4_000, Palette(mode))
    low, high = ("▂", "▅") if mode == "mono" else (":", "+")
    assert {"x", low, high} <= set(row)


def test_there_is_no_lane_without_probes():
    """A picture is as it was, until probes are sent; and again when the last one is out of the window."""
    assert not any("HEALTH" in row for row in text(scene().compose(Timeline(), view(0), 120, 36)))
    line = probes(streams.probed(0, 2), [(ns(100), "probing", "", 0)])
    assert "HEALTH" in lane(line, 200)
    assert not any("HEALTH" in row for row in text(scene().compose(line, view(60_000), 120, 36)))


def test_the_path_is_made_safe():
    """A path of a recording may have anything in it."""
    line = probes(streams.probed(0, 2), path="/\x1b[2J")
    assert "\x1b" not in lane(line, 100)
    assert "\x1b" not in words.probed(line.health, line.last)


@run
async def test_the_key_begins_and_ends_the_probes(drive):
    """`H` asks for probes, says where they go, and asks for no more."""
    async with drive() as driver:
        lines = await driver.press("H")
        assert driver.source.probing is not None
        assert any("Ten probes a second at /health" in line for line in lines)
        await driver.press("H")
        assert driver.source.probing is None


@run
async def test_a_recording_has_no_probes_to_send(drive):
    """`H` says that nothing can be changed."""
    async with drive(live=False) as driver:
        lines = await driver.press("H")
        assert any("This is a recording" in line for line in lines)


# -- which route -------------------------------------------------------------------------------------


def route(path: str, method: str = "GET", lacking: str | None = None) -> ScenarioFile:
    """A route of an application."""
    facts = Scenario(title=path, expect="")
    return ScenarioFile(f"{method} {path}", Path("app.py"), facts, None, method, path, lacking=lacking)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["/", "/items", "/health"], "/health"),
        (["/status", "/api/v1/healthz", "/ping"], "/api/v1/healthz"),
        (["/orders/status", "/status"], "/status"),
        (["/health-check", "/live"], "/health-check"),
        (["/health/db", "/items"], "/health/db"),
        (["/items", "/pingpong", "/{health}"], None),
        ([], None),
    ],
)
def test_the_health_check_is_found_by_its_name(paths, found):
    """The most telling name, and the shortest path."""
    assert health_route(map(route, paths)) == found


def test_a_route_that_needs_a_value_is_no_health_check():
    """Nor is one that is not for GET."""
    assert health_route([route("/health", "POST"), route("/ping", lacking="it needs a token")]) is None
