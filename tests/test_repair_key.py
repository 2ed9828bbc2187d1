"""The key that fires the repair of what was fired last."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from loopviz.errors import InputError
from tests.test_scene import scenario
from tests.test_screen import FakeSource, drive, run

__all__ = ["drive"]  # the fixture


def repaired_by(source: FakeSource, repaired: str | None) -> None:
    """Let the scenario of the letter b have this repair."""
    file = scenario("blocking", "b")
    facts = replace(file.facts, repair="await it.", repaired=repaired)
    source.scenarios = [*source.scenarios[:2], replace(file, facts=facts)]


@run
async def test_the_repair_is_fired_with_as_many_requests(drive):
    """`F` fires the scenario that shows the repair, with the number of the burst that is repaired."""
    async with drive() as screen:
        repaired_by(screen.source, "async")
        await screen.press("plus", "b")
        await screen.press("minus", "minus", "F")
        (before, count), again = screen.source.fired
        assert (before, again) == ("blocking", ("async", count))


@run
async def test_why_no_repair_is_fired(drive):
    """Without a burst, a repair, or the scenario that shows it, `F` says why it fires none."""
    async with drive() as screen:
        assert "Nothing has been fired yet" in "\n".join(await screen.press("F"))
        assert "sync needs no repair" in "\n".join(await screen.press("s", "F"))
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
