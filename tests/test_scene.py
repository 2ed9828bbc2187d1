"""The picture is exactly as large as the terminal, and shows what the timeline has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream import events as ev
from loopviz.stream.blind import REQUESTS, TASKS
from loopviz.stream.events import Event
from loopviz.stream.source import Environment
from loopviz.tui.clock import Clock
from loopviz.tui.scene import Facts, Line, Scene
from loopviz.tui.scene.frame import Columns
from loopviz.tui.scene.pen import Pen, split
from loopviz.tui.view import View
from tests import streams
from tests.streams import MS, feed, ns, timeline

HOSTILE = "/a[red]\x1b[2J[/]"
SIZES = [(80, 24), (120, 36), (200, 60), (20, 5), (1, 1), (79, 29), (80, 30), (400, 100), (37, 3), (5, 40)]
PALETTES = [Palette("colour"), Palette("mono"), Palette("ascii"), Palette("ascii", colour=False)]
names_of_palettes = pytest.mark.parametrize("palette", PALETTES, ids=["colour", "mono", "ascii", "plain"])


def scenario(name: str, key: str | None = None) -> ScenarioFile:
    """A scenario without a server."""
    facts = Scenario(title=f"{name} title", expect="it works", key=key)
    return ScenarioFile(name, Path(f"{name}.py"), facts, None, "GET", f"/{name}")


ENVIRONMENT = Environment(
    loopviz="0.1.0", python="3.13.0", implementation="CPython", gil=True, event_loop="asyncio",
    fastapi="0.1", starlette="0.2", uvicorn="0.3", anyio="0.4", platform="here",
)  # fmt: skip
SCENARIOS = [scenario("sync", "s"), scenario("async", "a"), scenario("[b]block[/]", "b"), scenario("nokey")]


def scene(palette: Palette | None = None) -> Scene:
    """A scene that has drawn nothing yet."""
    facts = Facts(ENVIRONMENT, "in a thread", "127.0.0.1:41873", SCENARIOS)
    return Scene(palette or Palette(), facts)


@pytest.mark.parametrize("what", [TASKS, REQUESTS])
def test_what_makes_the_picture_empty_is_said_in_it(what):
    """Where tasks or requests are not visible, the first sentence says so, and why."""
    blind = [("the status of a response", "x"), (what, "asyncio's \x1b[2Jstep was not recognised")]
    facts = Facts(ENVIRONMENT, "in a thread", "127.0.0.1:41873", SCENARIOS, blind)
    for width in (80, 120):
        lines = text(Scene(Palette(), facts).compose(Timeline(), view(100), width, 24))[-4:]
        shown = " ".join("".join(lines).replace("▌", "").split())
        assert f"Not visible here: {what}" in shown
        assert "step was not recognised" in shown
        assert "Press a letter" not in shown
        assert "\x1b" not in shown


def test_a_process_that_has_ended_is_named_for_some_seconds():
    """The first sentence says which helper process has ended and what follows, also later in a recording."""
    line = Timeline()
    ended: Event = (ns(1_000), "process", 0, "the Celery worker of \x1b[2J.py", "ended", "SIGKILL")
    feed(line, [ended, (ns(1_500), "process", 0, "the upstream server", "given up", "why")])

    def shown(at: float) -> str:
        lines = text(scene().compose(line, view(at), 120, 24))[-4:]
        return " ".join("".join(lines).replace("▌", "").split())

    assert "Celery" not in shown(999)
    assert "The Celery worker of \\x1b[2J.py has ended (SIGKILL); it is being started again." in shown(1_100)
    assert "The upstream server is not started again: why." in shown(9_000)
    assert "upstream" not in shown(10_000)


def view(at: float, **settings: Any) -> View:
    """A view of the moment `at` ms."""
    return View(now=ns(at), **settings)


def text(lines: list[Line]) -> list[str]:
    """The characters of the lines."""
    return ["".join(segment.text for segment in line) for line in lines]


def served(numbers: int, path: str = "/p", *, finished: bool = True) -> Timeline:
    """That many requests, 10 ms apart; each runs for 40 ms, sleeps until 1 s, and runs again."""
    line = timeline(streams.thread(0, 1, "loop"), streams.tokens(0, 40, 0, 0))
    events = []
    for n in range(1, numbers + 1):
        at = 10 * n
        events += [
            (ns(at), "sent", n, "GET", path),
            streams.read(at + 1, n, n),
            streams.made(at + 1, n, n),
            streams.step(at + 2, n),
            streams.suspend(at + 9, n, due=1_000 + at),
        ]
        if finished:
            events += [
                streams.step(1_100 + at, n),
                streams.status(1_104 + at, 200, n),
                streams.responded(1_105 + at, n),
                streams.end(1_106 + at, n),
            ]
    if not finished and numbers:
        events += [
            streams.thread(1_200, 2),
            streams.call(1_200, 1, 1, 1, 2),
            streams.iteration(1_210),
            streams.step(1_210, 2),
            streams.holds(1_400, 2, 1_210, 14, "time.sleep"),
        ]
    feed(line, sorted(events, key=lambda event: event[0]))
    return line


# -- the size ----------------------------------------------------------------------------------


@names_of_palettes
@pytest.mark.parametrize(
    ("numbers", "path"),
    [
        (0, ""),
        (8, "/short"),
        (100, "/short"),
        (8, "/速い/" + "長" * 60),
        (8, HOSTILE),
        (100, "/" + "e\u0301" * 50),
    ],
    ids=["none", "few", "many", "wide", "hostile", "combining"],
)
def test_a_frame_is_exactly_as_large_as_the_terminal(palette, numbers, path):
    """Whatever happens, a frame has as many lines as asked for, each exactly as wide."""
    line = served(numbers, path, finished=False)
    drawn = scene(palette)
    for width, height in SIZES:
        for at in (5, 300, 1_250, 1_500):
            frame = drawn.compose(line, view(at), width, height)
            assert len(frame) == height
            assert [sum(cell_len(segment.text) for segment in row) for row in frame] == [width] * height


@names_of_palettes
def test_a_frame_has_no_control_character(palette):
    """Nothing that a client sends can control the terminal: it is drawn as text."""
    line = served(3, HOSTILE, finished=False)
    frame = text(scene(palette).compose(line, view(1_500), 120, 36))
    assert all(row.isprintable() for row in frame)
    assert sum(r"/a[red]\x1b" in row for row in frame) >= 3


@names_of_palettes
def test_each_mode_keeps_its_promise(palette):
    """ASCII modes emit only ASCII, modes without colour no colour, and the others some."""
    line = served(40, "/速い", finished=False)
    drawn = scene(palette)
    coloured = False
    for at in (300, 1_250, 1_500):
        for size in SIZES:
            for row in drawn.compose(line, view(at, behind=3, notice="… 速い" if at == 300 else ""), *size):
                for segment in row:
                    assert palette.unicode or segment.text.isascii()
                    assert segment.style is not None
                    coloured |= segment.style.color is not None or segment.style.bgcolor is not None
    assert coloured is palette.colour


@pytest.mark.parametrize("file", ["/srv/速い.py", "/srv/" + "長" * 20 + ".py", "/srv/a\x1b[2J.py"])
def test_a_wide_file_name_in_a_block_keeps_the_width(file):
    """A block's caption is as wide as it looks, whatever its file is called."""
    line = served(4, finished=True)
    feed(line, streams.iteration(2_000), streams.sent(2_001, 9), streams.read(2_001, 9, 9))
    feed(line, streams.made(2_001, 9, 9), streams.step(2_002, 9))
    feed(line, [(ns(2_150), "holds", 9, ns(2_002), file, 14, "f", "time.sleep")])
    for at in range(2_150, 6_000, 450):
        for size in ((80, 24), (120, 36)):
            frame = scene().compose(line, view(at), *size)
            assert {sum(cell_len(s.text) for s in row) for row in frame} == {size[0]}
            assert "\x1b" not in "".join(text(frame))


