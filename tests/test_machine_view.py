"""The machine view: each request is drawn at one station, and the figures are those of the moment."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.model.positions import positions
from loopviz.stream import events as ev
from loopviz.tui.scene import Facts, Scene
from loopviz.tui.scene.machine import MachineBody
from loopviz.tui.scene.machine.brief import machines_in_line
from loopviz.tui.scene.machine.chips import chips
from loopviz.tui.scene.machine.pools import fold
from loopviz.tui.scene.machine.sight import Sight, waited
from loopviz.tui.scene.machine.stations import GROUPS, Place, PoolPlace, plant
from loopviz.tui.scene.pen import Pen
from loopviz.tui.view import View
from tests.moments import MOMENTS
from tests.random_events import expanded_events, times
from tests.several_scene import scene_of_workers, three_workers
from tests.streams import (
    MS,
    accepted,
    awaited,
    awaits_task,
    call,
    executes,
    feed,
    idle,
    iteration,
    made,
    ns,
    of_worker,
    pool,
    read,
    responded,
    sent,
    step,
    suspend,
    thread,
    timeline,
    tokens,
    wake,
)
from tests.test_scene import ENVIRONMENT, HOSTILE, SCENARIOS
from tests.test_screen import drive, picture, run, scene_of_a_block

__all__ = ["drive"]

SIZES = [(80, 24), (120, 36), (200, 60), (100, 20), (72, 22), (60, 40), (30, 9), (8, 4)]
FACTS = Facts(ENVIRONMENT, "in a thread", "127.0.0.1:1", SCENARIOS)


def seen(at: float, cursor: int | None = None) -> View:
    """The machine view at a moment."""
    return View(now=ns(at), look="machine", cursor=cursor)


def frame(
    line: Timeline, at: float, size: tuple[int, int] = (80, 24), cursor: int | None = None
) -> list[str]:
    """What is drawn, without colours."""
    drawn = Scene(Palette("mono"), FACTS).compose(line, seen(at, cursor), *size)
    return ["".join(segment.text for segment in one) for one in drawn]


def shown(line: Timeline, at: float, size: tuple[int, int] = (80, 24), cursor: int | None = None) -> str:
    """The same as one text."""
    return "\n".join(frame(line, at, size, cursor))


def queue(count: int) -> Timeline:
    """Request 1 holds the loop, and so many others wait in their sockets."""
    line = timeline(accepted(), iteration(2))
    feed(line, step(3), [sent(10 + number, number) for number in range(2, count + 2)])
    return line


# -- every request at one station -----------------------------------------------------------------


@settings(max_examples=150)
@given(expanded_events, times, st.sampled_from(SIZES))
def test_everybody_is_at_one_station(events, t, size):
    """Whatever the events are, each request is at exactly one place, and the drawing has its size."""
    line = Timeline()
    line.feed(sorted(events, key=lambda event: event[0]))
    found = positions(line, t)
    stations = plant(line, found, t)
    everybody = [one.request for place in stations.places for one in place]
    assert sorted(everybody) == sorted(one.request for one in found)
    assert stations.requests == len(found) == len(set(everybody))
    drawn = Scene(Palette("colour"), FACTS).compose(line, View(now=t, look="machine"), *size)
    assert {sum(segment.cell_length for segment in one) for one in drawn} == {size[0]}


@settings(max_examples=100)
@given(expanded_events, times)
def test_the_figures_add_up_to_the_requests(events, t):
    """The numbers at the stations are those of all requests together."""
    line = Timeline()
    line.feed(sorted((event for event in events if "@" not in event[1]), key=lambda event: event[0]))
    found = positions(line, t)
    drawn = Scene(Palette("mono"), FACTS).compose(line, View(now=t, look="machine"), 120, 40)
    text = "\n".join("".join(segment.text for segment in one) for one in drawn)
    figures = re.findall(r"(?:SOCKETS|READY|PARKED at awaits|POOLS) (\d+)", text)
    waiting = re.findall(r"in a worker · (\d+) waiting", text)
    seats = len(plant(line, found, t).machines[0].seat)
    assert sum(map(int, [*figures, *waiting])) + seats == len(found)


@settings(max_examples=100)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(1, 4), st.integers(0, 70))
def test_chips_and_the_number_of_those_that_have_no_room(count, width, lines, cursor):
    """Chips and the figure behind them stand for all, and the selected request is among the chips."""
    line = queue(count)
    t = ns(200)
    place = Place(one for one in positions(line, t) if one.request > 1)
    sight = Sight(Pen(Palette("mono")), FACTS, line, View(now=t, cursor=cursor), {})
    rows = chips(sight, place, width, lines)
    text = " ".join("".join(segment.text for segment in row.segments) for row in rows)
    named = [int(number) for number in re.findall(r"#(\d+)", text)]
    more = sum(map(int, re.findall(r"\+(\d+)", text)))
    assert len(rows) <= lines
    assert all(row.width <= width for row in rows)
    assert named == sorted(named)[: len(named)] or cursor in named
    if width >= 9:
        assert len(named) + more == len(place)
        assert cursor in named or not any(one.request == cursor for one in place)


def test_a_chip_is_what_a_click_selects():
    """Each chip can be clicked, and is the request that is written on it."""
    scene, line = Scene(Palette("mono"), FACTS), queue(20)
    drawn = ["".join(s.text for s in one) for one in scene.compose(line, seen(200), 120, 36)]
    found = set()
    for y, hits in scene.hits.items():
        for start, end, hit in hits:
            if hit.request is not None:
                assert drawn[y][start + 1 : end] == f"#{hit.request}"
                found.add(hit.request)
    assert {1, 2, 3} <= found
    assert scene.column(30, 8) is None


def test_a_selected_request_is_drawn_and_described():
    """However many there are, the selected one has a chip, and a line says where it is and since when."""
    text = shown(queue(500), 700, cursor=499)
    assert re.search(r"·#499 \+\d+", text)
    assert "▶ #499 GET /  in its socket for 0.1 s" in text
    assert "#499" not in shown(queue(500), 700)


def test_a_selected_request_that_is_over_says_how_it_ended():
    """A request that is at no station is not lost: its line says that it was answered."""
    line = timeline(accepted(), responded(52), suspend(53, awaited=""), idle(60))
    feed(line, (ns(54), ev.END, 1))
    assert "▶ #1 GET /  answered after 52 ms" in shown(line, 100, cursor=1)


# -- what is said at the stations ------------------------------------------------------------------


def test_the_seat_names_who_blocks_where_and_since_when():
    """While a request blocks the loop, the seat has its number, its line, what it calls and how long."""
    text = shown(*MOMENTS["block"])
    assert "BLOCKS 0.5 s  sleeps" in text
    assert "#1 GET /" in text
    assert "app.py:14 handler" in text
    assert "selector 0.5 s ago" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gil-block", "NO GIL 0.3 s"),
        ("gil-kept", "keeps GIL"),
        ("starvation", "STARVES 0.3 s"),
        ("stopped", "STOPPED 0.4 s"),
        ("awaiting", "free"),
        ("unseen", "no request"),
    ],
)
def test_the_seat_says_what_the_loop_does(name, said):
    """The seat says why nothing runs: the GIL, short steps, a stop; or that the loop is free."""
    unseen = timeline(sent(0), read(1), made(1), step(2), suspend(4))
    line, at = (unseen, 100.0) if name == "unseen" else MOMENTS[name]
    assert said in shown(line, at)


def test_the_parked_are_at_the_place_of_what_they_await():
    """Each kind of awaited things has a place of its own, which is there when nobody is, too."""
    line = timeline(accepted(), accepted(2, 2, 5), suspend(9), suspend(9, 2), idle(10))
    feed(line, awaited(30, 1, "lock", "", 2), awaited(30, 2, "drain"))
    text = shown(line, 110)
    assert re.search(r"lock of #2 +1  0\.1 s +─#1", text)
    assert re.search(r"socket +1  0\.1 s +─#2", text)
    places = [
        next(y for y, one in enumerate(frame(line, 110)) if re.search(rf"\b{group}\b", one))
        for group in GROUPS
    ]
    later = [
        next(y for y, one in enumerate(frame(line, 9.5)) if re.search(rf"\b{group}\b", one))
        for group in GROUPS
    ]
    assert places == later


def test_a_full_pool_is_visibly_full():
    """All seats are in use: the pool says so, and in front of it is its queue."""
    text = shown(*MOMENTS["pool-full"])
    assert "4/4 FULL" in text
    assert re.search(r"queue 2 · 0\.9 s ░#2 ░#3", text)


def test_anyios_threads_are_there_when_only_another_pool_was_seen():
    """AnyIO's limiter has no number until a task waits for it; its threads are there all the same."""
    line = timeline(accepted(), tokens(3, 40, 1, 0), pool(3, 1, "default-executor", size=6))
    feed(line, thread(4, 2), call(4), suspend(5), idle(5))
    text = shown(line, 300)
    assert re.search(r"AnyIO threads +1/40", text)
    assert re.search(r"asyncio threads +0/6", text)
    assert "in use" not in text


