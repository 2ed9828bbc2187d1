"""Navigation by its keys, and the screens beside the picture: catalogue, filter, comparison, claims."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.color import Color
from textual.widgets import Input, OptionList

from loopviz.claims import Answer, Burst, Claim, Experiment, Figure, Machine, Trial, Verdict
from loopviz.cli import comparison as command_line
from loopviz.draw import look
from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.model.comparison import Entry, ranking
from loopviz.model.sample import Sample
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import RECEIVED, Event
from loopviz.tui.keymap import Keys
from loopviz.tui.screens import claims, comparison
from loopviz.tui.screens.claims import Claims
from loopviz.tui.screens.comparison import Comparison, Pick
from loopviz.tui.screens.main import MainScreen
from tests import streams
from tests.streams import MS, ms, ns
from tests.test_scene import scenario
from tests.test_screen import Driver, answered, drive, run, scene_of_a_block

__all__ = ["drive"]  # the fixture

HOSTILE = "[red]\x1b[2J[/]速"
SMALL = (80, 24)


def shown(screen: Driver) -> str:
    """Everything on the terminal, as text; nothing in it may control a terminal."""
    lines = screen.app.screen._compositor.render_strips()
    text = "\n".join("".join(segment.text for segment in line if not segment.control) for line in lines)
    assert all(line.isprintable() for line in text.split("\n"))
    return text


# -- navigation --------------------------------------------------------------------------------


NAVIGATION = [
    "left", "right", "h", "l", "shift+left", "shift+right", "z", "Z", "f", "home", "end", "backspace", "n",
    "N", "full_stop", "comma", "less_than_sign", "greater_than_sign", "apostrophe", "slash", "t", "r",
    "space",
]  # fmt: skip


@pytest.mark.parametrize("key", NAVIGATION)
def test_every_navigation_key_works_in_a_small_terminal(drive, key):
    """At 80x24 each key of navigation changes what is looked at."""

    @run
    async def test(drive):
        async with drive(size=SMALL) as screen:
            await screen.show(scene_of_a_block(), at=30_000)
            await screen.press("home", "n", "full_stop", "full_stop")
            view, stage = screen.app.view, screen.app.screen

            def state() -> tuple[object, ...]:
                place = view.now, view.behind, view.column_ns, view.at, view.mark
                return *place, view.sort, view.speed, stage.focused, view.change

            before = state()
            await screen.press(key)
            assert state() != before

    test(drive=drive)


@run
async def test_every_navigation_is_undone(drive):
    """Backspace undoes pans, jumps, steps, cursors, marks, and the return to the present."""
    async with drive(size=SMALL) as screen:
        await screen.show(scene_of_a_block(), at=30_000)
        view, places = screen.app.view, []
        for key in (
            "space", "shift+left", "z", "n", "full_stop", "comma", "less_than_sign", "apostrophe", "N", "f",
            "home", "left", "r", "end", "space", "space",
        ):  # fmt: skip
            place = (view.now, view.behind is None, view.column_ns, view.at, view.mark)
            await screen.press(key)
            if place != (view.now, view.behind is None, view.column_ns, view.at, view.mark):
                places.append(place)
        assert len(places) >= 14
        while places:
            await screen.press("backspace")
            assert (view.now, view.behind is None, view.column_ns, view.at, view.mark) == places.pop()
        assert "There is nothing to undo." in "".join(await screen.press("backspace"))


@run
async def test_home_and_end(drive):
    """Home shows the first event, end the present that moves; before any event, home says so."""
    async with drive() as screen:
        assert "Nothing has happened yet." in "".join(await screen.press("home"))
        assert screen.app.view.behind is None
        await screen.show(answered(1, 0), at=60_000)
        await screen.press("home")
        assert screen.app.view.at == ns(0)
        assert screen.row(1)
        lines = await screen.press("end")
        assert "FROZEN" not in lines[0]
        assert screen.app.view.now == ns(60_000)


@run
async def test_fit_shows_the_request_or_the_burst(drive):
    """With a request selected, fit shows all of it and little else; without, all of the last burst."""
    async with drive() as screen:
        await screen.show(answered(1, 0), answered(2, 100), answered(3, 2_000), answered(4, 2_050), at=60_000)
        view = screen.app.view
        await screen.press("f")
        assert view.now - view.window <= ns(2_000) < ns(2_265) <= view.now
        assert view.window < 600 * MS
        await screen.press("down", "home", "down")
        view.cursor = 1
        await screen.press("f")
        assert view.now - view.window <= ns(0) < ns(215) <= view.now
        assert view.window < 500 * MS


@run
async def test_stepping_marks_the_row_and_says_what_changed(drive):
    """The full stop goes to the next change, the comma back; the row is marked, and the change is shown."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=5_000)
        said = []
        for key in ["full_stop"] * 4 + ["comma"]:
            lines = await screen.press(key)
            said.append(
                (ms(screen.app.view.at), next(line for line in lines if line.startswith("▌ #1 GET /: ")))
            )
            assert any(line.startswith("▶#1") for line in lines)
        assert [t for t, _ in said] == [0, 1, 2, 12, 2]
        assert "from ready to running" in said[-1][1]


