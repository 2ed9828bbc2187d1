"""The stage: phases of a step, big letters, live lines of the code, and what fits every terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loopviz.clock import NS
from loopviz.draw.big import big
from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.scenario import builtin_folder, find, read
from loopviz.talk import Phase, Progress, Question, Step, Talk, builtin_talk, read_talk
from loopviz.talk.slide import endpoint
from loopviz.tui.scene import Poster, Stage
from loopviz.tui.screens.talk import Lecture, TalkScreen
from tests import streams
from tests.streams import ns
from tests.terminal import Terminal
from tests.test_scene import scenario
from tests.test_screen import answered, drive, run

__all__ = ["drive"]  # the fixture

FILE = Path("/talk/sync.py")
ASKED = Question("How long?", ("1 s", "2 s"), "2 s")
TALK = Talk(
    Path("/talk/talk.toml"),
    "Loops",
    (
        Step("Welcome"),
        Step("One holds", FILE, predict=ASKED, threads=7),
        Step("No question", FILE, requests=3),
    ),
)


def place(progress: Progress) -> tuple[int, Phase]:
    """The step and what is shown of it."""
    return progress.position, progress.phase


def test_space_asks_fires_and_goes_on():
    """A step begins with its code; then it is asked, fired, and, when that is over, the next one begins."""
    progress = Progress(TALK)
    assert not progress.advance()  # the first step fires nothing
    assert place(progress) == (2, Phase.CODE)
    assert not progress.advance()
    assert place(progress) == (2, Phase.QUESTION)
    assert progress.guess(2)
    assert not progress.guess(3)
    assert progress.advance()
    assert place(progress) == (2, Phase.RUNNING)
    assert not progress.advance()  # it is not over
    assert place(progress) == (2, Phase.RUNNING)
    progress.over()
    assert not progress.guess(1)
    assert not progress.advance()
    assert place(progress) == (3, Phase.CODE)
    assert progress.advance()
    progress.over()
    assert progress.ended
    assert not progress.advance()
    assert place(progress) == (3, Phase.OVER)
    assert progress.guesses == {2: 2}


def test_back_goes_to_the_beginning_of_the_step_first():
    """Backspace in the middle of a step begins it again; at its beginning it goes to the step before."""
    progress = Progress(TALK, 9)
    assert progress.position == 3
    progress.advance()
    progress.back()
    assert place(progress) == (3, Phase.CODE)
    progress.back()
    assert progress.position == 2
    assert not progress.go(4)
    assert not progress.go(0)
    assert progress.go(1)
    progress.back()
    assert progress.position == 1


@pytest.mark.parametrize("step", read_talk(builtin_talk()).steps, ids=lambda step: step.file.stem)
def test_every_headline_of_the_built_in_talk_is_big_at_80_columns(step):
    """Its letters are three lines high, and five on a wide screen."""
    lines = big(step.headline, 78, 3)
    assert lines is not None
    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 78


def test_big_letters_are_as_large_as_fits():
    """Five lines where there is room, three where there is less, and none where there is too little."""
    assert len(big("loop", 200, 5) or []) == 5
    assert len(big("loop", 30, 5) or []) == 3
    assert big("loop", 10, 5) is None
    assert big("loop", 80, 2) is None
    assert big("größer", 80, 5) is None
    assert big("", 80, 5) is None


def test_the_code_of_a_slide_is_the_endpoint_and_what_it_calls():
    """Imports, the lifespan and the declaration are left out; numbers are those of the file."""
    lines = (builtin_folder() / "gather.py").read_text().splitlines(keepends=True)
    shown = endpoint(lines)
    text = "\n".join(line for _, line in shown)
    assert "async def fetch(number):" in text
    assert '@app.get("/gather")' in text
    assert "lifespan" not in text
    assert "scenario" not in text
    assert all(line == lines[number - 1].rstrip() for number, line in shown if number)
    assert endpoint(["def broken(:\n", "\tx\n"]) == [(1, "def broken(:"), (2, "    x")]


def test_every_scenario_of_the_catalogue_has_a_slide():
    """Every built-in scenario has code to show, of at most twenty lines."""
    for file in read(find()):
        shown = endpoint(file.file.read_text().splitlines(keepends=True))
        assert 3 <= len(shown) <= 24, file.name


SIZES = [(80, 24), (120, 36), (200, 60), (40, 12), (1, 1), (300, 8)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["colour", "mono", "ascii"])
def test_the_stage_fits_every_terminal(size, mode):
    """Asked, running or over: there are as many lines as the terminal has, each as wide as it is."""
    timeline = Timeline()
    timeline.feed([streams.fired(0, count=60), *(streams.sent(at, at + 1) for at in range(60))])
    hostile = "\x1b[2J速" * 20
    burst = timeline.newest_burst(ns(500))
    for changes in (
        {"question": hostile, "choices": (hostile, "2 s"), "guess": 1},
        {"question": "How long?", "choices": ("1 s", "2 s", "8 s"), "guess": 2},
        {"picture": True, "burst": burst, "window": NS, "expected": NS // 2},
        {"picture": True},
        {"sentences": [hostile], "badge": "space", "hint": hostile},
    ):
        poster = Poster("2 of 9", "One holds, all wait", name=hostile, load="8 requests")
        poster.code = [(number, hostile) for number in range(1, 40)]
        for name, value in changes.items():
            setattr(poster, name, value)
        lines = Stage(Palette(mode)).compose(timeline, poster, ns(500), *size)
        assert len(lines) == size[1]
        assert {sum(segment.cell_length for segment in line) for line in lines} == {size[0]}


def test_more_requests_than_rows_are_folded():
    """Sixty requests are at most eight rows, and none is left out."""
    timeline = Timeline()
    timeline.feed([streams.fired(0, count=60), *(streams.sent(at / 100, at + 1) for at in range(60))])
    burst = timeline.newest_burst(ns(500))
    poster = Poster("1 of 1", "x", picture=True, burst=burst, window=NS)
    lines = Stage(Palette()).compose(timeline, poster, ns(500), 80, 24)
    text = ["".join(segment.text for segment in line) for line in lines]
    assert [line for line in text if "#1–#60 ×60" in line]


def lecture(*, play: float | None = None) -> Lecture:
    """The talk of these tests."""
    return Lecture(TALK, {FILE: scenario("sync", "s")}, play=play)


def shown(screen) -> str:
    """The stage's text."""
    stage = screen.app.screen
    assert isinstance(stage, TalkScreen)
    return "\n".join(strip.text.rstrip() for strip in stage.surface.strips)


