"""What a frame costs: CPU time of composing and painting it, and memory, on hand-made streams.

Run by hand: ``python tests/benchmarks/drawing.py``. What is compared is measured in turns in one
run, so that a noisy machine disturbs both alike; the medians are compared. Nothing is served: the
events are those of a server with 40 busy requests, and the clock is the benchmark's.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from textual.app import App
from textual.geometry import Region

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.scenario import builtin_folder, read
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.source import Environment
from loopviz.tui.clock import Clock
from loopviz.tui.scene import Facts, Scene
from loopviz.tui.surface import Surface
from loopviz.tui.view import Look, View

MS, SECOND = 1_000_000, 1_000_000_000
ZERO = 50_000 * SECOND
WIDTH, HEIGHT = 160, 45
RATE = 30
LANES = 40
ENVIRONMENT = Environment(
    loopviz="0", python="3.13.0", implementation="CPython", gil=True, event_loop="asyncio", fastapi="0",
    starlette="0", uvicorn="0", anyio="0", platform="here",
)  # fmt: skip


def traffic(start: int, seconds: float, first: int = 1, *, a_second: int = 100) -> Iterator[Event]:
    """Requests at a steady rate, ten events each, every second one in a thread, a block every 10 s."""
    gap = SECOND // a_second
    for number in range(first, first + round(seconds * a_second)):
        t = start + (number - first) * gap
        thread = 10 + number % LANES
        hold = 150 * MS if number % (10 * a_second) == 0 else gap // 4
        yield (t, ev.SENT, number, "GET", "/work")
        yield (t + 1_000, ev.READ, number, "GET", "/work", 0)
        yield (t + 1_000, ev.TASK, number, 0, number, "work")
        yield (t + 2_000, ev.STEP, number)
        if number % 2:
            yield (t + 3_000, ev.TOKENS, 40, number % 40, 0)
            yield (t + 4_000, ev.CALL, number, number, number, thread, "app.py", 7, "work")
            yield (t + 5_000, ev.YIELD, number, "Future", 0)
            yield (t + gap // 2, ev.RETURN, number)
        else:
            yield (t + hold, ev.YIELD, number, "Future", 0)
            yield (t + hold, ev.IDLE)
            yield (t + hold + 1_000, ev.ITERATION)
            yield (t + hold + 1_000, ev.WAKE, number)
        end = t + max(hold + 2_000, gap // 2)
        yield (end, ev.RESPONDED, number)
        yield (end, ev.END, number)


def blocked(seconds: float, *, fired: bool = False) -> Timeline:
    """40 requests in worker threads and 40 that are delayed, while one blocks the loop.

    If they are `fired`, it is by one key press: 40 rows that differ, and 40 that fold.
    """
    timeline = Timeline()
    events: list[Event] = [(ZERO, ev.THREAD, 1, "loop")]
    if fired:
        events.append((ZERO, ev.FIRED, 1, "sync", 1, 2 * LANES, LANES))
    for number in range(1, 2 * LANES + 1):
        t = ZERO + number * MS
        events += [
            (t, ev.SENT, number, "GET", "/work"),
            (t + 1_000, ev.READ, number, "GET", "/work", 0),
            (t + 1_000, ev.TASK, number, 0, number, "work"),
            (t + 2_000, ev.STEP, number),
            (t + 3_000, ev.YIELD, number, "Future", 0),
        ]
        if number <= LANES:
            call = (number, number, number, 10 + number, "app.py", 7, "work")
            events += [(t + 4_000, ev.TOKENS, 40, number, 0), (t + 5_000, ev.CALL, *call)]
        else:
            events.append((t + 5_000, ev.WAKE, number))
    held = ZERO + 100 * MS
    events += [
        (held, ev.STEP, 2 * LANES),
        (held + 200 * MS, ev.HOLDS, 2 * LANES, held, "app.py", 9, "f", "g"),
    ]
    for tick in range(round(seconds * 50)):
        t = held + 300 * MS + tick * 20 * MS
        events += [(t, ev.CPU, 10 + lane, tick * 400_000) for lane in range(1, LANES + 1)]
    timeline.feed(sorted(events, key=lambda event: event[0]))
    return timeline


class Picture:
    """A scene and a surface of full size, without a terminal."""

    def __init__(self, timeline: Timeline, view: View) -> None:
        facts = Facts(ENVIRONMENT, "in a thread", "127.0.0.1:1", read(sorted(builtin_folder().glob("*.py"))))
        self.scene = Scene(Palette(), facts)
        self.timeline, self.view = timeline, view
        self.surface = Surface()
        self.dirty: list[Region] = []
        self.surface._size = Region(0, 0, WIDTH, HEIGHT).size
        # No terminal is drawn on: what would be drawn is kept.
        setattr(self.surface, "refresh", lambda *regions, **_: self.dirty.extend(regions))  # noqa: B010

    def frame(self) -> float:
        """Compose, paint and render one frame; the CPU time that it took (s)."""
        self.dirty.clear()
        began = time.thread_time()
        self.surface.show(self.scene.compose(self.timeline, self.view, WIDTH, HEIGHT))
        for region in self.dirty:
            for strip in self.surface.render_lines(region):
                strip.render(self.surface.app.console)
        return time.thread_time() - began


def interleaved(pictures: Mapping[str, Callable[[], float]], rounds: int = 150) -> dict[str, float]:
    """The CPU time of each, measured in turns (ms): the median, of six frames each.

    A view may be drawn anew some times a second only: frames are measured as they follow each other.
    """
    times: dict[str, list[float]] = {name: [] for name in pictures}
    gc.collect()
    gc.disable()
    try:
        for round_ in range(rounds + 10):
            for name, frame in pictures.items():
                took = frame()
                if round_ >= 10:
                    times[name].append(took * 1e3)
    finally:
        gc.enable()
    return {
        name: statistics.median(statistics.fmean(six) for six in zip(*[iter(taken)] * 6, strict=False))
        for name, taken in times.items()
    }


def report(name: str, milliseconds: float, note: str = "") -> None:
    """Print one measurement."""
    print(f"  {name:<46} {milliseconds:7.2f} ms {note}")


def while_blocked() -> None:
    """40 busy lanes, the loop blocked, the present moving on."""
    frames = {}
    looks: tuple[tuple[str, bool, bool, Look], ...] = (
        ("scrolling, without groups", False, False, "timeline"),
        ("the clock of a burst", True, False, "timeline"),
        ("the clock of a burst that has left the window", True, True, "timeline"),
        ("the code of a burst, and the lanes beside it", True, False, "code"),
    )
    for name, fired, still, look in looks:
        timeline = blocked(40, fired=fired)
        view = View(now=ZERO + 10 * SECOND, look=look)
        if fired:
            view.clock = Clock(ZERO + MS, (5 if still else 40) * SECOND)
        picture = Picture(timeline, view)

        def frame(view: View = view, picture: Picture = picture) -> float:
            view.now += SECOND // RATE
            return picture.frame()

        frames[name] = frame
    print(f"{WIDTH}x{HEIGHT}, {LANES} busy lanes, the loop blocked")
    for name, took in interleaved(frames, 600).items():
        report(name, took, f"= {took * RATE / 1000:.1%} of a core at {RATE} fps")


def live(seconds: int) -> tuple[Timeline, int, int]:
    """What is left after `seconds`, pruned as the screen does; the present, and the next request's number."""
    timeline = Timeline()
    for second in range(seconds):
        timeline.feed(traffic(ZERO + second * SECOND, 1, 1 + second * 100))
        timeline.prune(ZERO + (second + 1) * SECOND)
    return timeline, ZERO + seconds * SECOND, 1 + seconds * 100


