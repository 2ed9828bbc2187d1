"""The screen: each key does what the help says, and only what has changed is painted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Group
from rich.table import Table
from textual.pilot import Pilot
from textual.visual import RichVisual

from loopviz.draw.look import CODES, Palette
from loopviz.scenario import ScenarioFile
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.source import Death, Load, Probing, Vitals
from loopviz.tui import LoopvizApp, app
from loopviz.tui.actions import base, firing
from loopviz.tui.screens import detail
from loopviz.tui.screens.detail import Detail
from loopviz.tui.screens.help import Help
from loopviz.tui.screens.main import MainScreen
from tests import streams
from tests.several_scene import scene_of_workers
from tests.streams import MS, ns
from tests.test_scene import ENVIRONMENT, HOSTILE, scenario


@dataclass
class FakeSource:
    """A source whose events come from the test, and that notes what it is asked for."""

    scenarios: list[ScenarioFile] = field(
        default_factory=lambda: [scenario("sync", "s"), scenario("async", "a"), scenario("[b]block[/]", "b")]
    )
    threads: int = 40
    environment = ENVIRONMENT
    mode = "in a thread"
    address = "127.0.0.1:41873"
    blind = ()
    events: list[Event] = field(default_factory=list)
    fired: list[tuple[str, int]] = field(default_factory=list)
    live: bool = True
    now: Callable[[], int] = lambda: 0

    def present(self) -> int:
        """The test's time."""
        return self.now()

    def start(self) -> None:
        """Nothing is to be started."""

    def was_paused(self, since: int, until: int) -> None:
        """Note it as the server does."""
        self.events.append((until, ev.STOPPED, since))

    def wait(self) -> None:
        """It always serves."""

    pid: int = 0
    application: str | None = None
    death: Death | None = None
    load: Load | None = None
    written: int = 0
    lines: list[str] = field(default_factory=list)
    moved: Future[None] | None = None
    restarted: Future[None] | None = None

    def output(self) -> list[str]:
        """What the test says that the server has written."""
        return self.lines

    def change_request(self, file: ScenarioFile) -> None:
        """Take the new version."""
        self.reload(file)

    def set_load(self, file: ScenarioFile, per_second: float) -> None:
        """Note the steady load."""
        self.load = Load(file, per_second) if per_second else None

    probing: Probing | None = None

    def set_probing(self, on: bool) -> None:
        """Note whether health probes are sent."""
        self.probing = Probing("/health", 1.0) if on else None

    def move(self) -> Future[None] | None:
        """What the test says."""
        return self.moved

    def restart(self) -> Future[None] | None:
        """What the test says."""
        return self.restarted

    answered: Future[None] | None = None

    def fire(self, file: ScenarioFile, requests: int) -> Future[None] | None:
        """Note what was fired."""
        self.fired.append((file.name, requests))
        return self.answered

    def give_up(self) -> int:
        """Nothing is fired in truth."""
        return 0

    def reload(self, file: ScenarioFile) -> None:
        """Take the new version."""
        self.scenarios = [file if other.name == file.name else other for other in self.scenarios]

    def source_lines(self, file: str) -> list[str]:
        """A file that has its number in each line."""
        return [f"line {number} of {file}" for number in range(1, 41)]

    resized: tuple[int, int] | None = None
    resizing: Future[bool] | None = None

    def resize(self, pool: int, size: int) -> Future[bool] | None:
        """Note which pool, and what the test says."""
        self.resized = (pool, size)
        return self.resizing

    def set_threads(self, limit: int) -> None:
        """Note the thread limit."""
        self.threads = limit

    stopped: str | None = None
    waits: str | None = None

    def preparing(self, name: str) -> str | None:
        """What the test says."""
        return self.waits

    def drain(self) -> list[Event]:
        """The events that the test has added since the last call."""
        events, self.events = self.events, []
        return events

    def save(self, path: str | Path) -> int:
        """No test saves from the screen."""
        raise NotImplementedError

    def vitals(self) -> Vitals:
        """Nothing was lost, and nothing failed."""
        return Vitals(0, 0, 0, ())