# -- what it shows -----------------------------------------------------------------------------


def row_of(frame: list[Line], request: int) -> str:
    """The line of a request."""
    (row,) = [row for row in text(frame) if row.startswith(f" #{request} ") and " GET " in row]
    return row


def test_the_head_says_what_runs():
    """The first line has the version, the GIL, the loop, the place, and the address."""
    head = text(scene().compose(timeline(), view(0), 120, 36))[0]
    for part in ("loopviz", "Python 3.13.0", "GIL on", "asyncio", "in a thread", "127.0.0.1:41873", "? help"):
        assert part in head


def test_a_narrow_head_leaves_out_the_long_words():
    """At 80 columns the most important parts stay: version, GIL, loop, port, and the key of the help."""
    head = text(scene().compose(timeline(), view(0), 80, 24))[0]
    for part in ("loopviz", "3.13", "GIL on", "asyncio", ":41873", "? help"):
        assert part in head


def test_the_head_says_how_far_behind_a_frozen_picture_is():
    """A frozen picture says so, and how far it is behind."""
    head = text(scene().compose(timeline(), view(0, behind=1_500 * MS), 80, 24))[0]
    assert "FROZEN 1.5 s behind" in head


def test_lost_events_are_alarming():
    """Lost events are counted in the alarm's colour: the picture may be wrong."""
    looked = view(0)
    looked.pace.dropped = 7
    (row, *_) = scene().compose(timeline(), looked, 120, 36)
    (lost,) = [segment for segment in row if "7 lost" in segment.text]
    assert lost.style == Palette().text("alarm")


