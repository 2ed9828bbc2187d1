"""The headline: what was fired last, what it teaches, and what it waits for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest

from loopviz.draw.look import Palette
from loopviz.scenario import find, read
from loopviz.tui.scene.lesson import lesson_lines, lesson_of
from loopviz.tui.scene.pen import Pen
from loopviz.tui.view import Pace, View
from tests import streams
from tests.streams import MS, ns, timeline
from tests.test_scene import scene
from tests.test_screen import answered, drive, run

__all__ = ["drive"]  # the fixture


def at(t: float, *events) -> str:
    """Headline and lesson at `t` ms, as one text."""
    lines = scene().compose(timeline(*events), View(now=ns(t)), 80, 24)[:2]
    return "\n".join("".join(segment.text for segment in line) for line in lines)


def test_the_headline_is_of_what_was_fired_last_at_the_moment_shown():
    """Before the first burst there is none; then it has name, title, lesson and load of the newest one."""
    bursts = [streams.fired(10, 1, "sync", 1, 8, 40), streams.fired(500, 2, "async", 9, 1, 1)]
    assert "title" not in at(5, *bursts)
    headline, lesson = at(100, *bursts).splitlines()
    assert headline.startswith(" sync   sync title ")
    assert "8 requests · 40 threads · :41873" in headline
    assert lesson.strip() == "it works"
    assert "async title" in at(600, *bursts)
    assert " 1 request · 1 thread " in at(600, *bursts)


def test_a_scenario_that_is_not_known_has_its_name():
    """The burst of a scenario that the recording does not have is called by its name, made harmless."""
    shown = at(100, streams.fired(10, 1, "old\x1b[2J", 1, 8, 40))
    assert r" old\x1b[2J " in shown
    assert "it works" not in shown


def test_a_long_lesson_has_two_lines():
    """A lesson longer than the line is wrapped, not cut."""
    drawn = scene()
    facts = drawn.facts.scenarios[0].facts
    file = replace(drawn.facts.scenarios[0], facts=replace(facts, expect="word " * 20 + "end."))
    lesson = lesson_of(
        replace(drawn.facts, scenarios=[file]),
        timeline(streams.fired(10, 1, "sync", 1, 8, 40)),
        View(now=ns(20)),
    )
    lines = ["".join(s.text for s in line) for line in lesson_lines(Pen(drawn.palette), lesson, 80)]
    assert len(lines) == 2
    assert lines[1].endswith("end.")


@pytest.mark.parametrize("file", read(find()), ids=lambda file: file.name)
def test_every_headline_fits_80_columns(file):
    """Title, load and lesson of every scenario of the catalogue fit into 80 columns and two lines."""
    drawn = scene()
    drawn.facts = replace(drawn.facts, scenarios=[file])
    line = timeline(streams.fired(10, 1, file.name, 1, file.facts.requests, 40))
    first, second, third = (
        "".join(s.text for s in row) for row in drawn.compose(line, View(now=ns(20)), 80, 24)[:3]
    )
    assert file.facts.title in first
    assert "request" in first
    assert second.strip() == file.facts.expect
    assert "now" in third


@run
async def test_a_key_changes_the_headline_in_the_next_frame(drive):
    """Before the first request is sent, the headline has the scenario, its lesson and what it waits for."""
    async with drive(size=(80, 24)) as screen:
        future: Future[None] = Future()
        screen.source.answered, screen.source.waits = future, "starting a worker process"
        lines = await screen.press("s")
        assert "sync title" in lines[0]
        assert "starting a worker process …" in lines[0]
        assert "it works" in lines[1]
        screen.source.waits = None
        assert "starting" not in (await screen.show(at=100))[0]
        future.set_exception(OSError("no worker"))
        lines = await screen.show(at=200)
        assert "sync title" not in lines[0]
        assert "no worker" in "\n".join(lines)


@run
async def test_a_key_changes_the_headline_without_waiting_for_a_frame(drive):
    """What a letter or the list fires is in the headline before the next frame is due."""
    async with drive(size=(80, 24)) as screen:
        await screen.pilot.press("s")
        assert "sync title" in screen.lines()[0]
        await screen.pilot.press("tab", *"async", "enter")
        await screen.pilot.pause()
        assert "async title" in screen.lines()[0]
        assert {len(line) for line in screen.lines()} == {80}


@run
async def test_an_older_burst_does_not_come_back(drive):
    """While the newest key's requests are not sent, the headline is not the one of the burst before."""
    async with drive(size=(80, 24)) as screen:
        await screen.show(streams.fired(1, 1, "async", 1, 1, 40), answered(1, 2), at=500)
        assert "async title" in screen.lines()[0]
        assert "sync title" in (await screen.press("s"))[0]
        assert "sync title" in (await screen.show(at=5_000))[0]


