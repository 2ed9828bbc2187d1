"""Scenarios are picked, run one after the other, and compared."""

from __future__ import annotations

import re
from concurrent.futures import Future
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopviz.draw import standing
from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.model import Timeline
from loopviz.model.comparison import Entry, ranking
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import RECEIVED, Event
from loopviz.tui.screens.comparison import Comparison
from loopviz.tui.screens.lineup import Lineup
from loopviz.tui.screens.lineup_lines import compose_lineup
from loopviz.tui.screens.main import MainScreen
from tests import streams
from tests.side_screens import HOSTILE, SMALL, shown
from tests.streams import ns
from tests.test_scene import scenario
from tests.test_screen import Driver, drive, run

__all__ = ["drive"]  # the fixture


async def picked(screen: Driver) -> None:
    """Pick sync and async, and compare."""
    await screen.press("v", "space", "down", "space", "enter")
    await screen.pilot.pause()
    assert isinstance(screen.app.screen, Comparison)


def own(number: int, name: str, at: float, length: float, status: int = 200) -> list[Event]:
    """A request of our own to a scenario."""
    return [
        (ns(at), "sent", number, "GET", f"/{name}"), streams.read(at + 1, number, number),
        streams.made(at + 1, number, number), streams.step(at + 2, number), streams.suspend(at + 3, number),
        streams.idle(at + 3), streams.responded(at + length, number), streams.end(at + length, number),
        (ns(at + length), RECEIVED, number, status, None),
    ]  # fmt: skip


@run
async def test_a_comparison_runs_one_after_the_other(drive, monkeypatch):
    """The next one is fired when all answers are there; bars begin at 0, titles have the factor."""
    async with drive(requests=1) as screen:
        await picked(screen)
        await screen.show(at=10)
        assert screen.source.fired == [("sync", 1)]
        assert "waits for its turn" in shown(screen)
        events = own(1, "sync", 20, 500)
        await screen.show(events[:-3], at=400)
        assert screen.source.fired == [("sync", 1)]
        await screen.show(events[-3:], at=600)
        await screen.show(own(2, "async", 700, 1_000), at=1_500)
        assert screen.source.fired == [("sync", 1), ("async", 1)]
        await screen.show(at=2_000)
        await screen.pilot.pause()
        text = shown(screen)
        assert "500 ms: the fastest" in text
        assert "1.0 s: 2.0 times as long" in text
        bars = [line for line in text.split("\n") if line.startswith((" #1 ", " #2 "))]
        starts = [len(bar[3:]) - len(bar[3:].lstrip()) for bar in bars]
        assert starts[0] == starts[1]
        await screen.press("escape")
        assert isinstance(screen.app.screen, MainScreen)


@run
async def test_what_cannot_be_fired_does_not_hold_up_a_comparison(drive):
    """A scenario that fails, at once or later, says why, and the others run."""
    async with drive(requests=1) as screen:

        def refuse(file: ScenarioFile, requests: int) -> Future[None]:
            screen.source.fired.append((file.name, requests))
            if file.name == "sync":
                raise InputError(f"No {HOSTILE}.\nReally.")
            future: Future[None] = Future()
            future.set_exception(InputError("It has gone."))
            return future

        screen.source.fire = refuse
        await picked(screen)
        for at in (10, 20, 30):
            await screen.show(at=at)
        await screen.pilot.pause()
        assert [name for name, _ in screen.source.fired] == ["sync", "async"]
        text = shown(screen)
        assert r"No [red]\x1b[2J[/]" in text
        assert "It has gone." in text
        assert "the fastest" not in text


@run
async def test_a_recording_compares_nothing(drive):
    """Where nothing can be fired, the key says so."""
    async with drive() as screen:
        screen.source.live = False
        assert any("This is a recording" in line for line in await screen.press("v"))


def compared(*runs: tuple[float, int]) -> tuple[list[str], list[Entry]]:
    """The titles on the screen, and what was measured, of runs of so many ms with such a status."""
    lineups: list[Lineup] = []
    events: list[Event] = []
    for number, (length, status) in enumerate(runs, 1):
        begin = number * 20_000.0
        lineups.append(Lineup(scenario(f"run{number}"), ns(begin)))
        events += own(number, f"run{number}", begin, length, status)
    line = streams.timeline(events)
    for lineup in lineups:
        lineup.requests = []
        lineup.follow(line, 1, 40)
    rows = ["".join(s.text for s in row) for row in compose_lineup(
        Palette(), line, lineups, ns(500_000), 200, 60
    )]  # fmt: skip
    return [row for row in rows if row.startswith(" run")], [
        lineup.entry for lineup in lineups if lineup.entry
    ]


def test_within_the_noise_the_screen_names_no_winner():
    """Less than a tenth, or less than 30 ms, is no difference on the screen either."""
    for other in (1_040, 1_090):
        titles, _ = compared((1_000, 200), (other, 200), (3_000, 200))
        assert ["within the noise" in title for title in titles] == [True, True, False]
        assert "3.0 times as long" in titles[2]


def test_what_failed_does_not_win_on_the_screen():
    """A run that was answered 404 at once is not the fastest: the screen says that it failed, and why."""
    titles, _ = compared((5, 404), (1_000, 200), (2_000, 200))
    assert "1 of 1 failed: status 404" in titles[0]
    assert "the fastest" in titles[1]
    assert "2.0 times as long" in titles[2]