def test_figures_about_the_program_are_in_the_head_only_when_they_are_bad():
    """Frames, cost and losses that are as they should be are left to the help."""
    looked = view(0)
    looked.pace.fps, looked.pace.probe = 30, 0.01
    good = text(scene().compose(timeline(), looked, 120, 36))[0]
    assert not any(word in good for word in ("fps", "probe", "lost"))
    looked.pace.fps, looked.pace.probe, looked.pace.dropped = 12, 0.08, 3
    bad = text(scene().compose(timeline(), looked, 120, 36))[0]
    assert all(word in bad for word in ("12 fps", "probe 8%", "3 lost"))


def test_the_axis_ends_with_now():
    """Time runs to the right, a second is where it says, and now is the last column."""
    frame = text(scene().compose(timeline(), view(0), 120, 36))
    (axis,) = [row for row in frame if "-2 s" in row]
    assert axis.rstrip().endswith("now")
    assert len(axis.rstrip()) == 120 - 24
    for seconds in (2, 4, 6, 8):
        before_now = seconds * 1_000_000_000 // View().width(120 - 28 - 24)
        assert axis[: 120 - 24 - before_now].endswith(f"-{seconds} s")


def test_a_request_is_one_row():
    """A row has the request's number, its name, its bar, its state and its age."""
    frame = scene().compose(served(3, finished=False), view(800), 120, 36)
    row = row_of(frame, 2)
    assert " GET /p " in row
    assert "──" in row
    assert row.rstrip().endswith("780 ms")
    assert "awaiting" in row


def test_a_finished_request_says_how_it_ended():
    """A finished request has its status and its latency."""
    row = row_of(scene().compose(served(3), view(1_500), 120, 36), 2)
    assert " 200 " in row
    assert " done " in row
    assert row.rstrip().endswith("1.1 s")


def test_a_failed_request_names_the_exception():
    """A failed request has its status and the exception's name, in the alarm's colour."""
    line = timeline(
        streams.accepted(), streams.raised(5, "KeyError"), streams.status(5, 500), streams.responded(6),
        streams.end(6),
    )  # fmt: skip
    frame = scene().compose(line, view(50), 120, 36)
    row = row_of(frame, 1)
    assert " 500 " in row
    assert "KeyError" in row
    (says,) = [s for segments in frame for s in segments if "KeyError" in s.text]
    assert says.style == Palette().text("alarm")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("KeyError", {80: "500 KeyError 6 ms", 120: "500 KeyError", 200: "500 KeyError"}),
        ("RuntimeError", {80: "500 RuntimeError", 120: "500 RuntimeError", 200: "500 RuntimeError"}),
        (
            "ReadError: it is gone",
            {80: "500 ReadError", 120: "500 ReadError", 200: "500 ReadError: it is gone"},
        ),
        ("no whole response: gone", {80: "no whole response", 120: "500 no whole response"}),
        ("OneOfTheVeryLongNamesError", {80: "failed", 120: "failed", 200: "500 OneOfTheVeryLongNamesError"}),
    ],
)
def test_why_a_request_has_failed_is_not_cut(error, says):
    """A failed request says its status and why, in whole words, and its latency where there is room."""
    for width, words in says.items():
        line = timeline(
            streams.accepted(), streams.raised(5, error), streams.status(5, 500), streams.responded(6),
            streams.end(6),
        )  # fmt: skip
        columns = Columns.of(width, view(50))
        said = row_of(scene().compose(line, view(50), width, 36), 1)[-columns.says :].rstrip()
        assert said.removesuffix("6 ms").strip() == words.removesuffix("6 ms").strip()
        assert said.endswith(" 6 ms") or len(words) + 6 > columns.says


