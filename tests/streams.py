"""Events by hand: a function for each kind. Their times are milliseconds after `ZERO`."""

# ruff: noqa: D103  # each function makes the event of its name; loopviz.stream.events says what it means

from __future__ import annotations

from collections.abc import Iterable

from loopviz.model import Block, Segment, Timeline
from loopviz.stream import events as ev
from loopviz.stream.events import Event, PoolKind, Role, Turn

MS = 1_000_000
ZERO = 50_000_000_000_000
"""The clock's reading at 0 ms of the tests; a real clock does not start at 0."""


def ns(ms: float) -> int:
    """The clock's reading (ns) at `ms` of the tests."""
    return ZERO + round(ms * MS)


def ms(t: int | None) -> float:
    """The tests' time of a clock's reading, which must be there."""
    assert t is not None
    return (t - ZERO) / MS


def fired(
    at: float, press: int = 1, scenario: str = "x", first: int = 1, count: int = 1, threads: int = 40
) -> Event:
    return (ns(at), ev.FIRED, press, scenario, first, count, threads)


def sent(at: float, request: int = 1) -> Event:
    return (ns(at), ev.SENT, request, "GET", "/")


def received(at: float, request: int = 1, status: int | None = 200, error: str | None = None) -> Event:
    return (ns(at), ev.RECEIVED, request, status, error)


def read(at: float, request: int = 1, task: int = 1, arrived: float | None = None) -> Event:
    return (ns(at), ev.READ, request, "GET", "/", 0 if arrived is None else ns(arrived))


def probing(at: float, path: str = "/healthz", timeout: float = 1_000) -> Event:
    return (ns(at), ev.PROBING, path, round(timeout * MS))


def probed(sent_at: float, took: float | None = None, why: str = "", *, after: float = 1_000) -> list[Event]:
    """A health probe and its end: answered after `took` ms, or failed `after` so many."""
    begun: Event = (ns(sent_at), ev.HEALTH, ns(sent_at), None, None, "")
    if took is None:
        why = why or "no answer within 1 s"
        return [begun, (ns(sent_at + after), ev.HEALTH, ns(sent_at), None, 0, why)]
    return [begun, (ns(sent_at + took), ev.HEALTH, ns(sent_at), round(took * MS), int(not why), why)]


def status(at: float, code: int, request: int = 1) -> Event:
    return (ns(at), ev.STATUS, request, code)


def raised(at: float, name: str, message: str = "", request: int = 1) -> Event:
    return (ns(at), ev.RAISED, request, name, message)


def responded(at: float, request: int = 1) -> Event:
    return (ns(at), ev.RESPONDED, request)


def made(at: float, task: int = 1, request: int = 1, parent: int = 0) -> Event:
    return (ns(at), ev.TASK, task, parent, request, "work")


def wake(at: float, task: int = 1) -> Event:
    return (ns(at), ev.WAKE, task)


def step(at: float, task: int = 1) -> Event:
    return (ns(at), ev.STEP, task)


def suspend(at: float, task: int = 1, awaited: str = "Future", due: float | None = None) -> Event:
    return (ns(at), ev.YIELD, task, awaited, 0 if due is None else ns(due))


def end(at: float, task: int = 1) -> Event:
    return (ns(at), ev.END, task)


def awaits_task(at: float, task: int, other: int, how: int = 1) -> Event:
    return (ns(at), ev.AWAITS_TASK, task, other, how)


def awaits_call(at: float, task: int, number: int, how: int = 1) -> Event:
    return (ns(at), ev.AWAITS_CALL, task, number, how)


def token_wait(at: float, task: int = 1) -> Event:
    return (ns(at), ev.TOKEN_WAIT, task)


def tokens(at: float, total: int, borrowed: int, waiting: int) -> Event:
    return (ns(at), ev.TOKENS, total, borrowed, waiting)


def submit(at: float, call: int = 1, task: int = 1, request: int = 1) -> Event:
    return (ns(at), ev.SUBMIT, call, task, request)


def call(at: float, number: int = 1, task: int = 1, request: int = 1, thread: int = 2) -> Event:
    return (ns(at), ev.CALL, number, task, request, thread, "app.py", 7, "work")


def returns(at: float, number: int = 1) -> Event:
    return (ns(at), ev.RETURN, number)


def thread(at: float, number: int, role: Role = "worker") -> Event:
    return (ns(at), ev.THREAD, number, role)


def cpu(at: float, number: int, used: float) -> Event:
    """A thread's CPU clock; `used` in milliseconds."""
    return (ns(at), ev.CPU, number, round(used * MS))