@given(
    st.lists(
        st.tuples(st.sampled_from([10, 35, 40, 100, 105, 109, 111, 1_000]), st.sampled_from([200, 200, 404])),
        min_size=2, max_size=4,
    )
)  # fmt: skip
def test_screen_and_command_line_say_the_same(runs):
    """For equal runs, screen and `loopviz compare` name the same winner, the same noise and factors."""
    titles, entries = compared(*runs)
    ranked = ranking(entries)
    said = standing.said(ranked)
    for entry, title in zip(entries, titles, strict=True):
        name = entry.scenario
        assert ("the fastest" in title) == f"{said} ".startswith(f"{name} wins: ")
        assert ("no clear winner" in title) == (
            name in said.partition(" are within")[0].split() and "No clear" in said
        )
        factor = re.search(r"(\d+\.\d) times as long", title)
        if "No winner" not in said:
            assert (factor is not None) == (f"{name} took" in said)
        if factor is not None:
            assert f"{name} took {factor[1]} times as long" in said
        assert ("failed" in title) == bool(entry.sample.errors)


def lineups_of(*runs: tuple[str, int, float]) -> tuple[Timeline, list[Lineup]]:
    """Runs of scenarios: their names, how many requests, and how long each takes (ms), all at once."""
    line, lineups, number = streams.timeline(), [], 0
    for place, (name, requests, length) in enumerate(runs):
        begin = 50_000.0 * (place + 1)
        lineups.append(Lineup(scenario(name), ns(begin)))
        for _ in range(requests):
            number += 1
            streams.feed(line, own(number, name, begin + number / 100, length))
    for lineup, (_, requests, _) in zip(lineups, runs, strict=True):
        lineup.follow(line, requests, 40)
        assert lineup.over
    return line, lineups


def composed(line: Timeline, lineups: list[Lineup], width: int, height: int) -> list[str]:
    """The lines of a comparison that is over."""
    lines = compose_lineup(Palette(), line, lineups, ns(500_000), width, height)
    return ["".join(segment.text for segment in row).rstrip() for row in lines]


def test_the_result_is_a_sentence_with_the_ratio_and_the_repair():
    """The last lines name the winner, the ratio, and what to change in the slower one."""
    line, lineups = lineups_of(("slow", 1, 4_000), ("fast", 1, 1_000))
    facts = replace(lineups[0].file.facts, repair="await it.", repaired="fast")
    lineups[0].file = replace(lineups[0].file, facts=facts)
    said = composed(line, lineups, 80, 22)[-2:]
    assert said == ["▌ fast wins: slow took 4.0 times as long.", "▌ Repair of slow: await it."]


def test_equal_requests_are_one_row():
    """Requests that look the same are folded into one row with their number."""
    line, lineups = lineups_of(("slow", 8, 4_000), ("fast", 8, 1_000))
    rows = [row for row in composed(line, lineups, 80, 22) if "×" in row]
    assert [row.split()[:2] for row in rows] == [["#1–#8", "×8"], ["#9–#16", "×8"]]


@pytest.mark.parametrize("size", [(80, 22), (120, 34), (200, 58), (60, 16)])
def test_nothing_of_the_result_is_cut(size):
    """At each size every run has its name and what it took, and the axis begins at 0; titles give way."""
    width, height = size
    runs = [(f"run{number}_with_a_name", 3, 1_000 * number) for number in range(1, 5)]
    line, lineups = lineups_of(*runs)
    text = composed(line, lineups, *size)
    assert len(text) == height
    assert all(len(row) <= width for row in text)
    assert text[0].split()[0] == "0"
    for number, (name, *_) in enumerate(runs, 1):
        (heading,) = (row for row in text if row.startswith(f" {name}"))
        assert ("the fastest" if number == 1 else f"{number}.0 times as long") in heading


@run
async def test_the_keys_of_a_comparison_are_clicked(drive):
    """The last line has the keys; a click on one does what it does, at the size that the terminal has now."""
    async with drive(requests=1, size=SMALL) as screen:
        await picked(screen)
        await screen.show(at=10)
        await screen.pilot.resize_terminal(100, 30)
        await screen.show(at=20)
        await screen.pilot.pause()
        last = shown(screen).split("\n")[-1]
        assert "v compare others  esc back to the picture" in last
        await screen.pilot.click(offset=(last.index("back"), 29))
        await screen.pilot.pause()
        assert isinstance(screen.app.screen, MainScreen)


@run
async def test_a_comparison_waits_for_what_was_fired_before(drive):
    """What the user has fired before is not measured with it: the first run waits until that has ended."""
    async with drive(requests=1, size=SMALL) as screen:
        events = own(1, "sync", 20, 3_000)
        await screen.show((ns(19), "fired", 1, "sync", 1, 1, 40), events[:-3], at=100)
        await picked(screen)
        await screen.show(at=200)
        await screen.pilot.pause()
        assert screen.source.fired == []
        assert "waits until #1 GET /sync has ended" in shown(screen)
        assert "Waiting for what still runs" in shown(screen)
        await screen.show(events[-3:], at=3_500)
        assert screen.source.fired == [("sync", 1)]