@pytest.mark.parametrize(
    ("claimed", "says"),
    [
        (12, {80: "timer 12 ms 6 ms", 120: "timer 12 ms user 6 ms", 200: "timer 12 ms · user 6 ms"}),
        (200, {80: "timer 0.2 s 6 ms", 120: "timer 0.2 s user 6 ms", 200: "timer 200 ms · user 6 ms"}),
        (2_000, {80: "timer 2.0 s 6 ms", 120: "timer 2.0 s user 6 ms"}),
    ],
)
def test_what_a_timer_said_stands_beside_what_the_user_waited(claimed, says):
    """A timer middleware's time and the latency are in one row."""
    for width, words in says.items():
        line = timeline(
            streams.accepted(), streams.status(5, 200), streams.responded(6), streams.end(6),
            (ns(7), ev.CLAIMED, 1, claimed * MS, "X-Process-Time"),
        )  # fmt: skip
        said = row_of(scene().compose(line, view(50), width, 36), 1)[-Columns.of(width, view(50)).says :]
        assert said.split() == words.split()
        columns = Columns.of(width, view(50))
        (other,) = Pen(Palette()).says([], ["done", "6 ms"], columns, Pen(Palette()).text, align=True)
        assert len(said.rstrip()) == len(other.text.rstrip())


def test_times_stay_in_their_column():
    """The latency of a row stands where that of the row above it stands, whatever the state is called."""
    for width in (80, 100, 120, 150, 200):
        columns = Columns.of(width, view(50))
        pen = Pen(Palette())
        ends = set()
        for name in ("done", "x" * (columns.state - 1), "x" * columns.state):
            (says,) = pen.says([], [name, "2.7 s"], columns, pen.text, align=True)
            ends.add(len(says.text.rstrip()))
        assert len(ends) == 1
        assert max(ends) <= columns.says


@pytest.mark.parametrize(
    ("total", "used", "waiting", "says"),
    [
        (40, 3, 0, {80: "3 of 40 in use", 160: "3 of 40 in use"}),
        (1_000, 999, 0, {80: "999/1000 in use", 160: "999 of 1000 in use"}),
        (
            40,
            40,
            20,
            {80: "40/40, 20 waiting", 120: "40 of 40, 20 waiting", 160: "40 of 40 in use, 20 waiting"},
        ),
        (-1, 3, 0, {80: "3 in use", 120: "3 in use (no limit)"}),
    ],
)
def test_the_gauge_says_how_many_threads_are_in_use(total, used, waiting, says):
    """Threads in use, the thread limit and the requests that wait, in as many words as fit."""
    line = timeline(streams.thread(0, 1, "loop"), streams.tokens(0, total, used, waiting))
    for width, expected in says.items():
        (row,) = [row for row in text(scene().compose(line, view(100), width, 36)) if "THREADS" in row]
        assert row.rstrip().endswith(f" {expected}")


def test_the_gauge_names_its_pool_when_another_one_has_work():
    """Above busy threads of asyncio's default executor, it says that none of AnyIO's is in use."""
    used = timeline(
        streams.thread(0, 1, "loop"), streams.tokens(0, 40, 0, 0), streams.accepted(),
        (ns(10), ev.POOL, 5, "default-executor", "", 6), streams.submit(20), (ns(20), ev.POOL_CALL, 1, 1, 5),
        streams.thread(20, 2), streams.call(21),
    )  # fmt: skip
    for width, expected in {80: "AnyIO 0/40 in use", 120: "AnyIO 0 of 40 in use"}.items():
        (row,) = [row for row in text(scene().compose(used, view(100), width, 36)) if "THREADS" in row]
        assert row.rstrip().endswith(f" {expected}")


def test_a_gauge_that_cannot_be_read_says_so():
    """Without a report of the thread limit, nothing is claimed about it."""
    (row,) = [row for row in text(scene().compose(timeline(), view(100), 80, 24)) if "THREADS" in row]
    assert row.rstrip().endswith(" not visible")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36)])
