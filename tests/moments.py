"""A moment for each row of the table of sentences: hand-written events, and the time (ms)."""

from __future__ import annotations

from loopviz.model import Timeline
from loopviz.stream import events as ev
from tests import streams
from tests.several_scene import three_workers
from tests.streams import accepted, feed, holds, ns, timeline

__all__ = [
    "MOMENTS",
    "computing",
    "exhausted",
    "in_threads",
    "starving",
    "taking_turns",
    "unseen_loop",
    "waiting_for_gil",
]


def blocked() -> Timeline:
    """Request 1 sleeps on the loop from 2 ms on; two others are sent at 10 ms."""
    line = timeline(streams.thread(0, 1, "loop"), accepted())
    feed(line, [streams.sent(10, number) for number in (2, 3)])
    feed(line, holds(500, since=2, line=14, calls="time.sleep"))
    feed(line, [streams.cpu(at, 1, 0) for at in (100, 300, 500)])
    return line


def kept() -> Timeline:
    """Thread 2, which serves request 1, keeps the GIL from 30 to 430 ms; request 2 is sent at 50 ms."""
    line = timeline(streams.thread(0, 1, "loop"), streams.thread(0, 2), accepted())
    feed(line, streams.call(5), streams.suspend(9), streams.idle(10), streams.sent(50, 2))
    feed(line, streams.gil(430, since=30, thread=2, line=8))
    return line


def hog() -> Timeline:
    """Request 1 computes on the loop from 2 ms on, in C code that keeps the GIL; two others are sent."""
    line = timeline(streams.thread(0, 1, "loop"), accepted(), streams.cpu(2, 1, 0))
    feed(line, [streams.sent(10, number) for number in (2, 3)])
    for at in (230, 350, 470):
        feed(line, streams.cpu(at, 1, at), streams.holds(at, since=2, line=14, calls="re.match"))
        feed(line, streams.keeps(at, 2, 1, 14, "re.match"))
    return line


def stopped() -> Timeline:
    """The process is stopped from 10 ms on, while request 1 awaits a timer."""
    line = timeline(accepted(), streams.suspend(9), streams.idle(10))
    for at in range(160, 461, 25):
        feed(line, streams.stopped(at, 10 if at == 160 else at - 25))
    return line


def starving() -> Timeline:
    """Six requests that take turns with steps of 80 ms, the first of which is seen at a line."""
    line = timeline(streams.idle(-50), streams.iteration(-1))
    for number in range(1, 7):
        feed(line, [streams.sent(-2, number), streams.read(0, number), streams.made(0, number, number)])
    for number in range(1, 6):
        start = (number - 1) * 80 + 1
        feed(line, streams.step(start, number))
        if number < 5:
            feed(line, streams.holds(start + 30, number, start, line=14 + number % 2))
            feed(line, streams.suspend(start + 80, number))
    return line


def taking_turns() -> Timeline:
    """Three requests that take turns with steps of 10 ms."""
    line = timeline(streams.idle(-50), streams.iteration(-1))
    for number in (1, 2, 3):
        feed(line, [streams.sent(-2, number), streams.read(0, number), streams.made(0, number, number)])
    for turn in range(45):
        start, number = turn * 10 + 1, turn % 3 + 1
        feed(line, streams.step(start, number), streams.suspend(start + 10, number, ""))
    return line


def exhausted(total: int, waiting: range) -> Timeline:
    """All of `total` threads are in use, and these requests wait for one since 4 ms past their number."""
    line = timeline(accepted(), streams.tokens(3, total, total, len(waiting)))
    for task in waiting:
        at = 4 + task
        feed(line, streams.sent(at, task), streams.read(at, task, task), streams.made(at, task, task))
        feed(line, streams.step(at, task), streams.token_wait(at, task), streams.suspend(at, task))
    feed(line, streams.step(5 + task), streams.suspend(6 + task), streams.idle(6 + task))
    return line


def unknown_pool() -> Timeline:
    """Request 1 waits for a worker, and of which pool is not known."""
    return timeline(accepted(), streams.token_wait(3), streams.suspend(4), streams.idle(5))


def in_threads(share: float, gil: float = 0.0, core: float = 0.0) -> Timeline:
    """Requests 1 and 2 in a worker thread each, which uses a `share` of a core, and waits."""
    line = timeline(accepted(), accepted(2, 2, at=5))
    for number in (1, 2):
        feed(line, streams.thread(10, number + 1), streams.call(10, number, number, number, number + 1))
    feed(line, streams.suspend(11), streams.suspend(11, 2), streams.idle(11))
    for at in (100, 400, 700, 900):
        feed(line, [streams.cpu(at, number, at * share) for number in (2, 3)])
        feed(line, [streams.switched(at, number, at * gil) for number in (2, 3)])
        feed(line, [streams.waited(at, number, core=at * core) for number in (2, 3)])
    return line