@run
async def test_a_step_is_not_hidden_by_the_notice_before_it(drive):
    """Where there is nothing to jump to, a notice says so; the next step replaces it at once."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), at=5_000)
        assert any("No block, starvation" in line for line in await screen.press("N"))
        lines = await screen.press("full_stop")
        assert any(line.startswith("▌ #1 GET /: ") for line in lines)


@run
async def test_only_a_late_frame_of_the_live_picture_is_a_place(drive):
    """A late frame of the live picture is a place to jump to; one of a replay is not."""
    for live in (True, False):
        async with drive() as screen:
            screen.source.live = live
            await screen.show(answered(1, 0), at=1_000)
            await screen.show(at=1_400)
            await screen.press("end")
            lines = await screen.press("N")
            assert any("A late frame" in line for line in lines) is live


# -- playing back ------------------------------------------------------------------------------


@run
async def test_playing_back_shows_what_was_shown_live(drive):
    """At each moment of a burst that is played back, its rows look as they looked when it was there."""
    async with drive() as screen:
        events = sorted([*answered(1, 0), *answered(2, 20), *answered(3, 100)], key=lambda event: event[0])
        view = screen.app.view
        view.column_ns = 10 * MS
        live = {}
        for at in range(0, 400, 20):
            due = [event for event in events if event[0] <= ns(at)]
            events = events[len(due) :]
            await screen.show(due, at=at)
            live[at] = [line for line in screen.lines() if line.startswith(" #")]
        await screen.show(at=1_000)
        await screen.press("r")
        view.column_ns, view.speed, view.now = 10 * MS, 1.0, ns(0)
        screen.app.scene.forget()
        for at in range(20, 300, 20):
            await screen.show(at=1_000 + at)
            assert view.now == ns(at)
            assert [line for line in screen.lines() if line.startswith(" #")] == live[at]


@run
async def test_speeds_cycle_and_playing_ends_with_the_burst(drive):
    """Each r is faster, the last one stops; left alone, it stops at the end; space pauses."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=10_000)
        speeds = []
        for _ in range(5):
            await screen.press("r")
            speeds.append(screen.app.view.speed)
        assert speeds == [0.1, 0.25, 1.0, 4.0, None]
        lines = await screen.press("r")
        assert "PLAYING 0.1 x" in lines[0]
        await screen.show(at=11_000)
        assert screen.app.view.now == ns(100)
        lines = await screen.press("space")
        assert "FROZEN" in lines[0]
        await screen.show(at=12_000)
        assert screen.app.view.now == ns(100)
        await screen.press("r")
        await screen.show(at=20_000)
        assert screen.app.view.now == ns(215)
        assert screen.app.view.speed is None


@run
async def test_a_short_burst_is_played_slower(drive):
    """A request of 40 ms takes four seconds."""
    async with drive() as screen:
        await screen.show(streams.accepted(), streams.responded(40), streams.end(40), at=10_000)
        await screen.press("r")
        assert screen.app.view.speed == 0.01
        await screen.show(at=13_900)
        assert screen.app.view.speed is not None
        await screen.show(at=14_100)
        assert screen.app.view.speed is None
        assert screen.app.view.now == ns(40)


