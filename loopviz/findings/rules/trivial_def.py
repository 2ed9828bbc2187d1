"""A ``def`` endpoint that returns at once: each request paid for the way to a thread and back."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from loopviz.clock import duration
from loopviz.findings import source
from loopviz.findings.finding import Finding
from loopviz.findings.loss import PART, Loss
from loopviz.findings.seen import Seen
from loopviz.findings.waits import calls, in_executor
from loopviz.findings.words import at, count, named
from loopviz.model import Span, State, Where

__all__ = ["look"]

_AT_ONCE = 1_000_000
"""An endpoint that takes less (ns) returns at once."""
_LEAST = 10
"""Fewer requests than this pay too little."""
_IO = {"eval", "exec", "input", "open", "print"}
_WAITS = (ast.While, ast.For, ast.With, ast.Yield, ast.YieldFrom)


def look(seen: Seen) -> Iterator[Finding]:
    """The endpoints that wait for nothing, compute nothing and yet were called in threads."""
    found: dict[Where, list[Span]] = defaultdict(list)
    for span in calls(seen):
        if span.called is not None and span.request in seen.by_number and not in_executor(seen, span):
            found[span.called].append(span)
    for called, spans in found.items():
        worked = median(span.end - span.start for span in spans)
        if len(spans) < _LEAST or worked >= _AT_ONCE or not _is_trivial(seen, called):
            continue
        loss = Loss()
        for span in spans:
            _add_ways(seen, span, loss)
        ways = [loss.of(number) for number in loss.requests]
        if ways and median(ways) >= PART * seen.took and seen.matters(loss):
            yield _finding(seen, called, worked, loss)


def _is_trivial(seen: Seen, called: Where) -> bool:
    """Whether it is a ``def`` endpoint that calls nothing but builtins and classes."""
    found = source.function_of(seen.lines(called.file), called.line)
    if found is None or not isinstance(found[1], ast.FunctionDef) or not source.is_endpoint(found[1]):
        return False
    nodes = [node for part in found[1].body for node in ast.walk(part)]
    return not any(isinstance(node, _WAITS) for node in nodes) and all(
        _is_plain(node) for node in nodes if isinstance(node, ast.Call)
    )


def _is_plain(call: ast.Call) -> bool:
    name = source.name_of(call.func)
    known = name[:1].isupper() or hasattr(builtins, name)
    return isinstance(call.func, ast.Name) and known and name not in _IO


def _add_ways(seen: Seen, span: Span, loss: Loss) -> None:
    """Add how long its request was on its way to the thread, and back."""
    before = after = 0
    for segment in seen.segments(seen.by_number[span.request]):
        if segment.state is State.RUNNING and segment.end <= span.start:
            before = segment.end
        elif segment.state is State.RUNNING and segment.start >= span.end:
            after = segment.start
            break
    if before and after:
        loss.add(span.request, before, span.start)
        loss.add(span.request, span.end, after)


def _finding(seen: Seen, called: Where, worked: float, loss: Loss) -> Finding:
    name = called.function.rpartition(".")[2]
    who, way = count(len(loss.requests), "request"), duration(median(map(loss.of, loss.requests)))
    return Finding(
        id="trivial-def",
        severity="low",
        confidence="measured",
        title="A thread for nothing",
        what=f"{who} worked {duration(worked)} each in {name} ({at(called)}), and the way to a worker thread"
        f" and back took {way}.",
        why="FastAPI calls a def endpoint in a worker thread because it may wait; this one never does.",
        do=f"Make {name} async def: what never waits needs no thread.",
        where=called,
        requests=named(loss.requests),
        culprits=named(loss.requests),
        evidence=(
            ("work of the endpoint", f"{duration(worked)} each"),
            ("way to a thread and back", f"{way} each"),
            ("requests", str(len(loss.requests))),
        ),
        lost=loss.total,
        change=((f"def {name}(...):",), (f"async def {name}(...):",)),
        repair="async-def",
        scenario=seen.repaired or "trivial_async",
        loss=loss,
    )
