"""The picture of a burst on the screen: what keys make of its clock, and that it stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loopviz.model import Timeline
from loopviz.recording import Header, Recorder
from loopviz.recording.replay import Replay, timeline_for_replay
from loopviz.stream.events import Event
from loopviz.tui.scene import Line
from loopviz.tui.view import View
from tests import streams
from tests.streams import MS, fired, ns
from tests.test_scene import ENVIRONMENT
from tests.test_screen import drive, run

__all__ = ["drive"]

SMALL = (80, 24)


def burst(press: int, at: float, first: int, length: float = 200) -> list[Event]:
    """Two requests that wait for `length` ms, fired at `at`."""
    events: list[Event] = [fired(at, press, "async", first, 2)]
    for number in (first, first + 1):
        events += [
            streams.sent(at, number), streams.read(at, number, number), streams.made(at, number, number),
            streams.step(at, number), streams.suspend(at, number),
        ]  # fmt: skip
    for number in (first, first + 1):
        end = at + length
        events += [
            streams.step(end, number), streams.status(end, 200, number),
            streams.responded(end, number), streams.end(end, number),
        ]  # fmt: skip
    return events


def axis(lines: list[str]) -> str:
    """The axis of time."""
    return next(line for line in lines if "0 ms" in line or "0 s" in line or " now" in line)


@run
async def test_end_changes_between_the_clock_of_the_burst_and_a_picture_that_scrolls(drive):
    """The axis says which it is; from a frozen picture, the first press goes to the present."""
    async with drive(size=SMALL) as screen:
        assert "now" in axis(await screen.show(at=500))
        lines = await screen.show(burst(1, 1_000, 1), at=2_000)
        assert "0 ms" in axis(lines)
        assert "now" not in axis(lines)
        assert "now" in axis(await screen.press("end"))
        assert "0 ms" in axis(await screen.press("end"))
        await screen.press("space")
        lines = await screen.press("end")
        assert "FROZEN" not in lines[0]
        assert "0 ms" in axis(lines)


@run
async def test_firing_takes_back_zoom_pan_and_scrolling(drive):
    """What is fired is seen from its first request on, wherever the picture was."""
    async with drive(size=SMALL) as screen:
        await screen.show(burst(1, 1_000, 1), at=2_000)
        await screen.press("z", "left", "end", "end", "a")
        lines = await screen.show(burst(2, 3_000, 3), at=3_400)
        view = screen.app.view
        assert (view.behind, view.left, view.column_ns, view.scrolls) == (None, None, None, False)
        assert view.reach[0] == ns(3_000)
        assert [line.split()[0] for line in lines if line[:3] in {" ▾ ", "  #", " ▸ "}] == [
            "▾",
            "#3",
            "#4",
            "▸",
        ]


@run
async def test_a_picture_that_stands_still_is_drawn_again_only_for_what_is_new(drive, monkeypatch):
    """When the window of a burst has passed, frames cost nothing until a key or an event comes."""
    async with drive(size=SMALL) as screen:
        await screen.show(burst(1, 1_000, 1), at=2_000)
        await screen.show(at=30_000)
        composed: list[int] = []
        compose: Callable[[Timeline, View, int, int], list[Line]] = screen.app.scene.compose

        def counted(timeline: Timeline, view: View, width: int, height: int) -> list[Line]:
            composed.append(view.now)
            return compose(timeline, view, width, height)

        monkeypatch.setattr(screen.app.scene, "compose", counted)
        for at in range(30_010, 30_400, 30):
            await screen.show(at=at)
        assert composed == []
        lines = screen.lines()[1:]  # the first one says how few frames the test draws
        for at in range(30_400, 40_000, 400):
            await screen.show(at=at)
        assert screen.lines()[1:] == lines
        assert 5 < len(composed) < 30, "twice a second, what the loop does is looked at"
        before = len(composed)
        await screen.press("down")
        assert len(composed) > before
        assert "0 ms" in axis(screen.lines())
        await screen.press("escape")
        await screen.show(burst(2, 41_000, 3)[:8], at=41_050)
        assert screen.app.view.reach[0] == ns(41_000)


@run
async def test_selecting_a_request_of_an_older_burst_shows_its_clock(drive):
    """The rows and the axis are those of the selected request's burst; esc goes back to the newest."""
    async with drive(size=SMALL) as screen:
        await screen.show(burst(1, 1_000, 1, 100), burst(2, 8_000, 3, 700), at=12_000)
        await screen.press("down", "down", "down")
        lines = await screen.show()
        assert screen.app.view.cursor == 1
        assert screen.app.view.reach[0] == ns(1_000)
        assert any(line.startswith("  #1 ") and "─" in line for line in lines)
        await screen.press("escape")
        await screen.show()
        assert screen.app.view.reach[0] == ns(8_000)


@pytest.mark.parametrize("live", [True, False])
def test_a_picture_that_does_not_move_shows_the_burst_that_is_selected(drive, live):
    """Frozen, zoomed or at the end of a recording: the rows of an older burst are on its own axis."""

    @run
    async def test(drive):
        async with drive(size=SMALL, live=live) as screen:
            screen.source.now = lambda: ns(12_000)
            await screen.show(burst(1, 1_000, 1, 100), burst(2, 8_000, 3, 700), at=12_000)
            for at in range(12_400, 26_000, 400):  # a recording is played to its end
                await screen.show(at=at)
            await screen.press(*["space"] * live, "z")
            assert not screen.app.view.moves
            lines = await screen.press("down", "down", "down")
            assert screen.app.view.cursor == 1
            assert screen.app.view.reach[0] == ns(1_000)
            assert any(line.startswith("  #1 ") and "─" in line for line in lines)
            await screen.press("escape")
            assert screen.app.view.reach[0] == ns(8_000)
            assert not screen.app.view.moves

    test(drive=drive)


def test_a_recording_keeps_bursts_and_one_of_before_has_none(tmp_path: Path):
    """A replay has the groups of the session, and the titles and lessons; without `fired` it scrolls."""
    for name, events in (("new", burst(1, 1_000, 1)), ("old", burst(1, 1_000, 1)[1:])):
        path = tmp_path / f"{name}.lvr"
        recorder = Recorder(path, Header(ENVIRONMENT, "in a thread", "127.0.0.1:1", 40, ns(0)))
        recorder.write(sorted(events, key=lambda event: event[0]), ns(9_000))
        recorder.close(0, ())
        replay = Replay(path)
        line = timeline_for_replay(replay.recording.header)
        while not replay.ended:
            line.feed(replay.drain())
        replay.stop()
        found = line.newest_burst(line.last)
        if name == "new":
            assert found is not None
            assert (found.scenario, found.makespan(line.last)) == ("async", 200 * MS)
        else:
            assert found is None
            assert [request.id for request in line.last_burst(line.last)] == [2, 1]
