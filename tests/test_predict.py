"""Predict first: a question hides the picture, and what was guessed stands beside what was measured."""

from __future__ import annotations

from itertools import pairwise

import pytest

from loopviz.clock import NS
from loopviz.scenario import Scenario
from loopviz.tui.expectation import answers, nearest, said
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.screens.prediction import Prediction
from tests import streams
from tests.test_screen import answered, drive, run

__all__ = ["drive"]  # the fixture

LAWS = {
    "all at once": lambda load: load.seconds,
    "one after the other": lambda load: load.requests * load.seconds,
    "rounds": lambda load: -(-load.requests // load.threads) * load.seconds,
    "nothing": lambda load: 0 * load.seconds,
    "CPU": lambda load: load.requests * load.single,
    "an error": lambda load: load.requests / 0,
}


@pytest.mark.parametrize("law", [*LAWS.values(), None], ids=[*LAWS, "none"])
@pytest.mark.parametrize("requests", [1, 2, 8, 60, 1000])
@pytest.mark.parametrize("seconds", [0.0, 0.003, 1.0, 1e9])
def test_the_answers_are_distinct_and_one_of_them_is_expected(law, requests, seconds):
    """There are at most four, clearly apart, and what the law gives is among them."""
    facts = Scenario(title="x", expect="x", seconds=seconds, makespan=law)
    times = answers(facts, requests, 40)
    assert len(times) <= 4
    assert times == sorted(times)
    assert all(later >= 1.39 * earlier for earlier, later in pairwise(times))
    if law in {LAWS["all at once"], LAWS["one after the other"]} and seconds == 1.0:
        expected = requests if law is LAWS["one after the other"] else 1
        assert expected * NS in times
        assert len(times) == 4


def test_what_was_guessed_is_compared_with_what_was_measured():
    """The answer that is nearest to the measurement is the right one."""
    times = [NS, 2 * NS, 8 * NS]
    assert nearest(times, 7 * NS) == 3
    assert said(times, 3, 8 * NS + 30_000_000) == "You said 8 s, and it took 8.0 s. Right!"
    assert said(times, 1, 8 * NS) == "You said 1 s, but it took 8.0 s."


@run
async def test_the_picture_is_hidden_until_it_is_predicted(drive):
    """P asks before the next picture only; an answer shows it, and the sentences say what was guessed."""
    async with drive(size=(80, 24)) as screen:
        assert "Predict first" in "".join(await screen.press("p"))
        await screen.press("s")
        assert screen.source.fired == [("sync", 8)]
        assert isinstance(screen.app.screen, Prediction)
        screen.app.screen.follow(0)
        text = "".join(strip.text for strip in screen.app.screen.surface.strips)
        assert "How long until all 8 are done?" in text
        assert "LOOP" not in text
        await screen.press("2")
        assert isinstance(screen.app.screen, MainScreen)
        await screen.show(
            streams.fired(0, scenario="sync"),
            streams.sent(0),
            answered(1, 1),
            streams.received(217),
            at=9_000,
        )
        assert "it took 21" in next(line for line in screen.lines() if "You said" in line)
        await screen.press("a")
        assert isinstance(screen.app.screen, MainScreen)
        assert not any("You said" in line for line in screen.lines())


@run
async def test_a_prediction_can_be_left_out(drive):
    """P twice asks nothing; escape and enter show the picture without an answer."""
    async with drive(size=(80, 24)) as screen:
        await screen.press("p", "p", "s")
        assert isinstance(screen.app.screen, MainScreen)
        for key in ("enter", "escape"):
            await screen.press("p", "s")
            assert isinstance(screen.app.screen, Prediction)
            await screen.press(key)
            assert isinstance(screen.app.screen, MainScreen)
