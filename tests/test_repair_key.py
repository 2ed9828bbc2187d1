"""The key that repairs what was fired last, where the scenario declares its repair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from loopviz.errors import InputError
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.screens.repair import Repair
from tests.side_screens import shown
from tests.test_comparison_screen import own
from tests.test_scene import scenario
from tests.test_screen import FakeSource, drive, run

__all__ = ["drive"]  # the fixture

SCENARIOS = Path(__file__).parent.parent / "scenarios"


def repaired_by(source: FakeSource, repaired: str | None) -> None:
    """Let the scenario of the letter b have this repair."""
    file = scenario("blocking", "b")
    facts = replace(file.facts, repair="await it.", repaired=repaired)
    blocking = replace(file, facts=facts, file=SCENARIOS / "blocking.py")
    async_ = replace(source.scenarios[1], file=SCENARIOS / "async.py")
    source.scenarios = [source.scenarios[0], async_, blocking]


@run
async def test_the_declared_repair_is_shown_and_fired_with_as_many_requests(drive):
    """`F` shows the code of both; enter fires both, with the number of the burst that is repaired."""
    async with drive() as screen:
        repaired_by(screen.source, "async")
        await screen.press("plus", "b")
        await screen.press("minus", "minus", "F")
        assert isinstance(screen.app.screen, Repair)
        await screen.show()
        text = shown(screen)
        assert "blocking.py -> async.py" in text
        assert "14 -     time.sleep(1)" in text
        assert "14 +     await asyncio.sleep(1)" in text
        assert "await it." in text
        assert "write a patch" not in text
        ((before, count),) = screen.source.fired
        await screen.press("enter")
        for at in (20, 30):
            await screen.show(at=at)
        assert screen.source.fired[1:] == [(before, count)]
        await screen.show(*(own(n, "blocking", 40, 500) for n in range(1, count + 1)), at=600)
        for at in (610, 620, 630):
            await screen.show(at=at)
        assert screen.source.fired[2:] == [("async", count)]
        await screen.press("escape", "escape")
        assert isinstance(screen.app.screen, MainScreen)


@run
async def test_why_no_repair_is_shown(drive):
    """Without a burst, a repair, or the scenario that shows it, `F` says why there is none."""
    async with drive() as screen:
        assert "Nothing has been fired yet" in "\n".join(await screen.press("F"))
        assert "sync has not been measured yet" in "\n".join(await screen.press("s", "F"))
        repaired_by(screen.source, "celery")
        assert "celery, which is not served here" in "\n".join(await screen.press("b", "F"))
        assert [name for name, _ in screen.source.fired] == ["sync", "blocking"]


@run
async def test_what_could_not_be_fired_is_not_repaired(drive, monkeypatch):
    """A scenario that the source has refused does not count as fired."""

    def refuse(*_: object) -> NoReturn:
        raise InputError("it is a recording")

    async with drive() as screen:
        repaired_by(screen.source, "async")
        monkeypatch.setattr(screen.source, "fire", refuse)
        await screen.press("b")
        assert "Nothing has been fired yet" in "\n".join(await screen.press("F"))


@run
async def test_a_recording_is_not_repaired(drive):
    """Nothing can be fired there."""
    async with drive(live=False) as screen:
        assert "This is a recording" in "\n".join(await screen.press("F"))