class Clock:
    """The screen's time: it moves only when a test sets it."""

    def __init__(self) -> None:
        self.ms = 0.0

    def __call__(self) -> int:
        """The time."""
        return ns(self.ms)


@dataclass
class Driver:
    """The application under test, with its source, its clock and its keys."""

    app: LoopvizApp
    pilot: Pilot[int]
    source: FakeSource
    clock: Clock

    async def show(self, *events: Event | list[Event], at: float | None = None) -> list[str]:
        """Add `events` to the source, set the time to `at` ms, draw a frame, and return its lines."""
        for event in events:
            self.source.events += [event] if isinstance(event, tuple) else event
        if at is not None:
            self.clock.ms = at
        self.app.tick()
        await self.pilot.pause()
        return self.lines()

    def lines(self) -> list[str]:
        """The lines of the picture."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return ["".join(s.text for s in strip) for strip in screen.surface.strips]

    def row(self, request: int) -> str:
        """The line of a request."""
        (line,) = [line for line in self.lines() if line.startswith(f" #{request} ")]
        return line

    async def press(self, *keys: str) -> list[str]:
        """Press keys, and draw a frame."""
        await self.pilot.press(*keys)
        return await self.show()


@pytest.fixture
def drive(monkeypatch):
    """Starts the application with a fake source and a clock that stands still."""

    @asynccontextmanager
    async def drive(
        size: tuple[int, int] = (120, 36),
        palette: Palette | None = None,
        *,
        live: bool = True,
        source: FakeSource | None = None,
        **settings: Any,
    ) -> AsyncIterator[Driver]:
        clock = Clock()
        source = source or FakeSource()
        source.now, source.live = clock, live
        for module in (app, base, detail, firing):
            monkeypatch.setattr(module, "now_ns", clock)
        monkeypatch.setattr(LoopvizApp, "set_interval", lambda *_: None)  # the test draws the frames
        application = LoopvizApp(source, palette or Palette(), **settings)
        async with application.run_test(size=size) as pilot:
            driver = Driver(application, pilot, source, clock)
            await driver.show()
            yield driver

    return drive


def run(test):
    """Run a test that is a coroutine."""
    import asyncio
    import functools
    import inspect

    @functools.wraps(test)
    def wrapper(**fixtures: object) -> None:
        asyncio.run(test(**fixtures))

    vars(wrapper)["__signature__"] = inspect.signature(test)
    return wrapper


def answered(number: int, at: float) -> list[Event]:
    """A request that runs for 10 ms, sleeps for 200 ms, and is answered."""
    return [
        *streams.accepted(number, number, at),
        streams.suspend(at + 12, number),
        streams.idle(at + 12),
        streams.iteration(at + 212),
        streams.step(at + 212, number),
        streams.status(at + 214, 200, number),
        streams.responded(at + 215, number),
        streams.end(at + 216, number),
        streams.idle(at + 216),
    ]


# -- keys --------------------------------------------------------------------------------------


@run
async def test_a_letter_fires_its_scenario(drive):
    """Each scenario's letter fires it, with its own number of requests."""
    async with drive() as screen:
        await screen.press("s", "b", "a", "a")
        assert screen.source.fired == [("sync", 8), ("[b]block[/]", 8), ("async", 8), ("async", 8)]


@run
async def test_plus_and_minus_change_the_number_of_requests(drive):
    """The keys + and - change how many requests are fired, and the screen says how many."""
    async with drive() as screen:
        assert any("10 requests" in line for line in await screen.press("plus"))
        await screen.press("s")
        assert any("6 requests" in line for line in await screen.press("minus", "minus"))
        await screen.press("s", *["minus"] * 10, "s")
        assert screen.source.fired == [("sync", 10), ("sync", 6), ("sync", 1)]


