"""The claims quiz: predict, then run the claim."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from rich.cells import cell_len

from loopviz.claims import CLAIMS, Answer, Burst, Claim, Experiment, Figure, Machine, Outcome, Trial, Verdict
from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.model.sample import Sample
from loopviz.tui.keymap import Keys
from loopviz.tui.screens import claims
from loopviz.tui.screens.claim_text import Quiz, claim_hints, claim_lines
from loopviz.tui.screens.claims import Claims
from loopviz.tui.screens.hints import hint_lines
from loopviz.tui.screens.main import MainScreen
from tests import streams
from tests.side_screens import HOSTILE, SMALL, shown
from tests.test_claims import CASES
from tests.test_screen import Driver, drive, run

__all__ = ["drive"]  # the fixture


class Laboratory:
    """A laboratory whose measurements end when the test sets `go`."""

    def __init__(self, cancelled: threading.Event) -> None:
        self.cancelled = cancelled
        self.go = threading.Event()
        self.failure: Exception | None = None

    def missing(self, scenarios: tuple[str, ...]) -> str | None:
        """Everything is there."""
        return None

    def machine(self, *, parallel: bool = False) -> Machine:
        """Two cores."""
        return Machine()

    def measure(self, experiment: Experiment) -> dict[str, Sample]:
        """Wait for `go`, or for the cancellation."""
        while not self.go.wait(0.01):
            if self.cancelled.is_set():
                raise RuntimeError("cancelled")
        if self.failure is not None:
            raise self.failure
        return {}


def claim(number: int, answer: Answer, text: str = "", depends_on: str | None = None) -> Claim:
    """A claim with this verdict."""
    verdict = Verdict(answer, f"Why {number} {text}.", (Figure(f"figure {text}", 1.02),), depends_on)
    return Claim(
        id=f"claim-{number}", claim=f"Claim {number} {text}.", question=f"Is it {number} {text}?",
        experiment=Experiment({"one": Trial((Burst("sync"),))}), rule=f"rule {text}",
        criterion=lambda *_: verdict, scenarios=("sync",),
    )  # fmt: skip


@pytest.fixture
def claimed(drive, monkeypatch):
    """Starts the application with four claims and a laboratory for tests."""
    from contextlib import asynccontextmanager

    made = [
        claim(1, Answer.TRUE), claim(2, Answer.FALSE), claim(3, Answer.UNDECIDED),
        claim(4, Answer.DEPENDS, HOSTILE, f"what {HOSTILE}"),
    ]  # fmt: skip
    monkeypatch.setattr(claims, "CLAIMS", made)

    @asynccontextmanager
    async def claimed(**settings: Any):
        laboratories: list[Laboratory] = []

        def experimenter(watch: object, progress: object, cancelled: threading.Event) -> Laboratory:
            laboratories.append(Laboratory(cancelled))
            return laboratories[-1]

        async with drive(experimenter=experimenter, **settings) as screen:
            await screen.press("m")
            await screen.show()
            assert isinstance(screen.app.screen, Claims)
            yield screen, laboratories[0]
            laboratories[0].go.set()

    return claimed


async def verdict(screen: Driver) -> str:
    """What is shown once the experiment's thread has ended."""
    for _ in range(500):
        assert isinstance(screen.app.screen, Claims)
        if screen.app.screen._testing is None:
            break
        await asyncio.sleep(0.01)
    await screen.show()
    return shown(screen)


@run
async def test_predict_then_reveal(claimed):
    """Nothing runs without an answer, which is locked meanwhile; then the verdict and its figures."""
    async with claimed() as (screen, lab):
        await screen.press("enter", "enter")
        assert "What do you say?" in shown(screen)
        await screen.press("f", "t", "enter")
        assert "running" in shown(screen)
        await screen.press("f", "d", "right", "down")
        assert "You say: true." in shown(screen)
        assert "Claim 1" in shown(screen)
        lab.go.set()
        text = await verdict(screen)
        for part in (
            "TRUE",
            "You said: true. Right!",
            "figure",
            "1.02 s",
            "Why 1",
            "rule",
            "See it live:",
            "1 sync",
        ):
            assert part in text
        await screen.press("enter", "t", "enter")
        text = await verdict(screen)
        assert "FALSE" in text
        assert "You said: true. Wrong." in text
        await screen.press("escape")
        listing = shown(screen).split("\n")
        assert any("1" in line and "true" in line and "Claim 1" in line for line in listing)
        assert any("2" in line and "false" in line and "Claim 2" in line for line in listing)