def in_process() -> Timeline:
    """Request 1's call executes in a worker process."""
    line = timeline(accepted(), streams.thread(3, 2, "process"), streams.submit(3), streams.call(4))
    feed(line, streams.suspend(5), streams.idle(6))
    return line


def sending() -> Timeline:
    """The client of request 1 does not take the response."""
    line = timeline(accepted(), streams.status(3, 200))
    feed(line, (ns(4), ev.CLIENT_WAIT, 1, "sending"), streams.suspend(5), streams.idle(6))
    return line


def suspended() -> Timeline:
    """Two requests await timers."""
    line = timeline(accepted(), accepted(2, 2, at=5))
    feed(line, streams.suspend(9), streams.suspend(9, 2), streams.idle(10))
    feed(line, streams.awaited(30), streams.awaited(30, 2))
    return line


def answered() -> Timeline:
    """Another client's last request is answered."""
    return timeline(
        accepted(), streams.status(3, 200), streams.responded(400), streams.end(400), streams.idle(401)
    )


def waiting_for_gil() -> Timeline:
    """Request 2 is at line 99 of the loop, which waits for the GIL: request 1's thread keeps it at line 8."""
    line = timeline(
        streams.fired(0, 1, "x", 1, 2, 40), streams.thread(0, 1, "loop"), streams.thread(0, 2), accepted()
    )
    feed(line, streams.call(5), streams.suspend(9), streams.idle(10), streams.iteration(20))
    feed(line, streams.sent(20, 2), streams.read(21, 2, 2), streams.made(21, 2, 2), streams.step(22, 2))
    feed(line, streams.cpu(22, 1, 0), streams.switched(22, 1, 0), streams.waited(22, 1))
    feed(line, streams.holds(45, 2, 22, line=99))
    feed(line, streams.cpu(45, 1, 1), streams.switched(45, 1, 0), streams.waited(45, 1))
    feed(line, streams.gil(430, since=46, thread=2, line=8))
    feed(line, streams.cpu(430, 1, 1), streams.switched(430, 1, 400), streams.waited(430, 1, 0, 380))
    return line


def computing(end: int, clocks: tuple[int, ...] = (2, 3)) -> Timeline:
    """A burst of two requests in worker threads, 2 and 3; these `clocks` are read up to `end` (ms)."""
    line = timeline(streams.fired(0, 1, "cpu_threads", 1, 2, 40), streams.thread(0, 1, "loop"))
    for number in (1, 2):
        feed(line, accepted(number, number, at=number), streams.thread(number + 5, number + 1))
        feed(line, streams.call(number + 5, number, number, number, number + 1))
        feed(line, streams.suspend(number + 6, number))
    feed(line, streams.idle(10))
    for at in range(20, end + 1, 90):
        feed(line, [streams.cpu(at, number, at / 2) for number in clocks])
    return line


def unseen_loop(*, threads: bool = False) -> Timeline:
    """As `suspended`, or with a call in a thread, on a loop whose iterations are not seen."""
    line = timeline(streams.sent(0), streams.read(1), streams.made(1), streams.step(2))
    if threads:
        feed(line, streams.thread(3, 2), streams.call(3))
    feed(line, streams.suspend(4))
    feed(line, [] if threads else streams.awaited(30))
    return line


MOMENTS: dict[str, tuple[Timeline, float]] = {
    "stopped": (stopped(), 480),
    "gil-block": (kept(), 425),
    "gil-kept": (hog(), 480),
    "block-elsewhere": (three_workers(), 880),
    "block": (blocked(), 502),
    "starvation": (starving(), 380),
    "turns": (taking_turns(), 400),
    "pool-full": (exhausted(4, range(2, 4)), 906),
    "pool": (unknown_pool(), 906),
    "gil": (in_threads(0.5, gil=0.5), 950),
    "cores": (in_threads(0.2, core=0.8), 950),
    "processes": (in_process(), 1_500),
    "threads": (in_threads(0.0), 1_500),
    "clients": (sending(), 1_500),
    "awaiting": (suspended(), 1_500),
    "progress": (timeline(accepted()), 60),
    "nothing": (answered(), 500),
}