@run
async def test_a_number_of_requests_from_the_command_line(drive):
    """A number given at the start replaces each scenario's own."""
    async with drive(requests=41) as screen:
        await screen.press("s", "plus", "s")
        assert screen.source.fired == [("sync", 41), ("sync", 50)]


@run
async def test_brackets_change_the_thread_limit(drive):
    """The keys ] and [ change the thread limit at once, never below one, and the screen shows it."""
    async with drive() as screen:
        assert any("thread limit 60" in line for line in await screen.press("right_square_bracket"))
        assert screen.source.threads == 60
        lines = await screen.press(*["left_square_bracket"] * 20)
        assert screen.source.threads == 1
        assert any("thread limit 1 " in line for line in lines)


@run
async def test_space_freezes_and_continues(drive):
    """A frozen picture stands still and shows how far behind it is; events are still collected."""
    async with drive() as screen:
        await screen.show(streams.accepted(), streams.suspend(5), streams.idle(5), at=300)
        before = screen.row(1)
        await screen.press("space")
        lines = await screen.show(answered(2, 400), at=1_800)
        assert "FROZEN 1.5 s behind" in lines[0]
        assert screen.row(1) == before
        assert not [line for line in lines if line.startswith(" #2 ")]
        assert len(screen.app.timeline.requests) == 2
        lines = await screen.press("space")
        assert "FROZEN" not in lines[0]
        assert " 200 " in screen.row(2)
        assert screen.row(1).rstrip().endswith("1.8 s")


@pytest.mark.parametrize(("back", "on"), [("left", "right")])
def test_panning_moves_by_a_second(drive, back, on):
    """Left freezes and moves back by a second, right moves on, and never past the present."""

    @run
    async def test(drive):
        async with drive() as screen:
            await screen.show(answered(1, 0), at=5_000)
            assert "FROZEN" not in (await screen.press(on))[0]
            assert "FROZEN 2.0 s behind" in (await screen.press(back, back))[0]
            assert "FROZEN 1.0 s behind" in (await screen.press(on))[0]
            assert " FROZEN  " in (await screen.press(on, on, on))[0]
            assert "FROZEN" in (await screen.press(*[back] * 4))[0]
            assert "FROZEN" not in (await screen.press("a"))[0]

    test(drive=drive)


def selected(screen: Driver) -> int | None:
    """The request whose row is shown in reverse video."""
    stage = screen.app.screen_stack[0]
    assert isinstance(stage, MainScreen)
    segments = [s for strip in stage.surface.strips for s in strip]
    rows = [s for s in segments if s.style and s.style.reverse and s.text[:2] == " #"]
    return int(rows[0].text.split()[0][1:]) if rows else None


@run
async def test_arrows_select_requests(drive):
    """Down and up, j and k, and the pages move through the requests and stop at their ends."""
    async with drive() as screen:
        await screen.show(*[answered(n, 10 * n) for n in range(1, 16)], at=2_000)
        seen = []
        for key in ("down", "j", "j", "up", "k", "k", "pagedown", "pagedown", "pageup", "escape"):
            await screen.press(key)
            seen.append(selected(screen))
        assert seen == [1, 2, 3, 2, 1, 1, 11, 15, 5, None]