def test_a_long_title_gives_way_to_what_must_be_seen():
    """In 80 columns it is shortened: what is shown, the filter and what was lost are not."""
    drawn = scene()
    file = replace(drawn.facts.scenarios[0], name="background_blocking")
    facts = replace(file.facts, title="BackgroundTasks that block the loop")
    line = timeline(streams.fired(10, 1, file.name, 1, 8, 40))
    view = View(now=ns(20), behind=12_300 * MS, words="slow", pace=Pace(dropped=1_234))
    for palette, dots in ((Palette(), "…"), (Palette("ascii"), "~")):
        drawn = scene(palette)
        drawn.facts = replace(drawn.facts, scenarios=[replace(file, facts=facts)])
        first = "".join(s.text for s in drawn.compose(line, view, 80, 24)[0])
        assert first.startswith(f" background_blocking   Background{dots}")
        assert all(part in first for part in ("FROZEN 12.3 s behind", "/slow", "1234 lost"))


def test_the_views_stay_where_the_past_is_shown():
    """In 80 columns the load gives way to the keys of the views while a recording is played."""
    drawn = scene()
    file = replace(drawn.facts.scenarios[0], name="blocking")
    drawn.facts = replace(
        drawn.facts, scenarios=[replace(file, facts=replace(file.facts, title="async def + time.sleep"))]
    )
    line = timeline(streams.fired(10, 1, "blocking", 1, 8, 40))
    played = View(now=ns(20), behind=5_200 * MS, speed=1.0)
    first = "".join(s.text for s in drawn.compose(line, played, 80, 24)[0])
    assert first.startswith(" blocking   async def + ")
    assert "PLAYING 1 x 5.2 s behind" in first
    assert first.endswith(" timeline 2 3 4 ")


@pytest.mark.parametrize("how", ["x", "time"])
def test_a_burst_that_was_removed_has_not_just_been_fired(drive, how):
    """After a clear, or when it is too old to be kept, neither headline nor sentences are about it."""

    @run
    async def test(drive):
        async with drive(size=(80, 24)) as screen:
            await screen.press("s")
            await screen.show(streams.fired(1, 1, "sync", 1, 1), answered(1, 2), at=500)
            screen.app.view.guessed = "You said 8 s."
            lines = await screen.show()
            assert "sync title" in lines[0]
            assert "You said 8 s." in "".join(lines)
            lines = await (screen.press("x") if how == "x" else screen.show(at=400_000))
            assert not screen.app.timeline.bursts
            assert "sync title" not in lines[0]
            assert not any("fired;" in line or "You said" in line for line in lines)

    test(drive=drive)


def test_without_colour_the_load_comes_before_the_help():
    """What is not urgent follows the load, in every palette."""
    line = timeline(streams.fired(10, 1, "sync", 1, 8, 40))
    for palette in (Palette(), Palette("mono"), Palette("ascii")):
        first = "".join(s.text for s in scene(palette).compose(line, View(now=ns(20)), 100, 24)[0])
        assert first.index("8 requests") < first.index("? help")