def test_a_line_without_room_in_the_seat_is_visibly_cut():
    """What is longer than the box has a sign where it is cut: a function's end, or a file's beginning."""
    long = 20 * "a" + "_name.py"
    for file, said in (("a_name.py", r"│ a_name\.py:114 a_functi.*… │"), (long, r"│ …a+_name\.py:114 │")):
        line = accepted()
        line.append((ns(30), ev.HOLDS, 1, ns(2), file, 114, "a_function_with_a_name", ""))
        assert re.search(said, shown(timeline(line), 300))


def test_timers_that_are_late_are_counted():
    """While the loop is held, the sockets' box says how many timers are late and by how much."""
    line = timeline(iteration(-1), accepted(), accepted(2, 2), suspend(3, 2, due=100), suspend(4), idle(5))
    feed(line, iteration(20), wake(20), step(20))
    assert "a timer 0.3 s late" in shown(line, 420)
    feed(line, suspend(500), idle(501))
    assert "a timer 0.3 s late" in shown(line, 420)


def test_work_after_the_response_is_dimmed_and_counted():
    """A request whose response is sent is still at its station while its tasks go on."""
    line = timeline(accepted(), responded(20), call(21), suspend(22), idle(23), executes(60))
    text = shown(line, 200, cursor=1)
    assert "POOLS 1 in a worker" in text
    assert "its response is sent" in text