def test_a_block_is_named_in_the_loops_lane_and_the_story(width, height):
    """While a block lasts, the lane says how long, and the story who and where."""
    frame = text(scene().compose(served(8, finished=False), view(1_500), width, height))
    assert sum("BLOCKED 290 ms" in row for row in frame) == 1
    assert any("#2 " in row and "app.py:14 (time.sleep)" in row for row in frame)
    assert "BLOCKS" in row_of(scene().compose(served(8, finished=False), view(1_500), width, height), 2)


def test_starvation_is_named_in_the_loops_lane_and_the_story():
    """While requests starve, the lane says how long, and the story who and where."""
    line = timeline(streams.thread(-60, 1, "loop"), streams.idle(-50), streams.iteration(-1))
    for number in (1, 2, 3):
        feed(line, [streams.sent(-2, number), streams.read(0, number), streams.made(0, number, number)])
    for number, start in ((1, 1), (2, 82)):
        feed(line, streams.step(start, number), streams.holds(start + 30, number, start))
        feed(line, streams.suspend(start + 80, number))
    frame = text(scene().compose(line, view(163), 100, 24))
    assert sum("STARVES 164 ms" in row for row in frame) == 1
    assert any("#3 waited 164 ms" in row for row in frame)
    assert any("app.py:14" in row for row in frame)


def test_rows_do_not_jump():
    """A request keeps its row while others come and go, as long as there is room."""
    line = served(8)
    drawn = scene()
    rows = []
    for at in (100, 500, 1_120, 1_500, 3_000):
        frame = text(drawn.compose(line, view(at), 120, 36))
        rows.append([y for y, row in enumerate(frame) if row.startswith(" #1 ")])
    assert len(rows[0]) == 1
    assert all(row == rows[0] for row in rows)


def started_task(at: float, number: int) -> list[Event]:
    """Task 2 (`work`), which a request has started and does not await."""
    return [
        *streams.accepted(number, 1, at=at), streams.made(at + 3, 2, number, parent=1),
        streams.suspend(at + 4, 1), streams.awaits_task(at + 4, 1, 2, 0), streams.step(at + 5, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "shown"), [("", True), ("work", True), ("#7 run", True), ("other", False), ("#8", False)]
)
def test_the_filter_leaves_out_rows_of_tasks(words, shown):
    """A task that a request has started is shown if every word occurs in its name, state or request."""
    seen = view(1_000)
    seen.words = words
    lines = text(scene().compose(timeline(started_task(20, 7)), seen, 120, 36))
    assert any("└ work" in line for line in lines) is shown


def test_a_jump_is_not_followed_by_a_sentence_about_something_else():
    """At the beginning of a block nothing is alarming yet: the sentence says what begins, and no more."""
    line, seen = served(3), view(500)
    seen.at, seen.change = ns(500), "A block of 1.7 s: #3 at app.py:14 delays 6 requests."
    shown = "".join(text(scene().compose(line, seen, 120, 36))[-6:])
    assert seen.change in shown
    assert "suspended at an await" not in shown
    seen.changed = 2  # a change of state is reported with what the others do
    assert "suspended at an await" in "".join(text(scene().compose(line, seen, 120, 36))[-6:])


def test_before_it_is_made_a_task_is_not_started():
    """At a moment before its creation, a started task's row does not say that it is to be sent."""
    seen = view(1_000)
    seen.at = ns(10)
    lines = text(scene().compose(timeline(started_task(20, 7)), seen, 120, 36))
    (row,) = [line for line in lines if "└ work" in line]
    assert "not started yet" in row


def test_too_many_requests_are_counted():
    """Requests for which there is no room are counted, and no more are hidden than necessary."""
    frame = text(scene().compose(served(100), view(5_000), 80, 24))
    (title,) = [row for row in frame if "REQUESTS" in row]
    shown = sum(1 for row in frame if row.startswith(" #") and " GET " in row)
    assert shown > 8
    assert f"{100 - shown} above" in title
    assert any(row.startswith(" #100 ") for row in frame)


def test_a_request_that_is_pointed_at_is_visible():
    """The request that is pointed at is in the picture, wherever its row is."""
    line = served(100)
    for cursor in (1, 37, 100):
        frame = scene().compose(line, view(5_000, cursor=cursor), 80, 24)
        (row,) = [r for r in frame if r[0].text.startswith(f" #{cursor} ") and " GET " in r[0].text]
        assert row[0].style is not None
        assert row[0].style.reverse