@run
async def test_enter_opens_every_segment_and_their_sum(drive):
    """The detail lists every segment with its duration; the sum is the latency."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=1_000)
        await screen.press("enter")
        assert isinstance(screen.app.screen, Detail)
        visual = screen.app.screen.body.visual
        assert isinstance(visual, RichVisual)
        assert isinstance(visual._renderable, Group)
        table = visual._renderable.renderables[0]
        assert isinstance(table, Table)
        cells = [list(column.cells) for column in table.columns]
        lengths = [float(str(cell).removesuffix(" ms")) for cell in cells[1] if cell]
        request = screen.app.timeline.requests[1]
        before = request.segments
        assert lengths[: len(before)] == [(s.end - s.start) / MS for s in before]
        assert sum(lengths[: len(before)]) == pytest.approx(215)
        assert len(lengths) == len(before) + len(request.after)
        assert str(table.columns[1].footer) == "215.000 ms"
        assert [str(cell).split()[1] for cell in cells[2]][:5] == [
            "queued", "ready", "running", "awaiting", "running",
        ]  # fmt: skip
        await screen.press("escape")
        assert isinstance(screen.app.screen, MainScreen)


@run
async def test_enter_without_a_request_says_so(drive):
    """With nothing to open, the screen says so for two seconds."""
    async with drive() as screen:
        assert any("There is no request yet." in line for line in await screen.press("enter"))
        assert not any("There is no request yet." in line for line in await screen.show(at=2_100))


@run
async def test_x_clears_what_has_ended(drive):
    """Requests that have ended are removed; those in progress stay."""
    async with drive() as screen:
        await screen.show(answered(1, 0), streams.accepted(2, 2, 600), at=650)
        lines = await screen.press("x")
        assert not [line for line in lines if line.startswith(" #1 ")]
        assert screen.row(2)


@run
async def test_help_has_every_state_and_every_scenario(drive):
    """The help shows every state and every scenario with a letter, and closes with escape."""
    async with drive(size=(100, 60)) as screen:
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, Help)
        shown = screen.app.export_screenshot().replace("&#160;", " ")
        for code in CODES.values():
            assert screen.app.palette.name(code)[0] in shown
        assert "BLOCKS" in shown
        assert "fire [b]block[/]" in shown
        await screen.press("escape")
        assert isinstance(screen.app.screen, MainScreen)


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
def test_it_quits(drive, key):
    """The keys to quit end the program with exit code 0."""

    @run
    async def test(drive):
        async with drive() as screen:
            await screen.pilot.press(key)
            assert screen.app.return_value == 0

    test(drive=drive)


@run
async def test_q_in_the_palette_is_a_letter(drive):
    """Typing the name of a command that has a q in it does not quit."""
    async with drive() as screen:
        await screen.pilot.press("ctrl+p", *"more requests")
        assert screen.app.is_running
        assert screen.app.return_value is None
        assert screen.source.fired == []


@run
async def test_every_command_has_a_name(drive):
    """The command palette has each scenario and the actions of the keys."""
    async with drive() as screen:
        commands = list(screen.app.get_system_commands(screen.app.screen))
        titles = {command.title for command in commands}
        assert titles >= {
            "Fire sync", "Fire async", "Fire \\[b]block\\[/]", "More requests", "Fewer requests", "Freeze",
            "Raise the thread limit", "Lower the thread limit", "Back in time", "Forward in time", "Detail",
            "Clear", "Help", "Quit",
        }  # fmt: skip
        for command in commands:
            if command.title == "Fire async":
                command.callback()
        assert screen.source.fired == [("async", 8)]


# -- the mouse ---------------------------------------------------------------------------------


@run
async def test_a_click_opens_a_request(drive):
    """A click on a row's name selects its request and opens it at once; so does one on what it says."""
    async with drive() as screen:
        lines = await screen.show(answered(1, 0), answered(2, 10), at=1_000)
        y = next(y for y, line in enumerate(lines) if line.startswith(" #2 "))
        for x in (8, 110):
            await screen.pilot.click(offset=(x, y))
            assert isinstance(screen.app.screen, Detail)
            assert screen.app.view.cursor == 2
            await screen.press("escape")


@run
async def test_a_click_on_a_key_presses_it(drive):
    """The words of a key at the foot can be clicked."""
    async with drive() as screen:
        lines = await screen.show()
        y, x = next((y, line.index("a async")) for y, line in enumerate(lines) if " s sync  a async" in line)
        await screen.pilot.click(offset=(x + 2, y))
        await screen.pilot.pause()
        assert screen.source.fired == [("async", 8)]