def test_a_started_task_is_named_after_its_request():
    """A task that a request has started and does not await is at a station of its own: ``#1'``."""
    line = timeline(accepted(), made(3, 2, 1, 1), suspend(4), step(5, 2), suspend(6, 2), idle(7))
    feed(line, awaits_task(8, 1, 2, 0), [(ns(9), "awaited", 2, "queue", "get", 0)])
    text = shown(line, 110, cursor=1)
    assert re.search(r"queue +1 +0\.1 s +─#1'", text)
    assert "PARKED at awaits 2" in text


def test_a_moving_crowd_is_looked_for_ten_times_a_second():
    """Of many requests it is not found out for each frame where they are; a picture that stands is exact."""
    line, body = queue(300), MachineBody(Pen(Palette("mono")))

    def sockets(at: float, behind: int | None = None) -> int:
        view = View(now=ns(at), look="machine", behind=behind)
        rows = body.lines(FACTS, line, view, 120, 30, roomy=True)
        text = "\n".join("".join(segment.text for segment in one) for one in rows)
        return int(re.findall(r"SOCKETS (\d+)", text)[0])

    assert sockets(400) == 300
    feed(line, (ns(410), ev.RECEIVED, 300, None, "refused"))
    assert sockets(420) == 300, "in the same tenth of a second"
    assert sockets(420, behind=0) == 299
    assert sockets(510) == 299


def test_workers_have_a_machine_each():
    """A server with several workers has a machine for each, side by side where there is room."""
    text = shown(three_workers(), 880)
    assert [line for line in ("WORKER a", "WORKER b", "WORKER c") if line in text] == [
        "WORKER a", "WORKER b", "WORKER c",
    ]  # fmt: skip
    assert "SOCKETS 0  of all workers" in text
    wide = frame(three_workers(), 880, (240, 60))
    assert any(one.count("ON THE LOOP") == 3 for one in wide)
    (names,) = [one for one in wide if "WORKER b" in one]
    assert "WORKER a" in names
    assert "selector 0.8 s ago" in names


def test_many_workers_are_folded_and_counted():
    """Where not every worker has a line, one line stands for the others."""
    line = timeline(scene_of_workers(200))
    many = Timeline()
    many.feed(scene_of_workers(200))
    for worker in range(3, 40):
        many.feed(of_worker(worker, idle(200)))
    assert "more workers: 0 requests" in shown(many, 210)
    assert "more workers" not in shown(line, 210)