def test_every_request_can_be_clicked():
    """The lines of requests, and only those, lead to their requests."""
    drawn = scene()
    frame = text(drawn.compose(served(8), view(500), 120, 36))
    for y, row in enumerate(frame):
        requests = [hit.request for start, end, hit in drawn.hits.get(y, ()) if hit.request is not None]
        number = row.split()[0] if row.startswith(" #") else None
        assert [f"#{request}" for request in requests] == ([number] if number else [])


def test_every_key_can_be_clicked_where_it_stands():
    """A click on a key's words presses that key."""
    drawn = scene()
    frame = text(drawn.compose(timeline(), view(0), 160, 36))
    found: dict[str, str] = {}
    for y, hits in drawn.hits.items():
        for start, end, hit in hits:
            if hit.key:
                found.setdefault(hit.key, frame[y][start:end].split()[0])
    assert found["a"] == "a"
    assert found["q"] == "q"
    assert found["question_mark"] == "?"
    assert found["space"] == "space"


# -- the past ----------------------------------------------------------------------------------


@st.composite
def busy_streams(draw: st.DrawFn) -> list[Event]:  # noqa: C901 - a small simulator
    """What a server does with a few requests in a few seconds, in the order of time."""
    events = [streams.thread(0, 1, "loop"), streams.tokens(0, 2, 0, 0), streams.iteration(0)]
    at, running, idle = 0, 0, False
    awaiting: set[int] = set()
    calls: dict[int, int] = {}
    numbers, call_numbers = iter(range(1, 100)), iter(range(1, 100))

    def pause() -> None:
        """The running step ends at an await."""
        nonlocal running
        if running:
            due = draw(st.sampled_from([None, at + 1, at + 50, at + 400]))
            events.append(streams.suspend(at, running, due=due))
            awaiting.add(running)
            running = 0

    def resume() -> int:
        """A task that awaits begins a step."""
        nonlocal running, idle
        pause()
        if idle:
            events.append(streams.iteration(at))
        idle = False
        running = draw(st.sampled_from(sorted(awaiting - calls.keys())))
        awaiting.remove(running)
        events.append(streams.step(at, running))
        return running

    for _ in range(draw(st.integers(5, 40))):
        at += draw(st.sampled_from([1, 7, 30, 90, 240]))
        kind = draw(st.sampled_from(["begin", "step", "pause", "idle", "end", "call", "return", "tokens"]))
        if kind == "begin":
            number = next(numbers)
            events += [streams.sent(at, number), streams.read(at, number, number)]
            events.append(streams.made(at, number, number))
            awaiting.add(number)
        elif kind == "step" and awaiting - calls.keys():
            resume()
        elif kind == "pause":
            pause()
        elif kind == "idle" and not idle:
            pause()
            events.append(streams.idle(at))
            idle = True
        elif kind == "end" and awaiting - calls.keys():
            number = resume()
            events += [streams.responded(at, number), streams.end(at, number)]
            running = 0
        elif kind == "call" and (free := sorted(awaiting - calls.keys())):
            number = draw(st.sampled_from(free))
            calls[number] = next(call_numbers)
            events.append(streams.call(at, calls[number], number, number, number + 1))
        elif kind == "return" and calls:
            number = draw(st.sampled_from(sorted(calls)))
            events.append(streams.returns(at, calls.pop(number)))
        elif kind == "tokens":
            events.append(streams.tokens(at, 2, draw(st.integers(0, 2)), draw(st.integers(0, 1))))
    return events


def cells(line: Line) -> list[tuple[str, object]]:
    """Each cell's character and style."""
    return [(character, segment.style) for segment in line for character in segment.text]


@settings(max_examples=60)
@given(
    busy_streams(), st.lists(st.sampled_from([5, 33, 70, 300, 900]), min_size=2, max_size=12), st.booleans()
)
def test_an_incremental_frame_equals_a_full_redraw(events, advances, in_a_burst):
    """A scene that has drawn every frame so far shows the same as a new one, but for the sentences below."""
    line = timeline(*[streams.fired(0, count=8)] * in_a_burst)
    clock = Clock(ns(0), 1_500 * MS) if in_a_burst else None

    def drawn(by: Scene) -> list[Line]:
        lines = by.compose(line, View(now=now, clock=clock), 100, 36)
        return [line for line, shown in zip(lines, text(lines), strict=True) if not shown.startswith("▌")]

    kept = scene()
    now = ns(0)
    for advance in advances:
        now += advance * MS
        line.feed([event for event in events if now - advance * MS < event[0] <= now])
        assert drawn(kept) == drawn(scene())


