"""A convoy: requests wait for a lock, a semaphore or a connection that others have, one after the other."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from loopviz.clock import duration
from loopviz.findings.finding import Change, Finding
from loopviz.findings.loss import Loss
from loopviz.findings.once import done_once
from loopviz.findings.seen import Seen
from loopviz.findings.source import function_of, name_of
from loopviz.findings.words import at, called, count, named
from loopviz.model import Awaits, Request, State, Where

__all__ = ["look"]

_HELD = ("lock", "semaphore", "connection")
_SIZES = (
    "pool_size=",
    "max_connections=",
    "max_size=",
    "maxsize=",
    "limit=",
    "Semaphore(",
    "CapacityLimiter(",
)
"""Where the size of a pool or a semaphore is declared."""
_TAKEN = ("queue", "get")
_LOOPS = (ast.While, ast.For, ast.AsyncFor)
_ENDED = 2_000_000
"""Who has finished so shortly before (ns) has given it back."""


@dataclass(slots=True)
class _Convoy:
    """The waits for one thing."""

    what: str
    name: str
    where: Where
    """The line at which requests wait."""
    loss: Loss = field(default_factory=Loss)
    holders: Counter[int] = field(default_factory=Counter)
    """The requests that had it, and how long others waited for them (ns)."""
    lines: Counter[Where] = field(default_factory=Counter)
    """At which line they were meanwhile."""
    seen: bool = False
    """Whether who held it was seen; else it follows from who was at work meanwhile."""


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each thing that requests waited for, by the line at which they did."""
    found: dict[tuple[str, str, Where], _Convoy] = {}
    held: dict[tuple[str, str, Where], bool] = {}
    for request in seen.requests:
        for segment in seen.segments(request):
            awaits, where = segment.awaits, segment.where
            if segment.state is not State.AWAITING or awaits is None or where is None:
                continue
            key = awaits.what, awaits.name, where
            if key not in held:
                held[key] = awaits.what in _HELD or (key[:2] == _TAKEN and _is_pool(seen, where))
            if not held[key]:
                continue
            convoy = found.setdefault(key, _Convoy(*key))
            convoy.loss.add(request.id, segment.start, segment.end)
            _add_holder(seen, convoy, awaits, request, segment.start, segment.end)
    for convoy in sorted(found.values(), key=lambda convoy: -convoy.loss.total):
        if seen.matters(convoy.loss) and not _for_all(seen, convoy):
            if not convoy.holders:
                _infer(seen, convoy)
            if convoy.holders or len(convoy.loss.requests) > 1:  # else it waits for what is not seen
                yield _finding(seen, convoy)


def _is_pool(seen: Seen, where: Where) -> bool:
    """Whether a function that takes an item of a queue puts the same one back: then the queue is a pool.

    In a loop it is none: there it is work that is handed on, perhaps once more.
    """
    line, found = where.line, function_of(seen.lines(where.file), where.line)
    if found is None:
        return False
    nodes = list(ast.walk(found[1]))
    if any(isinstance(n, _LOOPS) and n.lineno <= line <= (n.end_lineno or n.lineno) for n in nodes):
        return False
    taken = {
        (ast.unparse(node.value.value.func.value), node.targets[0].id)
        for node in nodes
        if isinstance(node, ast.Assign)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Await)
        and isinstance(node.value.value, ast.Call)
        and isinstance(node.value.value.func, ast.Attribute)
    }
    put = {
        (ast.unparse(node.func.value), name_of(node.args[0]))
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"put", "put_nowait"}
        and node.args
    }
    return bool(taken & put)


def _add_holder(seen: Seen, convoy: _Convoy, awaits: Awaits, waiter: Request, start: int, end: int) -> None:
    """Who held it from `start` to `end`, as it was seen, and what it did meanwhile."""
    holder = seen.timeline.requests.get(awaits.holder)
    if holder is None or holder is waiter:
        return
    convoy.seen = True
    convoy.holders[holder.id] += end - start
    for segment in seen.segments(holder):
        lasted = min(end, segment.end) - max(start, segment.start)
        if lasted > 0 and segment.where is not None:
            convoy.lines[segment.where] += lasted


def _for_all(seen: Seen, convoy: _Convoy) -> bool:
    """Whether who had the lock did what the others came for: they waited once, and found it done."""
    if convoy.what != "lock" or not convoy.seen or convoy.holders.keys() & set(convoy.loss.requests):
        return False
    inside = done_once(seen.lines(convoy.where.file), convoy.where.line)
    return inside is not None and not any(
        _worked(seen.by_number[number], convoy.where, inside, waits[0][1])
        for number, waits in convoy.loss.times()
    )


