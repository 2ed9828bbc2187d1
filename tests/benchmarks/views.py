"""What each view of the moment costs: to open it, CPU time of its frames, and frames a second, side by side.

Run by hand: ``python tests/benchmarks/views.py``; ``--drawn`` draws hand-made streams only. First, all views
are composed and painted in turns, of the same streams, so that a noisy machine disturbs all alike; the
medians are compared with the timeline's. Then the program runs, without a terminal, with the server in a
process of its own and the same load for each view in turn: how long after its key the view is drawn, frames a
second, and the CPU time of the screen's process. The exit code is 1 if something was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from textual.pilot import Pilot

from loopviz.draw.look import Palette
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.scenario import find, read
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.tui import LoopvizApp
from loopviz.tui.clock import Clock
from loopviz.tui.scene import Line
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.view import Look, View
from tests.benchmarks.drawing import (
    HEIGHT,
    LANES,
    MS,
    RATE,
    SECOND,
    WIDTH,
    ZERO,
    Picture,
    _Host,
    blocked,
    interleaved,
    traffic,
)

LOOKS: tuple[Look, ...] = ("timeline", "code", "machine", "reasons")
OPENS, DEARER, FRAMES = 100.0, 1.25, 0.9
"""A view opens within so many milliseconds, costs at most so many times what the timeline costs, and has at
least so many times its frames."""
CROWD = 1_000


def crowd(count: int = CROWD) -> Timeline:
    """So many requests of one key press: in sockets, ready, parked, in threads and waiting for one."""
    timeline = Timeline()
    events: list[Event] = [
        (ZERO, ev.THREAD, 1, "loop"),
        (ZERO, ev.FIRED, 1, "sync", 1, count, LANES),
        (ZERO, ev.POOL, 1, "default-limiter", "", LANES),
        (ZERO, ev.ITERATION),
    ]
    for number in range(1, count + 1):
        t = ZERO + number * MS // 5
        events.append((t, ev.SENT, number, "GET", "/work"))
        if number % 5 == 0:
            continue
        events += [
            (t + 1_000, ev.READ, number, "GET", "/work", 0),
            (t + 1_000, ev.TASK, number, 0, number, "work"),
            (t + 2_000, ev.STEP, number),
        ]
        if number % 5 == 1:  # ready
            events += [(t + 3_000, ev.YIELD, number, "Future", 0), (t + 5_000, ev.WAKE, number)]
        elif number % 5 == 2:
            events += [(t + 3_000, ev.YIELD, number, "Future", 0)]
            events += [(t + 30 * MS, ev.AWAITED, number, ("timer", "socket", "lock")[number % 3], "", 0)]
        elif number // 5 < LANES:
            events += [
                (t + 4_000, ev.CALL, number, number, number, 10 + number, "app.py", 7, "work"),
                (t + 5_000, ev.YIELD, number, "Future", 0),
            ]
        else:
            events += [
                (t + 3_000, ev.POOL_CALL, 0, number, 1),
                (t + 3_000, ev.TOKEN_WAIT, number),
                (t + 4_000, ev.YIELD, number, "Future", 0),
            ]
    held = ZERO + count * MS // 5 + MS
    events += [(held, ev.TOKENS, LANES, LANES, count // 2), (held + MS, ev.STEP, 1)]
    timeline.feed(sorted(events, key=lambda event: event[0]))
    return timeline


def drawn(name: str, make: Callable[[], tuple[Timeline, View, Callable[[View, Timeline], None]]]) -> bool:
    """The frames of all views of the same load; whether none costs too much."""
    frames: dict[str, Callable[[], float]] = {}
    for look in LOOKS:
        timeline, view, move = make()
        view.look = look
        picture = Picture(timeline, view)

        def frame(
            view: View = view,
            timeline: Timeline = timeline,
            picture: Picture = picture,
            move: Callable[[View, Timeline], None] = move,
        ) -> float:
            move(view, timeline)
            return picture.frame()

        frames[look] = frame
    opened = {look: frames[look]() * 1e3 for look in LOOKS}
    took = interleaved(frames, 300)
    print(name)
    for look in LOOKS:
        ratio = took[look] / took["timeline"]
        said = "" if look == "timeline" else f"{ratio:5.2f} times the timeline's"
        print(
            f"  {look:<10} {took[look]:6.2f} ms a frame = {took[look] * RATE / 1000:5.1%} of a core"
            f"   first frame {opened[look]:6.1f} ms   {said}"
        )
    return all(took[look] <= DEARER * took["timeline"] for look in LOOKS) and max(opened.values()) <= OPENS


def _passes(view: View, _: Timeline) -> None:
    view.now += SECOND // RATE


def _held() -> tuple[Timeline, View, Callable[[View, Timeline], None]]:
    return blocked(40), View(now=ZERO + 10 * SECOND), _passes


def _burst() -> tuple[Timeline, View, Callable[[View, Timeline], None]]:
    view = View(now=ZERO + 10 * SECOND)
    view.clock = Clock(ZERO + MS, 40 * SECOND)
    return blocked(40, fired=True), view, _passes


def _crowd() -> tuple[Timeline, View, Callable[[View, Timeline], None]]:
    view = View(now=ZERO + SECOND)
    view.clock = Clock(ZERO, 40 * SECOND)
    return crowd(), view, _passes


def _traffic() -> tuple[Timeline, View, Callable[[View, Timeline], None]]:
    timeline, state = Timeline(), {"number": 2001}
    timeline.feed(traffic(ZERO, 20))

    def move(view: View, timeline: Timeline) -> None:
        timeline.feed(traffic(view.now, 0.03, state["number"]))
        state["number"] += 3
        view.now += 30 * MS

    return timeline, View(now=ZERO + 20 * SECOND), move


async def in_process() -> bool:
    """All loads, without a terminal."""
    loads = {
        f"{LANES} busy lanes, the loop blocked": _held,
        "the same, of one key press": _burst,
        f"{CROWD:,} requests at once": _crowd,
        "100 requests a second": _traffic,
    }
    print(f"Composed and painted at {WIDTH}x{HEIGHT}")
    async with _Host().run_test(size=(WIDTH, HEIGHT)):
        well = [drawn(name, make) for name, make in loads.items()]
    return all(well)


class Program:
    """The program, and when which view was drawn."""

    def __init__(self, app: LoopvizApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot
        self.frames = 0
        self._drawn: tuple[float, Look] = (0.0, "timeline")
        screen = app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        show = screen.surface.show

        def shown(lines: list[Line]) -> None:
            show(lines)
            self.frames += 1
            self._drawn = time.monotonic(), app.view.look

        setattr(screen.surface, "show", shown)  # noqa: B010 - as it is, and counted

    async def opened(self, look: Look) -> float:
        """Press the key of a view; how long after it the view was drawn (ms)."""
        began = time.monotonic()
        self.app.simulate_key(str(1 + LOOKS.index(look)))
        while self._drawn[1] != look or self._drawn[0] < began:
            await asyncio.sleep(0.001)
            assert time.monotonic() - began < 10, f"{look} is not drawn"
        return (self._drawn[0] - began) * 1e3


async def running(name: str, scenario: str, requests: int, seconds: float, rounds: int) -> bool:
    """The program, while it fires so many requests whenever there are none; whether all is well."""
    opened: dict[Look, list[float]] = {look: [] for look in LOOKS}
    rates: dict[Look, list[float]] = {look: [] for look in LOOKS}
    cores: dict[Look, list[float]] = {look: [] for look in LOOKS}
    session = Session(read(find(None)), isolate=True)
    app = LoopvizApp(session, Palette())
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        program = Program(app, pilot)
        await asyncio.sleep(3)
        file = next(file for file in session.scenarios if file.name == scenario)
        for look in (*LOOKS[1:], LOOKS[0]):  # at first, nothing of it was drawn before
            opened[look].append(await program.opened(look))
        for _ in range(rounds):
            for look in LOOKS:
                await program.opened("timeline" if look != "timeline" else "machine")
                if not app.timeline.live:
                    app.fire(file, requests)
                    await asyncio.sleep(1)
                opened[look].append(await program.opened(look))
                frames, used, began = program.frames, time.process_time(), time.monotonic()
                await asyncio.sleep(seconds)
                lasted = time.monotonic() - began
                rates[look].append((program.frames - frames) / lasted)
                cores[look].append((time.process_time() - used) / lasted)
                while 0 < app.timeline.live <= LANES:  # the next view has as much to show as this one
                    await asyncio.sleep(0.1)
    print(f"{name}, in the program at {WIDTH}x{HEIGHT}")
    for look in LOOKS:
        first, *later = opened[look]
        rate, core = statistics.median(rates[look]), statistics.median(cores[look])
        print(f"  {look:<10} opens in {first:4.0f} ms, later in {statistics.median(later):4.0f} ms", end="")
        print(f"   {rate:4.1f} frames a second   {core:6.1%} of a core")
    most = statistics.median(rates["timeline"])
    slowest = min(statistics.median(found) for found in rates.values())
    return slowest >= FRAMES * most and max(statistics.median(found) for found in opened.values()) <= OPENS


async def in_program(seconds: float, rounds: int) -> bool:
    """Two loads: the loop is held, and many requests wait for a thread."""
    well = [
        await running("The loop held by 8 requests, one after the other", "blocking", 8, seconds, rounds),
        await running(f"{CROWD:,} requests, {LANES} at a time in threads", "sync", CROWD, 4, rounds),
    ]
    return all(well)


def main() -> int:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--drawn", action="store_true", help="draw hand-made streams only")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each view is measured in the program"
    )
    options = parser.parse_args()
    well = asyncio.run(in_process())
    if not options.drawn:
        well &= asyncio.run(in_program(5, options.rounds))
    which = "all views" if well else "not all views"
    print(f"{which} open within {OPENS:.0f} ms, cost at most {DEARER} times the timeline, and are as fast")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