@settings(max_examples=60)
@given(busy_streams(), st.integers(500, 3_000), st.integers(50, 3_000))
def test_a_frozen_picture_shows_what_was_shown(events, first, later):
    """Frozen at an earlier moment, columns that had settled by then look as they did."""
    line = Timeline()
    line.feed(event for event in events if event[0] <= ns(first))
    before = scene().compose(line, view(first), 100, 30)
    line.feed(event for event in events if ns(first) < event[0] <= ns(first + later))
    frozen = scene().compose(line, view(first, behind=later * MS), 100, 30)
    step = View().width(100 - 28 - 24)
    settled = 100 - 24 - 2 - 400 * MS // step
    del frozen[2]  # the map of the whole
    for was, shown in list(zip(before, frozen, strict=False))[3:-6]:
        assert cells(shown)[28:settled] == cells(was)[28:settled]


def test_the_frozen_moment_itself_is_unchanged():
    """Frozen while a request awaits, the request still awaits, though it has ended meanwhile."""
    line = served(2)
    row = row_of(scene().compose(line, view(500, behind=5_000 * MS), 120, 36), 1)
    assert "awaiting" in row
    assert " 200 " not in row
    assert row.rstrip().endswith("490 ms")


def test_what_went_on_after_a_response_is_said_of_an_earlier_moment():
    """Where a request has answered and still runs, the row says so, though its task has ended since."""
    line = timeline(streams.accepted(), streams.status(50, 200), streams.responded(50), streams.suspend(51))
    feed(line, streams.step(900), streams.end(901))
    assert "after: awaiting" in row_of(scene().compose(line, view(500, behind=MS), 120, 36), 1)
    assert "after:" not in row_of(scene().compose(line, view(950, behind=MS), 120, 36), 1)


def test_a_filter_finds_the_states_of_the_moment_that_a_still_picture_shows():
    """A step of the time cursor finds the rows again, however short it is."""
    line, drawn = served(2), scene()
    shown = view(2_000, behind=MS, words="awaiting")
    for at, found in ((1_005, 2), (1_015, 1), (1_025, 0)):
        shown.at = ns(at)
        assert f"{found} of 2 match" in " ".join(text(drawn.compose(line, shown, 120, 36)))


def test_requests_that_come_later_take_no_room_from_workers():
    """At an earlier moment of a recording a worker has its lane, however many requests follow."""
    line, shown = timeline(streams.accepted()), []
    for number in range(2, 8):
        feed(line, streams.thread(5, number), streams.call(5, number, thread=number))
    for _ in range(2):
        shown.append(sum("worker" in row for row in text(scene().compose(line, view(100), 80, 20))))
        feed(line, [event for n in range(2, 60) for event in streams.accepted(n, n, at=1_000 + n)])
    assert shown == [6, 6]


def test_an_answer_between_columns_that_are_kept_looks_as_before():
    """The mark of an answer does not change when only a half of its column is old enough to be kept."""
    line, kept = timeline(streams.accepted(), streams.status(40, 200), streams.responded(40)), scene()
    feed(line, streams.suspend(41), streams.step(149), streams.end(149))
    for at in range(400, 800, 10):
        shown = view(at, column_ns=100 * MS)
        fresh = scene().compose(line, shown, 100, 30)
        picture = slice(0, 20)  # without the sentences, which are kept for a moment
        assert [*map(cells, kept.compose(line, shown, 100, 30)[picture])] == [*map(cells, fresh[picture])]