def after_an_hour() -> None:
    """A frame with traffic going on, after a minute and after an hour."""
    frames = {}
    for name, seconds in (("a minute", 60), ("an hour", 3600)):
        timeline, now, number = live(seconds)
        view = View(now=now)
        picture = Picture(timeline, view)
        state = {"number": number}

        def frame(
            timeline: Timeline = timeline,
            view: View = view,
            picture: Picture = picture,
            state: dict[str, int] = state,
        ) -> float:
            timeline.feed(traffic(view.now, 0.03, state["number"]))
            state["number"] += 3
            view.now += 30 * MS
            timeline.prune(view.now)
            return picture.frame()

        frames[name] = frame
    took = interleaved(frames, 300)
    print("After a minute and after an hour of 100 requests a second")
    for name, milliseconds in took.items():
        report(name, milliseconds)
    ratio(took["an hour"] / took["a minute"], 1.2)


def ratio(value: float, target: float) -> None:
    """Print a ratio, and whether it is at most its target."""
    print(f"  {'ratio':<46} {value:7.2f}    {'ok' if value <= target else 'TOO MUCH'}, at most {target}")


def of_a_million() -> None:
    """The same frames of 10,000 events and of 1,000,000."""
    timelines = {}
    for count in (10_000, 1_000_000):
        timeline = Timeline(retention=1 << 62)
        timeline.feed(traffic(ZERO, count / 1_000))
        timelines[count] = timeline
        print(
            f"  {count:>9,} events: {len(timeline.requests):,} requests, {len(timeline.blocks)} blocks kept"
        )
    for name, part, width, moving in (
        ("the newest, standing", 1.0, None, False),
        ("the newest, playing", 0.9, None, True),
        ("far past, standing", 0.5, None, False),
        ("far past, playing", 0.5, None, True),
        ("far past, at 20 ms a column, playing", 0.5, 20 * MS, True),
        ("zoomed out to five minutes, standing", 1.0, 5 * SECOND, False),
    ):
        frames = {}
        for count, timeline in timelines.items():
            now = ZERO + int((timeline.last - ZERO) * part)
            view = View(now=now, behind=timeline.last - now, column_ns=width, at=None)
            frames[str(count)] = playing(Picture(timeline, view), 10 * MS if moving else 0)
        took = interleaved(frames)
        report(name, took["1000000"], f"against {took['10000']:.2f} ms")
        ratio(took["1000000"] / took["10000"], 1.3)


def playing(picture: Picture, by: int) -> Callable[[], float]:
    """Frames that move on; back to where they began after half a second."""
    start = picture.view.now

    def frame() -> float:
        picture.view.now += by
        if picture.view.now > start + SECOND // 2:
            picture.view.now = start
        return picture.frame()

    return frame


def memory() -> None:
    """What is kept after half an hour and after an hour."""
    tracemalloc.start()
    timeline = Timeline()
    kept = {}
    for second in range(3600):
        timeline.feed(traffic(ZERO + second * SECOND, 1, 1 + second * 100))
        timeline.prune(ZERO + (second + 1) * SECOND)
        if second + 1 in (600, 1800, 3600):
            gc.collect()
            kept[second + 1] = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print("Memory of the timeline, 100 requests a second")
    for seconds, size in kept.items():
        print(f"  after {seconds // 60:>2} minutes {size / 1e6:38.1f} MB")
    ratio(kept[3600] / kept[1800], 1.05)


class _Host(App[None]):
    """What a surface needs around it."""


async def main() -> None:
    """All of it."""
    async with _Host().run_test(size=(WIDTH, HEIGHT)):
        while_blocked()
        after_an_hour()
        print("Of 10,000 events and of 1,000,000")
        of_a_million()
        memory()


if __name__ == "__main__":
    asyncio.run(main())
