"""The truth about lines: at which line of a scenario's file each request is, read from its tasks and threads.

It is read in the server's process, and shares nothing with the probe but the number that is in the context of
each request: `asyncio.all_tasks`, the coroutines that await each other, and `sys._current_frames`.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from loopviz.clock import now_ns
from loopviz.draw.look import BLOCK, CODES, Palette
from loopviz.live.session import Session
from loopviz.model import State, Timeline
from loopviz.scenario import Load, ScenarioFile
from loopviz.tui.scene import Facts
from loopviz.tui.scene.code import CodeBody
from loopviz.tui.scene.pen import Pen
from loopviz.tui.view import View

__all__ = ["Judged", "Snapshot", "judge", "observed"]

MS = 1_000_000
BEFORE, AFTER, STEP = 70 * MS, 10 * MS, 8 * MS
"""The truth is read from so long before an instant to so long after it, and how often (ns)."""
SEEN = 60 * MS
"""What has been at one line for this long is to be shown there: the probe looks every 20 ms."""


@dataclass
class Snapshot:
    """At which lines of the file each request was."""

    t: int
    tasks: dict[int, set[int]] = field(default_factory=dict)
    threads: dict[int, set[int]] = field(default_factory=dict)
    """Of request 0: of calls whose request is not known."""

    def of(self, request: int) -> frozenset[int]:
        """The lines of a request."""
        return frozenset(self.tasks.get(request, set()) | self.threads.get(request, set()))


def snapshot(loop: asyncio.AbstractEventLoop, file: str) -> Snapshot:
    """Where everything is now."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1)  # nothing else runs Python meanwhile
    try:
        found = Snapshot(now_ns())
        frames = sys._current_frames()
        current = asyncio.tasks._current_tasks.get(loop) if hasattr(asyncio.tasks, "_current_tasks") else None
        loops = [ident for ident, frame in frames.items() if _runs_loop(frame, loop)]
        for task in asyncio.all_tasks(loop):
            number = _number(getattr(task, "get_context")())  # noqa: B009 - Python 3.12 has it
            if not number:
                continue
            if task is current and loops:
                line = _innermost(_outwards(frames[loops[0]]), file)
            else:
                line = _innermost(reversed(list(_inwards(task.get_coro()))), file)
            if line:
                found.tasks.setdefault(number, set()).add(line)
        for ident, frame in frames.items():
            if ident in loops or ident == threading.get_ident():
                continue
            stack = list(_outwards(frame))
            if line := _innermost(stack, file):
                found.threads.setdefault(_of_thread(stack), set()).add(line)
        return found
    finally:
        sys.setswitchinterval(before)


def _runs_loop(frame: FrameType, loop: asyncio.AbstractEventLoop) -> bool:
    return any(
        one.f_code.co_name == "run_forever" and one.f_locals.get("self") is loop for one in _outwards(frame)
    )


def _number(context: Any) -> int:
    return next((value for name, value in context.items() if name.name == "loopviz_request"), 0)


def _of_thread(stack: Sequence[FrameType]) -> int:
    """The request in whose context a thread executes a call; 0 if that is not known."""
    for frame in stack:
        for name in ("context", "ctx"):
            context = frame.f_locals.get(name)
            if type(context).__name__ == "Context":
                return _number(context)
        func = frame.f_locals.get("fn") or frame.f_locals.get("func")
        bound = getattr(getattr(func, "func", None), "__self__", None)
        if type(bound).__name__ == "Context":
            return _number(bound)
    return 0


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _inwards(awaitable: Any) -> Iterator[FrameType]:
    """The frames of coroutines and generators that await each other."""
    for _ in range(100):
        for prefix, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(awaitable, f"{prefix}_frame", None)
            if frame is not None:
                yield frame
                awaitable = getattr(awaitable, inner)
                break
        else:
            # What the steps of asynchronous generators and wrappers of coroutines wrap has no attribute.
            import gc

            kind = type(awaitable).__name__
            if kind not in {
                "async_generator_asend",
                "async_generator_athrow",
                "coroutine_wrapper",
                "anext_awaitable",
            }:
                return
            awaitable = next(
                (
                    one
                    for one in gc.get_referents(awaitable)
                    if type(one).__name__ in {"async_generator", "coroutine", "async_generator_asend"}
                ),
                None,
            )


def _innermost(innermost_first: Any, file: str) -> int:
    for frame in innermost_first:
        if frame.f_code.co_filename == file:
            return int(frame.f_lineno or 0)
    return 0