@run
async def test_what_is_undecided_is_neither_right_nor_wrong(claimed):
    """Where the machine cannot decide, the prediction is neither right nor wrong."""
    async with claimed() as (screen, lab):
        lab.go.set()
        await screen.press("down", "down", "enter", "t", "enter")
        text = await verdict(screen)
        assert "UNDECIDED HERE" in text
        assert "Right!" not in text
        assert "Wrong." not in text


@run
async def test_a_failed_experiment_is_shown_and_can_be_repeated(claimed):
    """What the laboratory raises is shown as text; then the claim can be run again."""
    async with claimed() as (screen, lab):
        lab.failure = InputError(f"No {HOSTILE}.\nTry again.")
        lab.go.set()
        await screen.press("enter", "t", "enter")
        text = await verdict(screen)
        assert r"It could not be run: InputError: No [red]\x1b[2J[/]速. Try again." in text
        lab.failure = None
        await screen.press("enter")
        text = await verdict(screen)
        assert "TRUE" in text
        assert "could not be run" not in text


@run
async def test_escape_cancels_what_runs(claimed):
    """Escape while it runs cancels the experiment and leads back to the picture."""
    async with claimed() as (screen, lab):
        await screen.press("enter", "t", "enter")
        assert not lab.cancelled.is_set()
        await screen.press("escape")
        assert lab.cancelled.is_set()
        assert isinstance(screen.app.screen, MainScreen)


@run
async def test_the_keys_of_the_picture_do_nothing_on_the_claims(claimed):
    """On the claims no letter fires a scenario, and none opens another screen."""
    async with claimed() as (screen, _):
        await screen.press("s", "a", "b", "m", "v", "x", "plus", "space", "slash", "tab")
        assert screen.source.fired == []
        assert isinstance(screen.app.screen, Claims)
        assert screen.app.view.requests is None
        assert screen.app.view.behind is None


@run
async def test_a_claims_text_is_text(claimed):
    """Markup and escapes in a claim, its figures and its verdict are shown as they are."""
    async with claimed(size=(120, 45)) as (screen, lab):
        lab.go.set()
        await screen.press("down", "down", "down", "enter", "d", "enter")
        text = await verdict(screen)
        for part in ("“Claim 4", "Is it 4", "figure", "Why 4", "depends on what", "criterion: rule"):
            assert rf"{part} [red]\x1b[2J[/]速" in text


def lines_of(screen: Driver) -> list[str]:
    """The lines of the screen."""
    return [line.rstrip() for line in shown(screen).split("\n")]


@pytest.mark.parametrize("size", [SMALL, (120, 36), (200, 60)])
def test_the_keys_are_in_the_last_lines_and_none_is_cut(claimed, size):
    """Before and after the verdict the last lines have every key, at each size."""

    @run
    async def test(claimed):
        async with claimed(size=size) as (screen, lab):
            assert "esc back to the picture" in lines_of(screen)[-1]
            lab.go.set()
            await screen.press("enter")
            assert "t true  f false  d it depends  left/right browse  esc the list" in lines_of(screen)[-1]
            await screen.press("t")
            assert "enter run it" in " ".join(lines_of(screen)[-2:])
            await screen.press("enter")
            await verdict(screen)
            assert "See it live:  1 sync" in lines_of(screen)[-2]
            assert "enter next claim  left/right browse  esc the list" in lines_of(screen)[-1]

    test(claimed=claimed)


