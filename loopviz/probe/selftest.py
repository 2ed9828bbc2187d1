"""The self-test: whether the hooks see tasks on this Python and this kind of loop, and what that costs.

It runs a task with a known number of steps on a loop of its own, with and without the hooks.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from loopviz.probe import compat
from loopviz.probe.state import ProbeState
from loopviz.probe.steps import hook_steps, hook_timers
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import RAN, RanEvent

__all__ = ["Findings", "run"]

_STEPS = 300
_TIMES = 5
_PATIENCE = 5.0
"""How long a run may take before it counts as failed (s); it takes a millisecond."""


class Findings(NamedTuple):
    """What the self-test has found."""

    event_ns: float
    """CPU time that one event costs its hook on this machine (ns)."""
    tasks: str = ""
    """Why tasks are not visible; "" if they are."""
    sleeps: str = ""
    """Why it is not visible when a sleep is due; "" if it is."""


def run(loop: asyncio.AbstractEventLoop) -> Findings:
    """Test the hooks on a loop of the same kind as `loop`, which waits for the outcome."""
    outcome = Findings(0.0, "the self-test of the hooks did not end")

    def test() -> None:
        nonlocal outcome
        outcome = _test(loop)

    # In a thread of its own, since a thread runs one loop at a time.
    thread = threading.Thread(target=test, name="loopviz self-test", daemon=True)
    thread.start()
    thread.join()
    return outcome


def _test(loop: asyncio.AbstractEventLoop) -> Findings:
    bare = watched = 1 << 62
    try:
        for _ in range(_TIMES):
            buffer, failures = Buffer(), list[str]()
            bare = min(bare, _measure(loop, None, failures))
            watched = min(watched, _measure(loop, buffer, failures))
        emitted = buffer.emitted
        ran = [event for event in buffer.drain() if event[1] == RAN]
        wrong = _wrong(ran)
        if wrong:
            return Findings(0.0, f"{wrong} ({failures[0]})" if failures else wrong)
        return Findings(max(0, watched - bare) / emitted, "", _wrong_sleep(ran))
    except Exception as error:
        return Findings(0.0, f"the hooks failed in their self-test: {type(error).__name__}: {error}")


def _measure(loop: asyncio.AbstractEventLoop, buffer: Buffer | None, failures: list[str]) -> int:
    """CPU time of the steps (ns), under hooks that append to `buffer` if it is given."""
    tested, steps = _like(loop), _steps()
    hooks: dict[str, Callable[..., Any]] = {}
    tested.set_exception_handler(lambda *_: None)  # a task that is left is part of the outcome
    try:
        if buffer is not None:
            state = ProbeState(buffer, tested, failures=failures)
            hooks = hook_timers(state) | hook_steps(state, lambda _: 0)
            for name, hook in hooks.items():
                setattr(tested, name, hook)
        tested.call_later(_PATIENCE, tested.stop)
        began = time.thread_time_ns()
        tested.run_until_complete(steps)
        return time.thread_time_ns() - began
    finally:
        steps.close()
        tested.close()
        # Hooks and their loop refer to each other. Left to the garbage collector, the loop's finalizer would
        # run in the middle of a step of the user's.
        for name, hook in hooks.items():
            delattr(tested, name)
            for cell in hook.__closure__ or ():
                with suppress(ValueError):
                    del cell.cell_contents


def _like(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """A new loop of the same kind, if that kind is known to be made without arguments."""
    kind = type(loop)
    if kind.__module__.partition(".")[0] in {"asyncio", "uvloop"}:
        return kind()
    return asyncio.SelectorEventLoop()


async def _steps() -> None:
    """Yield `_STEPS` times, await a future once, and sleep once."""
    for _ in range(_STEPS):
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future
    await asyncio.sleep(1e-6)


_AWAITED = [*[""] * _STEPS, "Future", "Future", None]
"""What the task awaits after each of its steps."""


def _wrong(ran: list[RanEvent]) -> str:
    """What is wrong with the events of the steps; "" if nothing is."""
    python = compat.installed("Python")
    if not ran:
        return f"asyncio's step wrapper of this {python} was not recognised"
    if len(ran) != len(_AWAITED):
        return f"of {len(_AWAITED)} steps of a task, {len(ran)} were recognised in this {python}"
    in_order = all(woken <= began <= ended for ended, _, _, woken, began, _, _ in ran)
    if not in_order or [awaited for _, _, _, _, _, awaited, _ in ran] != _AWAITED:
        return f"what a task awaits was not recognised in this {python}"
    return ""


def _wrong_sleep(ran: list[RanEvent]) -> str:
    *_, due = ran[-2]
    if due:
        return ""
    return f"the timer of asyncio.sleep was not recognised in this {compat.installed('Python')}"
