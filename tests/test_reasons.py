"""The reasons view: findings in sentences, which of them is opened, and what is said where there is none."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from loopviz.draw.found import Findings
from loopviz.draw.look import Palette
from loopviz.findings import Finding, table
from loopviz.findings.seen import no_lines
from loopviz.model import Burst, Timeline
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.tui.pointed import pointed_at
from loopviz.tui.scene import Facts
from loopviz.tui.scene.pen import Pen
from loopviz.tui.scene.reasons import page
from loopviz.tui.view import View
from tests import streams
from tests.findings.bursts import burst, ends
from tests.findings.pools import rounds
from tests.streams import feed, holds, ns, step
from tests.test_burst_screen import burst as fired
from tests.test_burst_screen import drive
from tests.test_scene import ENVIRONMENT, names_of_palettes, scene, text, view
from tests.test_screen import run

__all__ = ["drive"]

SIZES = [(80, 24), (120, 36), (200, 60)]


def two() -> Timeline:
    """A burst in which the loop was held, and then all threads were taken."""
    held = [
        step(4, 1),
        *(holds(at, 1, 4, calls="time.sleep") for at in range(24, 1_000, 20)),
        *ends(1_004, 1),
    ]
    return burst(2, held, step(1_005, 2), ends(1_006, 2))


def shown(
    line: Timeline, size: tuple[int, int] = (80, 24), palette: Palette | None = None, **more: object
) -> list[str]:
    """The screen with the reasons of the newest burst, as text."""
    return text(
        scene(palette).compose(
            line, view((line.last - streams.ZERO) / 1e6 + 2_000, look="reasons", **more), *size
        )
    )


def changed(finding: Finding) -> list[str]:
    """The lines of its change, at 80 columns."""
    facts = Facts(ENVIRONMENT, "in a thread", "127.0.0.1:1", ())
    code = page.opened(Pen(Palette("mono")), facts, finding, 80, "", roomy=False)[3]
    return ["".join(segment.text for segment in line).strip() for line in code]


@pytest.mark.parametrize("size", SIZES)
def test_the_gravest_finding_is_opened(size):
    """What was seen, why, what to do, and the figures are readable at every size, without a cut sentence."""
    lines = shown(two(), size)
    assert all(cell_len(line) == size[0] for line in lines)
    assert len(lines) == size[1]
    said = " ".join(" ".join(lines).split())
    assert "1 finding in x ×2" in said
    assert "high A blocking call in async def" in said
    assert (
        "app.py:14 (time.sleep) held the event loop once, for 1.0 s in all; 1 request waited for it, 1.0 s."
        in said
    )
    assert "Why It did not await" in said
    assert "Do Use await asyncio.sleep" in said
    assert "longest wait: 1.0 s" in said


def test_the_others_are_titles_until_they_are_chosen():
    """Of several findings one is opened; a key opens the next one, and the last one stays the last."""
    line = burst(4, rounds(3, 2, 1_000, ("app.py", 2, "report")))
    feed(line, step(2_100, 4), *(holds(at, 4, 2_100) for at in range(2_120, 3_000, 20)), ends(3_100, 4))
    feed(line, streams.idle(3_101))
    first = shown(line)
    titles = [row for row in first if row[:3] in {" ▾ ", " ▸ "}]
    if len(titles) > 1:
        assert titles[0].startswith(" ▾ ")
        second = shown(line, finding=1)
        assert next(row for row in second if row[:3] == " ▾ ")[3:40] == titles[1][3:40]
        assert shown(line, finding=9) == shown(line, finding=len(titles) - 1)


def test_no_finding_is_said_plainly_with_what_cannot_be_seen():
    """Where nothing was found, that is said, and what cannot be seen here."""
    line = burst(1, step(4, 1), ends(5, 1))
    said = " ".join(" ".join(shown(line)).split())
    assert "Nothing was found that has cost requests time: x ×1." in said
    assert "what another server, a database or the network does is seen only as the time" in said


def test_names_from_outside_cannot_control_the_terminal():
    """A path with an escape sequence is written out."""
    at = ("\x1b[2Jx.py", 14, "h\x1b", "time.sleep")
    held: list[Event] = [(streams.ns(t), ev.HOLDS, 1, streams.ns(4), *at) for t in range(24, 1_000, 20)]
    lines = shown(burst(2, step(4, 1), held, ends(1_004, 1), step(1_005, 2), ends(1_006, 2)))
    assert all(line.isprintable() for line in lines)
    assert any("x.py:14" in line for line in lines)


@names_of_palettes
def test_every_palette_has_all_words(palette):
    """Without colour, in a light theme and in ASCII the same words are there."""
    said = " ".join(" ".join(shown(two(), palette=palette)).split())
    assert "high" in said
    assert "Why It did not await" in said


def test_a_change_at_the_end_of_a_long_line_is_seen():
    """Where a line before and after has no room, it is cut so that what differs is shown."""
    start = (
        "engine = create_async_engine(f\"sqlite+aiosqlite:///{os.environ['LOOPVIZ_WORKSPACE']}/shop.db\", "
    )
    change = (f"{start}pool_size=2)",), (f"{start}pool_size=8)",)
    held = table.of_burst(two(), two().bursts[-1])[0]
    before, after = changed(replace(held, change=change))
    assert before.startswith("- …")
    assert before.endswith("pool_size=2)")
    assert after.endswith("pool_size=8)")
    short = replace(held, change=(("time.sleep(1)",), ("await asyncio.sleep(1)",)))
    assert changed(short) == ["- time.sleep(1)", "+ await asyncio.sleep(1)"]


def test_a_moment_of_a_burst_is_said_to_be_one():
    """A moment before the end of a burst is described as far as it has come: exactly, if it is still."""
    line = two()
    for at, said in ((None, "1 finding in x ×2 so far "), (ns(600), "ms after its first request")):
        lines = text(scene().compose(line, View(now=ns(600), look="reasons", at=at), 80, 24))
        assert said in lines[1] + lines[2]
        assert any("for 5" in row for row in lines)


def test_a_part_of_the_time_has_its_own_findings():
    """Between two cursors, what happened there is described, whatever was fired last."""
    line = two()
    at = view(3_000, look="reasons")
    at.mark, at.at = streams.ns(1_100), streams.ns(2_000)
    said = " ".join(" ".join(text(scene().compose(line, at, 80, 24))).split())
    assert "Nothing was found that has cost requests time: the 900 ms that are selected." in said


def test_when_a_burst_ends_its_findings_are_those_of_its_end():
    """Findings of a moment before its last answer are not said beside its makespan."""
    line = two()
    done = line.bursts[-1].done
    assert done is not None
    known = Findings()
    before = known.of_burst(line, line.bursts[-1], no_lines, done - 300 * streams.MS)
    after = known.of_burst(line, line.bursts[-1], no_lines, done + 1)
    assert before
    assert after
    assert before[0].lost < after[0].lost


def test_bursts_that_are_asked_for_in_turn_are_looked_at_once(monkeypatch):
    """In one frame the reasons may be those of a selected burst, and the verdict that of the newest one."""
    line = two()
    feed(line, streams.fired(1_100, 2, "x", 3, 1), streams.sent(1_100, 3), streams.read(1_101, 3, 3))
    feed(line, streams.made(1_101, 3, 3), step(1_102, 3), ends(1_103, 3))
    looked: list[int] = []

    def look(_: Timeline, one: Burst, *__: object, **___: object) -> table.InPieces:
        looked.append(one.number)
        yield
        return []

    monkeypatch.setattr(table, "burst_in_pieces", look)
    known = Findings()
    for frame in range(3):
        for one in line.bursts:
            known.of_burst(line, one, no_lines, line.last + (2_000 + 33 * frame) * streams.MS)
    assert looked == [one.number for one in line.bursts]
    assert len(looked) == 2


def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time the rules are asked, they need three pieces, and find what has the number of that time."""
    asked = [0]

    def look(*arguments: Any, **options: Any) -> table.InPieces:
        asked[0] += 1
        number = asked[0]
        for _ in range(3):
            began = time.thread_time()
            while time.thread_time() < began + 0.02:
                pass
            yield
        return [replace(one, title=f"Found {number}") for one in table.of_burst(*arguments, **options)]

    monkeypatch.setattr(table, "burst_in_pieces", look)