def pool(
    at: float, number: int = 1, kind: PoolKind = "default-executor", name: str = "", size: int = 4
) -> Event:
    return (ns(at), ev.POOL, number, kind, name, size)


def worker(at: float, number: int = 0, pid: int = 100, change: Turn = "started", reason: str = "") -> Event:
    return (ns(at), ev.WORKER, number, pid, change, reason)


def of_worker(number: int, *events: Event | Iterable[Event]) -> list[Event]:
    """The same events, of this worker of the server."""
    flat = [one for event in events for one in ([event] if isinstance(event, tuple) else event)]
    return ev.of_worker(flat, number)


def idle(at: float) -> Event:
    return (ns(at), ev.IDLE)


def iteration(at: float) -> Event:
    return (ns(at), ev.ITERATION)


def stopped(at: float, since: float) -> Event:
    return (ns(at), ev.STOPPED, ns(since))


def gil(at: float, since: float, thread: int = 0, line: int = 0) -> Event:
    """A thread kept the GIL; `line` 0: its line is not known."""
    where = ("app.py", line, "keeps") if line else ("", 0, "")
    return (ns(at), ev.GIL, ns(since), thread, *where)


def keeps(at: float, since: float, thread: int = 0, line: int = 0, calls: str = "") -> Event:
    """A thread keeps the GIL, seen from outside; 0: none any more."""
    where = ("app.py", line, "keeps", calls) if line else ("", 0, "", "")
    return (ns(at), ev.KEEPS, ns(since), thread, *where)


def switched(at: float, number: int, switched: float) -> Event:
    """The most that a thread can have waited for the GIL, in milliseconds."""
    return (ns(at), ev.SWITCHED, number, round(switched * MS))


def waited(at: float, number: int, core: float = 0, late: float = 0) -> Event:
    """How long a thread waited for a core, and the sampler for the GIL, in milliseconds."""
    return (ns(at), ev.WAITED, number, round(core * MS), round(late * MS))


def holds(at: float, task: int = 1, since: float = 0, line: int = 14, calls: str = "") -> Event:
    return (ns(at), ev.HOLDS, task, ns(since), "app.py", line, "handler", calls)


def callback(at: float, number: int = 1, request: int = 0, since: float = 0) -> Event:
    return (ns(at), ev.CALLBACK, number, request, ns(since))


def late_wake(at: float, task: int = 1, since: float = 0) -> Event:
    return (ns(at), ev.LATE_WAKE, task, ns(since))


def executes(at: float, number: int = 1, line: int = 8) -> Event:
    return (ns(at), ev.EXECUTES, number, "app.py", line, "work")


def awaits(at: float, task: int = 1, line: int = 21) -> Event:
    return (ns(at), ev.AWAITS, task, "app.py", line, "handler")


def within(at: float, number: int = 1, line: int = 8, calls: str = "time.sleep") -> Event:
    return (ns(at), ev.WITHIN, number, "app.py", line, "work", calls)


def awaited(at: float, task: int = 1, what: str = "timer", name: str = "", holder: int = 0) -> Event:
    return (ns(at), ev.AWAITED, task, what, name, holder)


def accepted(request: int = 1, task: int = 1, at: float = 0) -> list[Event]:
    """An own request that is sent at `at`, read 1 ms later, and begins to run 2 ms later."""
    return [
        sent(at, request),
        iteration(at + 0.5),
        read(at + 1, request, task),
        made(at + 1, task, request),
        step(at + 2, task),
    ]


def timeline(*events: Event | Iterable[Event], threshold: float = 100) -> Timeline:
    """A timeline that has been fed `events`, lists of events among them."""
    line = Timeline(threshold=round(threshold * MS))
    feed(line, *events)
    return line


def feed(line: Timeline, *events: Event | Iterable[Event]) -> None:
    """Feed more events, lists of events among them."""
    for event in events:
        line.feed([event] if isinstance(event, tuple) else event)


def block_at(line: Timeline, at: float) -> Block:
    """The block that the loop is in at `at` ms; there must be one."""
    found = line.block_at(ns(at))
    assert found is not None
    return found


def shape(segments: Iterable[Segment]) -> list[tuple[str, float, float]]:
    """State, start and end (ms) of each segment."""
    return [(s.state.value, ms(s.start), ms(s.end)) for s in segments]


def merged(segments: Iterable[Segment]) -> list[tuple[str, int, int]]:
    """State, start and end (ns); consecutive segments of the same state are joined."""
    found: list[tuple[str, int, int]] = []
    for segment in segments:
        state, start, stop = segment.state.value, segment.start, segment.end
        if found and found[-1][0] == state and found[-1][2] == start:
            start = found.pop()[1]
        found.append((state, start, stop))
    return found