@run
async def test_a_step_is_asked_fired_and_explained(drive):
    """The question hides the headline; then the lanes are shown, and what was said beside the answer."""
    async with drive(size=(80, 24), lecture=lecture()) as screen:
        assert "1 of 3" in shown(screen)
        await screen.press("space")
        assert "2 of 3" in shown(screen)
        await screen.press("space")
        assert "How long?" in shown(screen)
        await screen.press("1")
        assert screen.source.fired == []
        await screen.press("space")
        assert screen.source.fired == [("sync", 8)]
        assert screen.source.threads == 7
        assert "EVENT LOOP" not in shown(screen)
        await screen.show(streams.fired(0, scenario="sync"), streams.sent(0), at=100)
        assert "EVENT LOOP" in shown(screen)
        assert "running …" in shown(screen)
        await screen.show(answered(1, 1), streams.received(217), at=9_000)
        assert "You said 1 s. The answer: 2 s." in shown(screen)
        await screen.press("space")
        assert "3 of 3" in shown(screen)
        assert "EVENT LOOP" not in shown(screen)


@run
async def test_the_keys_of_the_stage(drive):
    """Digits, arrows and backspace move, p asks, r fires again, the key is shown, and escape leaves."""
    async with drive(size=(80, 24), lecture=lecture()) as screen:
        await screen.press("3")
        assert "3 of 3" in shown(screen)
        assert shown(screen).splitlines()[-1].endswith(" 3")
        await screen.press("left", "left", "right")
        assert "2 of 3" in shown(screen)
        await screen.press("pagedown", "pageup", "pageup", "3", "p")
        assert "How long until all 3 are done?" in shown(screen)
        await screen.press("r", "r")
        assert screen.source.fired == [("sync", 3), ("sync", 3)]
        await screen.press("escape")
        assert not isinstance(screen.app.screen, TalkScreen)
        await screen.press("ctrl+t")
        assert "3 of 3" in shown(screen)
        await screen.show(at=60_000)
        assert not shown(screen).splitlines()[-1].endswith("ctrl+t")


@run
async def test_a_talk_plays_by_itself(drive):
    """With `play` each phase is left after its time, and the end of the talk ends the program."""
    async with drive(size=(80, 24), lecture=lecture(play=1.0)) as screen:
        for at in range(0, 1_600, 200):
            await screen.show(at=at)
        assert "2 of 3" in shown(screen)
        for at in range(1_600, 3_400, 200):
            await screen.show(at=at)
        assert "How long?" in shown(screen)
        assert screen.source.fired == []
        for at in range(3_400, 5_000, 200):
            await screen.show(at=at)
        assert screen.source.fired == [("sync", 8)]


def test_a_talk_in_a_terminal(tmp_path):
    """A talk plays by itself, its notes file is there meanwhile, and it ends with code 0."""
    (tmp_path / "run").mkdir(mode=0o700)
    talk = tmp_path / "talk.toml"
    talk.write_text('title = "x"\n[[step]]\nheadline = "One step"\nscenario = "async"\nrequests = 2\n')
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with Terminal("talk", str(talk), "--play", "1", columns=80, rows=24, environment=environment) as terminal:
        terminal.expect("1 of 1", 40)
        assert len(list((tmp_path / "run" / "loopviz").glob("talk-*.json"))) == 1
        terminal.expect("EVENT LOOP", 40)
        terminal.expect("2 requests in", 40)
        terminal.wait(20)
    assert terminal.exit_code == 0
    assert list((tmp_path / "run" / "loopviz").iterdir()) == []


@run
async def test_what_cannot_be_fired_is_not_running(drive):
    """If a package is missing, the step begins again, and the notice says what to install."""
    missing = replace(scenario("sync", "s"), missing=("numpy",))
    talk = Lecture(TALK, {FILE: missing}, first=3)
    async with drive(size=(80, 24), lecture=talk) as screen:
        await screen.press("space")
        await screen.show(at=50)
        assert "needs numpy" in shown(screen)
        assert "running …" not in shown(screen)


@run
async def test_what_is_fired_elsewhere_is_not_the_steps(drive):
    """A burst of another scenario, fired on the picture, is not taken for the one of the step."""
    async with drive(size=(80, 24), lecture=lecture()) as screen:
        await screen.press("3", "space")
        await screen.show(streams.fired(1, scenario="async"), streams.sent(1), at=100)
        assert "EVENT LOOP" not in shown(screen)
        await screen.show(streams.fired(110, 2, "sync", 2), streams.sent(111, 2), at=200)
        assert "EVENT LOOP" in shown(screen)
        assert " #2 " in shown(screen)
