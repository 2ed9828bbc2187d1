"""The table of rules, and what they find.

If several rules see the same loss, the first one of the table has it: a blocking call in a middleware is no
blocking call besides, and who waits for a thread because the loop is held is explained by what holds it. So
the most specific rules come first. The table is not the order of what is shown: that is by gravity.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ParamSpec, TypeAlias, cast

from loopviz.findings.finding import Finding
from loopviz.findings.loss import Loss, merged
from loopviz.findings.rules import (
    background_work,
    blocking_call,
    blocking_middleware,
    client_wait,
    computing_in_threads,
    convoy,
    gil_kept,
    observer_late,
    pool_exhausted,
    sequential_awaits,
    short_steps,
    slow_dependency,
    thread_limit,
    trivial_def,
    worker_imbalance,
)
from loopviz.findings.seen import Lines, Seen, no_lines
from loopviz.findings.words import named
from loopviz.model import Burst, Timeline

__all__ = [
    "RULES",
    "InPieces",
    "Rule",
    "burst_in_pieces",
    "bursts_in_pieces",
    "found",
    "found_in_pieces",
    "of_burst",
    "of_bursts",
    "of_time",
    "time_in_pieces",
]

Rule: TypeAlias = Callable[[Seen], Iterable[Finding]]
InPieces: TypeAlias = Generator[None, None, list[Finding]]
"""Looks with one rule after the other, and pauses after each; it returns what was found."""
_P = ParamSpec("_P")

RULES: tuple[Rule, ...] = (
    observer_late.look,
    worker_imbalance.look,
    gil_kept.look,
    computing_in_threads.look,
    background_work.look,
    blocking_middleware.look,
    blocking_call.look,
    short_steps.look,
    client_wait.look,
    thread_limit.look,
    pool_exhausted.look,
    convoy.look,
    sequential_awaits.look,
    slow_dependency.look,
    trivial_def.look,
)
"""The rules, the most specific first."""


def found_in_pieces(seen: Seen, rules: Sequence[Rule] = RULES) -> InPieces:
    """What the rules find, the gravest first. Each loss is in one finding only."""
    taken: dict[int, list[tuple[int, int]]] = {}
    kept = []
    for rule in rules:
        for finding in _looked(rule, seen):
            left = finding.loss.without(taken)
            if left is not finding.loss:
                if not seen.matters(left):
                    continue
                finding = _of_less(seen, finding, left)  # noqa: PLW2901
            kept.append(finding)
            _take(taken, finding.explains or finding.loss)
        yield
    return sorted(kept, key=lambda finding: finding.order)


def _looked(rule: Rule, seen: Seen) -> Iterator[Finding]:
    """What a rule finds. Of source that is nested too deeply to be read, it is what it has found by then."""
    with suppress(RecursionError):
        yield from rule(seen)


def _of_less(seen: Seen, finding: Finding, left: Loss) -> Finding:
    """The finding, of which others have explained a part: it is no graver than what is left."""
    grave = max(finding.severity, seen.severity(left), key=("high", "medium", "low").index)
    return replace(finding, lost=left.total, loss=left, severity=grave, requests=named(left.requests))


def burst_in_pieces(
    timeline: Timeline,
    burst: Burst,
    lines: Lines = no_lines,
    *,
    now: int | None = None,
    repaired: str | None = None,
    gil: bool = True,
    dropped: int = 0,
) -> InPieces:
    """The findings of a burst, as far as it has come by `now`."""
    several = bursts_in_pieces(timeline, [burst], lines, now=now, repaired=repaired, gil=gil, dropped=dropped)
    return (yield from several)


def bursts_in_pieces(
    timeline: Timeline,
    bursts: Sequence[Burst],
    lines: Lines = no_lines,
    *,
    now: int | None = None,
    repaired: str | None = None,
    gil: bool = True,
    dropped: int = 0,
) -> InPieces:
    """The same of bursts that go on at the same time: what delays several of them is one thing."""
    now = timeline.last if now is None else now
    ends = [(burst, now if burst.done is None else min(now, burst.done)) for burst in bursts]
    begun = [(burst, end) for burst, end in ends if burst.began and end > burst.began]
    if not begun:
        return []
    requests = [request for burst, _ in begun for request in burst.requests]
    start, end = min(burst.began for burst, _ in begun), max(end for _, end in begun)
    seen = Seen(timeline, requests, start, end, now, _bare(lines), repaired, gil, dropped)
    return (yield from found_in_pieces(seen))


def time_in_pieces(
    timeline: Timeline,
    start: int,
    end: int,
    lines: Lines = no_lines,
    *,
    gil: bool = True,
    dropped: int = 0,
) -> InPieces:
    """The findings of all requests that were alive between `start` and `end` (ns), as at `end`."""
    requests = [
        request
        for request in timeline.requests.values()
        if request.start < end
        and (request.done is None or request.done > start)
        and request.websocket is None
    ]
    seen = Seen(timeline, requests, start, end, end, _bare(lines), gil=gil, dropped=dropped)
    return (yield from found_in_pieces(seen))


def _at_once(look: Callable[_P, InPieces]) -> Callable[_P, list[Finding]]:
    """The same without pauses."""

    def whole(*args: _P.args, **kwargs: _P.kwargs) -> list[Finding]:
        pieces = look(*args, **kwargs)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                return cast("list[Finding]", end.value)

    whole.__doc__ = look.__doc__
    return whole


found = _at_once(found_in_pieces)
of_burst = _at_once(burst_in_pieces)
of_bursts = _at_once(bursts_in_pieces)
of_time = _at_once(time_in_pieces)


def _bare(lines: Lines) -> Lines:
    """The same lines without their ends: some sources have them, and the rules join lines."""
    return lambda file: [line.rstrip("\r\n") for line in lines(file)]


def _take(taken: dict[int, list[tuple[int, int]]], loss: Loss) -> None:
    for request, times in loss.times():
        taken[request] = merged([*taken.get(request, ()), *times], 0)