def test_rules_that_take_long_are_asked_in_several_frames(monkeypatch):
    """A picture that moves says that it looks; later, the previous answer stays until there is the next."""
    _slow(monkeypatch)
    line, drawn, said = two(), scene(), []
    for frame in range(0, 2_500, 100):
        found = text(drawn.compose(line, view(1_100 + frame, look="reasons"), 80, 24))
        said += [row.strip() for row in found if "Looking for" in row or "Found" in row]
    seen = [next(word for word in ("Looking", "Found 1", "Found 2") if word in row) for row in said]
    assert list(dict.fromkeys(seen)) == ["Looking", "Found 1", "Found 2"]
    assert seen == sorted(seen, key=["Looking", "Found 1", "Found 2"].index)
    assert said[0] == "Looking for what has cost requests time: x ×2."


def test_what_was_begun_long_ago_does_not_go_on(monkeypatch):
    """Another view was shown meanwhile: the reasons are those of now."""
    _slow(monkeypatch)
    line, drawn = two(), scene()
    drawn.compose(line, view(1_100, look="reasons"), 80, 24)
    said = []
    for frame in range(0, 300, 30):
        found = text(drawn.compose(line, view(9_000 + frame, look="reasons"), 80, 24))
        said += [row.strip() for row in found if "Looking for" in row or "Found" in row]
    assert said[0].startswith("Looking for")
    assert "Found 2" in said[-1]


