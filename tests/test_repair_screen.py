"""The repair of what was fired: its change, both bursts from the same zero, their answers, and a patch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile
from loopviz.stream.answer import Heard, answer
from loopviz.stream.events import Event
from loopviz.stream.marked import shown_as
from loopviz.stream.source import Load
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.screens.repair import Repair, patches, plans
from loopviz.tui.screens.repair.plans import in_project, text_of
from tests import streams
from tests.side_screens import SMALL, shown
from tests.streams import ns
from tests.test_scene import scenario
from tests.test_screen import Driver, FakeSource, drive, run

__all__ = ["drive"]  # the fixture

SOURCE = '''\
"""A shop."""

import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/slow")
async def slow():
    time.sleep(1)  # the stock is slow
    return "slept"
'''
BARS = str.maketrans("▌|", "  ")
LINE = 12
"""Where it sleeps."""


@dataclass
class Copying(FakeSource):
    """A source that serves copies, and answers as the test says."""

    copies: list[str] = field(default_factory=list)
    """The texts of the copies that were asked for."""
    ended: int = 0
    given_up: int = 0
    served: Future[ScenarioFile] = field(default_factory=Future)
    heard: list[tuple[str, int, Heard, Future[None]]] = field(default_factory=list)

    def serve_copy(self, file: ScenarioFile, path: str, text: str) -> Future[ScenarioFile]:
        """Note it; the test says when it is served."""
        self.copies.append(text)
        self.served = Future()
        return self.served

    def end_copy(self) -> Future[None]:
        """Note it."""
        self.ended += 1
        return Future()

    def fire_heard(self, file: ScenarioFile, requests: int, heard: Heard) -> Future[None]:
        """Note it; the test answers."""
        done: Future[None] = Future()
        self.heard.append((file.name, requests, heard, done))
        return done

    def give_up(self) -> int:
        """Note it."""
        self.given_up += 1
        return 0

    def source_lines(self, file: str) -> list[str]:
        """The lines of the file."""
        text = text_of(file) if not file.endswith(")") else None
        return (text or "").splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an application."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "main.py").write_text(SOURCE)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def slow(project: Path) -> ScenarioFile:
    """The scenario of that file."""
    file = scenario("slow", "u")
    return replace(file, file=project / "shop" / "main.py", facts=replace(file.facts, requests=2))


def blocked(first: int, at: float, path: Path) -> list[Event]:
    """Two requests that hold the loop for a second each, one after the other, until `at` + 2 s."""
    numbers = (first, first + 1)
    events: list[Event] = [
        streams.thread(at, 1, "loop"), streams.fired(at, first, "slow", first, 2),
        *[(ns(at), "sent", number, "GET", "/slow") for number in numbers], streams.iteration(at + 1),
        *[e for n in numbers for e in (streams.read(at + 1, n, n), streams.made(at + 1, n, n))],
    ]  # fmt: skip
    for number, start in zip(numbers, (at + 2, at + 1_003), strict=True):
        events += [streams.step(start, number), streams.cpu(start, 1, 0)]
        events += [
            (ns(start + 150 * n), "holds", number, ns(start), str(path), LINE, "slow", "time.sleep")
            for n in range(1, 6)
        ]
        events += [streams.cpu(start + 1_000, 1, 0), *ended(number, start + 1_000)]
    return [*events, streams.idle(at + 2_010)]


def awaited(first: int, at: float, name: str) -> list[Event]:
    """Two requests that await together, until `at` + 1 s."""
    numbers = (first, first + 1)
    events: list[Event] = [
        streams.fired(at, first, name, first, 2),
        *[(ns(at), "sent", number, "GET", "/slow") for number in numbers], streams.iteration(at + 1),
    ]  # fmt: skip
    for n in numbers:
        events += [streams.read(at + 1, n, n), streams.made(at + 1, n, n), streams.step(at + 1, n)]
        events += [streams.suspend(at + 2, n, due=at + 1_000)]
    events += [streams.idle(at + 2), streams.iteration(at + 1_000)]
    for n in numbers:
        events += [streams.wake(at + 1_000, n), streams.step(at + 1_000, n), *ended(n, at + 1_000)]
    return [*events, streams.idle(at + 1_002)]


def ended(number: int, at: float) -> list[Event]:
    """A request is answered, in its last step."""
    return [
        streams.status(at, 200, number), streams.responded(at, number), streams.end(at + 1, number),
        (ns(at + 1), "received", number, 200, None),
    ]  # fmt: skip


@pytest.fixture
def repairing(drive, project):
    """Starts the program with a scenario that sleeps, and a burst of it that is over at 2 s."""

    @asynccontextmanager
    async def start(size: tuple[int, int] = (120, 36), palette: Palette | None = None, **more: Any):
        source = Copying([slow(project)], **more)
        async with drive(size, palette, source=source) as screen:
            await screen.show(blocked(1, 0, project / "shop" / "main.py"), at=3_000)
            yield screen, source

    return start


async def until(screen: Driver, question: Callable[[], bool]) -> None:
    """Draw frames until it is true."""
    for _ in range(300):
        await screen.show()
        if question():
            return
        await screen.pilot.pause(0.01)
    raise AssertionError(shown(screen))


def written(screen: Driver, name: str) -> bool:
    """Whether the screen says that this file was written."""
    return name in shown(screen).replace("\n", "")


async def opened(screen: Driver) -> Repair:
    """Press F, and wait until the repair is made."""
    await screen.press("F")
    await until(screen, lambda: isinstance(screen.app.screen, Repair))
    await redrawn(screen)
    assert isinstance(screen.app.screen, Repair)
    return screen.app.screen


async def redrawn(screen: Driver, at: float | None = None) -> str:
    """Draw a frame, and return what is on the terminal."""
    await screen.show(at=at)
    await screen.pilot.pause()
    return shown(screen)


def answers(source: Copying, body: bytes = b"slept", status: int = 200) -> None:
    """Answer what was fired last."""
    _, count, heard, done = source.heard[-1]
    for number in range(count):
        heard(answer(number, status, [("content-type", "text/plain")], body, 1_000))
    done.set_result(None)


@pytest.mark.parametrize("palette", [Palette(), Palette("ascii", colour=False)], ids=["colour", "plain"])
@pytest.mark.parametrize("size", [SMALL, (120, 36), (200, 60), (40, 12)])
def test_a_repair_is_shown_fired_and_compared(repairing, size, palette):
    """First the change; then the burst that was fired, above that of the copy, from the same zero."""

    @run
    async def test(repairing):
        async with repairing(size, palette) as (screen, source):
            await opened(screen)
            text = shown(screen)
            assert "Repair of slow" in text
            if size != (40, 12):
                assert "held the event loop twice" in text
                assert "12 - " in text
                assert "12 +     await asyncio.sleep(1)  # the stock is slow" in text
                assert "enter fire it" in text
            assert source.fired == []
            await screen.press("enter")
            assert "await asyncio.sleep(1)" in source.copies[0]
            text = " ".join((await redrawn(screen)).translate(BARS).split())
            assert "Serving a copy with the repaired main.py" in text
            name = shown_as("slow", 1)
            source.served.set_result(replace(source.scenarios[0], name=name))
            await redrawn(screen)
            assert [(name, count) for name, count, *_ in source.heard] == [("slow", 2)]
            answers(source)
            await redrawn(screen, at=4_000)
            assert [(name, count) for name, count, *_ in source.heard[1:]] == [(name, 2)]
            answers(source)
            await screen.show(awaited(5, 4_010, name), at=5_500)
            text = await redrawn(screen)
            assert "2.0x faster: 2.00 s -> 1.00 s" in text
            if size != (40, 12):
                assert "2 of 2 answers are the same: status, headers, bodies." in text
                assert "The finding is gone: a blocking call in async def." in text
                rows = [line for line in text.split("\n") if line.startswith((" #1 ", " #5 "))]
                assert len({len(row[4:]) - len(row[4:].lstrip()) for row in rows}) == 1
            assert source.ended == 1
            await screen.press("escape")
            assert "enter fire it" in await redrawn(screen) or size == (40, 12)
            await screen.press("escape")
            assert isinstance(screen.app.screen, MainScreen)
            assert source.ended == 1
            assert source.given_up == 0

    test(repairing=repairing)


@run
async def test_other_answers_are_said(repairing):
    """What the repair must not change is compared, and a difference is named with its place."""
    async with repairing() as (screen, source):
        await opened(screen)
        await screen.press("enter")
        source.served.set_result(replace(source.scenarios[0], name=shown_as("slow", 1)))
        await redrawn(screen)
        answers(source)
        await redrawn(screen, at=4_000)
        answers(source, b"swept")
        await screen.show(awaited(5, 4_010, shown_as("slow", 1)), at=5_500)
        assert "2 of 2 answers differ. body: slept (byte 1) -> swept (byte 1) (2 answers)." in await redrawn(
            screen
        )


@run
async def test_a_finding_that_is_left_is_said(repairing, project):
    """A repair that does not help is not said to have helped."""
    async with repairing() as (screen, source):
        await opened(screen)
        await screen.press("enter")
        source.served.set_result(replace(source.scenarios[0], name="slow"))
        await redrawn(screen)
        answers(source)
        await redrawn(screen, at=4_000)
        answers(source)
        await screen.show(blocked(5, 4_010, project / "shop" / "main.py"), at=6_500)
        text = " ".join((await redrawn(screen)).replace("▌", "").split())
        assert "No clear difference: 2.00 s -> 2.00 s" in text
        assert "It is still found: main.py:12 (time.sleep) held the event loop twice" in text


@pytest.mark.parametrize("answered", [False, True], ids=["served", "fired"])
@pytest.mark.parametrize("key", ["escape", "g", "q"])
def test_what_is_fired_can_be_given_up(repairing, answered, key):
    """At any time; requests are given up, and the copy ends."""

    @run
    async def test(repairing):
        async with repairing() as (screen, source):
            repair = await opened(screen)
            await screen.press("enter")
            if answered:
                source.served.set_result(replace(source.scenarios[0], name=shown_as("slow", 1)))
                await redrawn(screen)
            await screen.press(key)
            text = await redrawn(screen)
            assert (source.ended, source.given_up) == (1, 1)
            if key == "g":
                assert repair.trial is not None
                assert "Given up: nothing was compared." in text
            else:
                assert repair.trial is None
                assert "enter fire it" in text

    test(repairing=repairing)


@run
async def test_quitting_ends_the_copy(repairing):
    """Nothing is left behind."""
    async with repairing() as (screen, source):
        await opened(screen)
        await screen.press("enter")
        await screen.press("ctrl+q")
    assert (source.ended, source.given_up) == (1, 1)


@pytest.mark.parametrize("at_once", [True, False])
def test_why_no_copy_can_be_served(repairing, at_once):
    """The reason is shown, and the change can still be looked at."""

    @run
    async def test(repairing):
        async with repairing() as (screen, source):

            def refuse(*_: object) -> Future[ScenarioFile]:
                error = InputError("There are 2 workers.\nRun it with one.")
                if at_once:
                    raise error
                future: Future[ScenarioFile] = Future()
                future.set_exception(error)
                return future

            source.serve_copy = refuse
            await opened(screen)
            await screen.press("enter")
            await redrawn(screen)
            assert "There are 2 workers. Run it with one." in await redrawn(screen)
            await screen.press("escape")
            assert "enter fire it" in await redrawn(screen)

    test(repairing=repairing)


@run
async def test_the_original_is_fired_again_if_its_burst_was_another_load(repairing):
    """With another thread limit than then, both are measured anew."""
    async with repairing() as (screen, source):
        await opened(screen)
        source.threads = 10
        await screen.press("enter")
        source.served.set_result(replace(source.scenarios[0], name=shown_as("slow", 1)))
        assert "Firing the original: 2 requests." in await redrawn(screen)
        assert [(name, count) for name, count, *_ in source.heard] == [("slow", 2)]


@run
async def test_a_repair_waits_for_what_still_runs(repairing, project):
    """Else it would be measured beside it."""
    async with repairing() as (screen, source):
        await opened(screen)
        running = blocked(5, 3_010, project / "shop" / "main.py")
        await screen.show([event for event in running if event[0] < ns(3_500)], at=3_600)
        await screen.press("enter")
        assert "Waiting until #5 GET /slow has ended" in await redrawn(screen, at=3_700)
        assert source.copies == []
        assert source.given_up == 0
        await screen.show([event for event in running if event[0] >= ns(3_500)], at=6_000)
        await redrawn(screen, at=6_100)
        assert len(source.copies) == 1


@run
async def test_what_still_runs_is_shown_and_can_be_given_up(repairing, project):
    """The burst that is repaired may still run: its rows grow meanwhile, and g ends it."""
    async with repairing() as (screen, source):
        running = blocked(5, 3_010, project / "shop" / "main.py")
        await screen.show([event for event in running if event[0] < ns(3_800)], at=3_800)
        await opened(screen)
        await screen.press("enter")
        assert " #5 " in await redrawn(screen, at=3_900)
        await screen.press("g")
        assert "Given up: nothing was compared." in await redrawn(screen)
        assert (source.given_up, source.ended) == (1, 0)


@run
async def test_several_repairs_can_be_looked_at(repairing, project):
    """The gravest finding's is the first; tab shows the next, and the arrows scroll."""
    async with repairing(SMALL) as (screen, _):
        repair = await opened(screen)
        plan = repair.plan
        many = replace(plan, diff=(*plan.diff, *(f" line {n}" for n in range(60))), change="Another one.")
        await screen.app.push_screen(Repair(screen.app, [plan, many], None, 2))
        await redrawn(screen)
        text = await redrawn(screen)
        assert "1 of 2" in text
        assert "tab next repair" in text
        await screen.press("tab")
        text = await redrawn(screen)
        assert "2 of 2" in text
        assert "Another one." in text
        assert "line 59" not in text
        await screen.press(*["pagedown"] * 6)
        assert "line 59" in await redrawn(screen)
        await screen.press("pageup", "up", "shift+tab")
        assert "1 of 2" in await redrawn(screen)


