"""The detail of a request: its segments, folded where there are many, and the tree of its child tasks."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from loopviz.draw.look import Palette
from loopviz.model import Request, Timeline
from loopviz.stream import events as ev
from loopviz.tui.screens.breakdown import detail_table
from tests.streams import (
    MS,
    accepted,
    end,
    feed,
    holds,
    made,
    ms,
    ns,
    responded,
    status,
    step,
    suspend,
    timeline,
    wake,
)  # fmt: skip
from tests.test_screen import answered, drive, run

__all__ = ["drive"]  # the fixture


def shown(line: Timeline, now: float, *, palette: Palette | None = None, width: int = 68) -> list[str]:
    """The lines of the table, as wide as it is in a terminal of 80 columns."""
    console = Console(width=width, legacy_windows=False)
    with console.capture() as captured:
        console.print(detail_table(line.requests[1], line, ns(now), palette or Palette()))
    return captured.get().splitlines()


def fan_out(children: int) -> Timeline:
    """A request that awaits as many tasks, which each take ten short steps."""
    line = timeline((ns(0), ev.FIRED, 1, "gather", 1, 4, 40), accepted())
    tasks = range(2, 2 + children)
    feed(line, [made(3, task, parent=1) for task in tasks], suspend(4))
    for at in range(5, 205, 20):
        for task in tasks:
            feed(
                line, step(at + task / 100, task), suspend(at + task / 100 + 0.005, task), wake(at + 15, task)
            )
    for task in tasks:
        feed(line, step(220, task), end(221, task))
    feed(line, step(222), status(223, 200), responded(223), end(223))
    return line


def test_many_segments_are_folded() -> None:
    """Of hundreds of segments, those of the same state and line are one row, with their number and sum."""
    lines = shown(fan_out(10), 300)
    assert len(lines) < 22
    assert any("running ×" in line for line in lines)
    assert lines[-1].split()[:3] == ["sum", "223.000", "ms"]


def test_child_tasks_are_a_tree() -> None:
    """Equal child tasks are one row with their number and their time; below it is what each of them did."""
    lines = shown(fan_out(10), 300)
    (at,) = [number for number, line in enumerate(lines) if "└ work ×10" in line]
    assert lines[at].split()[:4] == ["3.000", "ms", "218.000", "ms"]
    assert any("awaiting ×" in line for line in lines[at + 1 :])
    assert lines.index(next(line for line in lines if "running" in line)) < at


def test_few_segments_are_listed_as_they_are() -> None:
    """A short request has a row for each segment, in the order of time."""
    line = timeline(accepted(), suspend(10), step(30), suspend(40), step(60), responded(70), end(70))
    states = [text.split()[5] for text in shown(line, 100) if "▶" not in text and text.strip()[0].isdigit()]
    assert states == ["queued", "ready", "running", "awaiting", "running", "awaiting", "running"]


def test_blocks_are_not_folded_with_short_steps() -> None:
    """A block keeps a row of its own among many segments of the same request."""
    line = timeline(accepted(), suspend(4))
    for at in range(10, 400, 10):
        feed(line, step(at), suspend(at + 1))
    feed(line, step(500), holds(650, since=500), suspend(700))
    assert [text for text in shown(line, 800) if "BLOCKS" in text and "200.000 ms" in text]


def test_tasks_of_tasks_are_deeper() -> None:
    """A task that a child task has created is below that one."""
    line = timeline(
        accepted(), made(3, 2, parent=1), suspend(4), step(5, 2), (ns(6), ev.TASK, 3, 2, 1, "inner")
    )
    feed(line, suspend(7, 2), step(8, 3), suspend(9, 3))
    lines = shown(line, 100)
    outer = next(text for text in lines if "└ work" in text)
    inner = next(text for text in lines if "└ inner" in text)
    assert inner.index("└") > outer.index("└")


def test_facts_beside_the_states() -> None:
    """With which others it was fired, and what the timer of a middleware said, is in the detail."""
    line = fan_out(1)
    feed(line, (ns(224), ev.CLAIMED, 1, 12 * MS, "X-Process-Time"))
    text = " ".join(" ".join(shown(line, 300, width=120)).split())
    assert "fired gather ×4, 40 threads" in text
    assert "the answer says 12 ms; the user waited 223 ms" in text


@pytest.mark.parametrize("children", [200, 1_500])
def test_the_table_stays_short(children: int) -> None:
    """However many child tasks there are, the table has few rows."""
    assert len(shown(fan_out(children), 300)) < 60


def test_an_earlier_moment_has_what_was_known_of_it() -> None:
    """Before its answer a request has no latency, and before it was sent there is nothing to add up."""
    line = timeline(accepted(), suspend(10), step(60), responded(70), end(70))
    sums = [" ".join(shown(line, at)[-1].split()) for at in (-5, 50, 70)]
    assert sums == ["sum 0.000 ms so far", "sum 50.000 ms so far", "sum 70.000 ms the latency"]


@run
async def test_in_slow_motion_the_detail_is_drawn_again_until_its_end(drive, monkeypatch):
    """What is opened is shown at the moment of the picture; when nothing of it changes, it costs nothing."""
    moments: list[float] = []

    def noted(request: Request, line: Timeline, now: int, palette: Palette) -> Table:
        moments.append(ms(now))
        return detail_table(request, line, now, palette)

    monkeypatch.setattr("loopviz.tui.screens.detail.detail_table", noted)
    async with drive(size=(80, 24)) as screen:
        await screen.show(answered(1, 0), at=10_000)
        await screen.press("r", "enter")
        for at in range(10_500, 15_000, 500):
            await screen.show(at=at)
        assert moments == [0, 50, 100, 150, 200, 216]


def test_in_ascii() -> None:
    """Without Unicode, the tree and the numbers are in ASCII."""
    assert all(line.isascii() for line in shown(fan_out(3), 300, palette=Palette("ascii")))