def test_a_still_picture_has_the_whole_answer_at_once(monkeypatch):
    """There is no next frame that could go on."""
    _slow(monkeypatch)
    still = view(2_000, look="reasons")
    still.at = streams.ns(2_000)
    said = text(scene().compose(two(), still, 80, 24))
    assert any("Found 1" in row for row in said)


def test_what_is_opened_is_the_line_of_the_editor():
    """The editor opens the line of the finding that is shown; what is fired next opens its gravest one."""
    line, drawn = two(), scene()
    at = view(3_000, look="reasons", finding=5)
    drawn.compose(line, at, 80, 24)
    where = pointed_at(line, at, ())
    assert (at.finding, where and (where.file, where.line)) == (0, ("app.py", 14))
    at.finding = 3
    feed(line, streams.fired(4_000, 2, "y", 3, 1), streams.accepted(3, 3, at=4_001))
    at.now = streams.ns(5_000)
    drawn.compose(line, at, 80, 24)
    assert (at.finding, at.found) == (0, None)


@run
async def test_four_shows_the_reasons_and_one_the_timeline(drive):
    """The keys change the view, and moving down in the reasons selects no request."""
    async with drive(size=(80, 24)) as screen:
        await screen.show(fired(1, 1_000, 1), at=2_000)
        lines = await screen.press("4")
        assert any("Nothing was found" in line for line in lines)
        await screen.press("j")
        assert screen.app.view.cursor is None
        lines = await screen.press("1")
        assert not any("Nothing was found" in line for line in lines)


def test_a_figure_is_in_one_line_with_its_unit():
    """A line of a sentence does not end between a number and its unit."""
    text = "It was held for 7.0 s in all, and the longest wait was 512 ms of these 7.0 s; 7 requests waited."
    for room in range(20, 100):
        parts = page._wrapped(text, room)
        assert " ".join(parts) == text
        assert not any(part.startswith(("s ", "s;", "s.", "ms ")) for part in parts)