@run
async def test_a_patch_is_written_into_the_project(repairing, project):
    """Git accepts it; nothing else is written, and no file is replaced."""
    async with repairing() as (screen, _):
        await opened(screen)
        before = {path.name for path in project.iterdir()}
        for name in ("loopviz-repair-slow.patch", "loopviz-repair-slow-2.patch"):
            await screen.press("w")
            await until(screen, (project / name).is_file)
            await until(screen, partial(written, screen, name))
            assert (project / name).is_file()
        assert {path.name for path in project.iterdir()} - before == {
            "loopviz-repair-slow.patch", "loopviz-repair-slow-2.patch",
        }  # fmt: skip
    assert (project / "shop" / "main.py").read_text() == SOURCE
    patch = str(project / "loopviz-repair-slow.patch")
    subprocess.run(["git", "-C", str(project), "apply", patch], check=True)
    repaired = SOURCE.replace("import time", "import asyncio").replace("time.sleep", "await asyncio.sleep")
    assert (project / "shop" / "main.py").read_text() == repaired


@run
async def test_a_patch_for_a_file_that_was_saved_meanwhile_is_not_written(repairing, project):
    """It would not fit."""
    async with repairing() as (screen, _):
        await opened(screen)
        (project / "shop" / "main.py").write_text(f"{SOURCE}# more\n")
        await screen.press("w")
        await until(screen, lambda: "saved meanwhile" in shown(screen))
        assert "the patch would not fit" in shown(screen)
        assert not list(project.glob("*.patch"))