@run
async def test_the_lanes_stay_with_the_verdict(claimed, monkeypatch):
    """At 80x24 the lanes of the experiment are shown while it runs, and below the verdict."""
    async with claimed(size=SMALL) as (screen, lab):
        await screen.press("enter", "t", "enter")
        monkeypatch.setattr(claims, "now_ns", screen.clock)
        take_in = screen.app.screen._watch()
        take_in([*streams.accepted(1), *streams.accepted(2, 2, 3)])
        screen.clock.ms = 100
        await screen.show()
        assert any(line.startswith(" #2 ") for line in lines_of(screen))
        lab.go.set()
        text = await verdict(screen)
        assert "TRUE" in text
        assert any(line.startswith(" #1 ") for line in lines_of(screen))
        assert any(line.startswith(" LOOP") for line in lines_of(screen))


@run
async def test_a_claim_is_seen_live(claimed):
    """After the verdict a digit fires a scenario that shows the claim; the quiz is kept meanwhile."""
    async with claimed(size=SMALL) as (screen, lab):
        await screen.press("1", "enter", "1", "t", "1")
        assert isinstance(screen.app.screen, Claims)
        assert screen.source.fired == []
        lab.go.set()
        await screen.press("enter")
        await verdict(screen)
        await screen.press("2", "1")
        assert isinstance(screen.app.screen, MainScreen)
        assert screen.source.fired == [("sync", 8)]
        await screen.press("m")
        await screen.show()
        assert "You said: true. Right!" in shown(screen)
        assert "1 of 1 right" in shown(screen)


@run
async def test_a_claim_whose_scenario_is_not_served_says_so(claimed):
    """Where the claim's scenarios are not served, no key is offered and none fires anything."""
    async with claimed(size=SMALL) as (screen, lab):
        screen.source.scenarios.clear()
        lab.go.set()
        await screen.press("enter", "t", "enter")
        await verdict(screen)
        assert "See it live:  sync  (in loopviz run without a target)" in lines_of(screen)[-2]
        await screen.press("1")
        assert isinstance(screen.app.screen, Claims)


@run
async def test_the_claims_can_be_clicked(claimed):
    """A click on a claim opens it; a click on a key of the last lines does what the key does."""
    async with claimed(size=SMALL) as (screen, lab):
        lab.go.set()

        async def click(text: str) -> None:
            await screen.pilot.pause()
            lines = lines_of(screen)
            y = next(y for y in reversed(range(len(lines))) if text in lines[y])
            await screen.pilot.click(offset=(lines[y].index(text) + 1, y))
            await screen.show()

        await click("Claim 2")
        assert "Is it 2" in shown(screen)
        await click("f false")
        assert "You say: false." in shown(screen)
        await click("run it")
        await verdict(screen)
        await click("1 sync")
        assert screen.source.fired == [("sync", 8)]


def test_the_score_counts_what_was_predicted_and_decided():
    """Only predictions count, and only where the machine could decide."""
    quiz = Quiz()
    assert quiz.score == ""
    for number, answer in enumerate((Answer.TRUE, Answer.FALSE, Answer.UNDECIDED, Answer.TRUE)):
        made = claim(number, answer)
        quiz.outcomes[made.id] = Outcome(made, Verdict(answer, "why"))
        if number < 3:
            quiz.predictions[made.id] = Answer.TRUE
    assert quiz.score == "1 of 2 right"


@pytest.mark.parametrize(
    ("id_", "samples"), [case[:2] for case in CASES], ids=[f"{case[0]}-{case[2].value}" for case in CASES]
)
def test_every_verdict_leaves_room_for_the_lanes(id_, samples):
    """At 80x24 each verdict of each claim fits in full, with its keys and at least eight lines of lanes."""
    (found,) = (each for each in CLAIMS if each.id == id_)
    quiz = Quiz(open=True, predictions={id_: Answer.DEPENDS})
    quiz.outcomes[id_] = Outcome(found, found.criterion(samples, Machine()))
    lines = claim_lines(Palette(), found, quiz, "23 of 23", *SMALL)
    groups = claim_hints(Keys(), found, quiz, None, found.scenarios)
    foot = [line for group in groups for line, _ in hint_lines(Palette(), group, SMALL[0])]
    texts = ["".join(segment.text for segment in line) for line in (*lines, *foot)]
    assert all(cell_len(text) <= SMALL[0] for text in texts)
    assert not [text for text in texts if text.endswith("…")]
    assert len(texts) <= SMALL[1] - 8
