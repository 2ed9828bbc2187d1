"""A slow ``def`` dependency: the endpoint is async, and yet every request needs a thread before it begins."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median

from loopviz.clock import duration
from loopviz.findings import source
from loopviz.findings.as_async import as_async
from loopviz.findings.finding import Finding
from loopviz.findings.kinds import kind_of_call
from loopviz.findings.loss import Loss
from loopviz.findings.seen import Seen
from loopviz.findings.waits import calls, in_executor
from loopviz.findings.words import at, count, named, whose
from loopviz.model import Span, Where

__all__ = ["look"]

_SLOW = 100_000_000
"""A dependency that takes less (ns) is not slow."""


def look(seen: Seen) -> Iterator[Finding]:
    """The dependencies of async endpoints that took long in a thread."""
    for spans in _calls(seen):
        loss = Loss()
        for span in spans:
            loss.add(span.request, max(seen.start, span.start), min(seen.end, span.end))
        if median(span.end - span.start for span in spans) >= _SLOW and seen.matters(loss):
            yield _finding(seen, spans, loss)


def _calls(seen: Seen) -> Iterable[list[Span]]:
    """The calls of dependencies of async endpoints in threads, by the dependency."""
    found: dict[tuple[str, str], list[Span]] = defaultdict(list)
    known: dict[tuple[Where, Where | None, str, Where | None], Where | None] = {}
    for span in calls(seen):
        request = seen.by_number.get(span.request)
        if request is None or span.called is None or in_executor(seen, span):
            continue
        if request.done is not None and span.start >= request.done:
            continue
        key = span.called, span.where, span.role, request.handler
        if key not in known:
            known[key] = _dependency(seen, *key)
        if (where := known[key]) is not None:
            found[where.file, where.function].append(span)
    return found.values()


def _dependency(
    seen: Seen, called: Where, line: Where | None, role: str, handler: Where | None
) -> Where | None:
    """Where a dependency of an async endpoint is defined, or one of its lines; None if the call is none."""
    where = line if source.is_library(called.file) else called
    if where is None or kind_of_call(seen, called, line, role) != "dependency":
        return None
    return where if _is_async(seen, where, handler) else None


def _is_async(seen: Seen, dependency: Where, handler: Where | None) -> bool:
    """Whether the endpoint is ``async def``.

    Where it was not seen: whether such a function of the dependency's file depends on it, or none does.
    """
    endpoint = source.function_of(seen.lines(handler.file), handler.line) if handler is not None else None
    if endpoint is not None:
        return isinstance(endpoint[1], ast.AsyncFunctionDef)
    tree = source.tree_of(seen.lines(dependency.file))
    if tree is None:
        return False
    name = dependency.function.rpartition(".")[2]
    users = [function for function in source.functions(tree) if _takes(function, name)]
    return not users or any(isinstance(function, ast.AsyncFunctionDef) for function in users)


def _takes(function: source.Function, name: str) -> bool:
    """Whether its parameters or its decorators depend on what is called so."""
    return any(source.depends_on(node, name) for node in (function.args, *function.decorator_list))


def _finding(seen: Seen, spans: list[Span], loss: Loss) -> Finding:
    each = duration(median(span.end - span.start for span in spans))
    slowest = max(spans, key=lambda span: span.end - span.start)
    called = slowest.called or Where("", 0, "")
    where = slowest.where or called
    name = whose((where if called.file and source.is_library(called.file) else called).function)
    who = count(len(loss.requests), "request")
    change = as_async(seen, where)
    return Finding(
        id="slow-dependency",
        severity=seen.severity(loss),
        confidence="measured",
        title="A slow dependency in a thread",
        what=f"{who} spent {each} each in the dependency {name} ({at(where)}), in a worker thread, before the"
        " endpoint began.",
        why="FastAPI calls a def dependency in one of AnyIO's threads even where the endpoint is async def,"
        " so that the thread limit is one for it, too.",
        do=f"Make {name} async def and await what it waits for, or cache what it finds.",
        where=where,
        requests=named(loss.requests),
        culprits=named(loss.requests),
        evidence=(
            ("dependency", name),
            ("in a thread", f"{each} each"),
            ("longest", duration(loss.longest)),
            ("requests", str(len(loss.requests))),
        ),
        lost=loss.total,
        change=change,
        repair="async-sleep" if change is not None else None,
        scenario=seen.repaired or "dependency_async",
        loss=loss,
    )