@run
async def test_why_there_is_nothing_to_repair(repairing):
    """Nothing is found in what was fired last, or in the steady load."""
    async with repairing() as (screen, source):
        await screen.show(awaited(5, 4_000, "slow"), at=6_000)
        assert "slow needs no repair: nothing is found in it" in " ".join(await screen.press("F"))
        source.set_load(source.scenarios[0], 5)
        await screen.show(at=20_000)
        assert "Nothing is found in the steady load of slow" in " ".join(await screen.press("F"))


@run
async def test_a_repair_is_measured_under_a_steady_load(repairing, project):
    """The original has it for some seconds, then the copy; in the end the original has it again."""
    async with repairing() as (screen, source):
        source.set_load(source.scenarios[0], 0.4)
        await screen.show(at=3_500)
        await opened(screen)
        await screen.press("enter")
        text = (await redrawn(screen, at=4_000)).translate(BARS)
        assert "The original gets 0.4 requests a second, for 5 s." in text
        burst = blocked(5, 4_010, project / "shop" / "main.py")
        await screen.show([event for event in burst if event[1] != "fired"], at=9_100)
        assert source.given_up == 1
        await redrawn(screen, at=9_200)
        copy = replace(source.scenarios[0], name=shown_as("slow", 1))
        source.served.set_result(copy)
        await redrawn(screen, at=9_300)
        assert [(name, count) for name, count, *_ in source.heard] == [("slow", 2)]
        answers(source)
        await redrawn(screen, at=9_400)
        text = (await redrawn(screen, at=9_500)).translate(BARS)
        assert "The repaired code gets 0.4 requests a second, for 5 s." in text
        assert source.load is not None
        assert source.load.scenario == copy
        await screen.show([e for e in awaited(7, 9_600, copy.name) if e[1] != "fired"], at=14_600)
        await redrawn(screen, at=14_700)
        assert not source.load
        answers(source)
        text = await redrawn(screen, at=14_800)
        assert "1.5x faster: median latency 1.50 s -> 1.00 s at 0.4 requests a second." in text
        assert "2 of 2 answers are the same" in text
        assert "The finding is gone" in text
        assert source.load == Load(source.scenarios[0], 0.4)
        assert (source.ended, source.given_up) == (1, 1)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("(1)", "(2)", "main.py has been saved since it was started."),
        ("async def slow", "async def other", "A blocking call in async def: "),
        ("time.sleep(1)", "n = app.n; time.sleep(1); app.n = n", "async def: app is read before the call"),
    ],
)
def test_a_repair_that_would_be_wrong_is_refused(repairing, project, old, new, expected):
    """The reason is said, and no screen is opened."""

    @run
    async def test(repairing):
        async with repairing() as (screen, source):
            (project / "shop" / "main.py").write_text(SOURCE.replace(old, new))
            lines = SOURCE.splitlines() if old == "(1)" else SOURCE.replace(old, new).splitlines()
            source.source_lines = lambda _: lines
            await screen.press("F")
            await until(screen, lambda: expected in " ".join(screen.lines()))
            assert isinstance(screen.app.screen, MainScreen)

    test(repairing=repairing)