# -- painting ----------------------------------------------------------------------------------


@run
async def test_what_has_not_changed_is_not_painted(drive):
    """A frame in which nothing has changed paints no line; a new request paints few."""
    async with drive() as screen:
        await screen.show(answered(1, 0), at=1_000)
        surface = screen.app.screen.surface
        for _ in range(30):  # until the frame rate, of a clock that stands still, has settled
            screen.app.tick()
        painted = surface.painted
        for _ in range(5):
            await screen.show()
        assert surface.painted == painted
        await screen.show(streams.sent(1_000, 2))
        assert 1 <= surface.painted - painted <= 6


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (20, 5)])
def test_a_resize_is_drawn_at_once(drive, size):
    """After a resize the picture has the new size, without waiting for the next frame."""

    @run
    async def test(drive):
        async with drive() as screen:
            await screen.show(answered(1, 0), at=1_000)
            await screen.pilot.resize_terminal(*size)
            await screen.pilot.pause()
            lines = screen.lines()
            assert len(lines) == screen.app.screen.surface.size.height == size[1]
            assert {len(line) for line in lines} == {screen.app.screen.surface.size.width}

    test(drive=drive)


@run
async def test_what_a_client_sends_is_text(drive):
    """A path full of markup and escape sequences is drawn as text, in the picture and in the detail."""
    async with drive(size=(140, 36)) as screen:
        hostile = [(ns(0), "sent", 1, "GET", HOSTILE), streams.read(1), streams.made(1), streams.step(2)]
        await screen.show(hostile, at=50)
        assert r"/a[red]\x1b" in screen.row(1)
        await screen.press("enter")
        shown = screen.app.export_screenshot().replace("&#160;", " ")
        assert r"GET /a[red]\x1b[2J[/]" in shown
        assert "\x1b" not in shown


@run
async def test_a_scenarios_name_is_text(drive):
    """A scenario's name with markup in it is drawn as it is."""
    async with drive(size=(160, 36)) as screen:
        assert any("b [b]block[/]" in line for line in screen.lines())


# -- pictures ----------------------------------------------------------------------------------


def picture(screen: Driver) -> str:
    """The screen as SVG, without what differs from run to run."""
    svg = screen.app.export_screenshot()
    return re.sub(r"terminal-\d+", "terminal", svg)


def scene_of_a_block() -> list[Event]:
    """Request 1 is answered; 2 blocks the loop; 3 to 5 are delayed."""
    events = [streams.thread(0, 1, "loop"), streams.tokens(0, 40, 0, 0), *answered(1, 0)]
    events += streams.accepted(2, 2, 300)
    events += [streams.sent(310, n) for n in (3, 4, 5)]
    events += [streams.cpu(t, 1, 12) for t in (350, 600, 900)]
    events.append(streams.holds(900, 2, 302, 14, "time.sleep"))
    return sorted(events, key=lambda event: event[0])


@pytest.mark.parametrize("mode", ["colour", "ascii"])
def test_the_picture_of_a_block(drive, snapshot, mode):
    """The whole screen while a request blocks the loop looks as it should, in colour and in ASCII."""

    @run
    async def test(drive):
        async with drive(size=(80, 24), palette=Palette(mode)) as screen:
            await screen.show(scene_of_a_block(), at=1_000)
            assert picture(screen) == snapshot

    test(drive=drive)


@run
async def test_the_picture_of_three_workers(drive, snapshot):
    """Each has a lane, and what waits for one of them while the others are idle is said."""
    async with drive(size=(80, 24)) as screen:
        await screen.show(scene_of_workers(), at=880)
        assert picture(screen) == snapshot


@run
async def test_the_picture_of_a_detail(drive, snapshot):
    """An opened request looks as it should."""
    async with drive(size=(100, 30)) as screen:
        await screen.show(scene_of_a_block(), at=1_000)
        await screen.press("down", "enter")
        await screen.pilot.pause()
        assert picture(screen) == snapshot