def test_one_of_them_is_singular():
    """What there is no room for is counted in the singular as well."""
    line = timeline(accepted())
    found = plant(line, positions(line, ns(20)), ns(20))
    sight = Sight(Pen(Palette("mono")), FACTS, line, seen(20), {})
    rows = machines_in_line(sight, found.machines), fold(sight, [PoolPlace(None, "thread")])
    said = ["".join(segment.text for segment in row.segments) for row in rows]
    assert said == [" 1 more worker: 1 request", " 1 more pool: 0 waiting, 0 in them"]


def test_the_same_moment_is_the_same_drawing():
    """What was drawn before does not matter: a moment that is gone back to looks as it did."""
    line = timeline(accepted(), tokens(3, 40, 0, 0), suspend(9), idle(10))
    body = MachineBody(Pen(Palette("colour")))
    first = body.lines(FACTS, line, seen(20), 120, 30, roomy=True)
    assert body.lines(FACTS, line, seen(5), 120, 30, roomy=True) != first
    assert body.lines(FACTS, line, seen(20), 120, 30, roomy=True) == first


def test_hostile_paths_cannot_control_the_terminal():
    """Text from outside is printable before it is drawn."""
    line = Timeline()
    line.feed([(ns(0), ev.SENT, 1, "G\x1b[2JET", HOSTILE), (ns(1), ev.READ, 1, "GET", HOSTILE, 0)])
    line.feed([made(1), step(2)])
    for one in frame(line, 50, (120, 36), cursor=1):
        assert one.isprintable()


@pytest.mark.parametrize("mode", ["colour", "mono", "ascii"])
@pytest.mark.parametrize("name", list(MOMENTS))
def test_every_moment_can_be_drawn(name, mode):
    """In every mode, each line has the width of the screen; in ASCII there is nothing else."""
    line, at = MOMENTS[name]
    for width, height in SIZES:
        for one in Scene(Palette(mode), FACTS).compose(line, seen(at), width, height):
            text = "".join(segment.text for segment in one)
            assert cell_len(text) == width
            assert mode != "ascii" or (text.isascii() and "?" not in text.replace("? help", ""))


def test_waits_are_said_with_few_digits():
    """A figure that grows is said so that it can be read."""
    assert [waited(ns) for ns in (0, 9 * MS, 37 * MS, 999 * MS, 12_340 * MS, 200_000 * MS)] == [
        "0 ms", "0 ms", "30 ms", "0.9 s", "12.3 s", "200 s",
    ]  # fmt: skip


# -- in the program ----------------------------------------------------------------------------


@run
async def test_keys_and_clicks_work_in_the_machine(drive):
    """3 opens the machine, j selects a request in it, a click on its number opens it, and 1 goes back."""
    async with drive(size=(120, 36)) as screen:
        await screen.show(scene_of_a_block(), at=1_000)
        text = "\n".join(await screen.press("3"))
        assert "BLOCKS 0.6 s  sleeps" in text
        assert "·#3 ·#4 ·#5" in text
        await screen.press("j")
        lines = await screen.press("j")
        assert any("▶ #2 GET /  on the loop for 0.6 s" in one for one in lines)
        y = next(at for at, one in enumerate(lines) if "·#3" in one)
        await screen.pilot.click(offset=(lines[y].index("·#3") + 1, y))
        await screen.pilot.pause()
        assert screen.app.view.cursor == 3
        assert len(screen.app.screen_stack) == 2
        await screen.press("escape")
        assert "LOOP" in "".join(await screen.press("1"))


@run
async def test_the_machine_shows_the_moment_of_the_time_cursor(drive):
    """What the time cursor points at in the timeline is what the machine shows."""
    async with drive(size=(120, 36)) as screen:
        await screen.show(scene_of_a_block(), at=1_000)
        await screen.press("3", "space")
        screen.app.view.at = ns(500)
        assert "BLOCKS 0.1 s" in "\n".join(await screen.show())
        screen.app.view.at = ns(305)
        text = "\n".join(await screen.show())
        assert "running for 0 ms" in text
        assert "SOCKETS 0" in text


@pytest.mark.parametrize("mode", ["colour", "mono"])
def test_the_picture_of_the_machine(drive, snapshot, mode):
    """The whole screen while a request blocks the loop looks as it should, with colours and without."""

    @run
    async def test(drive):
        async with drive(size=(80, 24), palette=Palette(mode)) as screen:
            await screen.show(scene_of_a_block(), at=1_000)
            await screen.press("3", "j")
            assert picture(screen) == snapshot

    test(drive=drive)