@dataclass
class Judged:
    """What the code view says of one instant."""

    t: int
    right: int = 0
    unseen: int = 0
    """At no line yet, and too short for that to be wrong."""
    wrong: list[str] = field(default_factory=list)
    shown: str = ""


def observed(
    session: Session,
    file: ScenarioFile,
    requests: int,
    parts: Sequence[float] = (0.25, 0.55, 0.85),
    *,
    makespan: float | None = None,
    timeline: Timeline | None = None,
) -> tuple[Timeline, list[list[Snapshot]]]:
    """Fire a scenario, and read the truth around so many parts of its time. The session has started."""
    timeline = timeline or Timeline()
    loop = _loop_of_server()
    takes = makespan or file.facts.expected(
        Load.here(requests, session.threads, file.facts.seconds, file.facts.seconds)
    )
    took: list[list[Snapshot]] = []
    began = now_ns()
    answered: Future[Any] = session.fire(file, requests)
    for part in parts:
        at = began + round(part * takes * 1e9)
        time.sleep(max(0, at - BEFORE - now_ns()) / 1e9)
        one: list[Snapshot] = []
        while not one or now_ns() < at + AFTER:
            one.append(snapshot(loop, str(file.file)))
            time.sleep(STEP / 1e9)
        took.append(one)
        timeline.feed(session.drain())
    answered.result(60)
    until = now_ns() + 3_000 * MS
    session.catch_up(1.0)
    while now_ns() < until:
        timeline.feed(session.drain_all())
        if not timeline.live and not any(row.state for row in timeline.started(now_ns(), now_ns())):
            break
        time.sleep(0.02)
    return timeline, took


def _loop_of_server() -> asyncio.AbstractEventLoop:
    """The event loop of the server, which runs in this process."""
    idents = [thread.ident for thread in threading.enumerate() if thread.name == "loopviz server"]
    for ident, frame in sys._current_frames().items():
        for one in _outwards(frame) if ident in idents else ():
            loop = one.f_locals.get("self")
            if one.f_code.co_name == "run_forever" and isinstance(loop, asyncio.AbstractEventLoop):
                return loop
    raise AssertionError("no server runs")


def judge(session: Session, file: ScenarioFile, timeline: Timeline, took: Sequence[Snapshot]) -> Judged:
    """Compare what the code view shows at an instant with the truth around it."""
    t = max((one.t for one in took if one.t <= took[-1].t - AFTER), default=took[-1].t)
    facts = Facts(session.environment, session.mode, session.address, session.scenarios)
    body, view = CodeBody(Pen(Palette())), View(now=t, behind=1)
    body.lines(facts, timeline, view, 120, 60, roomy=True)
    found = Judged(t)
    near = [one for one in took if one.t >= t - BEFORE]
    shown = []
    for section in body.sections:
        if section.file != str(file.file):
            continue
        for number, marks in sorted(section.marks.items()):
            shown.append(f"{number}: {len(marks)}")
            for mark in marks:
                _judge_line(found, near, number, mark, section.function)
        if section.above:
            shown.append(f"none: {len(section.above)}")
        for mark in section.above:
            _judge_above(found, near, mark)
    found.shown = ", ".join(shown)
    return found


def _judge_line(found: Judged, near: Sequence[Snapshot], number: int, mark: Any, function: Any) -> None:
    request, position = mark.request, mark.position
    if request < 0 or position is None:
        request = 0
    true = {line for one in near for line in (*one.of(request), *one.threads.get(0, ()))}
    if number in true:
        found.right += 1
        return
    defined = number == function.line
    if defined and mark.code == CODES[State.TOKEN_WAIT] and any(not one.of(request) for one in near):
        found.right += 1  # it waits before the first line
    elif defined and mark.code == CODES[State.IN_PROCESS]:
        found.right += 1  # lines of other processes are not seen
    elif defined and mark.code == CODES[State.IN_THREAD] and found.t - position.since < SEEN:
        found.unseen += 1
    else:
        found.wrong.append(f"#{mark.request} {mark.code} at {number}, is at {sorted(true) or 'none'}")


def _judge_above(found: Judged, near: Sequence[Snapshot], mark: Any) -> None:
    lasting = [one for one in near if found.t - SEEN <= one.t <= found.t]
    same = {one.of(mark.request) for one in lasting}
    if same == {frozenset()}:
        found.right += 1
    elif len(same) > 1 or found.t - mark.position.since < SEEN or mark.code == BLOCK:
        found.unseen += 1
    else:
        found.wrong.append(f"#{mark.request} {mark.code} at none, is at {sorted(next(iter(same)))}")