@run
async def test_a_trigger_freezes_the_picture_once(drive):
    """The picture freezes with the moment in it, and continues with the next key press."""
    from loopviz.tui.trigger import parse_trigger

    async with drive(trigger=parse_trigger("block>250ms")) as screen:
        view = screen.app.view
        await screen.show(scene_of_a_block(), at=950)
        assert view.behind is not None
        assert ms(view.at) == 552
        assert view.now - view.window < view.at <= view.now
        await screen.press("space")
        await screen.show(at=980)
        assert view.behind is None


# -- the filter --------------------------------------------------------------------------------


@run
async def test_the_filter_takes_letters_that_fire(drive):
    """While rows are filtered a letter is a letter; enter keeps the filter, escape shows all rows."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        await screen.press("slash", *"#2 sab", *["backspace"] * 4)
        assert screen.source.fired == []
        assert screen.app.view.words == "#2"
        lines = await screen.press("enter")
        assert [line.split()[0] for line in lines if line.startswith(" #")] == ["#2"]
        assert "/#2" in lines[0]
        await screen.press("s")
        assert screen.source.fired == [("sync", 8)]
        lines = await screen.press("escape")
        assert [line.split()[0] for line in lines if line.startswith(" #")] == ["#1", "#2"]


@run
async def test_the_filter_is_a_line_at_the_bottom(drive):
    """The filter takes the last line of the screen, and has a background of its own."""
    async with drive(size=SMALL) as screen:
        await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        await screen.press("slash")
        main = screen.app.screen
        field = main.query_one("MainScreen > Input", Input)
        assert (field.region.y, field.region.height, field.region.width) == (SMALL[1] - 1, 1, SMALL[0])
        assert (main.max_scroll_y, main.max_scroll_x) == (0, 0)
        assert main.styles.background == Color.parse(look.BACKGROUND)
        assert field.styles.background == Color.parse(look.FIELD)


# -- the catalogue -----------------------------------------------------------------------------


def listed(screen: Driver) -> list[str]:
    """The names in the list."""
    options = screen.app.screen.query_one(OptionList).options
    return [str(option.prompt) for option in options if not option.disabled]


@run
async def test_the_catalogue_filters_and_fires(drive):
    """Letters go into the filter, enter fires what is found first; a list over the picture is hidden."""
    async with drive(size=SMALL) as screen:
        await screen.press("tab")
        assert len(listed(screen)) == 3
        await screen.press(*"asy")
        assert [row.split()[:2] for row in listed(screen)] == [["a", "async"]]
        assert screen.source.fired == []
        await screen.press("enter")
        assert screen.source.fired == [("async", 8)]
        assert not screen.app.screen.catalogue.display
        await screen.press("b")
        assert screen.source.fired[1:] == [("[b]block[/]", 8)]


@pytest.mark.parametrize("key", ["tab", "escape"])
def test_the_catalogue_is_hidden(drive, key):
    """Tab and escape hide the list, and the picture has the keys again."""

    @run
    async def test(drive):
        async with drive() as screen:
            await screen.press("tab")
            assert screen.app.screen.catalogue.display
            await screen.press(key, "a")
            assert not screen.app.screen.catalogue.display
            assert screen.source.fired == [("async", 8)]

    test(drive=drive)


@run
async def test_down_goes_over_the_headings(drive):
    """The arrows choose among the scenarios while the filter has the keys."""
    async with drive() as screen:
        await screen.press("tab", "down", "enter")
        assert screen.source.fired == [("async", 8)]


@run
async def test_a_missing_package_is_named(drive):
    """A scenario that lacks a package is listed as such, and enter shows the command to install it."""
    async with drive() as screen:
        file = replace(scenario("flask"), missing=("a2wsgi", "flask"))
        screen.source.scenarios.append(file)
        screen.app.screen.catalogue.show(screen.source.scenarios)
        await screen.press("tab", *"flask")
        assert listed(screen) == ["  flask  not installed"]
        lines = await screen.press("enter")
        assert screen.source.fired == []
        assert any("pip install a2wsgi flask" in line for line in lines)


@run
async def test_a_value_that_is_lacking_is_asked_for(drive):
    """A scenario whose requests lack a value is not fired: the screen says which, and how to declare it."""

    def refuse(file: ScenarioFile, _: int) -> None:
        raise InputError(str(file.lacking))

    async with drive(size=(80, 24)) as screen:
        lacking = (
            "items.py: no value for the path parameter 'item' of GET /items/{item}.\n"
            "Declare it: Scenario(…, params={'item': …}), or give it an example."
        )
        screen.source.scenarios.append(replace(scenario("items"), lacking=lacking))
        screen.app.screen.catalogue.show(screen.source.scenarios)
        screen.source.fire = refuse
        await screen.press("tab", *"items")
        text = " ".join(part.strip("▌ ") for part in await screen.press("enter"))
        assert " ".join(lacking.split()) in " ".join(text.split())


@run
async def test_a_filter_without_matches_fires_nothing(drive):
    """A filter that nothing matches leaves nothing to fire."""
    async with drive() as screen:
        await screen.press("tab", *"zzz", "enter")
        assert listed(screen) == []
        assert screen.source.fired == []


# -- comparing ---------------------------------------------------------------------------------


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
async def test_one_is_not_compared(drive):
    """With one scenario ticked enter does nothing; escape closes; letters fire nothing meanwhile."""
    async with drive() as screen:
        await screen.press("v", "space", "enter", "s", "a")
        assert isinstance(screen.app.screen, Pick)
        await screen.press("escape")
        assert isinstance(screen.app.screen, MainScreen)
        assert screen.source.fired == []


@run
async def test_a_recording_compares_nothing(drive):
    """Where nothing can be fired, the key says so."""
    async with drive() as screen:
        screen.source.live = False
        assert any("This is a recording" in line for line in await screen.press("v"))


# -- claims ------------------------------------------------------------------------------------


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
            "See it live: sync",
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


# -- every screen ------------------------------------------------------------------------------

SCREENS = {
    "catalogue": ["tab"], "filter": ["slash"], "help": ["question_mark"], "detail": ["enter"], "pick": ["v"],
    "comparison": ["v", "space", "down", "space", "enter"], "claims": ["m"], "claim": ["m", "enter", "t"],
    "palette": ["ctrl+p"],
}  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (20, 5)])
@pytest.mark.parametrize("name", SCREENS)
def test_ascii_is_ascii_on_every_screen(claimed, drive, name, size):
    """With --ascii each screen has nothing but ASCII, in a small terminal and in a tiny one."""

    @run
    async def test(drive):
        async with drive(size=size, palette=Palette("ascii"), experimenter=lambda *_: None) as screen:
            screen.source.scenarios.append(scenario("速い" * 20))
            screen.app.screen.catalogue.show(screen.source.scenarios)
            await screen.show(scene_of_a_block(), at=1_000)
            before = shown(screen)
            await screen.press(*SCREENS[name])
            await screen.pilot.pause()
            await screen.show()
            await screen.pilot.pause()
            text = shown(screen)
            assert text != before
            assert text.isascii()
            assert {len(line) for line in text.split("\n")} == {size[0]}

    test(drive=drive)


def compared(*runs: tuple[float, int]) -> tuple[list[str], list[Entry]]:
    """The titles on the screen, and what was measured, of runs of so many ms with such a status."""
    lineups: list[comparison.Lineup] = []
    events: list[Event] = []
    for number, (length, status) in enumerate(runs, 1):
        begin = number * 20_000.0
        lineups.append(comparison.Lineup(scenario(f"run{number}"), ns(begin)))
        events += own(number, f"run{number}", begin, length, status)
    line = streams.timeline(events)
    for lineup in lineups:
        lineup.requests = []
        lineup.follow(line, 1, 40)
    rows = ["".join(s.text for s in row) for row in comparison.compose_lineup(
        Palette(), Keys(), line, lineups, ns(500_000), 200, 60
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
    said = command_line.said(ranked)
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


@run
async def test_hostile_facts_stay_text(drive):
    """No text in a recording's header or in a scenario's name controls the terminal, on any screen."""
    async with drive() as screen:
        source, app = screen.source, screen.app
        source.environment = replace(source.environment, python=HOSTILE, event_loop=HOSTILE)
        source.address = source.mode = HOSTILE
        source.scenarios = [
            replace(file, name=HOSTILE, facts=replace(file.facts, title=HOSTILE))
            for file in source.scenarios[:2]
        ]
        app.refresh_facts()
        await screen.show(answered(1, 0), at=1_000)
        assert "\\x1b[2J" in shown(screen)
        for key in ("question_mark", "v"):
            await screen.press(key)
            assert "\\x1b[2J" in shown(screen)
            await screen.press("escape")