def test_the_project_of_a_file(tmp_path, project):
    """It is the repository, or the folder with a pyproject.toml, or that of the file's package."""
    assert in_project(str(project / "shop" / "main.py")) == (project, "shop/main.py")
    other = tmp_path / "other"
    (other / "package").mkdir(parents=True)
    (other / "package" / "__init__.py").touch()
    (project / ".git").rename(project / "git")
    assert in_project(str(other / "package" / "one.py")) == (other, "package/one.py")
    (tmp_path / "pyproject.toml").touch()
    assert in_project(str(other / "package" / "one.py")) == (tmp_path, "other/package/one.py")


def test_a_form_feed_is_no_end_of_a_line():
    """Some sources have one between their parts; `str.splitlines` would see another text than views show."""
    text = "import time\r\n\f\r\ntime.sleep(1)  # \u2028\x85\n"
    assert plans._is_shown(text, ["import time\n", "\f\n", "time.sleep(1)  # \u2028\x85\n"])
    assert not plans._is_shown(text, ["import time", "", "", "time.sleep(1)  # \u2028\x85"])


def test_a_patch_has_the_name_of_the_file_as_the_system_has_it(tmp_path):
    """The name need not be in the encoding of the text, nor in any."""
    name = b"\xff\xc4\x80.py"
    file = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    Path(file).write_bytes(b"# coding: latin-1\n# Stra\xdfe\n")
    lines = ["--- a/" + os.fsdecode(name), "+++ b/x", "@@ -2 +2 @@", "-# Stra\xdfe"]
    assert patches._encoded(lines, file) == b"--- a/" + name + b"\n+++ b/x\n@@ -2 +2 @@\n-# Stra\xdfe\n"