def _worked(request: Request, lock: Where, inside: tuple[int, int], since: int) -> bool:
    """Whether it was seen inside of the lock after its wait, or where that cannot be ruled out."""
    own = {lock.function, request.handler.function if request.handler is not None else ""}
    for sighting in request.seen or ():
        where, frames = sighting.where, sighting.frames
        if sighting.t < since:
            continue
        if not frames and where.function not in own:
            return True  # who has called it was not seen
        if any(
            (f.file, f.function) == (lock.file, lock.function) and inside[0] <= f.line <= inside[1]
            for f in (where, *frames)
        ):
            return True
    return False


def _infer(seen: Seen, convoy: _Convoy) -> None:
    """Who had it is not seen: those who were in the same function meanwhile, past the line of the wait."""
    waited, wait = _Waited(convoy.loss), convoy.where
    for request in seen.requests:
        for segment in seen.segments(request):
            where, awaits = segment.where, segment.awaits
            if where is None or where.function != wait.function or where.line < wait.line:
                continue
            waits = where == wait and awaits is not None and awaits.what == convoy.what
            if not waits and segment.end - segment.start > _ENDED:
                others = waited.within(segment.start, segment.end)
                if others:
                    convoy.holders[request.id] += others
                    convoy.lines[where] += others


class _Waited:
    """How long requests waited, all together, up to any moment."""

    def __init__(self, loss: Loss) -> None:
        times = [time for _, waits in loss.times() for time in waits]
        self._starts = sorted(start for start, _ in times)
        self._ends = sorted(end for _, end in times)
        self._sums = [list(accumulate(moments, initial=0)) for moments in (self._starts, self._ends)]

    def within(self, start: int, end: int) -> int:
        """How long they waited in this time."""
        return self._until(end) - self._until(start)

    def _until(self, t: int) -> int:
        begun, over = bisect_left(self._starts, t), bisect_left(self._ends, t)
        return (begun * t - self._sums[0][begun]) - (over * t - self._sums[1][over])


def _finding(seen: Seen, convoy: _Convoy) -> Finding:
    loss = convoy.loss
    thing = "an item of a queue" if convoy.what == "queue" else f"a {convoy.what}"
    thing += f" of {convoy.name}" if convoy.what == "connection" and convoy.name else ""
    where = max(convoy.lines, key=lambda line: convoy.lines[line], default=convoy.where)
    who = count(len(loss.requests), "request")
    holding = [number for number, _ in convoy.holders.most_common()]
    held = ""
    if holding:
        first = " ".join(f"#{number}" for number in holding[:3]) + (" ..." if len(holding) > 3 else "")
        held = f"; {first} had it, at {called(where)}" if where != convoy.where else f"; {first} had it"
    return Finding(
        id="convoy",
        severity=seen.severity(loss),
        confidence="measured" if convoy.seen else "likely",
        title=f"A convoy for a {convoy.what}",
        what=f"{who} waited for {thing} at {at(convoy.where)}, up to {duration(loss.longest)}{held}.",
        why=_WHY[convoy.what],
        do=_DO[convoy.what],
        where=where,
        requests=named(loss.requests),
        culprits=named(holding),
        evidence=(
            ("waited", who),
            ("longest wait", duration(loss.longest)),
            ("for", thing),
            ("waits at", at(convoy.where)),
            *((("held at", at(where)),) if convoy.lines else ()),
        ),
        lost=loss.total,
        change=_change(seen, convoy),
        scenario=seen.repaired or ("db_async" if convoy.what == "connection" else None),
        loss=loss,
    )


_WHY = {
    "lock": "One at a time can have the lock: all others wait until it is given back, whatever is free.",
    "semaphore": "Only so many can be inside at a time; all others wait until one of them has left.",
    "connection": "The pool has fewer connections than there are requests that need one: they take turns.",
    "queue": "The queue is a pool: a request that takes an item puts it back, and the others wait for that.",
}
_DO = {
    "lock": "Hold the lock only around what must not overlap, and await slow things outside of it.",
    "semaphore": "Allow more at a time, if what it protects can take it, or do less inside of it.",
    "connection": "Give the pool more connections, if the database can take it, or hold each for less time.",
    "queue": "Put more items into it, if what they stand for can take it, or hold each for less time.",
}


def _change(seen: Seen, convoy: _Convoy) -> Change | None:
    """The line that declares the size, with a larger one, where there is only one in the file."""
    found = [
        (line.strip(), size)
        for line in seen.lines(convoy.where.file)
        for size in _SIZES
        if size in line and convoy.what != "lock"
    ]
    if len(found) != 1:
        return None
    line, size = found[0]
    before, _, rest = line.partition(size)
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if not digits:
        return None
    return (line,), (f"{before}{size}{max(10, 5 * int(digits[:6]))}{rest[len(digits) :]}",)
