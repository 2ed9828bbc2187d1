"""The sampler beside threads that change what it reads: no wrong step, call or time is reported."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import pytest

from loopviz.clock import now_ns
from loopviz.probe import steps
from loopviz.probe.gil import snapshot
from loopviz.probe.lines import Line, Lines
from loopviz.probe.sampler import Sampler
from loopviz.probe.state import ProbeState, Trace
from loopviz.probe.threads import Thread, Threads
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer

MS = 1_000_000


class Stack(Lines):
    """Finds the same line in every stack; what happens meanwhile is done by `then`."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.then = then

    def of_thread(self, ident: int, frames: dict[int, FrameType]) -> Line | None:
        """A line, after what happens."""
        self.then()
        return Line("app.py", 7, "work", "")

    def of_call(
        self, ident: int, frames: dict[int, FrameType], call: int, caller: Callable[[int], Line | None]
    ) -> Line | None:
        """The same for a call."""
        return self.of_thread(ident, frames)


def make(then: Callable[[], object] = lambda: None) -> tuple[Sampler, ProbeState, Threads]:
    """A sampler that is not started, and what it looks at."""
    state = ProbeState(Buffer(), cast(Any, None))
    threads = Threads(state)
    loop = Thread(1, threading.get_ident(), None)
    return Sampler(state, threads, Stack(then), loop), state, threads


def reported(state: ProbeState) -> list[str]:
    """The kinds of the events."""
    return [event[1] for event in state.buffer.drain()]


def begin(state: ProbeState, ago: int = 100 * MS) -> Trace:
    """A step that began so long ago."""
    trace = Trace(1)
    state.began, state.current = now_ns() - ago, trace
    return trace


def test_the_line_of_a_long_step_is_reported() -> None:
    """A step that lasts is reported with its line."""
    sampler, state, _ = make()
    trace = begin(state)
    sampler._look()
    (holds,) = [event for event in state.buffer.drain() if event[1] == ev.HOLDS]
    assert holds[2:5] == (trace.number, state.began, "app.py")


def test_a_line_of_a_step_that_has_ended_is_not_reported() -> None:
    """If the next step begins while the stack is read, of the same task too, the line is of neither."""

    def next_step() -> None:
        state.began = now_ns()

    sampler, state, _ = make(next_step)
    begin(state)
    sampler._look()
    assert ev.HOLDS not in reported(state)


def test_a_line_of_a_call_that_has_ended_is_not_that_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a thread takes a new call when the frames have been read, their line is not that call's."""
    sampler, state, threads = make()
    thread = Thread(2, 99, None, call=5, since=now_ns() - 100 * MS)
    threads.by_ident[99] = thread
    frames = sys._current_frames

    def current_frames() -> dict[int, FrameType]:
        found = frames()
        thread.since, thread.call = now_ns(), 6
        return found

    monkeypatch.setattr(sys, "_current_frames", current_frames)
    sampler._look()
    assert ev.EXECUTES not in reported(state)
    monkeypatch.undo()
    thread.since = now_ns() - 100 * MS
    sampler._look()
    assert ev.EXECUTES in reported(state)


class Changing(ProbeState):
    """A state whose step ends, and whose next one begins, when it is read."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "began" and super().__getattribute__("hostile"):
            super().__setattr__("current", Trace(1))
        return value

    hostile = False


def test_a_step_that_changes_while_it_is_read_is_not_long() -> None:
    """A begin and a task that do not belong together are no step."""
    sampler, _, _ = make()
    state = Changing(Buffer(), cast(Any, None))
    sampler._state = state
    begin(state)
    assert sampler._loop_held(now_ns()) is not None
    Changing.hostile = True
    try:
        assert sampler._loop_held(now_ns()) is None
    finally:
        Changing.hostile = False


def test_no_step_is_seen_longer_than_it_lasts() -> None:
    """While steps of a millisecond follow each other, none looks long, whenever it is read."""

    class Order(ProbeState):
        """Notes in which order a step writes."""

        wrote: list[str]

        def __setattr__(self, name: str, value: object) -> None:
            if name in {"current", "began"} and "wrote" in type(self).__dict__:
                type(self).wrote.append(f"{name} {'-' if value is None or not value else 'set'}")
            super().__setattr__(name, value)

    loop = asyncio.new_event_loop()
    try:
        state = Order(Buffer(), loop)
        for name, hook in steps.hook_steps(state, lambda _: 0).items():
            setattr(loop, name, hook)
        Order.wrote = []
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
    order = [entry for entry in Order.wrote if entry in {"began set", "current set", "current -"}]
    assert order[:3] == ["began set", "current set", "current -"]
    assert order == order[:3] * (len(order) // 3)


def test_a_dictionary_that_changes_is_read_all_the_same() -> None:
    """Values are taken again if the dictionary changes meanwhile, and are left if it never stops."""

    class Restless(dict[int, int]):
        left = 3

        def values(self) -> Any:
            def changing() -> Iterator[int]:
                yield 1
                if self.left:
                    self.left -= 1
                    raise RuntimeError("dictionary changed size during iteration")

            return changing()

    table = Restless()
    assert snapshot(table) == [1]
    table.left = 1_000
    assert snapshot(table) == []


def test_threads_that_come_and_go_do_not_disturb_the_sampler() -> None:
    """The sampler fails at nothing while calls and threads change as fast as they can."""
    sampler, state, threads = make()
    stop = threading.Event()

    def change() -> None:
        number = 2
        while not stop.is_set():
            number += 1
            thread = Thread(number, number, None, call=number, since=now_ns() - 100 * MS)
            threads.by_ident[number] = thread
            state.live[number] = Trace(1)
            threads.by_ident.pop(number - 50, None)
            state.live.pop(number - 50, None)

    others = [threading.Thread(target=change) for _ in range(2)]
    interval, seen = sys.getswitchinterval(), set[str]()
    sys.setswitchinterval(1e-5)
    try:
        for other in others:
            other.start()
        sampler.start()
        time.sleep(0.4)
        until = time.monotonic() + 20
        while ev.EXECUTES not in seen and time.monotonic() < until:  # it gets the GIL late, if all want it
            time.sleep(0.01)
            seen.update(reported(state))
        sampler.stop()
    finally:
        stop.set()
        for other in others:
            other.join()
        sys.setswitchinterval(interval)
    assert state.failures == []
    assert ev.EXECUTES in seen