def bursts(random: Random) -> list[Event]:
    """A few bursts of requests that sleep, some of which fail, and some of which go on after the response."""
    events, at = [streams.idle(0)], 1.0
    for press in range(1, random.randint(2, 3)):
        count, sleep = random.choice([12, 20]), random.choice([5, 200, 900])
        events.append(streams.fired(at, press, "sync", 100 * press, count))
        for number in range(100 * press, 100 * press + count):
            over = at + sleep + random.randint(0, 60)
            events += streams.accepted(number, number, at)
            events += [streams.suspend(at + 3, number), streams.idle(at + 3)]
            events += [streams.iteration(over), streams.wake(over, number), streams.step(over, number)]
            events += [streams.status(over, random.choice([200, 200, 500]), number)]
            events += [streams.responded(over + 0.1, number), streams.end(over + 0.2, number)]
            events += [streams.idle(over + 0.3)]
            at += random.choice([1, 5])
        at += random.choice([50, 700])
    return sorted(events, key=lambda event: event[0])


MOVES = ["cursor", "cursor", "now", "now", "pan", "zoom", "point", "sort", "size", "play"]


@pytest.mark.parametrize("seed", [4, 7, 10])
def test_a_still_picture_does_not_depend_on_those_before_it(seed):
    """Wherever the picture was before, a still one shows the same as a scene that has drawn no other."""
    random = Random(seed)
    line, kept, seen, size = timeline(bursts(random)), scene(Palette("mono")), view(100), (100, 60)
    for _ in range(40):
        move = random.choice(MOVES)
        present = line.last + MS
        if move == "play":
            seen.follow()
            seen.now = random.randint(ns(0), present)
            kept.compose(line, seen, *size)
        seen.freeze()
        seen.behind = present - seen.now
        if move == "cursor":
            seen.put_cursor(seen.moment + random.choice([-90, -10, 1, 20]) * MS, present)
        elif move == "now":
            seen.now = max(ns(0), min(present, seen.now + random.randint(-60, 60) * MS))
        elif move == "pan":
            seen.pan(random.choice([-0.5, -0.1, 0.1]), present)
        elif move == "zoom":
            seen.zoom(random.choice([1, -1]), present)
        elif move == "point":
            seen.point(line, random.choice([-3, 1, 5]))
        elif move == "sort":
            seen.sort = random.choice(["arrival", "arrival", "latency"])
        elif move == "size":
            size = random.choice([(80, 60), (120, 60), (200, 60)])
        fresh = replace(seen)
        shown = kept.compose(line, seen, *size)
        assert list(map(cells, shown)) == list(map(cells, scene(Palette("mono")).compose(line, fresh, *size)))


def test_forgetting_draws_again():
    """After a clear, nothing that was drawn is left."""
    line, drawn = served(8), scene()
    drawn.compose(line, view(5_000), 120, 36)
    line.forget()
    drawn.forget()
    frame = text(drawn.compose(line, view(5_000), 120, 36))
    assert not [row for row in frame if " GET " in row]


def test_a_filter_without_matches_says_so():
    """The title of the rows says how many of all requests the filter shows, also where it shows none."""
    line = served(8, finished=False)
    for size in ((80, 24), (120, 36)):
        for words, said in (("nothing", "0 of 8 match /nothing"), ("#3", "1 of 8 match /#3")):
            looked = view(100)
            looked.words = words
            lines = text(scene().compose(line, looked, *size))
            assert [line for line in lines if line.startswith(" REQUESTS") and said in line]
        lines = text(scene().compose(line, view(100), *size))
        assert not [line for line in lines if "match /" in line]


@pytest.mark.parametrize("length", range(9))
def test_a_line_of_any_length_can_be_split_at_any_column(length):
    """The parts beyond the end of a line are empty."""
    line = [Segment("ab"[:length]), Segment("x" * max(0, length - 2))]
    for start in range(8):
        parts = split(line, start, start + 1)
        assert "".join(part.text for part in line) == "".join(s.text for part in parts for s in part)
        assert [sum(s.cell_length for s in part) for part in parts[:2]] == [
            min(start, length),
            length > start,
        ]


def test_a_foot_line_without_room_for_all_scenarios_names_the_key_of_their_list():
    """With more keys than fit into 80 columns, the list of all scenarios can still be found."""
    files = [scenario(f"scenario{key}", key) for key in "abcdhsuy"]
    composer = Scene(Palette(), Facts(ENVIRONMENT, "in a thread", "127.0.0.1:41873", files))
    first, second = text(composer.compose(Timeline(), view(100), 80, 24))[-2:]
    assert "a scenarioa  b scenariob" in first
    assert first.rstrip().endswith("tab all scenarios")
    assert "q quit" in second
